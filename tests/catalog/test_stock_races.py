"""Many threads, one stock. Every thread has a database connection of its own."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections
from django.db.models import Sum
from fashionistar_catalog import services
from fashionistar_catalog.exceptions import OutOfStockError
from fashionistar_catalog.models import Variant
from fashionistar_catalog.testing import make_product, make_variant
from fashionistar_common.money import Money

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(calls: list[Callable[[], object]]) -> list[Exception | None]:
    """Start all calls at the same moment, each in its own thread, and return their errors."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], object]) -> Exception | None:
        barrier.wait()
        try:
            call()
        except Exception as error:  # noqa: BLE001 - the test looks at whatever came
            return error
        finally:
            connections.close_all()
        return None

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def assert_counters_equal_the_ledger() -> None:
    for variant in Variant.objects.annotate(ledger=Sum("movements__quantity")):
        assert variant.stock == variant.ledger >= 0, variant.sku
    assert services.audit_stock() == []


def test_fifty_threads_take_the_last_ten() -> None:
    make_product(sku="A", stock=10)
    errors = at_once([lambda n=n: services.take_stock({"A": 1}, reference=f"FS-{n}") for n in range(50)])
    assert errors.count(None) == 10
    assert [type(error) for error in errors if error] == [OutOfStockError] * 40
    assert Variant.objects.get(sku="A").stock == 0
    assert_counters_equal_the_ledger()


def test_the_same_sale_from_twenty_threads_is_one_sale() -> None:
    make_product(sku="A", stock=10)
    errors = at_once([lambda: services.take_stock({"A": 3}, reference="FS-1")] * 20)
    assert errors == [None] * 20
    assert Variant.objects.get(sku="A").stock == 7
    assert_counters_equal_the_ledger()


def test_orders_that_cross_do_not_deadlock() -> None:
    product = make_product(sku="A", stock=60)
    for sku in "BCD":
        make_variant(product, sku=sku, stock=60)
    variant = Variant.objects.get(sku="D")
    dice = random.Random(5)
    calls: list[Callable[[], object]] = []
    for number in range(60):
        skus = dice.sample("ABCD", 3)
        quantities = {sku: dice.randint(1, 3) for sku in skus}
        if number % 10 == 8:
            calls.append(lambda p=number: services.change_price(variant, price=Money(1000 + p, "NGN")))
        elif number % 10 == 9:
            calls.append(lambda sku=skus[0]: services.adjust_stock(sku, 2, reference="found"))
        elif number % 3 == 2:
            calls.append(lambda q=quantities, n=number: services.return_stock(q, reference=f"FS-{n}"))
        else:
            calls.append(lambda q=quantities, n=number: services.take_stock(q, reference=f"FS-{n}"))
    errors = [error for error in at_once(calls) if error]
    assert [error for error in errors if not isinstance(error, OutOfStockError)] == []
    assert_counters_equal_the_ledger()


def test_the_lowest_price_follows_price_changes_that_meet() -> None:
    product = make_product(sku="A", price="500.00")
    make_variant(product, sku="B", price="500.00")
    a, b = Variant.objects.order_by("sku")
    prices = [lambda n=n: services.change_price(a, price=Money(1000 + n, "NGN")) for n in range(10)]
    prices += [lambda n=n: services.change_price(b, price=Money(2000 - n, "NGN")) for n in range(10)]
    assert at_once(prices) == [None] * 20
    product.refresh_from_db()
    assert product.price_minor == min(Variant.objects.values_list("price_minor", flat=True))
