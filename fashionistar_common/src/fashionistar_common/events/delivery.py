"""One subscriber's deliveries: claimed in a short transaction, carried out each in its own.

An attempt is counted by the claim, before it begins. So an event that kills its process is dead in the end like one
whose handler fails, and whoever comes back after a crash finds the row due again.
"""

import functools
import itertools
import logging
import operator
import traceback
from asyncio import CancelledError
from collections.abc import Iterable, Sequence

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from ..backoff import backoff
from ..conf import conf
from ..context import carried
from ..db.text import storable
from ..exceptions import FashionistarError
from ..models import EventDelivery, OutboxEvent
from .bus import EventBus

logger = logging.getLogger(__name__)

PENDING, DELIVERED, DEAD = (
    EventDelivery.Status.PENDING,
    EventDelivery.Status.DELIVERED,
    EventDelivery.Status.DEAD,
)

#: What a handler may raise without stopping the relay. One that exits would, event by event, stop it for ever.
FAILURES = (Exception, SystemExit, CancelledError)
#: Fresh deliveries that a claim takes at most.
BATCH = 20
RETRY_BASE = 1.0
UNENDED = "The last attempt did not end: its process was killed, or it hung for longer than RELAY_HANDLER_TIME_LIMIT.\n"


class BrokenTransactionError(FashionistarError):
    """The handler returned, but its transaction is broken or no longer open; nothing of it is kept."""

    code = "broken_transaction"


def outbox_alias() -> str:
    """The database of the outbox."""
    return router.db_for_write(OutboxEvent)


def deliveries() -> QuerySet[EventDelivery]:
    return EventDelivery.objects.using(outbox_alias())


def claim(subscriber: str, events: Iterable[tuple[str, int]]) -> list[EventDelivery]:
    """Take what is due for a subscriber and count an attempt; empty when nothing is due.

    Taken are up to BATCH deliveries that were never tried, or a single one that was: whichever kills its process takes
    no others along twice. Nothing is taken while something earlier of its stream is pending, in whatever relay. What is
    taken and never attempted is due again after a second or so. Rows are locked in passing, with SKIP LOCKED.

    Args:
        subscriber: whose deliveries.
        events: the names and versions that this process has a handler for.
    """
    known = functools.reduce(operator.or_, (Q(event__name=name, event__version=version) for name, version in events))
    earlier = EventDelivery.objects.filter(
        status=PENDING, subscriber=subscriber, stream=OuterRef("stream"), event__lt=OuterRef("event")
    )
    now = timezone.now()
    with transaction.atomic(outbox_alias()):
        do_not_wait_for_disk()
        due = (
            deliveries()
            .filter(known, ~Exists(earlier), subscriber=subscriber, status=PENDING, next_attempt_at__lte=now)
            .order_by("next_attempt_at")
            .select_related("event")
            .select_for_update(of=("self",), skip_locked=True)
        )
        rows = list(due[:BATCH])
        if exhausted := [row for row in rows if row.attempts >= conf.RELAY_MAX_ATTEMPTS]:
            _bury(exhausted)
        rows = [row for row in rows if row not in exhausted]
        taken = list(itertools.takewhile(lambda row: row.attempts == 0, rows)) or rows[:1]
        for row in taken:
            row.attempts += 1
            row.next_attempt_at = now + backoff(row.attempts, base=RETRY_BASE)
        if taken:
            last = max(row.next_attempt_at for row in taken)
            deliveries().filter(pk__in=[row.pk for row in taken]).update(
                attempts=F("attempts") + 1, next_attempt_at=last
            )
    return taken


def release(taken: Sequence[EventDelivery]) -> None:
    """Give back what was claimed and not attempted: it is due at once, and the attempt does not count."""
    for row in taken:
        deliveries().filter(pk=row.pk, status=PENDING, attempts=row.attempts).update(
            attempts=row.attempts - 1, next_attempt_at=timezone.now()
        )


def attempt(delivery: EventDelivery, bus: EventBus) -> bool:
    """Carry out a claimed delivery; False if it is somebody else's by now.

    The row turns to `delivered` and is locked before the handler runs, in the handler's transaction: both are
    committed, or neither is. What the handler raises is kept in the row for the next attempt.
    """
    alias = outbox_alias()
    connection = connections[alias]
    try:
        with transaction.atomic(alias):
            mine = deliveries().filter(pk=delivery.pk, status=PENDING, attempts=delivery.attempts)
            if connection.features.has_select_for_update_skip_locked:
                mine = deliveries().filter(pk__in=mine.select_for_update(skip_locked=True).values("pk"))
            if not mine.update(status=DELIVERED, delivered_at=timezone.now()):
                return False
            _limit_time(connection)
            with carried(delivery.event.context or {"request_id": delivery.event.request_id}):
                _handle(delivery, bus)
            if not _is_sound(connection):
                raise BrokenTransactionError
    except FAILURES as error:
        _note_failure(delivery, error)
    return True


def _handle(delivery: EventDelivery, bus: EventBus) -> None:
    event = delivery.event
    subscription = bus.subscriptions(event.name, event.version)[delivery.subscriber]
    envelope = {"event_id": str(event.event_id), "occurred_at": event.occurred_at.isoformat()}
    subscription.handle({**event.payload, **envelope})


def _limit_time(connection: BaseDatabaseWrapper) -> None:
    """Let PostgreSQL end the transaction of a handler that hangs in a statement or between two."""
    if connection.vendor == "postgresql" and len(connection.atomic_blocks) == 1:
        limit = f"{int(conf.RELAY_HANDLER_TIME_LIMIT * 1000)}ms"
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true),"
                " set_config('idle_in_transaction_session_timeout', %s, true)",
                [limit, limit],
            )


def _is_sound(connection: BaseDatabaseWrapper) -> bool:
    """Whether a commit would keep what was written: Django and PostgreSQL may roll back without a word instead."""
    if connection.closed_in_transaction or connection.needs_rollback:
        return False
    if connection.vendor != "postgresql":
        return True
    from psycopg.pq import TransactionStatus

    return bool(connection.connection.info.transaction_status == TransactionStatus.INTRANS)


def _note_failure(delivery: EventDelivery, error: BaseException) -> None:
    text = storable("".join(traceback.format_exception(error)))[-10_000:]
    facts = {"event": str(delivery.event), "subscriber": delivery.subscriber, "attempt": delivery.attempts}
    row = deliveries().filter(pk=delivery.pk, status=PENDING, attempts=delivery.attempts)
    if delivery.attempts >= conf.RELAY_MAX_ATTEMPTS:
        row.update(status=DEAD, last_error=text)
        logger.error("event delivery is dead", extra=facts, exc_info=error)
    else:
        row.update(last_error=text, next_attempt_at=timezone.now() + backoff(delivery.attempts, base=RETRY_BASE))
        logger.warning("event delivery failed, will be tried again", extra=facts, exc_info=error)


def _bury(exhausted: Sequence[EventDelivery]) -> None:
    for row in exhausted:
        deliveries().filter(pk=row.pk).update(status=DEAD, last_error=UNENDED + row.last_error)
        facts = {"event": str(row.event), "subscriber": row.subscriber, "attempt": row.attempts}
        logger.error("event delivery is dead: its attempts do not end", extra=facts)


def do_not_wait_for_disk() -> None:
    """For what a crash of the database may undo, because it would be done again: claims and fanning out."""
    connection = connections[outbox_alias()]
    if connection.vendor == "postgresql" and len(connection.atomic_blocks) == 1:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
