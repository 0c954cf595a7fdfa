"""What can go wrong with carts and orders."""

from fashionistar_common.exceptions import (
    ConflictError,
    FashionistarError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)


class OrderError(FashionistarError):
    """The order could not be handled."""

    code = "order_error"


class PortNotConfiguredError(OrderError, UnavailableError):
    """{setting} names no catalog, so prices and stock are not known."""

    code = "port_not_configured"


class UnknownSkuError(OrderError, InvalidError):
    """This is not for sale."""

    code = "unknown_sku"


class QuantityError(OrderError, InvalidError):
    """This is not a quantity that can be ordered."""

    code = "invalid_quantity"


class CartFullError(OrderError, ConflictError):
    """A cart holds at most {maximum} different items."""

    code = "cart_full"


class CartLineNotFoundError(OrderError, NotFoundError):
    """{sku} is not in the cart."""

    code = "cart_line_not_found"


class CartNotFoundError(OrderError, NotFoundError):
    """There is no such cart."""

    code = "cart_not_found"


class CartCurrencyError(OrderError, ConflictError):
    """{sku} is sold in {currency}, but the cart is in {cart_currency}."""

    code = "currency_mismatch"


class CartEmptyError(OrderError, ConflictError):
    """The cart is empty."""

    code = "cart_empty"


class TotalTooLargeError(OrderError, ConflictError):
    """This is more money than one order can cost."""

    code = "total_too_large"


class LineUnavailableError(OrderError, ConflictError):
    """{sku} is no longer for sale."""

    code = "line_unavailable"


class OutOfStockError(OrderError, ConflictError):
    """{sku}: {requested} wanted, {available} left."""

    code = "out_of_stock"


class OrderNotFoundError(OrderError, NotFoundError):
    """There is no such order."""

    code = "order_not_found"


class OrderNotCancellableError(OrderError, ConflictError):
    """Order {number} is {status} and can no longer be cancelled."""

    code = "order_not_cancellable"


class OrderNotPayableError(OrderError, ConflictError):
    """Order {number} is {status}, so there is nothing to pay."""

    code = "order_not_payable"


class TransitionError(OrderError, ConflictError):
    """An order that is {current} cannot become {target}."""

    code = "invalid_transition"
