"""Reads. Querysets come with all loading decided; a customer's reads never touch another customer's rows."""

from collections.abc import Mapping
from datetime import timedelta

from django.db.models import F, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from fashionistar_common.money import Money
from fashionistar_common.scope import get_in_scope
from fashionistar_common.types import Actor

from .conf import conf
from .exceptions import LineUnavailableError, OrderNotFoundError, OrderNotPayableError, OutOfStockError
from .models import Cart, CartLine, Order, OrderLine, VendorOrder
from .ports import SellableVariant, catalog
from .types import CartLineView, CartProblem, CartStatus, CartView, OrderStatus, PayableOrder


def cart_for_customer(customer_id: str) -> CartView:
    """The customer's open cart at the catalog's present prices. Writes nothing: who has no cart sees an empty one.

    Two queries and one call of the catalog, whatever the cart holds.

    Raises:
        PortNotConfiguredError: when the project names no catalog.
    """
    shop = catalog()
    cart = Cart.objects.filter(customer_id=customer_id, status=CartStatus.OPEN).first()
    lines = list(cart.lines.order_by("pk")) if cart else []
    variants = shop.sellable_variants([line.sku for line in lines]) if lines else {}
    currency = next((variants[line.sku].price.currency for line in lines if line.sku in variants), conf.CURRENCY)
    problems = tuple(
        problem for line in lines if (problem := _problem(line, variants.get(line.sku), currency)) is not None
    )
    troubled = {problem.sku for problem in problems}
    views = tuple(_line_view(line, variants, available=line.sku not in troubled) for line in lines)
    orderable = (view.line_total for view in views if view.available and view.line_total is not None)
    return CartView(
        id=cart.public_id if cart else None,
        lines=views,
        total=Money.sum(orderable, currency),
        problems=problems,
    )


def _problem(line: CartLine, variant: SellableVariant | None, currency: str) -> CartProblem | None:
    if variant is None:
        error: LineUnavailableError | OutOfStockError = LineUnavailableError(sku=line.sku)
        return CartProblem(sku=line.sku, code=error.code, detail=error.detail)
    if variant.price.currency != currency:
        detail = f"{line.sku} is sold in {variant.price.currency}, but the cart is in {currency}."
        return CartProblem(sku=line.sku, code="currency_mismatch", detail=detail)
    if variant.available < line.quantity:
        error = OutOfStockError(sku=line.sku, requested=line.quantity, available=variant.available)
        return CartProblem(sku=line.sku, code=error.code, detail=error.detail)
    return None


def _line_view(line: CartLine, variants: Mapping[str, SellableVariant], *, available: bool) -> CartLineView:
    variant = variants.get(line.sku)
    return CartLineView(
        sku=line.sku,
        product_name=variant.product_name if variant else None,
        options=variant.options if variant else {},
        quantity=line.quantity,
        unit_price=variant.price if variant else None,
        line_total=variant.price * line.quantity if variant else None,
        available=available,
    )


def orders() -> QuerySet[Order]:
    """All orders with their vendor orders and lines: three queries, however many there are."""
    lines = OrderLine.objects.order_by("pk")
    vendor_orders = VendorOrder.objects.order_by("pk")
    return Order.objects.prefetch_related(
        Prefetch("vendor_orders", vendor_orders.prefetch_related(Prefetch("lines", lines)))
    )


def orders_for_customer(customer_id: str, *, status: OrderStatus | None = None) -> QuerySet[Order]:
    """One customer's orders, loaded as by `orders()`, in no particular order: the page decides."""
    own = orders().filter(customer_id=customer_id)
    return own if status is None else own.filter(status=status)


def order_for_customer(customer_id: str, number: str) -> Order:
    """One of the customer's orders, loaded as by `orders()`.

    Raises:
        OrderNotFoundError: for an unknown number, and just so for somebody else's.
    """
    return get_in_scope(orders_for_customer(customer_id), OrderNotFoundError, number=number)


def payable_order(number: str, *, actor: Actor) -> PayableOrder:
    """What a payment needs to know of one of the actor's orders that waits for money.

    Raises:
        OrderNotFoundError: for an unknown number, and just so for somebody else's.
        OrderNotPayableError: when the order is paid or cancelled.
    """
    order = get_in_scope(Order.objects.filter(customer_id=actor.id), OrderNotFoundError, number=number)
    if order.status != OrderStatus.PLACED:
        raise OrderNotPayableError(number=number, status=order.status)
    return PayableOrder(number=order.number, customer_id=order.customer_id, amount=order.total, email=order.email)


def unpaid_orders(older_than: timedelta) -> QuerySet[Order]:
    """The orders that were placed longer ago than this and still wait for their money, oldest first."""
    before = timezone.now() - older_than
    return Order.objects.filter(status=OrderStatus.PLACED, placed_at__lt=before).order_by("placed_at", "pk")


def orders_with_wrong_totals() -> QuerySet[Order]:
    """The orders whose total is not the sum of their vendors' subtotals, or whose subtotals are not those of the lines.

    There should be none. Adds up every order there is.
    """
    subtotals = VendorOrder.objects.filter(order=OuterRef("pk")).values("order").annotate(sum=Sum("subtotal_minor"))
    lines = (
        OrderLine.objects.filter(vendor_order=OuterRef("pk")).values("vendor_order").annotate(sum=Sum("total_minor"))
    )
    wrong_parts = VendorOrder.objects.annotate(sum=Coalesce(Subquery(lines.values("sum")), 0)).exclude(
        subtotal_minor=F("sum")
    )
    return (
        Order.objects.annotate(sum=Coalesce(Subquery(subtotals.values("sum")), 0))
        .filter(~Q(total_minor=F("sum")) | Q(pk__in=wrong_parts.values("order")))
        .order_by("pk")
    )
