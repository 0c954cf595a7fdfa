"""What must be true of a site in production: items that each app contributes, and `manage.py production_check`.

An app's own items are functions in its `production.py`, which is found by its name:

    from fashionistar_common.production import Result, failed, passed, production_item

    @production_item("shop.shelves_full", "The shelves are full.", evidence="manage.py shop_count")
    def shelves_full() -> Result:
        return passed() if count_pieces() else failed("there are no pieces")

An item looks and never changes anything. On PostgreSQL its transaction is read-only.
"""

from . import flow, messages, site, stores
from .registry import Item, Result, Status, failed, items, not_applicable, passed, production_item, run

__all__ = [
    "Item",
    "Result",
    "Status",
    "failed",
    "flow",
    "items",
    "messages",
    "not_applicable",
    "passed",
    "production_item",
    "run",
    "site",
    "stores",
]
