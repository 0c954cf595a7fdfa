"""What this app does when others speak."""

from dataclasses import dataclass

from fashionistar_common.events import event_bus

from . import services


@dataclass(frozen=True)
class OrderCancelledSeen:
    """What we read of `orders.order_cancelled`."""

    order_number: str


@event_bus.subscribe("orders.order_cancelled", version=1)
def cancel_payment_on_order_cancelled(event: OrderCancelledSeen) -> None:
    """Nobody should pay for an order that is no more."""
    services.cancel_pending_payment(order_number=event.order_number)
