"""What must be true of this app in production; see `fashionistar_common.production`."""

from datetime import timedelta

from fashionistar_common.production import Result, failed, passed, production_item

from .conf import conf
from .selectors import orders_with_wrong_totals, unpaid_orders

#: How many times as long as promised an unpaid order may stand before the task that cancels it cannot be running.
PATIENCE = 2


@production_item(
    "orders.catalog_named", "The shop behind the carts is named.", evidence="FASHIONISTAR_ORDERS['CATALOG']"
)
def catalog_named() -> Result:
    return passed() if conf.CATALOG else failed("CATALOG is empty: carts and checkout answer 503")


@production_item(
    "orders.totals",
    "Every order's total is the sum of its vendors' subtotals, and each of those the sum of its lines.",
    evidence="selectors.orders_with_wrong_totals()",
)
def totals() -> Result:
    wrong = list(orders_with_wrong_totals().values_list("number", flat=True)[:5])
    return failed(f"not so: {', '.join(wrong)}") if wrong else passed()


@production_item(
    "orders.unpaid_cancelled",
    "Orders that nobody pays are cancelled in time, so that they hold no stock.",
    evidence="manage.py orders_cancel_unpaid",
)
def unpaid_cancelled() -> Result:
    minutes = conf.UNPAID_ORDER_MINUTES * PATIENCE
    count = unpaid_orders(timedelta(minutes=minutes)).count()
    return failed(f"{count} have waited for more than {minutes} minutes") if count else passed()
