"""Three catalogues that nobody wrote for this importer, counted again with nothing but the csv module."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from fashionistar_catalog.models import Product, ProductImage, Variant
from fashionistar_catalog.services import audit_stock

FOLDER = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "catalog"
TABLES = ("Vendor", "Category", "Product", "ProductImage", "Variant", "StockMovement")

type Record = dict[str, str]

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the sample catalogues are not here"),
]


@dataclass(frozen=True)
class Recount:
    """What a file holds: prices by SKU or, where it has none, in the order of the file."""

    products: int
    variants: int
    prices: list[Decimal]
    stock: int
    images: int


def recount_shopify(records: list[Record]) -> Recount:
    variants = [record for record in records if record["Option1 Value"]]
    return Recount(
        products=len({record["Handle"] for record in records}),
        variants=len(variants),
        prices=sorted(Decimal(record["Variant Price"]) for record in variants),
        stock=sum(int(record["Variant Inventory Qty"]) for record in variants),
        images=len({(record["Handle"], record["Image Src"]) for record in records if record["Image Src"]}),
    )


def recount_myntra(records: list[Record]) -> Recount:
    ids = {record["Product_ID"] for record in records}
    return Recount(len(ids), len(records), sorted(Decimal(record["Price"]) for record in records), 0, 0)


def recount_styles(records: list[Record]) -> Recount:
    return Recount(len({record["id"] for record in records}), len(records), [Decimal(9999)] * len(records), 0, 0)


@dataclass(frozen=True)
class Catalogue:
    file: str
    arguments: tuple[str, ...]
    recount: Callable[[list[Record]], Recount]
    id_column: str
    price_column: str  # the styles have none: there the id stands in, and an empty one is the damage

    def __str__(self) -> str:
        return self.file

    @property
    def path(self) -> Path:
        return FOLDER / self.file

    def records(self) -> list[Record]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


CATALOGUES = [
    Catalogue("shopify_apparel.csv", ("--format", "shopify"), recount_shopify, "Handle", "Variant Price"),
    Catalogue("shopify_home_and_garden.csv", ("--format", "shopify"), recount_shopify, "Handle", "Variant Price"),
    Catalogue("myntra_dev.csv", ("--format", "mapped", "--mapping", "myntra"), recount_myntra, "Product_ID", "Price"),
    Catalogue(
        "fashion_product_styles_dev.csv",
        ("--format", "mapped", "--mapping", "fashion_product_styles"),
        recount_styles,
        "id",
        "id",
    ),
]


def run(path: Path, arguments: tuple[str, ...]) -> str:
    out = io.StringIO()
    call_command("import_products", str(path), *arguments, stdout=out)
    return out.getvalue()


def dump() -> dict[str, list[dict[str, Any]]]:
    return {
        table: list(apps.get_model("fashionistar_catalog", table).objects.order_by("pk").values()) for table in TABLES
    }


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=str)
def test_a_catalogue_is_imported_whole_and_a_second_run_changes_nothing(catalogue: Catalogue) -> None:
    expected = catalogue.recount(catalogue.records())
    run(catalogue.path, catalogue.arguments)
    variants = list(Variant.objects.all())
    found = Recount(
        products=Product.objects.filter(status="published", price_minor__isnull=False).count(),
        variants=len(variants),
        prices=sorted(variant.price.amount for variant in variants),
        stock=sum(variant.stock for variant in variants),
        images=ProductImage.objects.count(),
    )
    assert found == expected
    assert audit_stock() == []
    if catalogue.recount is not recount_shopify:
        check_texts(catalogue)
    before = dump()
    said = run(catalogue.path, catalogue.arguments)
    assert dump() == before
    for kind, number in (
        ("products", expected.products),
        ("variants", expected.variants),
        ("prices", expected.variants),
    ):
        assert f"  {kind:<9}0 created, 0 updated, {number} unchanged, 0 removed" in said


def check_texts(catalogue: Catalogue) -> None:
    """Every text of a mapped catalogue is where it belongs."""
    products = {product.external_id: product for product in Product.objects.select_related("category")}
    options = dict(Variant.objects.values_list("product__external_id", "options"))
    for record in catalogue.records():
        product = products[record[catalogue.id_column]]
        if catalogue.recount is recount_myntra:
            assert product.name == record["Product_Name"].strip()
            assert product.brand == record["Product_Brand"].strip()
            assert product.description == record["Description"].strip()
            assert options[product.external_id].get("Colour", "") == record["Primary_Color"].strip()
        else:
            colour = "" if record["baseColour"] == "NA" else record["baseColour"]
            assert product.name == (record["productDisplayName"].strip() or product.name)
            assert product.category is not None
            assert product.category.name == record["articleType"]
            assert options[product.external_id].get("Colour", "") == colour


def damaged(catalogue: Catalogue, kind: str, path: Path) -> tuple[int, str]:
    """Write a copy with one thing wrong in its last row; returns the row and column to be named."""
    with catalogue.path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    row, column = len(rows) + 1, catalogue.price_column
    if kind == "bad price":
        rows[-1][header.index(column)] = "" if column == "id" else "12,50 or so"
    elif kind == "missing column":
        at, row = header.index(column), 1
        header, rows = [*header[:at], *header[at + 1 :]], [[*cells[:at], *cells[at + 1 :]] for cells in rows]
    elif kind == "duplicate":
        column = catalogue.id_column
        rows[-1][header.index(column)] = rows[0][header.index(column)]
    else:
        column = header[-1]
        rows[-1].append("one more")
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return row, column


@pytest.mark.parametrize("kind", ["bad price", "missing column", "duplicate", "ragged"])
@pytest.mark.parametrize("catalogue", CATALOGUES, ids=str)
def test_a_damaged_copy_is_refused_with_its_row_and_column(catalogue: Catalogue, kind: str, tmp_path: Path) -> None:
    path = tmp_path / catalogue.file
    row, column = damaged(catalogue, kind, path)
    before = json.dumps(dump(), default=str)
    with pytest.raises(CommandError, match=f"(?m)^row {row}, column {column}: "):
        run(path, catalogue.arguments)
    assert json.dumps(dump(), default=str) == before
