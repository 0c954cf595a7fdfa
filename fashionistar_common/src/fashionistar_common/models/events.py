"""The outbox, who subscribes, and what is still to be delivered to whom."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class OutboxEvent(models.Model):
    """An event, written in the transaction that caused it."""

    event_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, db_index=True)
    version = models.PositiveSmallIntegerField()
    stream = models.CharField(max_length=200, help_text="Events of one stream are delivered in order.")
    payload = models.JSONField()
    request_id = models.CharField(max_length=64, blank=True)
    context = models.JSONField(default=dict, blank=True, help_text="What follows the request: its user and its trace.")
    occurred_at = models.DateTimeField(default=timezone.now)
    fanned_out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index("id", name="outbox_to_fan_out", condition=Q(fanned_out_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version} ({self.stream})"


class EventSubscription(models.Model):
    """A subscriber that some relay knows, or knew not long ago.

    Deliveries are made for all of them. So a relay of the former release, which has never heard of a handler of the
    next one, makes its deliveries all the same, and they wait for a relay that has the handler.
    """

    name = models.CharField(max_length=120)
    version = models.PositiveSmallIntegerField()
    subscriber = models.CharField(max_length=200)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "version", "subscriber"], name="one_subscription")]

    def __str__(self) -> str:
        return f"{self.subscriber} to {self.name} v{self.version}"


class EventDelivery(models.Model):
    """One event for one subscriber: what is still to be done, and afterwards the subscriber's inbox.

    The row turns to `delivered` in the transaction of the handler's own writes, so those happen exactly once. An
    attempt is counted before it begins: `next_attempt_at` is then when it counts as lost with its process.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        DEAD = "dead", "dead (gave up)"

    event = models.ForeignKey(OutboxEvent, models.CASCADE, related_name="deliveries")
    subscriber = models.CharField(max_length=200)
    stream = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "event deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "subscriber"], name="one_delivery_per_subscriber"),
        ]
        indexes = [
            models.Index("subscriber", "next_attempt_at", name="delivery_due", condition=Q(status="pending")),
            models.Index("subscriber", "stream", "event", name="delivery_order", condition=Q(status="pending")),
            models.Index("subscriber", name="delivery_dead", condition=Q(status="dead")),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.subscriber}"
