"""One table of cases for both API versions."""

from typing import Any

import pytest
from fashionistar_catalog import services
from fashionistar_catalog.models import Product
from fashionistar_catalog.testing import make_category, make_product, make_variant, make_vendor
from fashionistar_catalog.types import NewVariant
from fashionistar_common.money import Money

from .conftest import Get

pytestmark = pytest.mark.django_db(transaction=True)

PROBLEM = "application/problem+json"


@pytest.fixture
def shop() -> Product:
    women = make_category("Women", position=1)
    dresses = make_category("Dresses", parent=women)
    make_category("Men", position=2)
    vendor = make_vendor("Eko Atelier", description="Cut and sewn in Lagos.")
    product = make_product(
        "Indigo wrap dress",
        vendor=vendor,
        category=dresses,
        brand="Eko",
        description="Hand-dyed cotton.",
        attributes={"colour": "indigo", "season": ["spring", "summer"]},
        images=2,
        variants=[
            NewVariant(sku="IWD-M", options={"Size": "M"}, price=Money(1290000, "NGN"), stock=3),
            NewVariant(
                sku="IWD-S",
                options={"Size": "S"},
                price=Money(1190000, "NGN"),
                compare_at=Money(1490000, "NGN"),
            ),
        ],
    )
    services.update_variant(make_variant(product, sku="IWD-OFF", price="1.00"), is_active=False)
    make_product("A draft", vendor=vendor, published=False)
    make_product(
        "Raffia hat", vendor=make_vendor("Kofi & Daughters"), variants=[NewVariant(sku="HAT", price=Money(500, "NGN"))]
    )
    return product


SUMMARY = {
    "slug": "indigo-wrap-dress",
    "name": "Indigo wrap dress",
    "brand": "Eko",
    "vendor": {"slug": "eko-atelier", "name": "Eko Atelier"},
    "category": {"slug": "dresses", "name": "Dresses"},
    "price": {"amount": "11900.00", "currency": "NGN"},
    "compare_at": {"amount": "14900.00", "currency": "NGN"},
    "image": {
        "url": "https://images.fashionistar.example/indigo-wrap-dress/0.webp",
        "alt": "Indigo wrap dress, view 1",
    },
    "in_stock": True,
}
DRESSES = {"slug": "dresses", "name": "Dresses", "product_count": 1, "children": []}
WOMEN = {"slug": "women", "name": "Women", "product_count": 1, "children": [DRESSES]}
MEN = {"slug": "men", "name": "Men", "product_count": 0, "children": []}
EKO = {
    "slug": "eko-atelier",
    "name": "Eko Atelier",
    "description": "Cut and sewn in Lagos.",
    "product_count": 1,
}
HAT = {
    "slug": "raffia-hat",
    "name": "Raffia hat",
    "brand": "",
    "vendor": {"slug": "kofi-daughters", "name": "Kofi & Daughters"},
    "category": None,
    "price": {"amount": "5.00", "currency": "NGN"},
    "compare_at": None,
    "image": None,
    "in_stock": False,
}
DETAIL = SUMMARY | {
    "description": "Hand-dyed cotton.",
    "attributes": {"colour": "indigo", "season": ["spring", "summer"]},
    "breadcrumbs": [{"slug": "women", "name": "Women"}, {"slug": "dresses", "name": "Dresses"}],
    "images": [
        {
            "url": f"https://images.fashionistar.example/indigo-wrap-dress/{number}.webp",
            "alt": f"Indigo wrap dress, view {number + 1}",
        }
        for number in range(2)
    ],
    "variants": [
        {
            "sku": "IWD-M",
            "title": "M",
            "options": {"Size": "M"},
            "price": {"amount": "12900.00", "currency": "NGN"},
            "compare_at": None,
            "in_stock": True,
            "stock": 3,
        },
        {
            "sku": "IWD-S",
            "title": "S",
            "options": {"Size": "S"},
            "price": {"amount": "11900.00", "currency": "NGN"},
            "compare_at": {"amount": "14900.00", "currency": "NGN"},
            "in_stock": False,
            "stock": 0,
        },
    ],
}


def page(*results: Any) -> dict[str, Any]:
    return {"results": list(results), "next_cursor": None, "previous_cursor": None}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/products", page(HAT, SUMMARY)),
        ("/products?vendor=eko-atelier", page(SUMMARY)),
        ("/products/indigo-wrap-dress", DETAIL),
        ("/categories", {"results": [WOMEN, MEN]}),
        ("/categories/dresses", DRESSES | {"breadcrumbs": [{"slug": "women", "name": "Women"}]}),
        ("/vendors/eko-atelier", EKO),
    ],
)
def test_the_public_reads(get: Get, shop: Product, path: str, body: Any) -> None:
    answer = get(path)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["Content-Type"].startswith("application/json")


