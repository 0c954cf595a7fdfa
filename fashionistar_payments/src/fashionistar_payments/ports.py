"""What this app needs from outside."""

from typing import Protocol, cast

from django.utils.module_loading import import_string
from fashionistar_common.money import Money
from fashionistar_common.types import Actor

from .conf import conf
from .exceptions import PortNotConfiguredError


class PayableOrder(Protocol):
    """An order that waits to be paid. Any object with these attributes is one.

    Attributes:
        number: the order's public number.
        customer_id: public id of the user who placed it.
        amount: what is still to be paid, above zero.
        email: where the receipt goes.
    """

    @property
    def number(self) -> str: ...
    @property
    def customer_id(self) -> str: ...
    @property
    def amount(self) -> Money: ...
    @property
    def email(self) -> str: ...


class Orders(Protocol):
    """The door to the orders, named by `FASHIONISTAR_PAYMENTS["ORDERS"]`."""

    def payable_order(self, number: str, *, actor: Actor) -> PayableOrder:
        """The order, if this actor may pay it now.

        Raises:
            NotFoundError: no such order, or not this actor's.
            ConflictError: it is paid or cancelled.
        """
        ...


def orders() -> Orders:
    """The configured port.

    Raises:
        PortNotConfiguredError: the setting is empty.
    """
    if not conf.ORDERS:
        raise PortNotConfiguredError
    return cast(Orders, import_string(conf.ORDERS))
