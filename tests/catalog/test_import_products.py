"""Importing product files: what is written, what is refused, and that a second run changes nothing."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from fashionistar_catalog.exceptions import ImportConflictError, ImportFileError
from fashionistar_catalog.importers import ShopifyFile
from fashionistar_catalog.models import Category, Product, ProductImage, StockMovement, Variant, Vendor
from fashionistar_catalog.services import (
    archive_product,
    audit_stock,
    create_category,
    create_product,
    create_vendor,
    import_products,
    preview_import,
    take_stock,
    update_product,
)
from fashionistar_catalog.types import NewVariant
from fashionistar_common.money import Money
from fashionistar_common.testing import published

pytestmark = pytest.mark.django_db

HEADER = (
    "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,"
    "Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Image Position"
)
ROWS = [
    "tee,Soft Tee,<b>Soft</b>,Loom & Co,Tops,men,true,Size,S,TEE-S,4,20,25,https://img.example.com/1.jpg,1",
    "tee,,,,,,,,M,TEE-M,0,18,,https://img.example.com/2.jpg,2",
    "tee,,,,,,,,L,,,22,,,",
    "hat,Hat,,Loom & Co,Headwear,,false,Title,Default Title,,7,9.50,,,",
    "cap,Cap,,Second Loom,,,true,Title,Default Title,CAP,1,5,,https://img.example.com/3.jpg,",
]
TABLES = ("Vendor", "Category", "Product", "ProductImage", "Variant", "StockMovement")

type Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save_rows(*rows: str) -> Path:
        path = tmp_path / "export.csv"
        path.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
        return path

    return save_rows


def dump() -> dict[str, list[dict[str, Any]]]:
    """Every row of the catalog with every column, times of change included."""
    return {
        table: list(apps.get_model("fashionistar_catalog", table).objects.order_by("pk").values()) for table in TABLES
    }


def run(path: Path, *arguments: str) -> str:
    out = io.StringIO()
    call_command("import_products", str(path), *(arguments or ("--format", "shopify")), stdout=out)
    return out.getvalue()


def test_a_file_becomes_vendors_categories_products_variants_images_and_stock(save: Save) -> None:
    report = import_products(ShopifyFile(save(*ROWS), currency="NGN"), reference="delivery 7")
    assert (report.products.created, report.variants.created, report.prices.created) == (3, 5, 5)
    assert (report.images.created, report.vendors_created, report.categories_created) == (3, 2, 2)
    assert (report.products_published, report.stock_movements) == (2, 3)
    tee = Product.objects.get(slug="tee")
    assert (tee.source, tee.external_id, tee.status, tee.description) == ("shopify", "tee", "published", "Soft")
    assert (tee.vendor.slug, tee.price, tee.compare_at) == ("loom-co", Money(1800, "NGN"), None)
    assert tee.category is not None
    assert (tee.category.path, tee.attributes) == ("tops", {"tags": ["men"]})
    assert list(tee.variants.values_list("sku", "stock", "position")) == [
        ("TEE-S", 4, 0),
        ("TEE-M", 0, 1),
        ("TEE-L", 0, 2),
    ]
    hat = Product.objects.get(slug="hat")
    assert (hat.status, hat.published_at) == ("draft", None)
    assert set(StockMovement.objects.values_list("variant__sku", "quantity", "reason", "reference")) == {
        ("TEE-S", 4, "received", "delivery 7"),
        ("HAT", 7, "received", "delivery 7"),
        ("CAP", 1, "received", "delivery 7"),
    }
    assert audit_stock() == []
    assert published("catalog.products_imported") == [
        {
            "source": "shopify",
            "reference": "delivery 7",
            "products_created": 3,
            "products_updated": 0,
            "products_published": 2,
            "variants_created": 5,
            "variants_updated": 0,
            "prices_updated": 0,
        }
    ]


def test_a_second_run_changes_nothing_and_tells_nobody(save: Save) -> None:
    path = save(*ROWS)
    run(path)
    before = dump()
    report = import_products(ShopifyFile(path, currency="NGN"))
    assert dump() == before
    assert not report.changed
    assert (report.products.unchanged, report.variants.unchanged, report.prices.unchanged) == (3, 5, 5)
    assert report.images.unchanged == 3
    assert len(published("catalog.products_imported")) == 1


def test_a_changed_file_changes_what_differs(save: Save) -> None:
    run(save(*ROWS))
    former = {product.slug: product for product in Product.objects.all()}
    report = import_products(
        ShopifyFile(
            save(
                "tee,Softer Tee,<b>Soft</b>,Loom & Co,Tops,men,true,Size,S,TEE-S,1,20,25,https://img.example.com/1.jpg,3",
                "tee,,,,,,,,M,TEE-M,0,15,30,https://img.example.com/9.jpg,1",
                "hat,Hat,,Loom & Co,Headwear,,true,Title,Default Title,,,9.50,,,",
                ROWS[4],
            ),
            currency="NGN",
        )
    )
    assert (report.products.created, report.products.updated, report.products.unchanged) == (0, 2, 1)
    assert (report.variants.updated, report.variants.unchanged, report.variants.removed) == (1, 3, 1)
    assert (report.prices.updated, report.prices.unchanged) == (1, 3)
    assert (report.images.created, report.images.updated, report.images.removed) == (1, 1, 1)
    assert report.products_published == 1
    tee, hat, cap = (Product.objects.get(slug=slug) for slug in ("tee", "hat", "cap"))
    assert (tee.name, tee.price, tee.compare_at) == ("Softer Tee", Money(1500, "NGN"), Money(3000, "NGN"))
    assert tee.updated_at > former["tee"].updated_at
    assert tee.published_at == former["tee"].published_at
    assert (hat.status, hat.published_at is not None) == ("published", True)
    assert cap.updated_at == former["cap"].updated_at
    assert not Variant.objects.get(sku="TEE-L").is_active
    # An empty cell leaves the stock; another number becomes an adjustment.
    assert Variant.objects.get(sku="HAT").stock == 7
    movements = StockMovement.objects.filter(variant__sku="TEE-S").order_by("pk")
    assert list(movements.values_list("quantity", "reason")) == [(4, "received"), (-3, "adjusted")]
    assert audit_stock() == []


def test_a_variant_that_returns_to_the_file_returns_to_the_shop(save: Save) -> None:
    run(save(*ROWS))
    run(save(*ROWS[:2], *ROWS[3:]))
    again = import_products(ShopifyFile(save(*ROWS), currency="NGN"))
    assert again.variants.updated == 1
    assert Variant.objects.get(sku="TEE-L").is_active


def test_what_the_shop_sold_since_is_in_the_ledger_when_the_file_sets_the_stock(save: Save) -> None:
    run(save(*ROWS))
    take_stock({"TEE-S": 3}, reference="order 1")
    run(save(*ROWS))
    assert Variant.objects.get(sku="TEE-S").stock == 4
    assert audit_stock() == []


def test_staff_decisions_that_a_file_is_silent_about_stay(save: Save) -> None:
    run(save(*ROWS))
    cap = Product.objects.get(slug="cap")
    update_product(cap, category=create_category(name="Caps"), slug="the-cap")
    ProductImage.objects.create(product=cap, file="catalog/products/own.png")
    before = dump()
    assert not import_products(ShopifyFile(save(*ROWS), currency="NGN")).changed
    assert dump() == before


def test_the_file_decides_whether_its_products_are_on_sale(save: Save) -> None:
    run(save(*ROWS))
    archive_product(Product.objects.get(slug="tee"))
    assert import_products(ShopifyFile(save(*ROWS), currency="NGN")).products_published == 1


def test_vendors_and_categories_are_found_by_their_slugs(save: Save) -> None:
    vendor = create_vendor(name="Loom and Company", slug="loom-co")
    women = create_category(name="Women")
    tops = create_category(name="Everything worn above", slug="tops", parent=women)
    report = import_products(ShopifyFile(save(*ROWS), currency="NGN"))
    assert (report.vendors_created, report.categories_created) == (1, 1)
    tee = Product.objects.select_related("vendor", "category").get(slug="tee")
    assert (tee.vendor, tee.category) == (vendor, tops)


def test_a_taken_slug_is_not_taken_over(save: Save) -> None:
    own = create_product(vendor=create_vendor(name="House"), name="Tee", slug="tee")
    run(save(*ROWS))
    imported = Product.objects.get(external_id="tee")
    assert imported.slug.startswith("tee-")
    own.refresh_from_db()
    assert (own.slug, own.source) == ("tee", "")
    before = dump()
    run(save(*ROWS))
    assert dump() == before


def test_two_stores_with_the_same_handles_are_kept_apart(save: Save) -> None:
    run(save(ROWS[3]), "--format", "shopify", "--source", "first")
    rows = ROWS[3].replace("Default Title,,", "Default Title,OTHER,")
    run(save(rows), "--format", "shopify", "--source", "second", "--currency", "ghs")
    assert set(Product.objects.values_list("source", "external_id", "currency")) == {
        ("first", "hat", "NGN"),
        ("second", "hat", "GHS"),
    }


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        (lambda rows: [*rows[:3], rows[3].replace("9.50", "9.5O"), rows[4]], "row 5, column Variant Price: '9.5O'"),
        (lambda rows: [*rows[:4], rows[4].replace("CAP,1", "CAP,-1")], "row 6, column Variant Inventory Qty: A stock"),
        (lambda rows: [*rows[:4], rows[4].replace("CAP,1", "TEE-S,1")], "row 6, column Variant SKU: TEE-S is the SKU"),
        (lambda rows: [*rows[:4], rows[4] + ",x"], "row 6, column Image Position: The row has 16 fields"),
    ],
)
def test_a_damaged_file_is_refused_and_changes_nothing(save: Save, damage: Any, place: str) -> None:
    before = dump()
    with pytest.raises(CommandError) as raised:
        run(save(*damage(ROWS)))
    assert place in str(raised.value)
    assert "nothing was imported" in str(raised.value)
    assert dump() == before
    run(save(*ROWS))
    imported = dump()
    with pytest.raises(CommandError):
        run(save(*damage(ROWS)))
    assert dump() == imported


def test_a_sku_of_another_product_is_refused_where_it_stands(save: Save) -> None:
    house = create_vendor(name="House")
    create_product(vendor=house, name="Own cap", variants=[NewVariant(sku="CAP", price=Money(100, "NGN"))])
    before = dump()
    with pytest.raises(CommandError, match="row 6, column Variant SKU: CAP is a SKU of the product own-cap already"):
        run(save(*ROWS))
    assert dump() == before


def test_the_first_fifty_problems_are_listed_and_the_rest_counted(save: Save) -> None:
    rows = [f"p{number},,,Loom,,,true,Title,Default Title,,1,5,,," for number in range(70)]
    with pytest.raises(CommandError) as raised:
        run(save(*rows))
    lines = str(raised.value).splitlines()
    assert lines[1] == "row 2, column Title: This is empty, and it is needed."
    assert (len(lines), lines[-1]) == (52, "... and 20 more")


def test_a_preview_tells_what_would_change_and_writes_nothing(save: Save) -> None:
    before = dump()
    said = run(save(*ROWS), "--format", "shopify", "--dry-run")
    assert dump() == before
    assert published("catalog.products_imported") == []
    assert "Nothing was written" in said
    assert "products 3 created, 0 updated, 0 unchanged, 0 removed" in said
    done = run(save(*ROWS))
    assert "Imported shopify:" in done
    assert said.splitlines()[1:] == done.splitlines()[1:]
    with pytest.raises(ImportFileError):
        preview_import(ShopifyFile(save("x"), currency="NGN"))


def test_an_import_that_meets_another_writer_undoes_itself(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the vendor had been created between the look and the insert.
    monkeypatch.setattr(
        "fashionistar_catalog.services.imported_rows.ImportedRows._add_vendors",
        lambda self, items: [Vendor.objects.create(name="Loom", slug="loom-co") for _ in range(2)],
    )
    path = save(*ROWS)
    for service in (import_products, preview_import):
        with pytest.raises(ImportConflictError):
            service(ShopifyFile(path, currency="NGN"))
    assert not Vendor.objects.exists()


@pytest.mark.parametrize("number", [1, 40])
def test_a_chunk_takes_the_same_number_of_queries_whatever_its_size(save: Save, number: int) -> None:
    rows = [
        f"p{at},P{at},,Loom {at},Type {at},,true,Title,Default Title,,1,5,,https://img.example.com/{at}.jpg,"
        for at in range(number)
    ]
    with CaptureQueriesContext(connection) as queries:
        import_products(ShopifyFile(save(*rows), currency="NGN"))
    assert len(queries) == 19


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv", "--format", "shopify"], "There is no file nothing.csv"),
        ([__file__, "--format", "mapped"], "--format mapped needs --mapping"),
        ([__file__, "--format", "shopify", "--mapping", "myntra"], "no other format takes one"),
        ([__file__, "--format", "mapped", "--mapping", "none"], "The mapping none cannot be used"),
        ([__file__, "--format", "mapped", "--mapping", "myntra", "--source", "x"], "the mapping names the currency"),
        ([__file__, "--format", "shopify", "--source", "s" * 41], "at most 40 characters"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("import_products", *arguments)


def test_the_command_can_be_silent(save: Save) -> None:
    assert run(save(*ROWS), "--format", "shopify", "--verbosity", "0") == ""
    assert Category.objects.count() == 2
