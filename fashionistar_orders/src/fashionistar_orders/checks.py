"""System checks: the settings, and whether the catalog they name is one."""

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
    return messages + _check_catalog()


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
