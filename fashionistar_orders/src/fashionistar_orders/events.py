"""The events that this app publishes, all in the stream of their order."""

from dataclasses import dataclass
from typing import Any

from fashionistar_common.events import Event


@dataclass(frozen=True, kw_only=True)
class OrderPlaced(Event, name="orders.order_placed", version=1, aggregate="order_number"):
    """An order stands and its stock is taken.

    Attributes:
        vendor_orders: dicts of `number`, `vendor_id`, `subtotal_minor`.
        lines: dicts of `sku`, `quantity`, `unit_price_minor`, `vendor_order` (its number).
    """

    order_number: str
    customer_id: str
    currency: str
    total_minor: int
    vendor_orders: list[dict[str, Any]]
    lines: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class OrderPaid(Event, name="orders.order_paid", version=1, aggregate="order_number"):
    """An order is paid in full.

    Attributes:
        payment_id: empty where nothing was to be paid.
    """

    order_number: str
    customer_id: str
    currency: str
    total_minor: int
    payment_id: str


@dataclass(frozen=True, kw_only=True)
class OrderCancelled(Event, name="orders.order_cancelled", version=1, aggregate="order_number"):
    """An order is over and its stock is back.

    Attributes:
        reason: `customer`, `staff` or `unpaid`.
        lines: dicts of `sku`, `quantity`.
    """

    order_number: str
    customer_id: str
    currency: str
    total_minor: int
    reason: str
    lines: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class PaymentRefused(Event, name="orders.payment_refused", version=1, aggregate="order_number"):
    """Money arrived that the order cannot keep: a refund is due.

    Attributes:
        amount_minor: what arrived, in `currency`.
        reason: `amount_mismatch`, `order_cancelled` or `already_paid`.
    """

    order_number: str
    payment_id: str
    amount_minor: int
    currency: str
    reason: str
