"""What there is still to deliver; each question is one that an index answers."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Min
from django.utils import timezone

from ..models import EventDelivery, OutboxEvent
from ..observability.metrics import Reading, reading

#: Counting ends here: a backlog of this size needs no exact number.
ENOUGH = 100_000


@reading
def outbox() -> Iterator[Reading]:
    """How far the relay is behind."""
    new = OutboxEvent.objects.filter(fanned_out_at__isnull=True).order_by("id")
    oldest = new.values_list("occurred_at", flat=True).first()
    yield Reading("outbox_waiting", "Events that no relay has seen yet.", new[:ENOUGH].count())
    yield Reading("outbox_lag_seconds", "Age of the oldest event that no relay has seen yet.", _age(oldest))


@reading
def deliveries() -> Iterator[Reading]:
    """What each subscriber has to do, and how long its oldest event has waited."""
    pending = EventDelivery.objects.filter(status=EventDelivery.Status.PENDING)
    by_subscriber = list(pending.values("subscriber").annotate(count=Count("pk"), first=Min("event_id")).order_by())
    firsts = OutboxEvent.objects.in_bulk([row["first"] for row in by_subscriber])
    for row in by_subscriber:
        labels = {"subscriber": row["subscriber"]}
        event = firsts.get(row["first"])
        yield Reading("deliveries_pending", "Events that wait for a subscriber.", row["count"], labels)
        lag = _age(event.occurred_at if event else None)
        yield Reading("delivery_lag_seconds", "Age of the oldest event that waits for a subscriber.", lag, labels)


@reading
def dead_deliveries() -> Iterator[Reading]:
    """What was given up."""
    dead = EventDelivery.objects.filter(status=EventDelivery.Status.DEAD)
    for subscriber, count in dead.values_list("subscriber").annotate(count=Count("pk")).order_by():
        yield Reading("deliveries_dead", "Events that a subscriber has given up.", count, {"subscriber": subscriber})


def _age(moment: datetime | None) -> float:
    return max(0.0, (timezone.now() - moment).total_seconds()) if moment else 0.0
