"""What a request costs does not depend on how much there is."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from fashionistar_catalog import services
from fashionistar_catalog.testing import make_category, make_product, make_variant, make_vendor

from .conftest import reader

pytestmark = pytest.mark.django_db(transaction=True)

QUERIES = {
    "/products?limit=100": 2,
    "/products?limit=100&q=dress": 2,
    "/products?limit=100&category=women&in_stock=true": 2,
    "/products/dress": 4,
    "/categories": 2,
    "/categories/women": 2,
    "/vendors?limit=100": 1,
    "/vendors/eko": 1,
}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_query_counts_are_the_same_for_one_and_for_two_hundred_rows(version: str) -> None:
    get = reader(version)
    women = make_category("Women")
    product = make_product("Dress", vendor=make_vendor("Eko"), category=women, images=1)

    def count() -> dict[str, int]:
        counts = {}
        for path in QUERIES:
            with CaptureQueriesContext(connection) as queries:
                assert get(path).status == 200
            counts[path] = len(queries)
        return counts

    assert count() == QUERIES
    for number in range(199):
        vendor, category = make_vendor(f"Vendor {number}"), make_category(f"Dresses {number}", parent=women)
        make_product(f"Dress {number}", vendor=vendor, category=category, images=1)
        services.add_image(product, url=f"https://images.example/{number}.webp")
        make_variant(product)
    assert count() == QUERIES
