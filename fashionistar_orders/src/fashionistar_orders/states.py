"""What an order may become, and how its money adds up. Pure functions."""

from collections.abc import Iterable, Sequence

from fashionistar_common.money import Money

from .exceptions import TransitionError
from .types import OrderStatus, PaymentOutcome, PricedLine, VendorShare

#: What a column of the database holds, in minor units.
LARGEST_TOTAL = 2**63 - 1

TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PLACED: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}


def can_become(current: OrderStatus | str, target: OrderStatus) -> bool:
    """Whether the step is allowed. Standing still is not a step."""
    return target in TRANSITIONS[OrderStatus(current)]


def next_status(current: OrderStatus | str, target: OrderStatus) -> OrderStatus:
    """The target, if the step is allowed.

    Raises:
        TransitionError: if it is not.
    """
    if not can_become(current, target):
        raise TransitionError(current=str(current), target=str(target))
    return target


def payment_outcome(
    status: OrderStatus | str, *, total: Money, paid: Money, known_payment: str, payment_id: str
) -> PaymentOutcome:
    """Decide what money that arrived means for an order.

    Args:
        status: the order's, under lock.
        total: what the order costs.
        paid: what arrived.
        known_payment: the payment already noted on the order, or "".
        payment_id: the one that arrived.
    """
    if known_payment and known_payment == payment_id:
        return PaymentOutcome.REPEATED
    if status == OrderStatus.CANCELLED:
        return PaymentOutcome.ORDER_CANCELLED
    if not can_become(status, OrderStatus.PAID):
        return PaymentOutcome.ALREADY_PAID
    return PaymentOutcome.ACCEPTED if paid == total else PaymentOutcome.AMOUNT_MISMATCH


def total_of(lines: Iterable[PricedLine], currency: str) -> Money:
    """The exact sum of the lines.

    Raises:
        CurrencyMismatchError: when a line is in another currency.
    """
    return Money.sum((line.total for line in lines), currency)


def split_by_vendor(lines: Sequence[PricedLine], currency: str) -> list[VendorShare]:
    """Group the lines by vendor, vendors in the order in which they first appear.

    The subtotals add up to `total_of(lines, currency)`: no line is lost, none counted twice, nothing is rounded.

    Raises:
        CurrencyMismatchError: when a line is in another currency.
    """
    by_vendor: dict[str, list[PricedLine]] = {}
    for line in lines:
        by_vendor.setdefault(line.vendor_id, []).append(line)
    return [
        VendorShare(
            vendor_id=vendor_id,
            vendor_name=own[0].vendor_name,
            lines=tuple(own),
            subtotal=total_of(own, currency),
        )
        for vendor_id, own in by_vendor.items()
    ]
