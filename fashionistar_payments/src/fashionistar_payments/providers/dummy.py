"""A gateway double that lives in this process: it takes every payment and moves no money.

It works as real gateways do: payments are pending until a signed webhook says more. `sign()` and `webhook_body()` are
public, so that tests and demonstrations can play the gateway.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from fashionistar_common.money import Money
from pydantic import BaseModel, ConfigDict, Field

from ..exceptions import MalformedWebhookError, SignatureError
from ..types import NextAction, NoticeKind, PaymentRequest, ProviderPayment, WebhookNotice
from .base import BaseProvider

SIGNATURE_HEADER = "Dummy-Signature"
TOLERANCE = 300  # seconds between signing and receiving, either way
SECRET_MIN_LENGTH = 16

KINDS = {
    "payment.succeeded": NoticeKind.PAYMENT_SUCCEEDED,
    "payment.failed": NoticeKind.PAYMENT_FAILED,
    "payment.cancelled": NoticeKind.PAYMENT_CANCELLED,
}

_Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class _PaymentData(BaseModel):
    model_config = ConfigDict(strict=True)

    reference: _Name
    payment_id: str = Field(default="", max_length=64, pattern=r"^[\x20-\x7e]*$")
    amount: int = Field(ge=0, lt=2**63)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    failure_code: str = Field(default="", max_length=100, pattern=r"^[\x20-\x7e]*$")


class _EventBody(BaseModel):
    model_config = ConfigDict(strict=True)

    id: _Name
    type: str
    created: int = Field(ge=0, lt=2**32)
    data: dict[str, Any] = Field(default_factory=dict)


def reference_of(payment_id: str) -> str:
    """The gateway's name for the payment: always the same one, so that a repeated request finds the first payment."""
    return "dummy_" + hashlib.sha256(payment_id.encode()).hexdigest()[:24]


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """The value of `Dummy-Signature` for a body signed at `timestamp` (Unix seconds)."""
    return f"t={timestamp},v1={_hmac(body, secret, timestamp)}"


def webhook_body(
    kind: str,
    *,
    payment_id: str,
    amount: Money,
    event_id: str,
    created: int,
    failure_code: str = "",
) -> bytes:
    """What the gateway sends about a payment.

    Args:
        kind: `payment.succeeded`, `payment.failed`, `payment.cancelled`, or anything else, which has no effect.
        payment_id: public id of the payment.
        amount: what the customer paid.
        event_id: the gateway's id of the event.
        created: when it happened, Unix seconds.
        failure_code: why it failed.
    """
    data = {
        "reference": reference_of(payment_id),
        "payment_id": payment_id,
        "amount": amount.amount_minor,
        "currency": amount.currency,
        "failure_code": failure_code,
    }
    return json.dumps({"id": event_id, "type": kind, "created": created, "data": data}).encode()


def _hmac(body: bytes, secret: str, timestamp: int) -> str:
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


class DummyProvider(BaseProvider):
    """The gateway double. Options: `SECRET`, `CHECKOUT_URL`, `ALLOW_IN_PRODUCTION`."""

    supports_webhooks = True

    @property
    def secret(self) -> str:
        return str(self.options.get("SECRET", ""))

    def create_payment(self, request: PaymentRequest) -> ProviderPayment:
        """See BaseProvider.create_payment()."""
        reference = reference_of(request.payment_id)
        checkout = str(self.options.get("CHECKOUT_URL", "https://gateway.example/checkout/{reference}"))
        action = NextAction(type="redirect", url=checkout.format(reference=reference), data={"reference": reference})
        return ProviderPayment(reference=reference, next_action=action)

    def verify_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
        """See BaseProvider.parse_webhook(). Several `v1` are allowed, as while the gateway changes its secret."""
        timestamp, signatures = _read_signature(headers.get(SIGNATURE_HEADER.lower(), ""))
        expected = _hmac(body, self.secret, timestamp)
        # Every candidate is compared, whole: time tells nothing about which one, or how much of it, was right.
        matches = [hmac.compare_digest(expected.encode(), candidate.encode()) for candidate in signatures]
        if not self.secret or not any(matches):
            raise SignatureError
        if abs(now.timestamp() - timestamp) > TOLERANCE:
            raise SignatureError("The signature is too old, or from the future.")

    def read_webhook(self, body: bytes) -> Sequence[WebhookNotice]:
        """See BaseProvider.parse_webhook(). The dummy gateway sends one event, or a list of them."""
        try:
            raw = json.loads(body)
            return [_notice(item) for item in (raw if isinstance(raw, list) else [raw])]
        except (ValueError, RecursionError) as error:  # pydantic's ValidationError is a ValueError
            raise MalformedWebhookError from error

    def check(self, *, deploy: bool = False) -> list[CheckMessage]:
        """See BaseProvider.check()."""
        where = f'FASHIONISTAR_PAYMENTS["PROVIDERS"]["{self.alias}"]'
        messages: list[CheckMessage] = []
        if len(self.secret) < SECRET_MIN_LENGTH:
            messages.append(
                Error(
                    f"{where}: OPTIONS has no SECRET of at least {SECRET_MIN_LENGTH} characters.",
                    hint="Webhooks are trusted for their signature; make one with `openssl rand -hex 32`.",
                    id="fashionistar_payments.E006",
                )
            )
        if deploy and not settings.DEBUG and not self.options.get("ALLOW_IN_PRODUCTION"):
            messages.append(
                Error(
                    f"{where} is the dummy provider: orders would be paid without money.",
                    hint="Configure a real one, or set ALLOW_IN_PRODUCTION where that is the purpose.",
                    id="fashionistar_payments.E007",
                )
            )
        return messages


def _read_signature(header: str) -> tuple[int, list[str]]:
    items = [item.strip().partition("=") for item in header.split(",")]
    times = [value for name, _, value in items if name == "t"]
    signatures = [value for name, _, value in items if name == "v1" and value]
    plain = len(times) == 1 and times[0].isascii() and times[0].isdigit() and len(times[0]) <= 10
    if not plain or not signatures:
        raise SignatureError("There is no signature that can be read.")
    return int(times[0]), signatures


def _notice(raw: object) -> WebhookNotice:
    event = _EventBody.model_validate(raw)
    kind = KINDS.get(event.type, NoticeKind.OTHER)
    data = _PaymentData.model_validate(event.data) if kind is not NoticeKind.OTHER else None
    return WebhookNotice(
        event_id=event.id,
        kind=kind,
        provider_reference=data.reference if data else "",
        payment_id=data.payment_id if data else "",
        amount=Money(data.amount, data.currency) if data else None,
        failure_code=data.failure_code if data else "",
        occurred_at=datetime.fromtimestamp(event.created, UTC),
        raw=event.model_dump(),
    )
