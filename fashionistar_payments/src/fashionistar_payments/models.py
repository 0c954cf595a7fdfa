"""Payments, and the webhooks that settle them."""

import base64
import secrets
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from fashionistar_common.money import Money

from .states import LIVE
from .types import NoticeKind, PaymentStatus

# Plain strings, so that a migration does not depend on the enum.
_STATUSES = [status.value for status in PaymentStatus]
_LIVE = [status.value for status in LIVE]


def new_public_id() -> str:
    """A name for a payment that cannot be guessed: 100 random bits."""
    return "pay_" + base64.b32encode(secrets.token_bytes(13)).decode().rstrip("=").lower()[:20]


class PaymentQuerySet(models.QuerySet["Payment"]):
    def live(self) -> "PaymentQuerySet":
        """Those that count for their order: pending or succeeded, at most one per order."""
        return self.filter(status__in=_LIVE)


class Payment(models.Model):
    """One attempt to collect the price of one order."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    order_number = models.CharField(max_length=32, db_index=True)
    customer_id = models.CharField(max_length=64, help_text="Public id of the user who pays.")
    provider = models.CharField(max_length=64, help_text="Alias in FASHIONISTAR_PAYMENTS['PROVIDERS'].")
    provider_reference = models.CharField(max_length=255, blank=True, help_text="The provider's name for it.")
    amount_minor = models.BigIntegerField(help_text="In minor units: kobo, cents.")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")
    status = models.CharField(
        max_length=10, choices=[(status, status) for status in _STATUSES], default=PaymentStatus.PENDING.value
    )
    failure_code = models.CharField(max_length=100, blank=True, help_text="The provider's word for why it failed.")
    next_action = models.JSONField(null=True, blank=True, help_text="What the customer's device has to do.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[PaymentQuerySet] = PaymentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order_number"], condition=Q(status__in=_LIVE), name="one_live_payment_per_order"
            ),
            models.UniqueConstraint(
                fields=["provider", "provider_reference"],
                condition=~Q(provider_reference=""),
                name="one_payment_per_provider_reference",
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_amount_above_zero"),
            models.CheckConstraint(condition=Q(status__in=_STATUSES), name="payment_status_known"),
        ]
        indexes = [models.Index(fields=["customer_id", "-created_at", "-id"], name="payments_of_customer")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def open_action(self) -> dict[str, Any] | None:
        """What the customer's device has to do, as long as anything depends on it; see `types.NextAction`."""
        return self.next_action if self.status == PaymentStatus.PENDING else None


class WebhookEvent(models.Model):
    """What a gateway told us: the inbox. Written before anything is done about it, and never changed afterwards.

    A row without `processed_at` waits for the gateway's retry or for a replay.
    """

    provider = models.CharField(max_length=64)
    event_id = models.CharField(max_length=255, help_text="The provider's id; a repeat has the same one.")
    kind = models.CharField(max_length=32, choices=[(kind.value, kind.value) for kind in NoticeKind])
    body = models.TextField(help_text="As it was signed.")
    headers = models.JSONField(default=dict, help_text="Those the provider allows to be kept.")
    received_at = models.DateTimeField(auto_now_add=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="one_row_per_webhook_event"),
        ]
        indexes = [
            models.Index(fields=["id"], name="webhooks_to_process", condition=Q(processed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"
