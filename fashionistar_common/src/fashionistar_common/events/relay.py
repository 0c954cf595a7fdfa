"""From the outbox to the subscribers. Any number of relays may run at once."""

import asyncio
import logging
import traceback

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from ..backoff import backoff
from ..conf import conf
from ..context import request_id
from ..db.text import storable
from ..models import EventDelivery, OutboxEvent
from .bus import event_bus

logger = logging.getLogger(__name__)

PENDING, DELIVERED, DEAD = (
    EventDelivery.Status.PENDING,
    EventDelivery.Status.DELIVERED,
    EventDelivery.Status.DEAD,
)

#: What a handler may raise without stopping the relay. One that exits would, event by event, stop it for ever.
FAILURES = (Exception, SystemExit, asyncio.CancelledError)


def fan_out(*, limit: int = 100) -> int:
    """Give each new event one delivery per subscriber; returns how many events.

    The rows are locked without SKIP LOCKED: a second relay waits, so that an event's deliveries never come into being
    before those of an earlier event of its stream.
    """
    with transaction.atomic():
        new = OutboxEvent.objects.filter(fanned_out_at__isnull=True).order_by("id")
        events = list(new.select_for_update()[:limit])
        EventDelivery.objects.bulk_create(
            (
                EventDelivery(event=event, subscriber=subscriber, stream=event.stream)
                for event in events
                for subscriber in event_bus.subscriptions(event.name, event.version)
            ),
            ignore_conflicts=True,
        )
        OutboxEvent.objects.filter(pk__in=[event.pk for event in events]).update(fanned_out_at=timezone.now())
    return len(events)


def due_deliveries() -> QuerySet[EventDelivery]:
    """What may be delivered now: its time has come, and nothing earlier of its stream waits for its subscriber."""
    earlier = EventDelivery.objects.filter(
        status=PENDING,
        subscriber=OuterRef("subscriber"),
        stream=OuterRef("stream"),
        event__lt=OuterRef("event"),
    )
    return EventDelivery.objects.filter(~Exists(earlier), status=PENDING, next_attempt_at__lte=timezone.now()).order_by(
        "event_id", "pk"
    )


def deliver_next() -> bool:
    """Deliver one event to one subscriber; False when nothing is due.

    The delivery row stays locked while the handler runs, in the same transaction. A handler's error rolls back to
    before the handler, and is kept in the row for the next attempt. A handler that breaks the transaction itself, as
    by closing the connection, has its error kept in a new one.
    """
    delivery: EventDelivery | None = None
    failure: BaseException | None = None
    try:
        with transaction.atomic():
            due = due_deliveries().select_related("event").select_for_update(of=("self",), skip_locked=True)
            if (delivery := due.first()) is None:
                return False
            failure = _attempt(delivery)
            _note(delivery, failure)
    except Exception as error:
        if delivery is None:
            raise
        with transaction.atomic():
            pending = EventDelivery.objects.select_for_update().filter(pk=delivery.pk, status=PENDING)
            if now := pending.select_related("event").first():
                _note(now, failure or error)
    return True


def _attempt(delivery: EventDelivery) -> BaseException | None:
    """Run the handler; what it raised, or None."""
    token = request_id.set(delivery.event.request_id)
    try:
        with transaction.atomic():
            _handle(delivery)
    except FAILURES as error:
        return error
    finally:
        request_id.reset(token)
    return None


def _note(delivery: EventDelivery, failure: BaseException | None) -> None:
    if failure is not None:
        _postpone(delivery, failure)
    else:
        delivery.status, delivery.delivered_at = DELIVERED, timezone.now()
    delivery.attempts += 1
    delivery.save(update_fields=["status", "delivered_at", "attempts", "next_attempt_at", "last_error"])


def _handle(delivery: EventDelivery) -> None:
    event = delivery.event
    subscription = event_bus.subscriptions(event.name, event.version).get(delivery.subscriber)
    if subscription is None:
        raise LookupError(f"{delivery.subscriber} is not subscribed in this process.")
    envelope = {"event_id": str(event.event_id), "occurred_at": event.occurred_at.isoformat()}
    subscription.handle({**event.payload, **envelope})


def _postpone(delivery: EventDelivery, error: BaseException) -> None:
    attempt = delivery.attempts + 1
    delivery.last_error = storable("".join(traceback.format_exception(error)))[-10_000:]
    facts = {"event": str(delivery.event), "subscriber": delivery.subscriber, "attempt": attempt}
    if attempt >= conf.RELAY_MAX_ATTEMPTS:
        delivery.status = DEAD
        logger.error("event delivery is dead", extra=facts, exc_info=error)
    else:
        delivery.next_attempt_at = timezone.now() + backoff(attempt, base=1.0)
        logger.warning("event delivery failed, will be tried again", extra=facts, exc_info=error)


def relay() -> int:
    """Fan out and deliver until nothing is due; returns the number of deliveries tried."""
    tried = 0
    while True:
        fanned_out = fan_out()
        before = tried
        while deliver_next():
            tried += 1
        if not fanned_out and tried == before:
            return tried
