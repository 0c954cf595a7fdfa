"""Reads."""

from django.db.models import QuerySet
from fashionistar_common.http.pagination import Keyset
from fashionistar_common.scope import get_in_scope
from fashionistar_common.types import Actor

from .conf import conf
from .exceptions import PaymentNotFoundError
from .models import Payment, PaymentQuerySet, WebhookEvent

#: Newest first.
PAYMENTS_KEYSET = Keyset(ordering=("-created_at", "-id"))


def payments_of(actor: Actor) -> PaymentQuerySet:
    """The payments this actor has made; nobody else's."""
    return Payment.objects.filter(customer_id=actor.id)


def payment_of(actor: Actor, public_id: str) -> Payment:
    """One of the actor's own payments.

    Raises:
        PaymentNotFoundError: there is none, or it is somebody else's.
    """
    return get_in_scope(payments_of(actor), PaymentNotFoundError, public_id=public_id)


def replayable_webhooks() -> QuerySet[WebhookEvent]:
    """Webhook events whose effect is not in place and that have attempts left, oldest first."""
    waiting = WebhookEvent.objects.filter(processed_at__isnull=True, attempts__lt=conf.WEBHOOK_MAX_ATTEMPTS)
    return waiting.order_by("pk")
