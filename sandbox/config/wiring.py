"""Where the apps meet: one app's port, served by another app's functions. Copy what you need into your project.

A port is structural, so neither app knows the other: the settings name these two objects, and the apps call them.

    FASHIONISTAR_ORDERS = {"CATALOG": "config.wiring.catalog"}
    FASHIONISTAR_PAYMENTS = {"ORDERS": "config.wiring.orders"}
"""

import fashionistar_catalog.selectors
import fashionistar_catalog.services
import fashionistar_orders.selectors


class CatalogForOrders:
    """What checkout needs from a catalog: prices, and stock that is taken and returned once."""

    sellable_variants = staticmethod(fashionistar_catalog.selectors.sellable_variants)
    take_stock = staticmethod(fashionistar_catalog.services.take_stock)
    return_stock = staticmethod(fashionistar_catalog.services.return_stock)


class OrdersForPayments:
    """What a payment needs from orders: what is to be paid, by whom."""

    payable_order = staticmethod(fashionistar_orders.selectors.payable_order)


catalog = CatalogForOrders()
orders = OrdersForPayments()
