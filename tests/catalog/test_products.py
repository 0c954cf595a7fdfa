from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from fashionistar_catalog import selectors, services
from fashionistar_catalog.exceptions import (
    InvalidPriceError,
    MixedCurrenciesError,
    NotPublishableError,
    SkuTakenError,
    SlugTakenError,
)
from fashionistar_catalog.models import Product, ProductImage
from fashionistar_catalog.testing import make_category, make_product, make_variant, make_vendor
from fashionistar_catalog.types import NewVariant
from fashionistar_common.money import Money
from fashionistar_common.testing import published

pytestmark = pytest.mark.django_db


def test_slugs_are_made_of_names_and_numbered() -> None:
    slugs = [make_product("Òkè coat").slug for _ in range(3)]
    assert slugs == ["oke-coat", "oke-coat-2", "oke-coat-3"]
    assert make_product("你好").slug == "product"
    assert make_vendor("Ẹ̀kọ́ Atelier").slug == "eko-atelier"


def test_a_wanted_slug_or_sku_that_is_taken_is_refused() -> None:
    product = make_product(slug="coat", sku="A")
    with pytest.raises(SlugTakenError):
        make_product(slug="coat")
    with pytest.raises(SkuTakenError):
        make_variant(product, sku="A")
    other = make_product()
    with pytest.raises(SlugTakenError):
        services.update_product(other, slug="coat")


def test_the_lowest_active_price_is_the_products_price() -> None:
    product = make_product(price="120.00")
    cheap = make_variant(product, price="80.00", compare_at=Money(9900, "NGN"))
    product.refresh_from_db()
    assert (product.price, product.compare_at) == (Money(8000, "NGN"), Money(9900, "NGN"))
    services.update_variant(cheap, is_active=False)
    product.refresh_from_db()
    assert (product.price, product.compare_at) == (Money(12000, "NGN"), None)
    services.change_price(product.variants.get(is_active=True), price=Money(12000, "NGN"), compare_at=Money(1, "NGN"))
    product.refresh_from_db()
    assert product.compare_at is None, "a former price that is lower is no reduction"


def test_a_price_change_is_told_once() -> None:
    product = make_product(sku="A", price="120.00")
    variant = product.variants.get()
    services.change_price(variant, price=Money(10000, "NGN"), compare_at=Money(12000, "NGN"))
    services.change_price(variant, price=Money(10000, "NGN"))
    (event,) = published("catalog.price_changed")
    assert (event["former_price_minor"], event["price_minor"], event["compare_at_minor"]) == (12000, 10000, 12000)


@pytest.mark.parametrize(
    ("price", "error"), [(Money(1, "USD"), MixedCurrenciesError), (Money(-1, "NGN"), InvalidPriceError)]
)
def test_a_price_that_does_not_fit_is_refused(price: Money, error: type[Exception]) -> None:
    product = make_product()
    with pytest.raises(error):
        services.add_variant(product, NewVariant(sku="A", price=price))
    with pytest.raises(error):
        services.change_price(product.variants.get(), price=Money(5, "NGN"), compare_at=price)


def test_publishing_needs_something_to_sell_and_is_told_once() -> None:
    product = make_product(variants=[], published=False)
    with pytest.raises(NotPublishableError):
        services.publish_product(product)
    make_variant(product)
    first = services.publish_product(product).published_at
    services.publish_product(product)
    assert len(published("catalog.product_published")) == 1
    services.archive_product(product)
    assert services.publish_product(product).published_at == first
    assert len(published("catalog.product_published")) == 2


def test_a_product_without_an_active_variant_is_not_listed() -> None:
    product = make_product()
    assert selectors.products_on_sale().count() == 1
    services.update_variant(product.variants.get(), is_active=False)
    assert selectors.products_on_sale().count() == 0


def test_a_products_texts_change() -> None:
    category = make_category()
    product = services.update_product(make_product(), name="Coat", category=category, attributes={"colour": "indigo"})
    product.refresh_from_db()
    assert (product.name, product.category, product.attributes) == ("Coat", category, {"colour": "indigo"})


def test_an_image_is_a_file_or_an_address() -> None:
    product = make_product()
    stored = services.add_image(product, file=ContentFile(b"...", name="front.webp"), alt="Front")
    linked = services.add_image(product, url="https://images.example/back.webp")
    assert stored.src.startswith("/media/catalog/products/")
    assert (linked.src, linked.position) == ("https://images.example/back.webp", 1)
    for fields in ({}, {"url": "https://images.example/x.webp", "file": "x.webp"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ProductImage.objects.create(product=product, **fields)


@pytest.mark.parametrize("fields", [{"status": "sold"}, {"status": "published", "published_at": None}])
def test_the_database_refuses_a_product_in_no_state(fields: dict[str, Any]) -> None:
    make_product(published=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.update(**fields)


def test_an_imported_product_is_there_once() -> None:
    for _ in range(2):
        make_product()  # without a source: not of an import
    Product.objects.filter(pk=make_product().pk).update(source="shopify", external_id="42")
    other = make_product()
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(pk=other.pk).update(source="shopify", external_id="42")


def test_sellable_variants_are_what_a_cart_needs() -> None:
    vendor = make_vendor("Eko Atelier")
    product = make_product("Coat", vendor=vendor, sku="A", price="90.00", stock=4)
    make_variant(product, sku="B", stock=0)
    make_product(sku="DRAFT", published=False)
    services.update_variant(make_product(sku="OFF").variants.get(), is_active=False)
    services.suspend_vendor(make_product(sku="SUSPENDED").vendor)
    found = selectors.sellable_variants(["A", "B", "DRAFT", "OFF", "SUSPENDED", "UNKNOWN"])
    assert set(found) == {"A", "B"}
    variant = found["A"]
    assert (variant.sku, variant.product_name, variant.options) == ("A", "Coat", {"Size": "M"})
    assert (variant.price, variant.available) == (Money(9000, "NGN"), 4)
    assert (variant.vendor_id, variant.vendor_name) == (str(vendor.public_id), "Eko Atelier")
    assert selectors.sellable_variants([]) == {}
