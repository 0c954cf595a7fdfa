"""Filling the cart. Every function locks the customer's open cart and answers what it then shows."""

from collections.abc import Collection

from django.db import IntegrityError, transaction
from fashionistar_common.exceptions import FieldError
from fashionistar_common.types import Actor

from ..conf import conf
from ..exceptions import CartCurrencyError, CartFullError, CartLineNotFoundError, QuantityError, UnknownSkuError
from ..models import Cart, CartLine
from ..ports import catalog
from ..selectors import cart_for_customer
from ..types import CartStatus, CartView

#: To find or make the open cart while the customer's other requests order the one before.
TRIES = 5


@transaction.atomic
def add_line(*, actor: Actor, sku: str, quantity: int) -> CartView:
    """Put pieces of one SKU into the cart, on top of those that are there.

    Raises:
        QuantityError: when the line would hold fewer than 1 or more than MAX_QUANTITY pieces.
        UnknownSkuError: when the SKU is not for sale.
        CartCurrencyError: when it is sold in another currency than what is in the cart.
        CartFullError: when the cart holds MAX_CART_LINES different SKUs already.
    """
    _check_quantity(quantity)
    cart = _lock_open_cart(actor)
    lines = {line.sku: line for line in cart.lines.all()}
    _check_fits(sku, among=lines.keys())
    if line := lines.get(sku):
        _check_quantity(line.quantity + quantity)
        line.quantity += quantity
        line.save(update_fields=["quantity"])
    elif len(lines) >= conf.MAX_CART_LINES:
        raise CartFullError(maximum=conf.MAX_CART_LINES)
    else:
        CartLine.objects.create(cart=cart, sku=sku, quantity=quantity)
    return _shown(cart)


@transaction.atomic
def set_line(*, actor: Actor, sku: str, quantity: int) -> CartView:
    """Set how many pieces of a SKU that is in the cart are wanted.

    Raises:
        QuantityError: when that is fewer than 1 or more than MAX_QUANTITY.
        CartLineNotFoundError: when the SKU is not in the cart.
    """
    _check_quantity(quantity)
    cart = _lock_open_cart(actor)
    line = _line(cart, sku)
    line.quantity = quantity
    line.save(update_fields=["quantity"])
    return _shown(cart)


@transaction.atomic
def remove_line(*, actor: Actor, sku: str) -> CartView:
    """Take a SKU out of the cart.

    Raises:
        CartLineNotFoundError: when it is not in there.
    """
    cart = _lock_open_cart(actor)
    _line(cart, sku).delete()
    return _shown(cart)


@transaction.atomic
def clear_cart(*, actor: Actor) -> CartView:
    """Take everything out of the cart."""
    cart = _lock_open_cart(actor)
    cart.lines.all().delete()
    return _shown(cart)


def _lock_open_cart(actor: Actor) -> Cart:
    # The partial unique constraint makes two first requests at once agree on one cart. The cart that was in the way of
    # a new one may be ordered before it can be locked: then there is none again, and the next try makes it.
    own = Cart.objects.select_for_update()
    for tries_left in reversed(range(TRIES)):
        try:
            return own.get_or_create(customer_id=actor.id, status=CartStatus.OPEN)[0]
        except IntegrityError:
            if not tries_left:
                raise
    raise AssertionError("the last try returns or raises")


def _line(cart: Cart, sku: str) -> CartLine:
    # Compared here and not in the database, which does not take every string that an address can hold.
    for line in cart.lines.all():
        if line.sku == sku:
            return line
    raise CartLineNotFoundError(sku=sku)


def _shown(cart: Cart) -> CartView:
    cart.save(update_fields=["updated_at"])
    return cart_for_customer(cart.customer_id)


def _check_quantity(quantity: int) -> None:
    if not 1 <= quantity <= conf.MAX_QUANTITY:
        detail = f"The quantity must be between 1 and {conf.MAX_QUANTITY}."
        raise QuantityError(detail, errors=[FieldError(pointer="/quantity", detail=detail, code="invalid_quantity")])


def _check_fits(sku: str, *, among: Collection[str]) -> None:
    """The SKU is for sale, in the currency of the others."""
    variants = catalog().sellable_variants({sku, *among})
    wanted = variants.get(sku)
    if wanted is None:
        detail = f"{sku} is not for sale."
        raise UnknownSkuError(detail, errors=[FieldError(pointer="/sku", detail=detail, code="unknown_sku")])
    for other in among:
        if other in variants and variants[other].price.currency != wanted.price.currency:
            cart_currency = variants[other].price.currency
            raise CartCurrencyError(sku=sku, currency=wanted.price.currency, cart_currency=cart_currency)
