"""The catalog's own list behind `cached`: what the catalog tells reaches whoever asks."""

import os
from typing import Any

import pytest
from django.test import Client
from django.urls import path
from fashionistar_catalog.api.v1.views import Products
from fashionistar_catalog.services import change_price
from fashionistar_catalog.testing import make_product
from fashionistar_common import optional_redis
from fashionistar_common.events import EventBus, relay
from fashionistar_common.http import cache
from fashionistar_common.money import Money
from fashionistar_common.testing import deliver_events

pytestmark = pytest.mark.django_db(transaction=True)


class Urls:
    urlpatterns = [path("api/products", cache.cached(600, audience="everyone", tags=["catalog"])(Products.as_view()))]


@pytest.fixture(autouse=True)
def shop(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = Urls
    prefix, bus = os.urandom(6).hex(), EventBus()
    monkeypatch.setattr(optional_redis, "prefixed", lambda key: f"{prefix}:{key}")
    monkeypatch.setattr(relay, "event_bus", bus)
    monkeypatch.setattr(cache, "event_bus", bus)
    for name in ("catalog.product_published", "catalog.price_changed", "catalog.stock_changed"):
        cache.invalidate_on(name, tag="catalog")
    assert bus.problems() == []


def prices() -> list[str]:
    rows = Client().get("/api/products").json()["results"]
    return [row["price"]["amount"] for row in rows]


def test_a_new_price_is_seen_when_its_event_is_delivered() -> None:
    product = make_product(sku="DRESS", price="129.00")
    deliver_events()
    assert prices() == ["129.00"]
    change_price(product.variants.get(), price=Money.parse("99.00", "NGN"))
    assert prices() == ["129.00"]  # kept
    deliver_events()
    assert prices() == ["99.00"]
    make_product(sku="COAT", price="300.00")
    deliver_events()
    assert sorted(prices()) == ["300.00", "99.00"]