def test_the_list_of_vendors(get: Get, shop: Product) -> None:
    services.suspend_vendor(make_vendor("Away"))
    assert [vendor["slug"] for vendor in get("/vendors").body["results"]] == ["eko-atelier", "kofi-daughters"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/products/no-such-thing", "product_not_found"),
        ("/products/a-draft", "product_not_found"),
        ("/categories/no-such-thing", "category_not_found"),
        ("/vendors/no-such-thing", "vendor_not_found"),
    ],
)
def test_what_is_not_there_is_a_404_problem(get: Get, shop: Product, path: str, code: str) -> None:
    answer = get(path)
    assert (answer.status, answer.headers["Content-Type"], answer.body["code"]) == (404, PROBLEM, code)


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ({"min_price": "cheap"}, ["?min_price"]),
        ({"min_price": "1.234"}, ["?min_price"]),
        ({"min_price": "x", "max_price": "y"}, ["?min_price", "?max_price"]),
        ({"min_price": "20.00", "max_price": "10.00"}, ["?max_price"]),
        ({"currency": "naira"}, ["?currency"]),
        ({"sort": "cheapest"}, ["?sort"]),
        ({"sort": "relevance"}, ["?sort"]),
        ({"in_stock": "maybe"}, ["?in_stock"]),
        ({"q": "a\0b"}, ["?q"]),
        ({"brand": "a\0b"}, ["?brand"]),
        ({"category": "a\0b"}, ["?category"]),
        ({"limit": "0"}, ["?limit"]),
        ({"limit": "many"}, ["?limit"]),
    ],
)
def test_a_bad_filter_is_a_422_problem_that_points_at_it(get: Get, query: dict[str, str], pointers: list[str]) -> None:
    answer = get("/products", **query)
    assert (answer.status, answer.headers["Content-Type"]) == (422, PROBLEM)
    assert [error["pointer"] for error in answer.body["errors"]] == pointers


@pytest.mark.parametrize("cursor", ["x", "W10", "eyJhIjoxfQ", "WyItcmVsZXZhbmNlIiwiLWlkIixmYWxzZSwieCIsMV0"])
@pytest.mark.parametrize("query", [{}, {"q": "dress"}])
def test_a_damaged_cursor_is_a_422_problem(get: Get, shop: Product, query: dict[str, str], cursor: str) -> None:
    answer = get("/products", cursor=cursor, **query)
    assert (answer.status, answer.body["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize("query", [{}, {"sort": "price"}, {"sort": "-price"}, {"sort": "name"}, {"q": "dress"}])
def test_pages_show_every_product_once_in_order(get: Get, query: dict[str, str]) -> None:
    vendor = make_vendor()
    for number in range(7):
        make_product(f"Dress {number % 3}", vendor=vendor, price=f"{10 + number % 2}.00")
    whole = [product["slug"] for product in get("/products", **query).body["results"]]
    seen, cursor = [], ""
    while cursor is not None and len(seen) < 20:
        answer = get("/products", limit=2, **query, **({"cursor": cursor} if cursor else {}))
        seen += [product["slug"] for product in answer.body["results"]]
        cursor = answer.body["next_cursor"]
        assert ('rel="next"' in answer.headers.get("Link", "")) is bool(cursor)
    assert seen == whole
    assert len(set(seen)) == 7


def test_products_published_at_the_same_moment_are_all_on_some_page(get: Get) -> None:
    vendor = make_vendor()
    for _ in range(5):
        make_product(vendor=vendor)
    Product.objects.update(published_at="2026-01-01T12:00:00.123456Z")
    first = get("/products", limit=3).body
    second = get("/products", limit=3, cursor=first["next_cursor"]).body
    assert (len(first["results"]), len(second["results"]), second["next_cursor"]) == (3, 2, None)


def test_both_versions_answer_alike_to_the_byte_of_meaning(get_both: tuple[Get, Get], shop: Product) -> None:
    v1, v2 = get_both
    for path in (
        *("/products", "/products?limit=1", "/products?q=dress", "/products?sort=price", "/products/indigo-wrap-dress"),
        *("/products/none", "/categories", "/categories/women", "/vendors", "/vendors/eko-atelier"),
        *("/products?min_price=x", "/products?limit=0", "/products?cursor=x", "/products?sort=relevance"),
    ):
        one, two = v1(path), v2(path)
        assert one.status == two.status
        without_id = [{**answer.body, "request_id": None} for answer in (one, two)]
        assert without_id[0] == without_id[1], path


def test_only_reading_is_allowed(client: Any) -> None:
    for version in ("v1", "v2"):
        assert client.post(f"/api/{version}/catalog/products", {}).status_code == 405
