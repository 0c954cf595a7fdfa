"""Orders over HTTP: each test runs once in v1 and once in v2."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from fashionistar_common.money import Money
from fashionistar_common.testing import assert_problem, published
from fashionistar_orders import services
from fashionistar_orders.models import Order
from fashionistar_orders.testing import FakeCatalog, make_cart, make_order

pytestmark = pytest.mark.django_db


def ngn(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "NGN"}


def moment(value: Any) -> str:
    return str(value.isoformat().replace("+00:00", "Z"))


def test_an_order_of_two_vendors(api: Any, shop: FakeCatalog, order_body: dict[str, Any]) -> None:
    shop.offer("DRESS", price="129.00", vendor="adire-house")
    shop.offer("BELT", price="20.50", vendor="bonwire-loom", options={"Length": "90"}, name="Belt")
    make_cart({"DRESS": 1, "BELT": 2})
    answer = api.post("", order_body)
    assert answer.status == 201
    order = Order.objects.get()
    assert answer.body == {
        "number": order.number,
        "status": "placed",
        "email": "ada@example.com",
        "total": ngn("170.00"),
        "shipping_address": {
            "name": "Ada Obi",
            "line1": "12 Awolowo Road",
            "line2": "",
            "city": "Lagos",
            "region": "",
            "postal_code": "",
            "country": "NG",
            "phone": "",
        },
        "placed_at": moment(order.placed_at),
        "paid_at": None,
        "cancelled_at": None,
        "vendor_orders": [
            {
                "number": f"{order.number}-1",
                "status": "placed",
                "vendor_id": "adire-house",
                "vendor_name": "Adire House",
                "subtotal": ngn("129.00"),
                "lines": [
                    {
                        "sku": "DRESS",
                        "product_name": "Indigo wrap dress",
                        "options": {"Size": "M"},
                        "unit_price": ngn("129.00"),
                        "quantity": 1,
                        "total": ngn("129.00"),
                    }
                ],
            },
            {
                "number": f"{order.number}-2",
                "status": "placed",
                "vendor_id": "bonwire-loom",
                "vendor_name": "Bonwire Loom",
                "subtotal": ngn("41.00"),
                "lines": [
                    {
                        "sku": "BELT",
                        "product_name": "Belt",
                        "options": {"Length": "90"},
                        "unit_price": ngn("20.50"),
                        "quantity": 2,
                        "total": ngn("41.00"),
                    }
                ],
            },
        ],
    }
    assert api.get(f"/{order.number}").body == answer.body
    assert api.get("").body == {"results": [answer.body], "next_cursor": None, "previous_cursor": None}


def test_both_versions_answer_the_same_bytes_of_meaning(both: Any, shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 2})
    services.mark_order_paid(order.number, amount=order.total, payment_id="pay-1")
    make_order({"DRESS": 1})
    make_cart({"DRESS": 1})
    for path in ("/cart", "", "?limit=1", "?status=paid", f"/{order.number}", "/FS-0", "?cursor=x"):
        bodies = [dict(version.get(path).body, request_id=None) for version in both]
        assert bodies[0] == bodies[1], path


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"email": "ada"}, ["/email"]),
        ({"email": None}, ["/email"]),
        ({"email": "a" * 250 + "@example.com"}, ["/email"]),
        ({"shipping_address": None}, ["/shipping_address"]),
        ({"shipping_address": "Lagos"}, ["/shipping_address"]),
        ({"shipping_address": {"name": "", "line1": "x", "city": "x", "country": "NG"}}, ["/shipping_address/name"]),
        ({"shipping_address": {"name": "x", "line1": "x", "city": "x"}}, ["/shipping_address/country"]),
        (
            {"shipping_address": {"name": "x", "line1": "x", "city": "x", "country": "ng"}},
            ["/shipping_address/country"],
        ),
        (
            {"shipping_address": {"name": "x", "line1": "\x00", "city": 5, "country": "NG"}},
            ["/shipping_address/line1", "/shipping_address/city"],
        ),
        ({"cart_id": "1"}, ["/cart_id"]),
    ],
)
def test_an_order_form_that_is_wrong(
    api: Any, shop: FakeCatalog, order_body: dict[str, Any], change: dict[str, Any], pointers: list[str]
) -> None:
    shop.offer("DRESS")
    make_cart({"DRESS": 1})
    problem = assert_problem(api.post("", order_body | change).response, 422, "invalid")
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("quantities", "changes", "status", "code"),
    [
        ({}, {}, 409, "cart_empty"),
        ({"SCARCE": 3}, {}, 409, "out_of_stock"),
        ({"GONE": 1}, {}, 409, "line_unavailable"),
        ({"DRESS": 1, "DOLLARS": 1}, {}, 409, "currency_mismatch"),
        ({"DRESS": 1}, {"cart_id": "0" * 32}, 404, "cart_not_found"),
    ],
)
def test_a_cart_that_cannot_be_ordered(
    api: Any,
    shop: FakeCatalog,
    order_body: dict[str, Any],
    quantities: dict[str, int],
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    shop.offer("DRESS")
    shop.offer("SCARCE", available=2)
    shop.offer("DOLLARS", currency="USD")
    make_cart(quantities)
    assert_problem(api.post("", order_body | changes).response, status, code)
    assert not Order.objects.exists()


def test_who_never_had_a_cart_has_nothing_to_order(api: Any, shop: FakeCatalog, order_body: dict[str, Any]) -> None:
    assert_problem(api.post("", order_body).response, 409, "cart_empty")


def test_ordering_twice_with_one_key_orders_once(api: Any, shop: FakeCatalog, order_body: dict[str, Any]) -> None:
    shop.offer("DRESS")
    make_cart({"DRESS": 1})
    key = {"Idempotency-Key": "k1"}
    first, again = api.post("", order_body, **key), api.post("", order_body, **key)
    assert (again.status, again.body) == (201, first.body)
    assert again.response["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == 1
    other = api.post("", order_body | {"email": "eve@example.com"}, **key)
    assert_problem(other.response, 422, "idempotency_key_reused")


def test_ordering_a_named_cart_twice_orders_once(api: Any, shop: FakeCatalog, order_body: dict[str, Any]) -> None:
    shop.offer("DRESS")
    order_body["cart_id"] = make_cart({"DRESS": 1}).public_id
    first, again = api.post("", order_body), api.post("", order_body)
    assert (again.status, again.body) == (201, first.body)
    assert Order.objects.count() == 1


def test_cancelling_twice_answers_the_same(api: Any, shop: FakeCatalog) -> None:
    shop.offer("DRESS", available=5)
    order = make_order({"DRESS": 2})
    first, again = api.post(f"/{order.number}/cancel"), api.post(f"/{order.number}/cancel")
    assert (first.status, first.body["status"]) == (200, "cancelled")
    assert first.body["vendor_orders"][0]["status"] == "cancelled"
    assert (again.status, again.body) == (200, first.body)
    assert shop.stock("DRESS") == 5
    assert len(published("orders.order_cancelled")) == 1


def test_a_paid_order_is_not_cancelled(api: Any, shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 1})
    services.mark_order_paid(order.number, amount=order.total, payment_id="pay-1")
    answer = api.post(f"/{order.number}/cancel")
    assert_problem(answer.response, 409, "order_not_cancellable")
    assert api.get(f"/{order.number}").body["status"] == "paid"


@pytest.mark.parametrize(("method", "path"), [("GET", "/{}"), ("POST", "/{}/cancel")])
@pytest.mark.parametrize("whose", ["foreign", "unknown", "FS-%00"])
def test_an_order_of_somebody_else_is_as_unknown_as_an_unknown_one(
    api: Any, shop: FakeCatalog, method: str, path: str, whose: str
) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 1}, customer_id="eve")
    number = order.number if whose == "foreign" else whose
    code = "not_found" if "%" in whose else "order_not_found"
    assert_problem(api.call(method, path.format(number)).response, 404, code)
    order.refresh_from_db()
    assert order.status == "placed"


def test_the_list_is_ones_own_newest_first_in_pages_and_by_status(api: Any, shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    make_order({"DRESS": 1}, customer_id="eve")
    numbers = [make_order({"DRESS": 1}).number for _ in range(3)]
    services.mark_order_paid(numbers[1], amount=Money(12900, "NGN"), payment_id="pay-1")
    first = api.get("?limit=2")
    assert [order["number"] for order in first.body["results"]] == [numbers[2], numbers[1]]
    assert 'rel="next"' in first.response["Link"]
    second = api.get(f"?limit=2&cursor={first.body['next_cursor']}")
    assert [order["number"] for order in second.body["results"]] == [numbers[0]]
    assert second.body["next_cursor"] is None
    back = api.get(f"?limit=2&cursor={second.body['previous_cursor']}")
    assert back.body["results"] == first.body["results"]
    assert [order["number"] for order in api.get("?status=paid").body["results"]] == [numbers[1]]
    assert api.get("?status=cancelled").body["results"] == []


@pytest.mark.parametrize(
    ("query", "code", "pointers"),
    [
        ("?status=lost", "invalid", ["?status"]),
        ("?status=", "invalid", ["?status"]),
        ("?limit=0", "invalid", ["?limit"]),
        ("?limit=101", "invalid", ["?limit"]),
    ],
)
def test_a_list_that_is_asked_for_wrongly(api: Any, query: str, code: str, pointers: list[str]) -> None:
    problem = assert_problem(api.get(query).response, 422, code)
    assert [error["pointer"] for error in problem["errors"]] == pointers


def queries(read: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert read().status == 200
    return len(captured)


def test_200_orders_cost_as_many_queries_as_1(both: Any, shop: FakeCatalog, settings: Any) -> None:
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "PAGE_SIZE_MAX": 200}
    shop.offer("DRESS", available=1000)
    shop.offer("BELT", available=1000, vendor="bonwire-loom")
    make_order({"DRESS": 1})
    one = [queries(lambda api=api: api.get("?limit=200")) for api in both]
    for _ in range(199):
        make_order({"DRESS": 1, "BELT": 1})
    assert len(both[0].get("?limit=200").body["results"]) == 200
    many = [queries(lambda api=api: api.get("?limit=200")) for api in both]
    assert many == one == [3, 3]


def test_an_order_of_200_lines_costs_as_many_queries_as_one_of_1(both: Any, shop: FakeCatalog) -> None:
    for number in range(200):
        shop.offer(f"SKU-{number}", vendor=f"vendor-{number % 20}")
    small = make_order({"SKU-0": 1})
    large = make_order({f"SKU-{number}": 1 for number in range(200)})
    counts = [
        queries(lambda api=api, order=order: api.get(f"/{order.number}")) for order in (small, large) for api in both
    ]
    assert counts == [3, 3, 3, 3]
