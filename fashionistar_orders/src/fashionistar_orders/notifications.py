"""What this app writes to people."""

from collections.abc import Mapping
from typing import Any

from fashionistar_common.notifications import Category, Channel, NotificationKind, Recipient, notify

from .exceptions import OrderNotFoundError
from .models import Order
from .selectors import orders


def _confirmation(stored: Mapping[str, Any]) -> dict[str, Any] | None:
    """The order as it is when the mail leaves; None if there is none any more."""
    order = orders().filter(number=stored["number"]).first()
    return {"order": order, "address": order.shipping_address} if order else None


ORDER_CONFIRMATION = NotificationKind(
    name="orders.order_confirmation",
    category=Category.TRANSACTIONAL,
    channels=(Channel.EMAIL,),
    template="fashionistar_orders/confirmation.html",
    description="The payment of an order has arrived.",
    context=_confirmation,
)


def confirm_order(number: str) -> None:
    """Have the customer told, once, that the payment of an order has arrived.

    Raises:
        OrderNotFoundError: for an unknown number.
    """
    order = Order.objects.filter(number=number).first()
    if order is None:
        raise OrderNotFoundError(number=number)
    notify(
        ORDER_CONFIRMATION,
        to=Recipient(user_id=order.customer_id, email=order.email),
        key=f"order-confirmation/{number}",
        context={"number": number},
    )
