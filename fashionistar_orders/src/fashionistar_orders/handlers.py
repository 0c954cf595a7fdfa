"""What this app does when others speak."""

from dataclasses import dataclass

from fashionistar_common.events import event_bus
from fashionistar_common.money import Money

from . import services
from .notifications import confirm_order


@dataclass(frozen=True, kw_only=True)
class SeenPayment:
    """What this app reads of `payments.payment_succeeded`."""

    order_number: str
    payment_id: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class SeenPaidOrder:
    """What the confirmation needs of `orders.order_paid`."""

    order_number: str


@event_bus.subscribe("payments.payment_succeeded", version=1)
def mark_order_paid_on_payment_succeeded(event: SeenPayment) -> None:
    """The money of an order has arrived."""
    services.mark_order_paid(
        event.order_number,
        amount=Money(event.amount_minor, event.currency),
        payment_id=event.payment_id,
    )


@event_bus.subscribe("orders.order_paid", version=1)
def enqueue_confirmation_on_order_paid(event: SeenPaidOrder) -> None:
    """The customer gets a confirmation, by way of the queue `emails`."""
    confirm_order(event.order_number)
