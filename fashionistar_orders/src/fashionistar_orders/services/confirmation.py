"""The confirmation mail."""

from fashionistar_common.mail import send_mail

from ..exceptions import OrderNotFoundError
from ..selectors import orders


def send_confirmation(number: str) -> None:
    """Send the customer the confirmation of an order.

    The message has one Message-ID per order, so that a second sending is the same message. The templates are
    `fashionistar_orders/confirmation.{subject.txt,txt,html}`; a project overrides them by its own of that name.

    Raises:
        OrderNotFoundError: for an unknown number.
    """
    order = orders().filter(number=number).first()
    if order is None:
        raise OrderNotFoundError(number=number)
    send_mail(
        template="fashionistar_orders/confirmation",
        to=order.email,
        context={"order": order, "address": order.shipping_address},
        key=f"order-confirmation/{order.number}",
    )
