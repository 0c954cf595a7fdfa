"""Many threads, one cart, one order. Every thread has a database connection of its own; the catalog is the real one."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db.models import Sum
from fashionistar_catalog.models import Variant
from fashionistar_catalog.testing import make_product
from fashionistar_common.testing import published
from fashionistar_orders import services
from fashionistar_orders.exceptions import CartEmptyError, OrderNotCancellableError
from fashionistar_orders.models import Cart, CartLine, Order
from fashionistar_orders.selectors import cart_for_customer
from fashionistar_orders.testing import ADDRESS, make_cart, make_client, make_order
from fashionistar_orders.types import PaymentOutcome

pytestmark = pytest.mark.django_db(transaction=True)

AtOnce = Callable[[list[Callable[[], object]]], list[Any]]
ADA = make_client()


def assert_stock(sku: str, pieces: int) -> None:
    variant = Variant.objects.annotate(ledger=Sum("movements__quantity")).get(sku=sku)
    assert variant.stock == variant.ledger == pieces


def place(**options: Any) -> Order:
    return services.place_order(actor=ADA, email="ada@example.com", shipping_address=ADDRESS, **options)


def test_twenty_orders_of_one_cart_are_one_order(at_once: AtOnce) -> None:
    make_product(sku="DRESS", stock=30)
    cart = make_cart({"DRESS": 1})
    results = at_once([lambda: place(cart_id=cart.public_id)] * 20)
    order = Order.objects.get()
    assert results == [order] * 20
    assert len(published("orders.order_placed")) == 1
    assert_stock("DRESS", 29)


def test_twenty_orders_of_the_open_cart_are_one_order(at_once: AtOnce) -> None:
    """Whoever comes when the cart is gone already finds nothing to order."""
    make_product(sku="DRESS", stock=30)
    make_cart({"DRESS": 1})
    results = at_once([place] * 20)
    order = Order.objects.get()
    assert order in results
    assert all(result == order or isinstance(result, CartEmptyError) for result in results)
    assert_stock("DRESS", 29)


def test_carts_that_cross_do_not_deadlock(at_once: AtOnce) -> None:
    for sku in "ABC":
        make_product(sku=sku, stock=40)
    for number in range(20):
        skus = "ABC" if number % 2 else "CBA"
        make_cart(dict.fromkeys(skus, 2), customer_id=f"client-{number}")
    results = at_once(
        [
            lambda n=n: services.place_order(  # type: ignore[misc]
                actor=make_client(f"client-{n}"), email="a@example.com", shipping_address=ADDRESS
            )
            for n in range(20)
        ]
    )
    assert [result for result in results if not isinstance(result, Order)] == []
    for sku in "ABC":
        assert_stock(sku, 0)


def test_cancelling_twenty_times_at_once_returns_the_stock_once(at_once: AtOnce) -> None:
    make_product(sku="DRESS", stock=10)
    order = make_order({"DRESS": 4})
    results = at_once([lambda: services.cancel_order(order.number, actor=ADA)] * 20)
    assert {result.cancelled_at for result in results} == {Order.objects.get().cancelled_at}
    assert len(published("orders.order_cancelled")) == 1
    assert_stock("DRESS", 10)


@pytest.mark.parametrize("attempt", range(3))
def test_cancelling_and_paying_at_once_leaves_one_truth(at_once: AtOnce, attempt: int) -> None:
    make_product(sku="DRESS", stock=10)
    order = make_order({"DRESS": 4})

    def cancel() -> object:
        return services.cancel_order(order.number, actor=ADA)

    def pay() -> object:
        return services.mark_order_paid(order.number, amount=order.total, payment_id="pay-1")

    results = at_once([cancel, pay] * 10)
    cancelled, paid = results[::2], results[1::2]
    order.refresh_from_db()
    assert order.paid_at is not None
    if order.status == "paid":
        assert all(isinstance(result, OrderNotCancellableError) for result in cancelled)
        assert sorted(paid) == [PaymentOutcome.ACCEPTED] + [PaymentOutcome.REPEATED] * 9
        assert (len(published("orders.order_paid")), len(published("orders.order_cancelled"))) == (1, 0)
        assert_stock("DRESS", 6)
    else:
        assert order.status == "cancelled"
        assert sorted(paid) == [PaymentOutcome.ORDER_CANCELLED] + [PaymentOutcome.REPEATED] * 9
        assert (len(published("orders.order_paid")), len(published("orders.order_cancelled"))) == (0, 1)
        assert len(published("orders.payment_refused")) == 1
        assert_stock("DRESS", 10)


def test_paying_twenty_times_at_once_is_one_payment(at_once: AtOnce) -> None:
    make_product(sku="DRESS", stock=10)
    order = make_order({"DRESS": 1})
    results = at_once([lambda: services.mark_order_paid(order.number, amount=order.total, payment_id="pay-1")] * 20)
    assert sorted(results) == [PaymentOutcome.ACCEPTED] + [PaymentOutcome.REPEATED] * 19
    assert len(published("orders.order_paid")) == 1


def test_the_first_lines_of_a_new_cart_agree_on_one_cart(at_once: AtOnce) -> None:
    skus = [f"SKU-{number}" for number in range(5)]
    for sku in skus:
        make_product(sku=sku)
    results = at_once([lambda s=sku: services.add_line(actor=ADA, sku=s, quantity=1) for sku in skus * 4])  # type: ignore[misc]
    assert [result for result in results if isinstance(result, Exception)] == []
    assert Cart.objects.count() == 1
    assert sorted(CartLine.objects.values_list("sku", "quantity")) == [(sku, 4) for sku in skus]


def test_adding_while_ordering_loses_nothing(at_once: AtOnce) -> None:
    """What was added is in the order or in the next cart."""
    make_product(sku="DRESS", stock=30)
    make_cart({"DRESS": 1})
    at_once([place, *[lambda: services.add_line(actor=ADA, sku="DRESS", quantity=1)] * 10])
    in_order = sum(line.quantity for part in Order.objects.get().vendor_orders.all() for line in part.lines.all())
    in_cart = sum(line.quantity for line in cart_for_customer("ada").lines)
    assert in_order + in_cart == 11
    assert_stock("DRESS", 30 - in_order)


def test_a_cart_is_found_or_made_while_the_one_before_is_ordered(at_once: AtOnce) -> None:
    make_product(sku="DRESS", stock=1000)

    def shop() -> None:
        for _ in range(5):
            services.add_line(actor=ADA, sku="DRESS", quantity=1)
            with suppress(CartEmptyError):
                place()

    assert at_once([shop] * 12) == [None] * 12
    cart = cart_for_customer(ADA.id)
    ordered = sum(order.vendor_orders.get().lines.get().quantity for order in Order.objects.all())
    assert ordered + sum(line.quantity for line in cart.lines) == 60
