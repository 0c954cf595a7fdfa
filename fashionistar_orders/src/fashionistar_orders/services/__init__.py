"""Writes. Each function is one transaction.

Locks are taken in this order: cart, order, then the catalog's variants in primary-key order.
"""

from .cancellation import cancel_order, cancel_unpaid_orders
from .cart import add_line, clear_cart, remove_line, set_line
from .checkout import place_order
from .payment import mark_order_paid

__all__ = [
    "add_line",
    "cancel_order",
    "cancel_unpaid_orders",
    "clear_cart",
    "mark_order_paid",
    "place_order",
    "remove_line",
    "set_line",
]
