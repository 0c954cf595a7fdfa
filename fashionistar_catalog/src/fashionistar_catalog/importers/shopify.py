"""The product CSV of Shopify: one product over several rows, joined by its handle."""

from collections.abc import Collection, Iterator
from pathlib import Path

from . import values
from .records import ImportedImage, ImportedProduct, ImportedVariant, Problems
from .rich_text import plain_text
from .rows import Row
from .source import ProductFile

OPTION_NUMBERS = (1, 2, 3)
BOOLEANS = {"": "", "true": "true", "false": "false", "1": "true", "0": "false", "yes": "true", "no": "false"}
STATUSES = {"": "", "active": "published", "draft": "draft", "archived": "archived"}


class ShopifyFile(ProductFile):
    """A Shopify export.

    Read are handle, title, body, vendor, type, tags, published, status, the three options, and of each variant the
    SKU, price, compare-at price, inventory quantity and barcode, and the image columns. Other columns are ignored.
    """

    format = "shopify"
    id_column = "Handle"
    sku_column = "Variant SKU"

    def __init__(self, path: Path, *, currency: str, source: str = "shopify") -> None:
        """The file's amounts are in `currency`: it does not say so itself."""
        super().__init__(path, source=source)
        self.currency = currency

    @property
    def columns(self) -> Collection[str]:
        return ("Handle", "Title", "Vendor", "Option1 Name", "Option1 Value", "Variant Price")

    def key(self, row: Row) -> str:
        return row["Handle"]

    def product(self, key: str, rows: list[Row], problems: Problems) -> ImportedProduct | None:
        head = rows[0]

        def read(column: str, limit: int) -> str:
            return problems.read(head.number, column, head[column], values.text(limit, needed="needed")) or ""

        problems.read(head.number, "Handle", key, values.text(200))
        name, vendor = read("Title", 255), read("Vendor", 160)
        category = problems.read(head.number, "Type", head["Type"], values.text(120)) or ""
        tags = [tag for tag in (part.strip() for part in head["Tags"].split(",")) if tag]
        variants = tuple(self._variants(key, rows, problems))
        images = tuple(self._images(rows, problems))
        status = self._status(head, problems)
        if not variants and not problems.found:
            problems.add(head.number, "Variant Price", "The product has no variant: no row names an option or a price.")
        if problems.found:
            return None
        return ImportedProduct(
            row=head.number,
            external_id=key,
            name=name,
            slug=values.slug_of(key),
            vendor=vendor,
            status=status,
            description=plain_text(head["Body (HTML)"]),
            category=(category,) if category else (),
            attributes={"tags": tags} if tags else {},
            variants=variants,
            images=images,
        )

    def _status(self, head: Row, problems: Problems) -> str:
        """Draft and archived by the newer column `Status`; else published unless `Published` says false."""
        published = problems.read(head.number, "Published", head["Published"], values.one_of(BOOLEANS))
        status = problems.read(head.number, "Status", head["Status"], values.one_of(STATUSES)) or "published"
        return "draft" if status == "published" and published == "false" else status

    def _variants(self, handle: str, rows: list[Row], problems: Problems) -> Iterator[ImportedVariant]:
        names = {number: rows[0][f"Option{number} Name"] for number in OPTION_NUMBERS}
        seen: dict[tuple[tuple[str, str], ...], int] = {}
        for row in rows:
            if not (row["Option1 Value"] or row["Variant SKU"] or row["Variant Price"]):
                continue  # a row for a further image
            options = self._options(row, names, problems)
            first = seen.setdefault(tuple(options.items()), row.number)
            if first != row.number:
                problems.add(row.number, "Option1 Value", f"Row {first} has the same options.")
            sku = row["Variant SKU"] or values.sku_of(handle, options.values())
            if variant := self._variant(row, sku, options, problems):
                yield variant

    def _options(self, row: Row, names: dict[int, str], problems: Problems) -> dict[str, str]:
        options: dict[str, str] = {}
        for number in OPTION_NUMBERS:
            value = row[f"Option{number} Value"]
            if value and not names[number]:
                problems.add(row.number, f"Option{number} Value", "The product's first row does not name this option.")
            elif names[number] in options:
                problems.add(row.number, f"Option{number} Name", "Another option has this name.")
            elif names[number] and not value:
                problems.add(row.number, f"Option{number} Value", f"A value for {names[number]} is needed.")
            elif value:
                column = f"Option{number} Value"
                options[names[number]] = problems.read(row.number, column, value, values.text(255)) or ""
        # This is how the format writes that there is nothing to choose.
        return {} if options == {"Title": "Default Title"} else options

    def _variant(self, row: Row, sku: str, options: dict[str, str], problems: Problems) -> ImportedVariant | None:
        problems.read(row.number, "Variant SKU", sku, values.text(100))
        price = problems.read(row.number, "Variant Price", row["Variant Price"], values.price(self.currency))
        column = "Variant Compare At Price"
        compare_at = problems.read(row.number, column, row[column], values.former_price(self.currency))
        stock = problems.read(row.number, "Variant Inventory Qty", row["Variant Inventory Qty"], values.stock)
        # A spreadsheet guards a long number with an apostrophe.
        barcode = problems.read(
            row.number, "Variant Barcode", row["Variant Barcode"].removeprefix("'"), values.text(64)
        )
        if price is None:
            return None
        return ImportedVariant(
            row=row.number,
            sku=sku,
            price=price,
            compare_at=compare_at,
            stock=stock,
            options=options,
            barcode=barcode or "",
        )

    def _images(self, rows: list[Row], problems: Problems) -> Iterator[ImportedImage]:
        seen: set[str] = set()
        for row in rows:
            if not row["Image Src"] or row["Image Src"] in seen:
                continue
            seen.add(row["Image Src"])
            url = problems.read(row.number, "Image Src", row["Image Src"], values.address)
            alt = problems.read(row.number, "Image Alt Text", row["Image Alt Text"], values.text(255))
            place = problems.read(row.number, "Image Position", row["Image Position"], values.position)
            if url:
                yield ImportedImage(url, alt or "", place or len(seen))
