"""Writes: synchronous, atomic, one function per thing that can be done to the catalog.

Locks are taken in one order, product rows before variant rows, each in primary-key order.
"""

from .audit import audit_stock
from .categories import create_category, update_category
from .importing import import_products, preview_import
from .products import (
    add_image,
    archive_product,
    create_product,
    publish_product,
    update_product,
)
from .stock import adjust_stock, receive_stock, return_stock, set_stock, take_stock
from .variants import add_variant, change_price, refresh_prices, update_variant
from .vendors import create_vendor, reinstate_vendor, suspend_vendor

__all__ = [
    "add_image",
    "add_variant",
    "adjust_stock",
    "archive_product",
    "audit_stock",
    "change_price",
    "create_category",
    "create_product",
    "create_vendor",
    "import_products",
    "preview_import",
    "publish_product",
    "receive_stock",
    "refresh_prices",
    "reinstate_vendor",
    "return_stock",
    "set_stock",
    "suspend_vendor",
    "take_stock",
    "update_category",
    "update_product",
    "update_variant",
]
