"""The shop of the sandbox: what lies on its shelves, and that a second run finds nothing to do."""

import io
import time
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.management import call_command
from fashionistar_auth.models import User
from fashionistar_catalog.models import Category, Product, ProductImage, Variant, Vendor
from fashionistar_catalog.services import audit_stock, take_stock
from shop.artwork import SILHOUETTES, draw
from shop.assortment import Assortment, read_assortment
from shop.seeding import seed as seed_rows

pytestmark = pytest.mark.django_db

TABLES = ("Vendor", "Category", "Product", "ProductImage", "Variant", "StockMovement")


def seed() -> str:
    out = io.StringIO()
    call_command("seed_shop", stdout=out)
    return out.getvalue()


def dump() -> dict[str, list[dict[str, Any]]]:
    return {
        table: list(apps.get_model("fashionistar_catalog", table).objects.order_by("pk").values()) for table in TABLES
    }


def test_the_seeded_shop_is_whole_and_a_second_run_changes_nothing_in_no_time() -> None:
    assert seed() == "Added 60 products with 250 variants, 8 vendors and 20 categories.\n"
    rows = (Product, Variant, Vendor, Category)
    assert [model._default_manager.count() for model in rows] == [60, 250, 8, 20]
    assert set(Product.objects.values_list("status", "currency")) == {("published", "NGN")}
    assert not Product.objects.filter(images=None).exists()
    assert audit_stock() == []
    first = ProductImage.objects.order_by("pk")[0]
    assert default_storage.open(first.file.name).read(8) == b"\x89PNG\r\n\x1a\n"
    take_stock({Variant.objects.filter(stock__gt=0)[0].sku: 1}, reference="order 1")

    before, started = dump(), time.perf_counter()
    assert seed() == ""
    assert time.perf_counter() - started < 1
    assert dump() == before


def test_an_interrupted_seed_is_completed() -> None:
    assortment = read_assortment()
    some = replace(assortment, pieces=assortment.pieces[:3])
    assert seed_rows(replace(assortment, pieces=assortment.pieces[:2])).vendors == 8
    rest = seed_rows(some)
    assert (rest.products, rest.variants) == (1, len(list(some.pieces[2].variants())))
    assert (rest.vendors, rest.categories) == (0, 0)
    assert Product.objects.count() == 3


@pytest.mark.parametrize("debug", [True, False])
def test_only_a_developers_machine_gets_an_administrator(
    settings: Any, monkeypatch: pytest.MonkeyPatch, debug: bool
) -> None:
    settings.DEBUG = debug
    monkeypatch.setattr("shop.management.commands.seed_shop.read_assortment", lambda: Assortment([], [], []))
    said = seed()
    admins = User.objects.filter(email="admin@fashionistar.example", is_superuser=True)
    assert admins.count() == int(debug)
    assert ("Administrator" in said) is debug
    assert seed() == ""


def test_every_product_is_written_with_care() -> None:
    assortment = read_assortment()
    assert {shelf.slug for shelf in assortment.shelves if shelf.silhouette} == {
        piece.category for piece in assortment.pieces
    } - {"accessories"}
    for piece in assortment.pieces:
        assert piece.silhouette in SILHOUETTES, piece.slug
        assert 2 <= piece.description.count(".") <= 6, piece.slug
        assert "\n" not in piece.description, piece.slug
        assert piece.compare_at is None or piece.compare_at > piece.price, piece.slug
    makers = [piece.maker.slug for piece in assortment.pieces[:8]]
    assert len(set(makers)) == 8


def test_a_picture_is_always_the_same() -> None:
    assert draw("dress", "#2a3670") == draw("dress", "#2a3670") != draw("dress", "#f7f5f0")
