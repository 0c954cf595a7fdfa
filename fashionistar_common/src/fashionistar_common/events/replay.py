"""Delivering again what was given up, and delivering late what a new subscriber has missed."""

from collections.abc import Callable
from datetime import datetime
from functools import reduce
from operator import or_

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from ..models import EventDelivery, EventSubscription, OutboxEvent
from .delivery import DEAD, PENDING, deliveries, outbox_alias

BATCH = 500


def revive(rows: QuerySet[EventDelivery]) -> int:
    """Make these deliveries, unless they are delivered, due with all their attempts; returns how many."""
    undone = rows.filter(status__in=[PENDING, DEAD])
    return undone.update(status=PENDING, attempts=0, next_attempt_at=timezone.now())


def replayable() -> QuerySet[EventDelivery]:
    """Dead deliveries whose subscriber some relay knows; the others would wait for nobody."""
    known = EventSubscription.objects.filter(
        name=OuterRef("event__name"), version=OuterRef("event__version"), subscriber=OuterRef("subscriber")
    )
    return deliveries().filter(Exists(known), status=DEAD)


def missed_events(subscriber: str, *, since: datetime | None = None) -> QuerySet[OutboxEvent]:
    """Events that the subscriber hears today and never had a delivery of, as it was not there yet.

    Raises:
        LookupError: when no relay knows the subscriber.
    """
    keys = EventSubscription.objects.using(outbox_alias()).filter(subscriber=subscriber).values_list("name", "version")
    if not keys:
        raise LookupError(f"No relay knows {subscriber}.")
    events = OutboxEvent.objects.using(outbox_alias()).filter(
        reduce(or_, (Q(name=name, version=version) for name, version in keys)),
        ~Exists(EventDelivery.objects.filter(event=OuterRef("pk"), subscriber=subscriber)),
        fanned_out_at__isnull=False,
    )
    return events.filter(occurred_at__gte=since) if since else events


def replay(rows: QuerySet[EventDelivery], *, progress: Callable[[int], object]) -> int:
    """Revive in batches of their own transactions, oldest event first; calls `progress` with the size of each."""
    total, last = 0, 0
    while batch := list(
        rows.filter(event__gt=last).order_by("event", "pk").values_list("event__id", flat=True)[:BATCH]
    ):
        # A batch ends between two events, so that the next one begins behind it.
        whole = rows.filter(event__gt=last, event__lte=batch[-1])
        last = batch[-1]
        count = revive(whole)
        total += count
        progress(count)
    return total


def deliver_missed(subscriber: str, events: QuerySet[OutboxEvent], *, progress: Callable[[int], object]) -> int:
    """Give the subscriber a delivery of each of these events, oldest first; returns how many.

    Those it had before are not in question, so it may be repeated or interrupted. Events of one aggregate keep their
    order among themselves, not with what was delivered before.
    """
    total = 0
    while batch := list(events.only("pk", "stream").order_by("pk")[:BATCH]):
        with transaction.atomic(outbox_alias()):
            deliveries().bulk_create(
                (EventDelivery(event=event, subscriber=subscriber, stream=event.stream) for event in batch),
                ignore_conflicts=True,
            )
        total += len(batch)
        progress(len(batch))
    return total
