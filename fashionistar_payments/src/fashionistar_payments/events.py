"""What this app says to the others."""

from dataclasses import dataclass

from fashionistar_common.events import Event


@dataclass(frozen=True, kw_only=True)
class PaymentSucceeded(Event, name="payments.payment_succeeded", version=1, aggregate="order_number"):
    """The money for an order has moved. Said once per payment.

    A customer may still pay what was cancelled meanwhile; the event is said then, too, for money is a fact.
    """

    order_number: str
    payment_id: str
    amount_minor: int
    currency: str
    provider: str


@dataclass(frozen=True, kw_only=True)
class PaymentFailed(Event, name="payments.payment_failed", version=1, aggregate="order_number"):
    """The gateway refused a payment. The order can be paid by another one."""

    order_number: str
    payment_id: str
    amount_minor: int
    currency: str
    provider: str
    failure_code: str
