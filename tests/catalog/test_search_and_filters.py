import pytest
from django.core.management import call_command
from django.db import connection
from fashionistar_catalog import services
from fashionistar_catalog.exceptions import InvalidFilterError
from fashionistar_catalog.models import Category, Product
from fashionistar_catalog.selectors import published_products
from fashionistar_catalog.selectors.search import search
from fashionistar_catalog.testing import make_category, make_product, make_vendor
from fashionistar_catalog.types import ProductFilters

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> None:
    women = make_category("Women")
    dresses = make_category("Dresses", parent=women)
    men = make_category("Men")
    shirts = make_category("Shirts", parent=men)
    eko, kofi = make_vendor("Eko Atelier"), make_vendor("Kofi")
    make_product("Wrap dress", vendor=eko, category=dresses, brand="Eko", price="120.00", stock=0)
    make_product(
        "Linen shirt", vendor=eko, category=shirts, brand="Eko", price="80.00", description="Goes with a dress."
    )
    make_product("Kente scarf", vendor=kofi, category=women, brand="Kofi", price="40.00")
    make_product("Raffia hat", vendor=kofi, brand="Sun & Sea", price="30.00", currency="GHS")
    make_product("Dressing gown", vendor=kofi, brand="Kofi", price="60.00", published=False)


def slugs(**parameters: object) -> list[str]:
    filters = ProductFilters.parse(**parameters)  # type: ignore[arg-type]
    return sorted(published_products(filters).values_list("slug", flat=True))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["kente-scarf", "linen-shirt", "raffia-hat", "wrap-dress"]),
        ({"category": "women"}, ["kente-scarf", "wrap-dress"]),
        ({"category": "dresses"}, ["wrap-dress"]),
        ({"category": "men"}, ["linen-shirt"]),
        ({"category": "unknown"}, []),
        ({"vendor": "kofi"}, ["kente-scarf", "raffia-hat"]),
        ({"brand": ["Eko"]}, ["linen-shirt", "wrap-dress"]),
        ({"brand": ["Kofi", "Sun & Sea"]}, ["kente-scarf", "raffia-hat"]),
        ({"min_price": "80.00"}, ["linen-shirt", "wrap-dress"]),
        ({"max_price": "80"}, ["kente-scarf", "linen-shirt"]),
        ({"min_price": "0", "currency": "GHS"}, ["raffia-hat"]),
        ({"min_price": "0"}, ["kente-scarf", "linen-shirt", "wrap-dress"]),
        ({"currency": "GHS"}, ["raffia-hat"]),
        ({"in_stock": "true"}, ["kente-scarf", "linen-shirt", "raffia-hat"]),
        ({"in_stock": "false"}, ["wrap-dress"]),
        ({"vendor": "eko-atelier", "in_stock": "true", "category": "men"}, ["linen-shirt"]),
        ({"q": "dresses"}, ["linen-shirt", "wrap-dress"]),
        ({"q": "dress -shirt"}, ["wrap-dress"]),
        ({"q": '"wrap dress"'}, ["wrap-dress"]),
        ({"q": "scarf OR hats"}, ["kente-scarf", "raffia-hat"]),
        ({"q": "atelier"}, ["linen-shirt", "wrap-dress"]),
        ({"q": "women dress"}, ["wrap-dress"]),
        ({"q": "nothing like it"}, []),
        ({"q": "the"}, []),
        ({"q": "dress", "category": "women"}, ["wrap-dress"]),
    ],
)
def test_filters_and_words_find_what_they_say(shop: None, parameters: dict[str, object], expected: list[str]) -> None:
    assert slugs(**parameters) == expected


def test_a_word_in_the_name_weighs_more_than_one_in_the_description(shop: None) -> None:
    found = published_products(ProductFilters.parse(q="dress")).order_by("-relevance", "-id")
    assert [product.slug for product in found] == ["wrap-dress", "linen-shirt"]


def test_the_search_document_follows_every_kind_of_change(shop: None) -> None:
    product = Product.objects.get(slug="kente-scarf")
    services.update_product(product, description="Woven by hand in Kumasi.")
    assert slugs(q="kumasi") == ["kente-scarf"]
    product.vendor.name = "Osei Weavers"
    product.vendor.save()
    assert slugs(q="osei") == ["kente-scarf", "raffia-hat"]
    Category.objects.filter(slug="women").update(name="Ladies")
    assert slugs(q="ladies") == ["kente-scarf"]
    Product.objects.filter(pk=product.pk).update(name="Shawl")
    assert slugs(q="shawl") == ["kente-scarf"]


def test_a_search_reads_the_index(shop: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    plan = search(Product.objects.all(), "dress").order_by().explain()
    assert "catalog_product_search" in plan


@pytest.mark.django_db(transaction=True)
def test_the_search_document_can_be_taken_away_and_built_again() -> None:
    make_product("Kente scarf")
    try:
        call_command("migrate", "fashionistar_catalog", "0001", verbosity=0)
    finally:
        call_command("migrate", "fashionistar_catalog", verbosity=0)
    assert slugs(q="scarf") == ["kente-scarf"]


def test_a_search_has_a_length() -> None:
    assert slugs(q="x" * 200) == []
    with pytest.raises(InvalidFilterError):
        slugs(q="x " * 200)
