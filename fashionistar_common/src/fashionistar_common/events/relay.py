"""From the outbox to the subscribers. Any number of relays may run at once."""

from dataclasses import dataclass

from django.db import connections, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from ..models import EventDelivery, EventSubscription
from .bus import EventBus, event_bus
from .delivery import PENDING, attempt, claim, outbox_alias

__all__ = ["due_subscribers", "event_bus", "fan_out", "register", "relay"]

NEW = """
    SELECT id {no_wait} FROM fashionistar_common_outboxevent WHERE fanned_out_at IS NULL ORDER BY id LIMIT 200 {lock}
"""
# A crash of the database may undo it: then it is done again. A relay that freezes in the middle, with the locks that
# the others wait for, loses its connection.
NO_WAIT = (
    ", set_config('synchronous_commit', 'off', true), set_config('idle_in_transaction_session_timeout', '10s', true)"
)
DELIVER = """
    INSERT INTO fashionistar_common_eventdelivery
        (event_id, subscriber, stream, status, attempts, next_attempt_at, last_error)
    SELECT event.id, subscriber, stream, 'pending', 0, %s, ''
    FROM fashionistar_common_outboxevent event
    JOIN fashionistar_common_eventsubscription subscription
        ON subscription.name = event.name AND subscription.version = event.version
    WHERE event.id IN ({those}) ORDER BY event.id
    ON CONFLICT DO NOTHING RETURNING subscriber
"""
FANNED_OUT = "UPDATE fashionistar_common_outboxevent SET fanned_out_at = %s WHERE id IN ({those})"


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
    connection = connections[outbox_alias()]
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    lock = "FOR UPDATE" if connection.features.has_select_for_update else ""
    no_wait = NO_WAIT if connection.vendor == "postgresql" else ""
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        cursor.execute(NEW.format(lock=lock, no_wait=no_wait))
        events = [pk for pk, *_ in cursor.fetchall()]
        if not events:
            return NOTHING
        those = ", ".join(["%s"] * len(events))
        cursor.execute(DELIVER.format(those=those), [now, *events])
        subscribers = frozenset(subscriber for (subscriber,) in cursor.fetchall())
        cursor.execute(FANNED_OUT.format(those=those), [now, *events])
    return FannedOut(len(events), subscribers)


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
