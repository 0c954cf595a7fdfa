"""From a cart to an order."""

from collections.abc import Sequence

from django.db import transaction
from fashionistar_common import audit
from fashionistar_common.events import event_bus
from fashionistar_common.types import Actor

from ..conf import conf
from ..events import OrderPlaced
from ..exceptions import (
    CartCurrencyError,
    CartEmptyError,
    CartNotFoundError,
    LineUnavailableError,
    OutOfStockError,
    TotalTooLargeError,
)
from ..models import Cart, CartLine, Order, OrderLine, VendorOrder, new_order_number
from ..ports import Catalog, catalog
from ..states import LARGEST_TOTAL, split_by_vendor, total_of
from ..types import Address, CartStatus, PricedLine, VendorShare
from .payment import mark_order_paid


@transaction.atomic
def place_order(*, actor: Actor, email: str, shipping_address: Address, cart_id: str | None = None) -> Order:
    """Order what is in the actor's cart, at the prices of this moment.

    Locks the cart, then the catalog's variants, whose stock is taken in the same transaction. Publishes
    `orders.order_placed`; an order that costs nothing is paid at once, and `orders.order_paid` follows. A cart is
    ordered once: whoever waits for the lock while another request orders the cart, or names a cart that has been
    ordered, gets the order that came of it.

    Args:
        actor: the customer.
        email: where the confirmation goes.
        shipping_address: where the parcels go.
        cart_id: the public id of the cart; by default the open one.

    Raises:
        CartEmptyError: when there is nothing in it.
        CartNotFoundError: when the actor has no cart of that id.
        LineUnavailableError: when something in it is no longer for sale.
        CartCurrencyError: when its prices are in different currencies.
        TotalTooLargeError: when no column could hold what it costs.
        ConflictError: with the code `out_of_stock`, when there is not enough of something.
        PortNotConfiguredError: when the project names no catalog.
    """
    shop = catalog()
    cart = _lock_cart(actor, cart_id)
    if cart.status == CartStatus.ORDERED:
        return cart.order
    lines = _priced_lines(list(cart.lines.order_by("pk")), shop)
    number = new_order_number()
    shop.take_stock({line.sku: line.quantity for line in lines}, reference=number)
    order = _write_order(number, cart, lines, email=email, shipping_address=shipping_address)
    cart.status = CartStatus.ORDERED
    cart.save(update_fields=["status", "updated_at"])
    if not order.total:
        mark_order_paid(number, amount=order.total, payment_id="")
        order.refresh_from_db()
    return order


def _lock_cart(actor: Actor, cart_id: str | None) -> Cart:
    """Lock the cart; after the wait it may turn out to be ordered."""
    own = Cart.objects.filter(customer_id=actor.id)
    chosen = own.filter(status=CartStatus.OPEN) if cart_id is None else own.filter(public_id=cart_id)
    found = chosen.values_list("pk", flat=True).first()
    if found is None:
        raise CartEmptyError if cart_id is None else CartNotFoundError
    return Cart.objects.select_for_update().get(pk=found)


def _priced_lines(lines: Sequence[CartLine], shop: Catalog) -> list[PricedLine]:
    """The lines at present prices, after every check that can be made without a lock."""
    if not lines:
        raise CartEmptyError
    variants = shop.sellable_variants([line.sku for line in lines])
    priced: list[PricedLine] = []
    for line in lines:
        variant = variants.get(line.sku)
        if variant is None:
            raise LineUnavailableError(sku=line.sku)
        if conf.CHECK_STOCK_BEFORE_LOCKING and variant.available < line.quantity:
            raise OutOfStockError(sku=line.sku, requested=line.quantity, available=variant.available)
        if priced and variant.price.currency != priced[0].unit_price.currency:
            raise CartCurrencyError(
                sku=line.sku,
                currency=variant.price.currency,
                cart_currency=priced[0].unit_price.currency,
            )
        priced.append(
            PricedLine(
                sku=line.sku,
                product_name=variant.product_name,
                options=variant.options,
                vendor_id=variant.vendor_id,
                vendor_name=variant.vendor_name,
                unit_price=variant.price,
                quantity=line.quantity,
            )
        )
    if total_of(priced, priced[0].unit_price.currency).amount_minor > LARGEST_TOTAL:
        raise TotalTooLargeError
    return priced


def _write_order(
    number: str, cart: Cart, lines: Sequence[PricedLine], *, email: str, shipping_address: Address
) -> Order:
    currency = lines[0].unit_price.currency
    order = Order.objects.create(
        number=number,
        cart=cart,
        customer_id=cart.customer_id,
        email=email,
        currency=currency,
        total_minor=total_of(lines, currency).amount_minor,
        shipping_address=shipping_address.to_json(),
    )
    shares = split_by_vendor(lines, currency)
    vendor_orders = VendorOrder.objects.bulk_create(
        VendorOrder(
            order=order,
            number=f"{number}-{position}",
            vendor_id=share.vendor_id,
            vendor_name=share.vendor_name,
            subtotal_minor=share.subtotal.amount_minor,
        )
        for position, share in enumerate(shares, start=1)
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            vendor_order=vendor_order,
            sku=line.sku,
            product_name=line.product_name,
            options=dict(line.options),
            unit_price_minor=line.unit_price.amount_minor,
            quantity=line.quantity,
            total_minor=line.total.amount_minor,
        )
        for vendor_order, share in zip(vendor_orders, shares, strict=True)
        for line in share.lines
    )
    event_bus.publish(_order_placed(order, vendor_orders, shares))
    facts = {"status": (None, order.status), "total": (None, order.total)}
    audit.record("orders.order_placed", order, public_id=number, changes=facts)
    return order


def _order_placed(order: Order, vendor_orders: Sequence[VendorOrder], shares: Sequence[VendorShare]) -> OrderPlaced:
    return OrderPlaced(
        order_number=order.number,
        customer_id=order.customer_id,
        currency=order.currency,
        total_minor=order.total_minor,
        vendor_orders=[
            {
                "number": vendor_order.number,
                "vendor_id": vendor_order.vendor_id,
                "subtotal_minor": vendor_order.subtotal_minor,
            }
            for vendor_order in vendor_orders
        ],
        lines=[
            {
                "vendor_order": vendor_order.number,
                "sku": line.sku,
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price.amount_minor,
            }
            for vendor_order, share in zip(vendor_orders, shares, strict=True)
            for line in share.lines
        ],
    )
