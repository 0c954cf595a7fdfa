"""One subscriber's deliveries: claimed in a short transaction, carried out each in its own.

An attempt is counted by the claim, before it begins. So an event that kills its process is dead in the end like one
whose handler fails, and whoever comes back after a crash finds the row due again.
"""

import logging
import traceback
from asyncio import CancelledError
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.utils import timezone

from ..backoff import backoff
from ..conf import conf
from ..context import carried
from ..db.text import storable
from ..exceptions import FashionistarError
from ..models import EventDelivery, OutboxEvent
from ..observability.work import work
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

# Claiming and taking are most of a relay's work; built by the ORM they would cost more than all the rest together.
CLAIM = """
    WITH due AS (
        SELECT delivery.id, attempts, next_attempt_at
        FROM fashionistar_common_eventdelivery delivery
        JOIN fashionistar_common_outboxevent event ON event.id = delivery.event_id
        WHERE subscriber = %s AND status = 'pending' AND next_attempt_at <= %s AND ({known}) AND NOT EXISTS (
            SELECT 1 FROM fashionistar_common_eventdelivery earlier
            WHERE earlier.subscriber = delivery.subscriber AND earlier.stream = delivery.stream
            AND earlier.status = 'pending' AND earlier.event_id < delivery.event_id
        )
        ORDER BY next_attempt_at LIMIT %s {lock}
    ), ranked AS (
        SELECT id, row_number() OVER first_due AS place, max(attempts) OVER first_due AS tried FROM due
        WINDOW first_due AS (ORDER BY next_attempt_at, id ROWS UNBOUNDED PRECEDING)
    )
    UPDATE fashionistar_common_eventdelivery SET attempts = attempts + 1, next_attempt_at = %s
    WHERE id IN (SELECT id FROM ranked WHERE place = 1 OR tried = 0)
    RETURNING id, event_id, attempts {no_wait}
"""
TAKE = """
    UPDATE fashionistar_common_eventdelivery SET status = 'delivered', delivered_at = %s
    WHERE id = %s AND status = 'pending' AND attempts = %s RETURNING id {limits}
"""
# The commit does not wait for the disk. What a crash of the database loses, it loses together: the handler's writes and
# the note that they were made, so that they are made again.
LIMITS = """, set_config('statement_timeout', %s, true), set_config('idle_in_transaction_session_timeout', %s, true),
    set_config('synchronous_commit', 'off', true)
"""


@dataclass(frozen=True)
class Claimed:
    """A delivery that this process may attempt now. `attempts` counts this one."""

    pk: int
    subscriber: str
    attempts: int
    event: OutboxEvent


class BrokenTransactionError(FashionistarError):
    """The handler returned, but its transaction is broken or no longer open; nothing of it is kept."""

    code = "broken_transaction"


def outbox_alias() -> str:
    """The database of the outbox."""
    return router.db_for_write(OutboxEvent)


def deliveries() -> QuerySet[EventDelivery]:
    return EventDelivery.objects.using(outbox_alias())


def claim(subscriber: str, events: Sequence[tuple[str, int]]) -> list[Claimed]:
    """Take what is due for a subscriber and count an attempt; empty when nothing is due.

    Taken are up to BATCH deliveries that were never tried, or a single one that was: whichever kills its process takes
    no others along twice. Nothing is taken while something earlier of its stream is pending, in whatever relay. What is
    taken and never attempted is due again after a second or so. Rows are locked in passing, with SKIP LOCKED.

    Args:
        subscriber: whose deliveries.
        events: the names and versions that this process has a handler for.
    """
    while taken := _claim(subscriber, events):
        first = taken[0]
        if first.attempts > conf.RELAY_MAX_ATTEMPTS:
            _bury(first)
            continue
        if first.attempts > 1:
            _row(first).update(next_attempt_at=timezone.now() + backoff(first.attempts, base=RETRY_BASE))
        return taken
    return []


def _claim(subscriber: str, events: Sequence[tuple[str, int]]) -> list[Claimed]:
    connection, now = connections[outbox_alias()], timezone.now()
    sql = CLAIM.format(
        known=" OR ".join(["event.name = %s AND event.version = %s"] * len(events)),
        lock="FOR UPDATE OF delivery SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else "",
        # A crash of the database may undo a claim: the attempt itself is then not kept either.
        no_wait=", set_config('synchronous_commit', 'off', true)" if connection.vendor == "postgresql" else "",
    )
    adapt = connection.ops.adapt_datetimefield_value
    lost_at = now + backoff(1, base=RETRY_BASE)
    known = [part for event in events for part in event]
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        cursor.execute(sql, [subscriber, adapt(now), *known, BATCH, adapt(lost_at)])
        rows = sorted((event, pk, attempts) for pk, event, attempts, *_ in cursor.fetchall())
    found = OutboxEvent.objects.using(connection.alias).in_bulk([event for event, _, _ in rows])
    return [Claimed(pk, subscriber, attempts, found[event]) for event, pk, attempts in rows]


