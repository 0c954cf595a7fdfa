"""Hearing from gateways: verify, keep, then act. What is kept can be acted on later."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from fashionistar_common.db import lock_rows, storable
from fashionistar_common.exceptions import FashionistarError

from ..exceptions import (
    MalformedWebhookError,
    UnknownReferenceError,
    UnsettledWebhookError,
    WebhookNotProcessedError,
)
from ..models import Payment, WebhookEvent
from ..providers import BaseProvider, payment_providers
from ..selectors import replayable_webhooks
from ..types import NoticeKind, ReplayReport, WebhookNotice, WebhookReceipt
from .settlement import lock_with_siblings, settle

logger = logging.getLogger(__name__)


def receive_webhook(
    *, provider: str, body: bytes, headers: Mapping[str, str], now: datetime | None = None
) -> WebhookReceipt:
    """Take in one webhook request, any number of times with the effect of once.

    The signature is checked before anything is read or written. Then each event is stored in a transaction of its own,
    and processed in a second one. An event that does not fit (unknown reference, wrong amount, order paid twice) is
    kept with its error and the gateway is thanked: sending it again would not help.

    Args:
        provider: alias of the provider.
        body: exactly as it came.
        headers: of the request, names in any case.
        now: aware UTC; by default the present.

    Raises:
        UnknownProviderError: the alias is not configured.
        SignatureError: it does not come from the gateway; nothing is stored.
        MalformedWebhookError: it does, but cannot be understood; nothing is stored.
        WebhookNotProcessedError: processing failed; the event is stored, and the gateway may send it again.
    """
    gateway = payment_providers[provider]
    lowered = {name.lower(): value for name, value in headers.items()}
    notices = gateway.parse_webhook(body, lowered, now or datetime.now(UTC))
    text = _text(body)
    rows = [_store(gateway, notice, text, lowered) for notice in notices]
    processed, failed = 0, 0
    for row in rows:
        try:
            process_webhook(row)
            processed += 1
        except UnsettledWebhookError as error:
            logger.warning("webhook kept: %s", error, extra={"provider": provider, "event": row.event_id})
        except Exception:
            logger.exception("webhook not processed", extra={"provider": provider, "event": row.event_id})
            failed += 1
    if failed:
        raise WebhookNotProcessedError
    return WebhookReceipt(received=len(rows), processed=processed)


def replay_webhooks() -> ReplayReport:
    """Process every stored event that is not processed yet and has attempts left, oldest first.

    One that fails again keeps its new error and does not stop the others.
    """
    found, errors = 0, {}
    for row in replayable_webhooks().defer("body", "headers"):
        found += 1
        try:
            process_webhook(row)
        except UnsettledWebhookError as error:
            errors[str(row)] = error.detail
        except Exception as error:
            logger.exception("webhook not processed", extra={"provider": row.provider, "event": row.event_id})
            errors[str(row)] = f"{type(error).__name__}: {error}"
    return ReplayReport(found=found, processed=found - len(errors), errors=errors)


def process_webhook(row: WebhookEvent) -> None:
    """Do what a stored event says, unless it is done; in one transaction, with the row locked.

    The signature was checked when the event was stored, and is not checked again: a replay comes late. On any error the
    row keeps it, with the number of attempts.

    Raises:
        UnsettledWebhookError: it does not fit what is known here.
    """
    if row.processed_at is not None:
        return
    try:
        with transaction.atomic():
            (row,) = lock_rows(WebhookEvent.objects.filter(pk=row.pk))
            if row.processed_at is None:
                _apply(row.provider, _read(row))
                row.processed_at, row.last_error, row.attempts = timezone.now(), "", row.attempts + 1
                row.save(update_fields=["processed_at", "last_error", "attempts"])
    except Exception as error:
        code = error.code if isinstance(error, FashionistarError) else type(error).__name__
        WebhookEvent.objects.filter(pk=row.pk, processed_at__isnull=True).update(
            attempts=F("attempts") + 1, last_error=storable(f"{code}: {error}")[:2000]
        )
        raise


def _store(gateway: BaseProvider, notice: WebhookNotice, body: str, headers: Mapping[str, str]) -> WebhookEvent:
    row, _ = WebhookEvent.objects.get_or_create(
        provider=gateway.alias,
        event_id=notice.event_id,
        defaults={
            "kind": notice.kind.value,
            "body": body,
            "headers": {name: headers[name] for name in sorted(gateway.stored_headers) if name in headers},
        },
    )
    return row


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedWebhookError from error


def _read(row: WebhookEvent) -> WebhookNotice:
    for notice in payment_providers[row.provider].read_webhook(row.body.encode()):
        if notice.event_id == row.event_id:
            return notice
    raise MalformedWebhookError


def _apply(provider: str, notice: WebhookNotice) -> None:
    if notice.kind is NoticeKind.OTHER:
        return
    payment, siblings = lock_with_siblings(_find(provider, notice))
    if not payment.provider_reference:  # the webhook was quicker than our own note of the provider's answer
        payment.provider_reference = notice.provider_reference
        payment.save(update_fields=["provider_reference", "updated_at"])
    settle(payment, notice.kind, siblings=siblings, amount=notice.amount, failure_code=notice.failure_code)


def _find(provider: str, notice: WebhookNotice) -> Payment:
    """The payment by the provider's reference; else by our own id, as long as it has no other reference."""
    payments, reference = Payment.objects.filter(provider=provider), notice.provider_reference
    payment = payments.exclude(provider_reference="").filter(provider_reference=reference).first()
    if payment is None and notice.payment_id:
        payment = payments.filter(public_id=notice.payment_id, provider_reference="").first()
    if payment is None:
        raise UnknownReferenceError(provider=provider, reference=reference)
    return payment
