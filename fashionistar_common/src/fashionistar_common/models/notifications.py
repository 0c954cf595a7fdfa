"""The tables behind messages to people."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Channel(models.TextChoices):
    """A way to reach somebody."""

    EMAIL = "email", "e-mail"
    SMS = "sms", "SMS"
    WEBPUSH = "webpush", "web push"


class Category(models.TextChoices):
    """Why somebody is written to, which decides what they can switch off."""

    TRANSACTIONAL = "transactional", "about what they did themselves; cannot be switched off"
    UPDATES = "updates", "about what they follow; on until they switch it off"
    MARKETING = "marketing", "to sell something; off until they ask for it"


class NotificationDelivery(models.Model):
    """One message to one address.

    The address and the context are there as long as the message may still have to be sent. A message that was sent
    keeps a mask of its address (`a***@example.com`) and no context.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        FAILED = "failed"
        SUPPRESSED = "suppressed"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=100)
    key = models.CharField(max_length=200, help_text="What the message is about; it is sent once for each.")
    channel = models.CharField(max_length=10, choices=Channel)
    user_id = models.CharField(max_length=64, blank=True, help_text="The recipient's public id; empty: no account.")
    address = models.CharField(max_length=320)
    address_hash = models.CharField(max_length=64, help_text="HMAC of the address.")
    locale = models.CharField(max_length=20)
    context = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was not sent, or not yet.")
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=200, blank=True, help_text="What the provider calls the message.")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "notification deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key", "channel", "address_hash"], name="notification_once_per_address"
            ),
        ]
        indexes = [
            models.Index("user_id", name="notification_of_user", condition=~Q(user_id="")),
            models.Index(
                "channel",
                "status",
                "created_at",
                name="notification_open",
                condition=Q(status__in=["failed", "pending"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.channel} ({self.key})"


class NotificationPreference(models.Model):
    """What a user has chosen; without a row, the category's default holds."""

    user_id = models.CharField(max_length=64)
    category = models.CharField(max_length=20, choices=Category)
    channel = models.CharField(max_length=10, choices=Channel)
    enabled = models.BooleanField()
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user_id", "category", "channel"], name="notification_preference_once"),
        ]

    def __str__(self) -> str:
        return f"{self.category} by {self.channel}: {'on' if self.enabled else 'off'}"


class PushSubscription(models.Model):
    """A browser that a user allowed to show messages (W3C Push API)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user_id = models.CharField(max_length=64, db_index=True)
    endpoint = models.URLField(max_length=1000)
    endpoint_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the endpoint.")
    p256dh = models.CharField(max_length=200, help_text="The browser's public key.")
    auth = models.CharField(max_length=100, help_text="The secret shared with the browser.")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.public_id)