def release(taken: Iterable[Claimed]) -> None:
    """Give back what was claimed and not attempted: it is due at once, and the attempt does not count."""
    for delivery in taken:
        _row(delivery).update(attempts=delivery.attempts - 1, next_attempt_at=timezone.now())


def _row(delivery: Claimed) -> QuerySet[EventDelivery]:
    """The row, unless somebody has claimed it again by now."""
    return deliveries().filter(pk=delivery.pk, status=PENDING, attempts=delivery.attempts)


def attempt(delivery: Claimed, bus: EventBus) -> bool:
    """Carry out a claimed delivery; False if it is somebody else's by now.

    The row turns to `delivered` and is locked before the handler runs, in the handler's transaction: both are
    committed, or neither is. What the handler raises is kept in the row for the next attempt.
    """
    alias, event = outbox_alias(), delivery.event
    connection = connections[alias]
    name = f"{event.name} -> {delivery.subscriber}"
    facts = {"event": event.name, "event_id": str(event.event_id), "subscriber": delivery.subscriber}
    with carried(event.context or {"request_id": event.request_id}), work("event", name, facts) as present:
        try:
            with transaction.atomic(alias):
                if not _take(delivery, connection):
                    return False
                _handle(delivery, bus)
                if not _is_sound(connection):
                    raise BrokenTransactionError
        except FAILURES as error:
            present.error = error
            _note_failure(delivery, error)
    return True


def _handle(delivery: Claimed, bus: EventBus) -> None:
    event = delivery.event
    subscription = bus.subscriptions(event.name, event.version)[delivery.subscriber]
    envelope = {"event_id": str(event.event_id), "occurred_at": event.occurred_at.isoformat()}
    subscription.handle({**event.payload, **envelope})


def _take(delivery: Claimed, connection: BaseDatabaseWrapper) -> bool:
    """Mark the row delivered, if it is still ours; let PostgreSQL end a transaction that hangs from here on."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    limits = []
    if connection.vendor == "postgresql" and len(connection.atomic_blocks) == 1:
        limits = [f"{int(conf.RELAY_HANDLER_TIME_LIMIT * 1000)}ms"] * 2
    with connection.cursor() as cursor:
        cursor.execute(TAKE.format(limits=LIMITS if limits else ""), [now, delivery.pk, delivery.attempts, *limits])
        return cursor.fetchone() is not None


def _is_sound(connection: BaseDatabaseWrapper) -> bool:
    """Whether a commit would keep what was written: Django and PostgreSQL may roll back without a word instead."""
    if connection.closed_in_transaction or connection.needs_rollback:
        return False
    if connection.vendor != "postgresql":
        return True
    from psycopg.pq import TransactionStatus

    return bool(connection.connection.info.transaction_status == TransactionStatus.INTRANS)


def _note_failure(delivery: Claimed, error: BaseException) -> None:
    text = storable("".join(traceback.format_exception(error)))[-10_000:]
    facts = {"event": str(delivery.event), "subscriber": delivery.subscriber, "attempt": delivery.attempts}
    row = _row(delivery)
    if delivery.attempts >= conf.RELAY_MAX_ATTEMPTS:
        noted, level, message = row.update(status=DEAD, last_error=text), logging.ERROR, "event delivery is dead"
    else:
        again = timezone.now() + backoff(delivery.attempts, base=RETRY_BASE)
        noted, level = row.update(last_error=text, next_attempt_at=again), logging.WARNING
        message = "event delivery failed, will be tried again"
    if not noted:  # an after-commit hook of the handler, or a thread that had hung
        level, message = logging.ERROR, "something failed after its event was delivered or taken over"
    logger.log(level, message, extra=facts, exc_info=error)


def _bury(delivery: Claimed) -> None:
    row = _row(delivery)
    error = row.values_list("last_error", flat=True).first() or ""
    row.update(status=DEAD, attempts=delivery.attempts - 1, last_error=UNENDED + error)
    facts = {"event": str(delivery.event), "subscriber": delivery.subscriber, "attempt": delivery.attempts - 1}
    logger.error("event delivery is dead: its attempts do not end", extra=facts)
