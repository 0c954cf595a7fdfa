"""The values that cross the provider interface. No model crosses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from fashionistar_common.money import Money


class PaymentStatus(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"  # waiting for the customer or the gateway
    SUCCEEDED = "succeeded"  # the money has moved
    FAILED = "failed"  # the gateway refused; a new payment may be made
    CANCELLED = "cancelled"  # nobody waits for it any more


class NoticeKind(StrEnum):
    """What a webhook event says, in this app's words."""

    PAYMENT_SUCCEEDED = "payment_succeeded"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_CANCELLED = "payment_cancelled"
    OTHER = "other"  # authentic and kept, but of no consequence here


@dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    """What a provider is asked to collect.

    Attributes:
        payment_id: public id of the payment. The provider uses it as its idempotency key: asked twice, it makes one.
        order_number: shown to the customer and in the gateway's dashboard.
        amount: exact, in minor units.
        customer_id: public id of the user who pays.
        customer_email: where the gateway sends its receipt.
        metadata: short strings for the gateway to keep and send back.
    """

    payment_id: str
    order_number: str
    amount: Money
    customer_id: str
    customer_email: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NextAction:
    """What the customer's device has to do now.

    Attributes:
        type: `redirect` to `url`, or `sdk`: hand `data` to the gateway's own script.
        url: absolute; empty when there is nowhere to go.
        data: what the script needs (a client secret, an access code). Never card data.
    """

    type: str
    url: str = ""
    data: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"type": self.type, "url": self.url, "data": dict(self.data)}


@dataclass(frozen=True, kw_only=True)
class ProviderPayment:
    """A payment as the provider knows it.

    Attributes:
        reference: the provider's name for it (a PaymentIntent id, a transaction reference); 1 to 255 characters.
        status: most are pending until a webhook says more; a direct charge may be final at once.
        next_action: None when the customer has nothing to do.
        failure_code: the provider's word for why it failed.
    """

    reference: str
    status: PaymentStatus = PaymentStatus.PENDING
    next_action: NextAction | None = None
    failure_code: str = ""


@dataclass(frozen=True, kw_only=True)
class ProviderRefund:
    """A refund as the provider knows it.

    Attributes:
        reference: the provider's name for it.
        amount: what goes back to the customer.
        pending: whether the gateway still has to confirm it by webhook.
    """

    reference: str
    amount: Money
    pending: bool = True


@dataclass(frozen=True, kw_only=True)
class WebhookNotice:
    """One event of a verified webhook, in this app's words.

    Attributes:
        event_id: the provider's id of the event; a repeat has the same one. 1 to 255 characters.
        kind: what it says.
        provider_reference: the payment it speaks of; empty for `OTHER`.
        payment_id: the payment's public id, where the gateway sends it back; else empty.
        amount: what was paid; None where the event is not about money. A success without it is not believed.
        failure_code: the provider's word for why it failed.
        occurred_at: aware UTC, by the gateway's clock.
        raw: the event as the gateway wrote it.
    """

    event_id: str
    kind: NoticeKind
    provider_reference: str
    occurred_at: datetime
    payment_id: str = ""
    amount: Money | None = None
    failure_code: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WebhookReceipt:
    """What became of the events of one webhook request.

    Attributes:
        received: events in the request.
        processed: events with their effect in place, now or by an earlier delivery. The others are kept for a replay.
    """

    received: int
    processed: int


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """What a replay did.

    Attributes:
        found: unprocessed events it looked at.
        processed: those that are in place now.
        errors: provider and id of each event that still cannot be processed, with the reason.
    """

    found: int
    processed: int
    errors: Mapping[str, str]
