"""The settings of this app: the dict FASHIONISTAR_ORDERS, read live."""

from fashionistar_common.conf import AppSettings


class OrdersSettings(AppSettings):
    """The settings of `fashionistar_orders`."""

    setting = "FASHIONISTAR_ORDERS"

    #: Dotted path of the object or module that is the `ports.Catalog`; empty: the cart and checkout answer 503.
    CATALOG: str = ""
    #: The currency in which an empty cart shows its total of zero.
    CURRENCY: str = "NGN"
    #: The letters before an order's random number.
    NUMBER_PREFIX: str = "FS"
    #: Pieces of one SKU in a cart at most.
    MAX_QUANTITY: int = 99
    #: Different SKUs in a cart at most.
    MAX_CART_LINES: int = 200
    #: Refuse an order that cannot be served before any stock is locked; the check under lock decides either way.
    CHECK_STOCK_BEFORE_LOCKING: bool = True
    #: Minutes that an order may stay unpaid before the task `cancel_unpaid` cancels it.
    UNPAID_ORDER_MINUTES: int = 60


conf = OrdersSettings()
