from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum
from fashionistar_catalog import services
from fashionistar_catalog.exceptions import (
    InvalidQuantityError,
    MissingReferenceError,
    OutOfStockError,
    VariantNotFoundError,
)
from fashionistar_catalog.models import StockMovement, Variant
from fashionistar_catalog.testing import make_product, make_variant, make_vendor
from fashionistar_common.testing import published

pytestmark = pytest.mark.django_db


def stock_of(sku: str) -> tuple[int, int]:
    """The counter and the sum of the ledger."""
    variant = Variant.objects.get(sku=sku)
    return variant.stock, variant.movements.aggregate(total=Sum("quantity"))["total"] or 0


def test_the_first_stock_is_a_movement() -> None:
    make_product(sku="A", stock=7)
    assert stock_of("A") == (7, 7)
    assert StockMovement.objects.get().reason == "received"


def test_a_sale_takes_all_lines_and_tells_of_each() -> None:
    product = make_product(sku="A", stock=7)
    make_variant(product, sku="B", stock=3)
    before = len(published("catalog.stock_changed"))
    services.take_stock({"B": 1, "A": 2}, reference="FS-1")
    assert (stock_of("A"), stock_of("B")) == ((5, 5), (2, 2))
    assert sorted(event["sku"] for event in published("catalog.stock_changed")[before:]) == ["A", "B"]


def test_a_sale_takes_nothing_when_one_line_is_short() -> None:
    product = make_product(sku="A", stock=7)
    make_variant(product, sku="B", stock=1)
    with pytest.raises(OutOfStockError) as caught:
        services.take_stock({"A": 2, "B": 2}, reference="FS-1")
    assert caught.value.facts == {"sku": "B", "requested": 2, "available": 1}
    assert (stock_of("A"), stock_of("B")) == ((7, 7), (1, 1))


def test_a_repeated_sale_and_a_repeated_return_have_one_effect() -> None:
    make_product(sku="A", stock=7)
    for _ in range(3):
        services.take_stock({"A": 2}, reference="FS-1")
    assert stock_of("A") == (5, 5)
    for _ in range(3):
        services.return_stock({"A": 2}, reference="FS-1")
    assert stock_of("A") == (7, 7)
    services.take_stock({"A": 2}, reference="FS-2")
    assert stock_of("A") == (5, 5)


@pytest.mark.parametrize("reason", ["draft", "archived", "inactive", "suspended", "unknown"])
def test_what_is_not_on_sale_is_out_of_stock(reason: str) -> None:
    vendor = make_vendor()
    product = make_product(vendor=vendor, sku="A", published=reason != "draft")
    if reason == "archived":
        services.archive_product(product)
    if reason == "inactive":
        services.update_variant(product.variants.get(), is_active=False)
    if reason == "suspended":
        services.suspend_vendor(vendor)
    with pytest.raises(OutOfStockError) as caught:
        services.take_stock({"B" if reason == "unknown" else "A": 1}, reference="FS-1")
    assert caught.value.facts["available"] == 0


def test_stock_comes_back_to_a_product_that_is_off_sale() -> None:
    product = make_product(sku="A", stock=2)
    services.take_stock({"A": 2}, reference="FS-1")
    services.archive_product(product)
    services.return_stock({"A": 2}, reference="FS-1")
    assert stock_of("A") == (2, 2)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: services.take_stock({"A": 0}, reference="FS-1"), InvalidQuantityError),
        (lambda: services.take_stock({"A": -1}, reference="FS-1"), InvalidQuantityError),
        (lambda: services.take_stock({"A": 1}, reference=""), MissingReferenceError),
        (lambda: services.return_stock({"A": 0}, reference="FS-1"), InvalidQuantityError),
        (lambda: services.return_stock({"X": 1}, reference="FS-1"), VariantNotFoundError),
        (lambda: services.receive_stock("A", 0), InvalidQuantityError),
        (lambda: services.adjust_stock("A", -8), InvalidQuantityError),
        (lambda: services.set_stock("A", -1), InvalidQuantityError),
        (lambda: services.set_stock("X", 1), VariantNotFoundError),
    ],
)
def test_wrong_calls_are_refused_and_change_nothing(call: Callable[[], Any], error: type[Exception]) -> None:
    make_product(sku="A", stock=7)
    with pytest.raises(error):
        call()
    assert stock_of("A") == (7, 7)


def test_deliveries_and_corrections_go_through_the_ledger() -> None:
    make_product(sku="A", stock=7)
    assert services.receive_stock("A", 5, reference="delivery 12") == 12
    assert services.adjust_stock("A", -2, reference="moths") == 10
    assert services.set_stock("A", 3, reference="count") == 3
    assert services.set_stock("A", 3, reference="count") == 3
    assert stock_of("A") == (3, 3)
    assert list(StockMovement.objects.order_by("id").values_list("quantity", "reason")) == [
        (7, "received"),
        (5, "received"),
        (-2, "adjusted"),
        (-7, "adjusted"),
    ]


def test_the_ledger_is_append_only() -> None:
    product = make_product(stock=7)
    movement = StockMovement.objects.get()
    for change in (
        movement.save,
        movement.delete,
        StockMovement.objects.all().delete,
        lambda: StockMovement.objects.update(quantity=1),
    ):
        with pytest.raises(TypeError):
            change()
    with pytest.raises(Exception, match="protected"):
        product.delete()


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": 1, "reason": "sold"},
        {"quantity": -1, "reason": "returned"},
        {"quantity": -1, "reason": "received"},
        {"quantity": 0, "reason": "adjusted"},
        {"quantity": 1, "reason": "stolen"},
    ],
)
def test_the_database_refuses_movements_that_make_no_sense(fields: dict[str, Any]) -> None:
    variant = make_product().variants.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        StockMovement.objects.create(variant=variant, **fields)


def test_the_database_refuses_a_stock_below_zero() -> None:
    make_product(sku="A")
    with pytest.raises(IntegrityError), transaction.atomic():
        Variant.objects.update(stock=-1)
