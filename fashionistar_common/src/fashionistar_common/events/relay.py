"""From the outbox to the subscribers. Any number of relays may run at once."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from ..models import EventDelivery, EventSubscription, OutboxEvent
from .bus import EventBus, event_bus
from .delivery import PENDING, attempt, claim, do_not_wait_for_disk, outbox_alias

__all__ = ["due_subscribers", "event_bus", "fan_out", "register", "relay"]

EVENTS_AT_ONCE = 200


def register(bus: EventBus) -> None:
    """Write down that the subscribers of this process are there: from now on every relay makes deliveries for them."""
    now = timezone.now()
    EventSubscription.objects.using(outbox_alias()).bulk_create(
        (  # in one order, so that two relays wait for each other in a line
            EventSubscription(name=name, version=version, subscriber=subscriber, first_seen_at=now, last_seen_at=now)
            for subscriber, events in bus.subscribers().items()
            for name, version in sorted(events)
        ),
        update_conflicts=True,
        unique_fields=["name", "version", "subscriber"],
        update_fields=["last_seen_at"],
    )


@dataclass(frozen=True)
class FannedOut:
    """How many events were new, and who has something to do now."""

    events: int
    subscribers: frozenset[str]


NOTHING = FannedOut(0, frozenset())


def fan_out() -> FannedOut:
    """Give new events one delivery for each subscriber that any relay knows.

    The rows are locked without SKIP LOCKED: a second relay waits, so that an event's deliveries never come into being
    before those of an earlier event of its stream.
    """
    alias = outbox_alias()
    new = OutboxEvent.objects.using(alias).filter(fanned_out_at__isnull=True).order_by("id")
    if not new.exists():
        return NOTHING
    with transaction.atomic(alias):
        do_not_wait_for_disk()
        events = list(new.select_for_update().only("id", "name", "version", "stream")[:EVENTS_AT_ONCE])
        subscriptions = EventSubscription.objects.using(alias).filter(name__in={event.name for event in events})
        subscribers: dict[tuple[str, int], list[str]] = {}
        for subscription in subscriptions:
            subscribers.setdefault((subscription.name, subscription.version), []).append(subscription.subscriber)
        deliveries = [
            EventDelivery(event=event, subscriber=subscriber, stream=event.stream)
            for event in events
            for subscriber in subscribers.get((event.name, event.version), [])
        ]
        EventDelivery.objects.using(alias).bulk_create(deliveries, ignore_conflicts=True)
        new.filter(pk__in=[event.pk for event in events]).update(fanned_out_at=timezone.now())
    return FannedOut(len(events), frozenset(delivery.subscriber for delivery in deliveries))


def due_subscribers(bus: EventBus) -> set[str]:
    """The subscribers of this process that have something due."""
    due = EventDelivery.objects.filter(
        status=PENDING, subscriber=OuterRef("subscriber"), next_attempt_at__lte=timezone.now()
    )
    known = EventSubscription.objects.using(outbox_alias()).filter(Exists(due), subscriber__in=list(bus.subscribers()))
    return set(known.values_list("subscriber", flat=True))


def relay() -> int:
    """Fan out and deliver in this thread until nothing is due; returns the number of deliveries tried."""
    register(event_bus)
    events = event_bus.subscribers()
    tried = 0
    while True:
        fanned_out, before = fan_out(), tried
        for subscriber in sorted(due_subscribers(event_bus)):
            while taken := claim(subscriber, events[subscriber]):
                tried += sum(attempt(delivery, event_bus) for delivery in taken)
        if not fanned_out.events and tried == before:
            return tried
