"""Checkout, cancellation and payment, below the API."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from fashionistar_common.exceptions import NotFoundError
from fashionistar_common.money import Money
from fashionistar_common.testing import published
from fashionistar_common.types import Actor, Role
from fashionistar_orders import services
from fashionistar_orders.exceptions import (
    CartEmptyError,
    CartNotFoundError,
    LineUnavailableError,
    OrderNotCancellableError,
    OrderNotFoundError,
    OrderNotPayableError,
    OutOfStockError,
    TotalTooLargeError,
)
from fashionistar_orders.models import Cart, CartLine, Order, OrderLine, VendorOrder
from fashionistar_orders.notifications import confirm_order
from fashionistar_orders.selectors import payable_order
from fashionistar_orders.services import cancellation
from fashionistar_orders.tasks import cancel_unpaid
from fashionistar_orders.testing import ADDRESS, FakeCatalog, make_cart, make_client, make_order
from fashionistar_orders.types import PaymentOutcome

pytestmark = pytest.mark.django_db

STAFF = Actor("grace", Role.STAFF)


def place(**options: Any) -> Order:
    return services.place_order(actor=make_client(), email="ada@example.com", shipping_address=ADDRESS, **options)


def test_an_order_is_split_per_vendor_and_adds_up(shop: FakeCatalog) -> None:
    shop.offer("DRESS", price="129.99", vendor="adire-house")
    shop.offer("BELT", price="0.01", vendor="bonwire-loom")
    shop.offer("SHAWL", price="10.10", vendor="adire-house")
    order = make_order({"DRESS": 3, "BELT": 7, "SHAWL": 1})
    parts = [
        (part.number, part.vendor_id, part.subtotal, [(line.sku, str(line.total)) for line in part.lines.all()])
        for part in order.vendor_orders.all()
    ]
    assert parts == [
        (
            f"{order.number}-1",
            "adire-house",
            Money(40007, "NGN"),
            [("DRESS", "NGN 389.97"), ("SHAWL", "NGN 10.10")],
        ),
        (f"{order.number}-2", "bonwire-loom", Money(7, "NGN"), [("BELT", "NGN 0.07")]),
    ]
    assert order.total == Money(40014, "NGN")
    assert (shop.stock("DRESS"), shop.stock("BELT"), shop.stock("SHAWL")) == (7, 3, 9)


def test_the_order_keeps_the_words_and_prices_of_its_moment(shop: FakeCatalog) -> None:
    shop.offer("DRESS", price="129.00", name="Indigo wrap dress")
    order = make_order({"DRESS": 1})
    shop.offer("DRESS", price="999.00", name="Renamed")
    line = OrderLine.objects.get()
    assert (line.product_name, line.unit_price, line.options) == (
        "Indigo wrap dress",
        Money(12900, "NGN"),
        {"Size": "M"},
    )
    assert order.shipping_address == ADDRESS.to_json()


def test_placing_reads_the_price_again(shop: FakeCatalog) -> None:
    shop.offer("DRESS", price="129.00")
    services.add_line(actor=make_client(), sku="DRESS", quantity=1)
    shop.offer("DRESS", price="99.00")
    assert place().total == Money(9900, "NGN")


def test_placing_tells_the_others_and_names_no_person(shop: FakeCatalog) -> None:
    shop.offer("DRESS", price="129.00")
    order = make_order({"DRESS": 2})
    assert published("orders.order_placed") == [
        {
            "order_number": order.number,
            "customer_id": "ada",
            "currency": "NGN",
            "total_minor": 25800,
            "vendor_orders": [{"number": f"{order.number}-1", "vendor_id": "adire-house", "subtotal_minor": 25800}],
            "lines": [
                {
                    "vendor_order": f"{order.number}-1",
                    "sku": "DRESS",
                    "quantity": 2,
                    "unit_price_minor": 12900,
                }
            ],
        }
    ]


def test_a_named_cart_that_is_ordered_answers_with_its_order(shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    cart = make_cart({"DRESS": 1})
    order = place(cart_id=cart.public_id)
    assert place(cart_id=cart.public_id) == order
    assert shop.stock("DRESS") == 9
    assert len(published("orders.order_placed")) == 1


def test_after_an_order_the_next_cart_is_a_new_one(shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    make_order({"DRESS": 1})
    with pytest.raises(CartEmptyError):
        place()
    assert services.add_line(actor=make_client(), sku="DRESS", quantity=1).id is not None
    assert Cart.objects.count() == 2


@pytest.mark.parametrize("looks_first", [True, False])
def test_what_is_not_there_is_not_sold(
    shop: FakeCatalog, orders_settings: Callable[..., None], looks_first: bool
) -> None:
    orders_settings(CHECK_STOCK_BEFORE_LOCKING=looks_first)
    shop.offer("DRESS", available=5)
    shop.offer("BELT", available=1)
    make_cart({"DRESS": 1, "BELT": 2})
    with pytest.raises(OutOfStockError, match="BELT: 2 wanted, 1 left"):
        place()
    assert shop.stock("DRESS") == 5
    assert not Order.objects.exists()
    assert published("orders.order_placed") == []


def test_what_has_left_the_catalog_is_not_sold(shop: FakeCatalog) -> None:
    make_cart({"GONE": 1})
    with pytest.raises(LineUnavailableError, match="GONE is no longer for sale"):
        place()


def test_an_order_costs_no_more_than_can_be_stored(shop: FakeCatalog) -> None:
    shop.offer("CROWN", price="9999999999999999.99")
    make_cart({"CROWN": 10})
    with pytest.raises(TotalTooLargeError):
        place()
    assert shop.stock("CROWN") == 10


def test_what_costs_nothing_is_paid_at_once(shop: FakeCatalog) -> None:
    shop.offer("SAMPLE", price="0.00")
    make_cart({"SAMPLE": 1})
    order = place()
    assert (order.status, order.paid_at is not None) == ("paid", True)
    assert [event["payment_id"] for event in published("orders.order_paid")] == [""]
    with pytest.raises(OrderNotPayableError):
        payable_order(order.number, actor=make_client())


def test_a_cart_of_somebody_else_is_not_there(shop: FakeCatalog) -> None:
    cart = make_cart({"DRESS": 1}, customer_id="eve")
    with pytest.raises(CartNotFoundError):
        place(cart_id=cart.public_id)


def test_cancelling_returns_the_stock_once(shop: FakeCatalog) -> None:
    shop.offer("DRESS", available=5)
    order = make_order({"DRESS": 2})
    first = services.cancel_order(order.number, actor=make_client())
    again = services.cancel_order(order.number, actor=make_client())
    assert (first.status, first.cancelled_at) == (again.status, again.cancelled_at)
    assert shop.stock("DRESS") == 5
    [told] = published("orders.order_cancelled")
    assert (told["reason"], told["lines"]) == ("customer", [{"sku": "DRESS", "quantity": 2}])


def test_staff_may_cancel_and_strangers_may_not(shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 1})
    with pytest.raises(OrderNotFoundError):
        services.cancel_order(order.number, actor=make_client("eve"))
    assert services.cancel_order(order.number, actor=STAFF).cancellation_reason == "staff"


def pay(order: Order, payment_id: str = "pay-1", **changes: Any) -> PaymentOutcome:
    return services.mark_order_paid(order.number, amount=changes.get("amount", order.total), payment_id=payment_id)


def test_payment_makes_an_order_paid_once(shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 1})
    assert pay(order) == PaymentOutcome.ACCEPTED
    paid_at = Order.objects.get().paid_at
    assert pay(order) == PaymentOutcome.REPEATED
    order.refresh_from_db()
    assert (order.status, order.paid_at, order.payment_id) == ("paid", paid_at, "pay-1")
    assert len(published("orders.order_paid")) == 1
    with pytest.raises(OrderNotCancellableError):
        services.cancel_order(order.number, actor=make_client())


@pytest.mark.parametrize("amount", [Money(12899, "NGN"), Money(12901, "NGN"), Money(12900, "USD"), Money(0, "NGN")])
def test_a_wrong_amount_is_refused_logged_and_told(
    shop: FakeCatalog, caplog: pytest.LogCaptureFixture, amount: Money
) -> None:
    shop.offer("DRESS", price="129.00")
    order = make_order({"DRESS": 1})
    with caplog.at_level(logging.ERROR):
        assert pay(order, amount=amount) == PaymentOutcome.AMOUNT_MISMATCH
    order.refresh_from_db()
    assert (order.status, order.paid_at) == ("placed", None)
    assert "payment refused" in caplog.text
    [told] = published("orders.payment_refused")
    assert (told["amount_minor"], told["currency"], told["reason"]) == (
        amount.amount_minor,
        amount.currency,
        "amount_mismatch",
    )


def test_money_for_a_cancelled_order_is_noted_and_a_refund_is_due(shop: FakeCatalog) -> None:
    shop.offer("DRESS", available=1)
    order = make_order({"DRESS": 1})
    services.cancel_order(order.number, actor=make_client())
    assert pay(order) == PaymentOutcome.ORDER_CANCELLED
    assert pay(order) == PaymentOutcome.REPEATED
    assert pay(order, "pay-2") == PaymentOutcome.ORDER_CANCELLED
    order.refresh_from_db()
    assert (order.status, order.payment_id, shop.stock("DRESS")) == ("cancelled", "pay-1", 1)
    assert order.paid_at is not None
    assert [told["payment_id"] for told in published("orders.payment_refused")] == ["pay-1", "pay-2"]
    assert published("orders.order_paid") == []


def test_a_second_payment_of_a_paid_order_is_refused(shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 1})
    assert [pay(order), pay(order, "pay-2")] == [PaymentOutcome.ACCEPTED, PaymentOutcome.ALREADY_PAID]
    assert [told["reason"] for told in published("orders.payment_refused")] == ["already_paid"]


def test_money_for_an_unknown_order_is_an_error() -> None:
    with pytest.raises(OrderNotFoundError):
        services.mark_order_paid("FS-0", amount=Money(1, "NGN"), payment_id="pay-1")
    with pytest.raises(OrderNotFoundError):
        confirm_order("FS-0")


def test_a_payment_learns_what_it_needs_and_nothing_of_others(shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 1})
    payable = payable_order(order.number, actor=make_client())
    assert (payable.amount, payable.email, payable.customer_id) == (order.total, order.email, "ada")
    with pytest.raises(OrderNotFoundError):
        payable_order(order.number, actor=make_client("eve"))
    pay(order)
    with pytest.raises(OrderNotPayableError, match="is paid"):
        payable_order(order.number, actor=make_client())


@pytest.fixture
def old_orders(shop: FakeCatalog) -> list[Order]:
    """One that is new, one that is old and paid, one that is old and unpaid."""
    shop.offer("DRESS")
    made = [make_order({"DRESS": 1}, customer_id=name) for name in ("new", "paid", "unpaid")]
    Order.objects.exclude(pk=made[0].pk).update(placed_at=timezone.now() - timedelta(minutes=61))
    pay(made[1])
    return made


def test_old_unpaid_orders_are_cancelled_and_no_others(
    old_orders: list[Order], shop: FakeCatalog, capsys: pytest.CaptureFixture[str]
) -> None:
    unpaid = old_orders[2].number
    call_command("orders_cancel_unpaid", "--older-than", "60", "--dry-run")
    assert capsys.readouterr().out.splitlines() == [unpaid, "1 unpaid orders would be cancelled."]
    assert shop.stock("DRESS") == 7
    call_command("orders_cancel_unpaid", "--older-than", "60")
    assert capsys.readouterr().out.splitlines() == [unpaid, "1 unpaid orders cancelled."]
    assert shop.stock("DRESS") == 8
    assert [order.status for order in Order.objects.order_by("pk")] == ["placed", "paid", "cancelled"]
    assert [told["reason"] for told in published("orders.order_cancelled")] == ["unpaid"]


def test_an_order_that_is_paid_while_the_list_is_worked_through_stays_paid(
    old_orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "unpaid_orders", lambda older_than: Order.objects.order_by("pk"))
    pay(old_orders[0], "pay-2")
    assert services.cancel_unpaid_orders(older_than=timedelta(minutes=60)) == [old_orders[2].number]
    assert [order.status for order in Order.objects.order_by("pk")] == ["paid", "paid", "cancelled"]


def test_one_order_that_cannot_be_cancelled_does_not_hold_up_the_others(
    old_orders: list[Order], shop: FakeCatalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Order.objects.filter(status="placed").update(placed_at=timezone.now() - timedelta(minutes=61))
    stuck, fine = old_orders[0], old_orders[2]
    return_stock = shop.return_stock

    def refuse(quantities: dict[str, int], *, reference: str) -> None:
        if reference == stuck.number:
            raise NotFoundError("There is no variant with this SKU any more.")
        return_stock(quantities, reference=reference)

    monkeypatch.setattr(shop, "return_stock", refuse)
    assert services.cancel_unpaid_orders(older_than=timedelta(minutes=60)) == [fine.number]
    stuck.refresh_from_db()
    assert stuck.status == "placed"
    assert "could not be cancelled" in caplog.text


def test_the_command_refuses_an_age_that_is_none() -> None:
    with pytest.raises(CommandError, match="above zero"):
        call_command("orders_cancel_unpaid", "--older-than", "0")


def test_the_task_takes_its_age_from_the_settings(
    old_orders: list[Order], orders_settings: Callable[..., None]
) -> None:
    orders_settings(UNPAID_ORDER_MINUTES=120)
    cancel_unpaid.call()
    assert Order.objects.filter(status="cancelled").count() == 0
    orders_settings(UNPAID_ORDER_MINUTES=60)
    cancel_unpaid.call()
    assert Order.objects.filter(status="cancelled").count() == 1


def test_the_database_itself_refuses_what_no_service_would_write(shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 1})
    line, part = OrderLine.objects.get(), VendorOrder.objects.get()
    make_cart({}, customer_id="bob")
    wrong: list[Callable[[], object]] = [
        lambda: OrderLine.objects.filter(pk=line.pk).update(total_minor=1),
        lambda: OrderLine.objects.filter(pk=line.pk).update(quantity=0, total_minor=0),
        lambda: OrderLine.objects.filter(pk=line.pk).update(unit_price_minor=-1, total_minor=-1),
        lambda: VendorOrder.objects.filter(pk=part.pk).update(subtotal_minor=-1),
        lambda: Order.objects.update(total_minor=-1),
        lambda: Order.objects.update(status="paid"),
        lambda: Order.objects.update(status="cancelled"),
        lambda: Order.objects.update(status="lost"),
        lambda: Order.objects.update(paid_at=timezone.now()),
        lambda: Order.objects.create(cart=order.cart, customer_id="ada", total_minor=1, shipping_address={}),
        lambda: Cart.objects.create(customer_id="bob"),
        lambda: Cart.objects.update(status="lost"),
        lambda: CartLine.objects.create(cart=order.cart, sku="DRESS", quantity=1),
        lambda: CartLine.objects.create(cart=order.cart, sku="HAT", quantity=0),
    ]
    for number, write in enumerate(wrong):
        with pytest.raises(IntegrityError), transaction.atomic():
            pytest.fail(f"{number} was written: {write()}")
