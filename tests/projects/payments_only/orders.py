"""Orders for payments that are no database: two orders wait to be paid, each by its own customer."""

from dataclasses import dataclass

from fashionistar_common.exceptions import NotFoundError
from fashionistar_common.money import Money
from fashionistar_common.types import Actor


@dataclass(frozen=True)
class WaitingOrder:
    """What payments want to know of an order."""

    number: str
    customer_id: str
    amount: Money
    email: str


WAITING = {
    order.number: order
    for order in (
        WaitingOrder("INV-1", "customer-1", Money(4_250_000, "NGN"), "amara@example.com"),
        WaitingOrder("INV-2", "customer-2", Money(1999, "USD"), "bola@example.com"),
    )
}


class Invoices:
    """The port: any object with this one function."""

    def payable_order(self, number: str, *, actor: Actor) -> WaitingOrder:
        """The order, if it is this customer's.

        Raises:
            NotFoundError: no such order, or somebody else's; the answer is the same.
        """
        order = WAITING.get(number)
        if order is None or order.customer_id != actor.id:
            raise NotFoundError
        return order


orders = Invoices()
