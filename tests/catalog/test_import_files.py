"""Reading product files: no database is touched here."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fashionistar_catalog.exceptions import ImportMappingError
from fashionistar_catalog.importers import (
    ImportedProduct,
    MappedFile,
    RowProblem,
    ShopifyFile,
    load_mapping,
    shipped_mappings,
)
from fashionistar_catalog.importers.rich_text import plain_text
from fashionistar_catalog.importers.values import sku_of, slug_of
from fashionistar_common.money import Money

type Write = Callable[[str | bytes], Path]

HEADER = (
    "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,"
    "Variant SKU,Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Barcode,"
    "Image Src,Image Position,Image Alt Text,Status"
)
MAPPING = """
source = "shop"
[product]
id = "{id}"
name = ["{name}", "{colour} thing", "Thing"]
vendor = "House"
category = "{where}"
images = ["https://img.example.com/{file}"]
[product.attributes]
Season = "{season}"
[variant]
sku = "S-{sku}"
price = "{price}"
currency = "NGN"
stock = "{stock}"
[variant.options]
Colour = "{colour}"
[values.colour]
navy = "Navy"
[defaults]
season = "All year"
"""
COLUMNS = "id,sku,name,where,file,season,price,stock,colour"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "products.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture
def mapped(tmp_path: Path, write: Write) -> Callable[..., list[ImportedProduct | RowProblem]]:
    def read(*rows: str, mapping: str = MAPPING, header: str = COLUMNS) -> list[ImportedProduct | RowProblem]:
        place = tmp_path / "mapping.toml"
        place.write_text(mapping, encoding="utf-8")
        return list(MappedFile(write("\n".join([header, *rows])), mapping=load_mapping(str(place))))

    return read


def shopify(path: Path) -> list[ImportedProduct | RowProblem]:
    return list(ShopifyFile(path, currency="NGN"))


def shopify_row(**cells: str) -> str:
    row = {"Handle": "tee", "Title": "Tee", "Vendor": "Loom", "Option1 Name": "Title"}
    row |= {"Option1 Value": "Default Title", "Variant Price": "50", **cells}
    return ",".join(f'"{row.get(column, "")}"' for column in HEADER.split(","))


def test_a_product_over_several_rows_is_one_product(write: Write) -> None:
    rows = [
        HEADER,
        'tee,Soft Tee,"<p>Soft &amp; light</p><script>x()</script>",Loom,Tops,"men, summer",TRUE,Size,S,Colour,Red,'
        "TEE-S,4,19.90,25,'123,https://img.example.com/1.jpg,2,Front,active",
        "tee,,,,,,,,M,,Red,,,19.90,0,,https://img.example.com/2.jpg,1,,",
        "tee,,,,,,,,,,,,,,,,https://img.example.com/3.jpg,,,",
    ]
    (product,) = shopify(write("\r\n".join(rows)))
    assert isinstance(product, ImportedProduct)
    assert (product.name, product.slug, product.vendor, product.status) == ("Soft Tee", "tee", "Loom", "published")
    assert product.description == "Soft & light"
    assert product.category == ("Tops",)
    assert product.attributes == {"tags": ["men", "summer"]}
    small, medium = product.variants
    assert (small.sku, small.stock, small.barcode, small.title) == ("TEE-S", 4, "123", "S / Red")
    assert (small.price, small.compare_at) == (Money(1990, "NGN"), Money(2500, "NGN"))
    assert (medium.sku, medium.stock, medium.compare_at) == ("TEE-M-RED", None, None)
    assert medium.options == {"Size": "M", "Colour": "Red"}
    assert [(image.url[-5:], image.position, image.alt) for image in product.images] == [
        ("1.jpg", 2, "Front"),
        ("2.jpg", 1, ""),
        ("3.jpg", 3, ""),
    ]


def test_a_product_without_a_choice_has_one_variant_without_options(write: Write) -> None:
    (product,) = shopify(write(f"{HEADER}\n{shopify_row()}\n"))
    assert isinstance(product, ImportedProduct)
    assert [(variant.sku, variant.options, variant.title) for variant in product.variants] == [("TEE", {}, "")]


@pytest.mark.parametrize(
    ("published", "status", "expected"),
    [
        ("true", "", "published"),
        ("", "", "published"),
        ("FALSE", "", "draft"),
        ("true", "draft", "draft"),
        ("false", "active", "draft"),
        ("true", "Archived", "archived"),
    ],
)
def test_published_and_status_decide_the_status(write: Write, published: str, status: str, expected: str) -> None:
    (product,) = shopify(write(f"{HEADER}\n{shopify_row(Published=published, Status=status)}"))
    assert isinstance(product, ImportedProduct)
    assert product.status == expected


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"Variant Price": "12,50"}, "Variant Price", "not a decimal amount"),
        ({"Variant Price": ""}, "Variant Price", "A price is needed"),
        ({"Variant Price": "-1"}, "Variant Price", "below zero"),
        ({"Variant Price": "1.999"}, "Variant Price", "more decimals than NGN"),
        ({"Variant Price": "9" * 18}, "Variant Price", "not a decimal amount"),
        ({"Variant Compare At Price": "free"}, "Variant Compare At Price", "not a decimal amount"),
        ({"Variant Inventory Qty": "-2"}, "Variant Inventory Qty", "below zero"),
        ({"Variant Inventory Qty": "2.5"}, "Variant Inventory Qty", "not a whole number"),
        ({"Title": ""}, "Title", "needed"),
        ({"Title": "T" * 256}, "Title", "256 characters; at most 255"),
        ({"Vendor": ""}, "Vendor", "needed"),
        ({"Handle": ""}, "Handle", "needed"),
        ({"Handle": "h" * 201}, "Handle", "at most 200"),
        ({"Variant SKU": "S" * 101}, "Variant SKU", "at most 100"),
        ({"Published": "maybe"}, "Published", "none of"),
        ({"Status": "gone"}, "Status", "none of"),
        ({"Image Src": "ftp://example.com/a.jpg"}, "Image Src", "not a web address"),
        ({"Image Src": "https://[broken/a.jpg"}, "Image Src", "not a web address"),
        ({"Image Src": "https://example.com/a.jpg", "Image Position": "0"}, "Image Position", "not a position"),
        ({"Option2 Value": "Red"}, "Option2 Value", "does not name this option"),
        ({"Option2 Name": "Colour"}, "Option2 Value", "A value for Colour is needed"),
        ({"Option2 Name": "Title", "Option2 Value": "x"}, "Option2 Name", "Another option"),
        ({"Title": "nul \0"}, "Title", "NUL"),
    ],
)
def test_what_is_wrong_in_a_row_is_told_with_row_and_column(
    write: Write, cells: dict[str, str], column: str, words: str
) -> None:
    good = shopify_row(Handle="other", Title="Other")
    problems = [
        item for item in shopify(write(f"{HEADER}\n{good}\n{shopify_row(**cells)}")) if isinstance(item, RowProblem)
    ]
    assert {(problem.row, problem.column) for problem in problems} == {(3, column)}
    assert words in problems[0].detail
    assert str(problems[0]).startswith(f"row 3, column {column}: ")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (
            [shopify_row(**{"Option1 Name": "Size", "Option1 Value": "S"})] * 2,
            "row 3, column Option1 Value: Row 2 has the same options.",
        ),
        (
            [shopify_row(), shopify_row(Handle="hat"), shopify_row()],
            "row 4, column Handle: tee stands in row 2 already; the rows of a product follow each other.",
        ),
        (
            [shopify_row(**{"Variant SKU": "X"}), shopify_row(Handle="hat", **{"Variant SKU": "X"})],
            "row 3, column Variant SKU: X is the SKU of row 2 already.",
        ),
        (
            [shopify_row(**{"Option1 Value": "", "Variant Price": ""})],
            "row 2, column Variant Price: The product has no variant: no row names an option or a price.",
        ),
        (["tee,Tee"], "row 2, column Body (HTML): The row has 2 fields, the header 20."),
        (
            [shopify_row() + ",more"],
            "row 2, column Status: The row has 21 fields, the header 20."
            " A text with the delimiter in it belongs in quotes.",
        ),
        (['"tee" x,' + "," * 18], "row 2: This cannot be read as CSV: ',' expected after '\"'."),
        (['"tee,' + "," * 18], "row 2: This cannot be read as CSV: unexpected end of data."),
    ],
)
def test_rows_that_do_not_go_together_are_refused(write: Write, rows: list[str], problem: str) -> None:
    found = shopify(write("\n".join([HEADER, *rows])))
    assert [str(item) for item in found if isinstance(item, RowProblem)] == [problem]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "row 1: The file is empty."),
        ("Handle,Title".encode("utf-16"), "row 1: The file is UTF-16; save it as CSV in UTF-8."),
        (b"PK\x03\x04rest", "row 1: This is a spreadsheet or an archive; save it as CSV in UTF-8."),
        (b"Handle,Handle", "row 1, column Handle: The header names this column 2 times."),
        (b"Handle,Title", "row 1, column Vendor: The file has no such column."),
    ],
)
def test_a_file_of_another_kind_is_refused_in_its_first_row(write: Write, content: bytes, problem: str) -> None:
    assert problem in [str(item) for item in shopify(write(content))]


def test_a_cell_in_another_encoding_is_named(write: Write) -> None:
    latin = f"{HEADER}\n{shopify_row(Vendor='Adé')}".encode("latin-1")
    assert [str(item) for item in shopify(write(latin))] == [
        "row 2, column Vendor: This is not UTF-8; save the file in that encoding."
    ]


def test_a_byte_order_mark_blank_rows_and_line_breaks_in_quotes_are_read(write: Write) -> None:
    text = (
        f"\ufeff{HEADER}\n\n{',' * 19}\n" + shopify_row(**{"Body (HTML)": "one\ntwo"}) + "\n" + shopify_row(Handle="")
    )
    problem, product = shopify(write(text))
    assert isinstance(product, ImportedProduct)
    assert (product.row, product.description) == (4, "one\ntwo")
    assert isinstance(problem, RowProblem)
    assert problem.row == 5


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("a < b &amp; c", "a < b & c"),
        ("<p>One</p><p>Two<br/>Three</p>", "One\n\nTwo\nThree"),
        ("<ul><li>Silk</li><li></li><li>Linen</li></ul>", "- Silk\n\n- Linen"),
        ("<style>p{}</style>A<!-- b --><b onclick='x()'>B</b><iframe>C</iframe></svg>", "AB"),
        ("<script>alert(1)", ""),
        ("a&nbsp;&lt;b&gt;", "a <b>"),
    ],
)
def test_html_becomes_plain_text(html: str, text: str) -> None:
    assert plain_text(html) == text


def test_skus_and_slugs_made_for_a_file_are_always_the_same_and_fit() -> None:
    assert sku_of("soft-tee", ["Extra Large", "Red"]) == "SOFT-TEE-EXTRA-LARGE-RED"
    assert sku_of("soft-tee", ["紅"]) == sku_of("soft-tee", ["紅"]) != sku_of("soft-tee", ["青"])
    assert len(sku_of("t" * 200, ["S"])) == 100
    assert slug_of("紅") == slug_of("紅")
    assert len(slug_of("a" * 300)) == 255


def test_a_mapping_says_what_the_columns_mean(mapped: Callable[..., list[ImportedProduct | RowProblem]]) -> None:
    first, second = mapped(
        "1,a,Skirt,Women > Skirts > Skirts,1.jpg,, 1200.50 ,3, navy",
        "1,b,,,,,1300,,white",
        "2,c,,,,Dry,5,0,",
    )
    assert isinstance(first, ImportedProduct)
    assert isinstance(second, ImportedProduct)
    assert (first.name, first.slug, first.vendor, first.category) == ("Skirt", "skirt-1", "House", ("Women", "Skirts"))
    assert first.attributes == {"Season": "All year"}
    assert [image.url for image in first.images] == ["https://img.example.com/1.jpg"]
    assert [(variant.sku, variant.stock, variant.options) for variant in first.variants] == [
        ("S-a", 3, {"Colour": "Navy"}),
        ("S-b", None, {"Colour": "white"}),
    ]
    assert first.variants[0].price == Money(120050, "NGN")
    assert (second.name, second.category, second.attributes) == ("Thing", (), {"Season": "Dry"})
    assert second.variants[0].options == {}


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["1,a,,,,,x,,"], "row 2, column price: 'x' is not a decimal amount."),
        (["1,,,,,,1,,"], "row 2, column sku: This is empty, and it is needed."),
        ([",a,,,,,1,,"], "row 2, column id: This is empty, and it is needed."),
        (["1,a,,,,,1,-1,"], "row 2, column stock: A stock of -1 is below zero."),
        (["1,a,,,a b.jpg,,1,,"], "row 2, column file: 'https://img.example.com/a b.jpg' is not a web address"),
        (["1,a,,,,,1,,navy", "1,b,,,,,1,,navy"], "row 3, column id: Row 2 is the same product with the same options."),
        (["1,a,,,,,1,,", "2,a,,,,,1,,"], "row 3, column sku: S-a is the SKU of row 2 already."),
        (["1,a,,,,,1,,", "2,b,,,,,1,,", "1,c,,,,,1,,x"], "row 4, column id: 1 stands in row 2 already"),
    ],
)
def test_a_mapped_file_tells_what_is_wrong_by_its_own_columns(
    mapped: Callable[..., list[ImportedProduct | RowProblem]], rows: list[str], problem: str
) -> None:
    (found,) = [item for item in mapped(*rows) if isinstance(item, RowProblem)]
    assert str(found).startswith(problem)


def test_prices_of_one_product_are_in_one_currency(mapped: Callable[..., list[ImportedProduct | RowProblem]]) -> None:
    mapping = MAPPING.replace('currency = "NGN"', 'currency = "{season}"').replace("All year", "NGN")
    found = mapped("1,a,,,,USD,1,,red", "1,b,,,,GHS,1,,blue", mapping=mapping)
    assert [str(item) for item in found] == ["row 3, column season: The prices of one product are in one currency."]


def test_a_column_that_the_mapping_names_is_needed(mapped: Callable[..., list[ImportedProduct | RowProblem]]) -> None:
    found = mapped("1", header="id")
    assert {item.column for item in found if isinstance(item, RowProblem)} == set(COLUMNS.split(",")) - {"id"}


def test_other_encodings_delimiters_and_literal_braces_are_read(tmp_path: Path) -> None:
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        'source = "s"\nencoding = "cp1252"\ndelimiter = ";"\n[product]\nid = "{Id}"\nname = "{{{Name}}}"\n'
        'vendor = "V"\nstatus = "draft"\n[variant]\nsku = "{Id}"\nprice = "1"\n'
    )
    path = tmp_path / "m.csv"
    path.write_bytes("Id;Name\n1;Café, noir\n".encode("cp1252"))
    (product,) = MappedFile(path, mapping=load_mapping(str(mapping)))
    assert isinstance(product, ImportedProduct)
    assert (product.name, product.status) == ("{Café, noir}", "draft")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('source = "shop"', 'source = "My Shop"'), "source is a name of up to 40"),
        (('source = "shop"', "source = 3"), "source is a name of up to 40"),
        (('id = "{id}"', ""), "product.id is missing."),
        (('vendor = "House"', 'vendro = "House"'), "product.vendro is not a key; did you mean vendor?"),
        (("[defaults]", "[zzz]"), "zzz is not a key; known are source"),
        (('price = "{price}"', "price = 12"), "variant.price is a text or a list of texts, not 12"),
        (('price = "{price}"', 'price = "{price"'), "has a brace without its partner"),
        (('images = ["https://img.example.com/{file}"]', 'images = "x"'), "product.images is a list"),
        (("[values.colour]", "[values]"), "values.navy is a table of texts, not 'Navy'"),
        (('season = "All year"', "season = 1"), "defaults is a table of texts"),
        (('source = "shop"', 'source = "shop"\nencoding = "utf-16"'), "encoding is a superset of ASCII"),
        (('source = "shop"', 'source = "shop"\nencoding = "klingon"'), "encoding is a superset of ASCII"),
        (('source = "shop"', 'source = "shop"\ndelimiter = "::"'), "delimiter is one character"),
        (('[variant.options]\nColour = "{colour}"', ""), None),
        (("[product.attributes]\nSeason", "attributes"), "product.attributes is a table"),
        (("[product]", "[product"), "is not TOML"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(tmp_path: Path, change: tuple[str, str], problem: str | None) -> None:
    path = tmp_path / "mapping.toml"
    assert change[0] in MAPPING
    path.write_text(MAPPING.replace(*change), encoding="utf-8")
    if problem is None:
        assert load_mapping(str(path)).options == {}
        return
    with pytest.raises(ImportMappingError) as raised:
        load_mapping(str(path))
    assert problem in raised.value.detail


def test_an_unknown_mapping_names_the_shipped_ones() -> None:
    assert shipped_mappings() == ["fashion_product_styles", "myntra"]
    with pytest.raises(ImportMappingError, match=r"\(fashion_product_styles, myntra\)"):
        load_mapping("nothing.toml")


@pytest.mark.parametrize("name", shipped_mappings())
def test_the_shipped_mappings_can_be_used(name: str) -> None:
    assert load_mapping(name).source == name.replace("_", "-")


def test_the_mapping_in_the_guide_can_be_used(tmp_path: Path) -> None:
    guide = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "import-products.md"
    example = guide.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "feed.toml"
    path.write_text(example, encoding="utf-8")
    assert load_mapping(str(path)).source == "feed"
