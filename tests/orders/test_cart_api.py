"""The cart over HTTP: each test runs once in v1 and once in v2."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from fashionistar_common.testing import assert_problem
from fashionistar_common.types import Role
from fashionistar_orders.models import Cart
from fashionistar_orders.testing import FakeCatalog, make_cart, make_order

pytestmark = pytest.mark.django_db

NGN = "NGN"
EMPTY = {"id": None, "lines": [], "total": {"amount": "0.00", "currency": NGN}, "problems": []}


def line(sku: str, quantity: int, price: str, total: str, **changes: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "product_name": "Indigo wrap dress",
        "options": {"Size": "M"},
        "quantity": quantity,
        "unit_price": {"amount": price, "currency": NGN},
        "line_total": {"amount": total, "currency": NGN},
        "available": True,
    } | changes


def test_who_has_no_cart_sees_an_empty_one_and_gets_none_by_looking(api: Any, shop: FakeCatalog) -> None:
    answer = api.get("/cart")
    assert (answer.status, answer.body) == (200, EMPTY)
    assert not Cart.objects.exists()


def test_filling_changing_and_emptying(api: Any, shop: FakeCatalog) -> None:
    shop.offer("DRESS", price="129.00")
    shop.offer("BELT/L", price="20.50")
    added = api.post("/cart/lines", {"sku": "DRESS", "quantity": 1})
    assert added.status == 201
    assert added.body == {
        "id": Cart.objects.get().public_id,
        "lines": [line("DRESS", 1, "129.00", "129.00")],
        "total": {"amount": "129.00", "currency": NGN},
        "problems": [],
    }
    assert api.post("/cart/lines", {"sku": "DRESS", "quantity": 2}).body["lines"][0]["quantity"] == 3
    assert api.post("/cart/lines", {"sku": "BELT/L", "quantity": 1}).body["total"]["amount"] == "407.50"
    changed = api.call("PATCH", "/cart/lines/BELT/L", {"quantity": 2})
    assert (changed.status, changed.body["total"]["amount"]) == (200, "428.00")
    removed = api.call("DELETE", "/cart/lines/BELT/L")
    assert (removed.status, removed.body["lines"]) == (200, [line("DRESS", 3, "129.00", "387.00")])
    assert api.get("/cart").body == removed.body
    cleared = api.call("DELETE", "/cart")
    assert (cleared.status, cleared.body["lines"], cleared.body["total"]["amount"]) == (200, [], "0.00")


def test_prices_are_live_and_what_cannot_be_bought_is_shown_and_not_counted(api: Any, shop: FakeCatalog) -> None:
    for sku in ("DRESS", "SCARCE", "GONE", "DOLLARS"):
        shop.offer(sku, price="100.00")
    make_cart({"DRESS": 1, "SCARCE": 3, "GONE": 1, "DOLLARS": 1})
    shop.offer("DRESS", price="90.00")
    shop.offer("SCARCE", price="100.00", available=2)
    shop.offer("DOLLARS", currency="USD", price="1.00")
    shop.withdraw("GONE")
    body = api.get("/cart").body
    dollar = {"amount": "1.00", "currency": "USD"}
    assert body["lines"] == [
        line("DRESS", 1, "90.00", "90.00"),
        line("SCARCE", 3, "100.00", "300.00", available=False),
        line("GONE", 1, "", "", product_name=None, options={}, unit_price=None, line_total=None, available=False),
        line("DOLLARS", 1, "", "", unit_price=dollar, line_total=dollar, available=False),
    ]
    assert body["total"] == {"amount": "90.00", "currency": NGN}
    assert body["problems"] == [
        {"sku": "SCARCE", "code": "out_of_stock", "detail": "SCARCE: 3 wanted, 2 left."},
        {"sku": "GONE", "code": "line_unavailable", "detail": "GONE is no longer for sale."},
        {
            "sku": "DOLLARS",
            "code": "currency_mismatch",
            "detail": "DOLLARS is sold in USD, but the cart is in NGN.",
        },
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "pointers"),
    [
        ("POST", "/cart/lines", {"sku": "NOPE", "quantity": 1}, 422, "unknown_sku", ["/sku"]),
        ("POST", "/cart/lines", {"sku": "a\x00", "quantity": 1}, 422, "invalid", ["/sku"]),
        ("POST", "/cart/lines", {"sku": "\ud800", "quantity": 1}, 422, "invalid", ["/sku"]),
        ("POST", "/cart/lines", {"sku": 7, "quantity": 1}, 422, "invalid", ["/sku"]),
        ("POST", "/cart/lines", {"sku": "", "quantity": 1}, 422, "invalid", ["/sku"]),
        ("POST", "/cart/lines", {"sku": "x" * 101, "quantity": 1}, 422, "invalid", ["/sku"]),
        ("POST", "/cart/lines", {}, 422, "invalid", ["/sku", "/quantity"]),
        ("POST", "/cart/lines", {"sku": "DRESS", "quantity": 0}, 422, "invalid_quantity", ["/quantity"]),
        ("POST", "/cart/lines", {"sku": "DRESS", "quantity": -1}, 422, "invalid_quantity", ["/quantity"]),
        ("POST", "/cart/lines", {"sku": "DRESS", "quantity": 10**30}, 422, "invalid_quantity", ["/quantity"]),
        ("POST", "/cart/lines", {"sku": "DRESS", "quantity": 98}, 422, "invalid_quantity", ["/quantity"]),
        ("POST", "/cart/lines", {"sku": "DRESS", "quantity": "1"}, 422, "invalid", ["/quantity"]),
        ("POST", "/cart/lines", {"sku": "DRESS", "quantity": True}, 422, "invalid", ["/quantity"]),
        ("POST", "/cart/lines", {"sku": "DRESS", "quantity": 1.5}, 422, "invalid", ["/quantity"]),
        ("POST", "/cart/lines", {"sku": "DRESS", "quantity": None}, 422, "invalid", ["/quantity"]),
        ("POST", "/cart/lines", {"sku": "DOLLARS", "quantity": 1}, 409, "currency_mismatch", []),
        ("PATCH", "/cart/lines/DRESS", {"quantity": 100}, 422, "invalid_quantity", ["/quantity"]),
        ("PATCH", "/cart/lines/DRESS", {}, 422, "invalid", ["/quantity"]),
        ("PATCH", "/cart/lines/NOPE", {"quantity": 1}, 404, "cart_line_not_found", []),
        ("PATCH", "/cart/lines/%00", {"quantity": 1}, 404, "cart_line_not_found", []),
        ("DELETE", "/cart/lines/NOPE", None, 404, "cart_line_not_found", []),
        ("PUT", "/cart", {}, 405, "method_not_allowed", []),
    ],
)
def test_what_is_wrong_is_refused_the_same_way(
    api: Any,
    shop: FakeCatalog,
    method: str,
    path: str,
    body: Any,
    status: int,
    code: str,
    pointers: list[str],
) -> None:
    shop.offer("DRESS")
    shop.offer("DOLLARS", currency="USD")
    make_cart({"DRESS": 2})
    problem = assert_problem(api.call(method, path, body).response, status, code)
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert [(kept.sku, kept.quantity) for kept in Cart.objects.get().lines.all()] == [("DRESS", 2)]


def test_a_cart_has_bounds(api: Any, shop: FakeCatalog, orders_settings: Callable[..., None]) -> None:
    orders_settings(MAX_CART_LINES=1)
    shop.offer("DRESS")
    shop.offer("BELT")
    assert api.post("/cart/lines", {"sku": "DRESS", "quantity": 1}).status == 201
    assert api.post("/cart/lines", {"sku": "DRESS", "quantity": 1}).status == 201
    assert_problem(api.post("/cart/lines", {"sku": "BELT", "quantity": 1}).response, 409, "cart_full")


def test_adding_twice_with_one_key_adds_once(api: Any, shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    body = {"sku": "DRESS", "quantity": 1}
    first = api.post("/cart/lines", body, **{"Idempotency-Key": "k1"})
    again = api.post("/cart/lines", body, **{"Idempotency-Key": "k1"})
    assert (again.status, again.body) == (first.status, first.body)
    assert again.response["Idempotent-Replayed"] == "true"
    assert api.get("/cart").body["lines"][0]["quantity"] == 1


def test_everybody_has_a_cart_of_their_own(api: Any, shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    make_cart({"DRESS": 1}, customer_id="eve")
    assert api.get("/cart").body == EMPTY
    assert_problem(api.call("DELETE", "/cart/lines/DRESS").response, 404, "cart_line_not_found")
    api.call("DELETE", "/cart")
    assert api.of("eve").get("/cart").body["lines"][0]["sku"] == "DRESS"


ROUTES = [
    ("GET", "/cart"),
    ("DELETE", "/cart"),
    ("POST", "/cart/lines"),
    ("PATCH", "/cart/lines/A"),
    ("DELETE", "/cart/lines/A"),
    ("GET", ""),
    ("POST", ""),
    ("GET", "/FS-0"),
    ("POST", "/FS-0/cancel"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("role", [Role.VENDOR, Role.STAFF])
def test_only_clients_are_let_in_and_others_cost_no_query(
    api: Any, django_assert_num_queries: Any, role: Role, method: str, path: str
) -> None:
    with django_assert_num_queries(0):
        answer = api.of("ada", role).call(method, path)
    assert_problem(answer.response, 401, "wrong_audience")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_is_let_in_without_a_token(api: Any, django_assert_num_queries: Any, method: str, path: str) -> None:
    with django_assert_num_queries(0):
        answer = type(api)(api.version, None).call(method, path)
    assert_problem(answer.response, 401, "not_authenticated")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "/cart", None), ("POST", "/cart/lines", {"sku": "A", "quantity": 1})],
)
def test_without_a_catalog_the_cart_is_unavailable(
    api: Any, orders_settings: Callable[..., None], method: str, path: str, body: Any
) -> None:
    orders_settings(CATALOG="")
    assert_problem(api.call(method, path, body).response, 503, "port_not_configured")


def test_a_cart_of_200_lines_costs_as_many_queries_as_one_of_1(api: Any, shop: FakeCatalog) -> None:
    for number in range(200):
        shop.offer(f"SKU-{number}")
    make_cart({"SKU-0": 1})
    with CaptureQueriesContext(
        connection,
    ) as one:
        assert len(api.get("/cart").body["lines"]) == 1
    make_cart({f"SKU-{number}": 1 for number in range(1, 200)})
    with CaptureQueriesContext(connection) as many:
        assert len(api.get("/cart").body["lines"]) == 200
    assert len(many) == len(one) == 2


def test_a_cart_that_is_ordered_is_no_longer_shown(api: Any, shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    make_order({"DRESS": 1})
    assert api.get("/cart").body == EMPTY
