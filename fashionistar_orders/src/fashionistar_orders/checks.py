"""System checks: the settings, and whether the catalog they name is one."""

import re
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string
from fashionistar_common.checks import check_app_settings

from .conf import conf

PORT_FUNCTIONS = ("sellable_variants", "take_stock", "return_stock")


@register()
def check_orders(**kwargs: Any) -> list[CheckMessage]:
    messages = check_app_settings(conf, prefix="fashionistar_orders")
    if any(message.id == "fashionistar_orders.E002" for message in messages):
        return messages  # values of a wrong type cannot be looked at more closely
    return messages + _check_values() + _check_catalog()


def _check_values() -> list[CheckMessage]:
    rules = {
        "CURRENCY": (re.fullmatch("[A-Z]{3}", conf.CURRENCY), "is not a currency code such as NGN"),
        "NUMBER_PREFIX": (
            re.fullmatch("[A-Za-z0-9]{1,8}", conf.NUMBER_PREFIX),
            "is not 1 to 8 letters and digits",
        ),
        "MAX_QUANTITY": (1 <= conf.MAX_QUANTITY <= 1_000_000, "is not from 1 to 1,000,000"),
        "MAX_CART_LINES": (conf.MAX_CART_LINES >= 1, "is below 1"),
        "UNPAID_ORDER_MINUTES": (conf.UNPAID_ORDER_MINUTES >= 1, "is below 1"),
    }
    return [
        Error(f"FASHIONISTAR_ORDERS[{name!r}] {wrong}.", id="fashionistar_orders.E005")
        for name, (right, wrong) in rules.items()
        if not right
    ]


def _check_catalog() -> list[CheckMessage]:
    if not conf.CATALOG:
        return [
            checks.Warning(
                "FASHIONISTAR_ORDERS['CATALOG'] is not set: the cart and checkout answer 503.",
                hint="Name an object with sellable_variants, take_stock and return_stock.",
                id="fashionistar_orders.W001",
            )
        ]
    try:
        catalog = import_string(conf.CATALOG)
    except ImportError as error:
        return [Error(f"FASHIONISTAR_ORDERS['CATALOG']: {error}", id="fashionistar_orders.E003")]
    missing = [name for name in PORT_FUNCTIONS if not callable(getattr(catalog, name, None))]
    if missing:
        message = f"FASHIONISTAR_ORDERS['CATALOG']: {conf.CATALOG} has no {', '.join(missing)}."
        return [Error(message, id="fashionistar_orders.E004")]
    return []
