"""What there is still to send; one question, which an index answers."""

from collections.abc import Iterator

from django.db.models import Count, Min
from django.utils import timezone

from ..models import NotificationDelivery
from ..observability.metrics import Reading, reading

Status = NotificationDelivery.Status


@reading
def messages() -> Iterator[Reading]:
    """What waits and what has failed, by channel."""
    rows = NotificationDelivery.objects.filter(status__in=(Status.PENDING, Status.FAILED))
    for row in rows.values("channel", "status").annotate(count=Count("pk"), first=Min("created_at")).order_by():
        labels = {"channel": row["channel"]}
        if row["status"] == Status.FAILED:
            yield Reading("notifications_failed", "Messages that were given up.", row["count"], labels)
            continue
        lag = max(0.0, (timezone.now() - row["first"]).total_seconds())
        yield Reading("notifications_pending", "Messages that wait to be sent.", row["count"], labels)
        yield Reading("notification_lag_seconds", "Age of the oldest message that waits.", lag, labels)
