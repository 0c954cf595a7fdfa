"""Forgetting what is done: old events, and subscribers that no relay has known for long."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from ..conf import conf
from ..models import EventDelivery, EventSubscription, OutboxEvent
from .bus import EventBus
from .delivery import DEAD, PENDING, deliveries, outbox_alias

logger = logging.getLogger(__name__)

BATCH = 1000
RETIRED = "Retired: no relay has known this subscriber since {:%Y-%m-%d %H:%M} UTC."


def done_events(*, and_dead: bool = False) -> QuerySet[OutboxEvent]:
    """Events older than EVENT_RETENTION_DAYS of which nothing is pending, nor dead unless those may go as well."""
    kept = [PENDING] if and_dead else [PENDING, DEAD]
    return OutboxEvent.objects.using(outbox_alias()).filter(
        ~Exists(EventDelivery.objects.filter(event=OuterRef("pk"), status__in=kept)),
        occurred_at__lt=timezone.now() - timedelta(days=conf.EVENT_RETENTION_DAYS),
        fanned_out_at__isnull=False,
    )


def purge(events: QuerySet[OutboxEvent], *, progress: Callable[[int], object]) -> int:
    """Delete events with their deliveries, in batches of their own transactions; returns how many events.

    Locks a batch's rows. Calls `progress` with the size of each. Several may run at once.
    """
    total = last = 0
    while True:
        with transaction.atomic(outbox_alias()):
            # From the oldest on: ids grow with time, so there is no index on the time.
            rows = events.filter(pk__gt=last).order_by("pk").select_for_update(skip_locked=True)
            batch = list(rows.values_list("pk", flat=True)[:BATCH])
            if not batch:
                return total
            last = batch[-1]
            # Again, now that they are locked: one may have been given to a late subscriber a moment ago.
            batch = list(events.filter(pk__in=batch).values_list("pk", flat=True))
            deliveries().filter(event__in=batch).delete()
            OutboxEvent.objects.using(outbox_alias()).filter(pk__in=batch).delete()
        total += len(batch)
        progress(len(batch))


def unseen(bus: EventBus) -> QuerySet[EventSubscription]:
    """Subscriptions that no relay has known for EVENT_SUBSCRIPTION_DAYS; never one that this process knows."""
    before = timezone.now() - timedelta(days=conf.EVENT_SUBSCRIPTION_DAYS)
    rows = EventSubscription.objects.using(outbox_alias()).filter(last_seen_at__lt=before)
    return rows.exclude(subscriber__in=list(bus.subscribers()))


def retire_subscriptions(subscriptions: QuerySet[EventSubscription]) -> int:
    """Make no more deliveries for these; what they still wait for is dead, with the reason. Returns how many rows.

    Each is an error in the log: events were not delivered, and somebody should know. A relay that knows the subscriber
    after all brings it back, and `replay_events` its deliveries.
    """
    count = 0
    for subscription in subscriptions:
        with transaction.atomic(outbox_alias()):
            # Not if a relay has seen it in the meantime.
            if not subscriptions.select_for_update().filter(pk=subscription.pk).first():
                continue
            given_up = deliveries().filter(
                status=PENDING,
                subscriber=subscription.subscriber,
                event__name=subscription.name,
                event__version=subscription.version,
            )
            dead = given_up.update(status=DEAD, last_error=RETIRED.format(subscription.last_seen_at))
            subscription.delete()
        facts = {"subscriber": subscription.subscriber, "event": subscription.name, "dead_deliveries": dead}
        logger.error("%s is retired, %d deliveries are dead", subscription, dead, extra=facts)
        count += 1
    return count
