"""What must be true of this app in production; see `fashionistar_common.production`."""

from fashionistar_common.production import Result, failed, passed, production_item

from .services import audit_stock


@production_item(
    "catalog.stock_ledger",
    "Every stock counter equals the sum of its movements.",
    evidence="manage.py catalog_audit_stock",
)
def stock_ledger() -> Result:
    differences = audit_stock()
    if not differences:
        return passed()
    first = differences[0]
    return failed(f"{len(differences)} differ, such as {first.sku}: counter {first.counter}, ledger {first.ledger}")
