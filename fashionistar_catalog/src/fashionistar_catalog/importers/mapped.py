"""Any CSV file, read through a mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from ..conf import conf
from . import values
from .mapping import FileMapping
from .records import ImportedImage, ImportedProduct, ImportedVariant, Problems
from .rows import Row
from .source import ProductFile

STATUSES = {status: status for status in ("published", "draft", "archived")}
TEXT_LIMITS = {"product.name": 255, "product.vendor": 160, "product.brand": 120}


class MappedFile(ProductFile):
    """A CSV file with a row per variant.

    Rows with the same `product.id` are one product, described by the first of them.
    """

    format = "mapped"

    def __init__(self, path: Path, *, mapping: FileMapping) -> None:
        super().__init__(path, source=mapping.source, encoding=mapping.encoding, delimiter=mapping.delimiter)
        self.mapping = mapping
        self._columns = {name: value.columns[0] for name, value in mapping.values.items() if value.columns}
        self.id_column = self._column("product.id")
        self.sku_column = self._column("variant.sku")

    @property
    def columns(self) -> Collection[str]:
        return self.mapping.columns

    def key(self, row: Row) -> str:
        for column, default in self.mapping.defaults.items():
            row.cells[column] = row.cells[column] or default
        for column, replacements in self.mapping.replacements.items():
            row.cells[column] = replacements.get(row.cells[column], row.cells[column])
        return self._fill("product.id", row)

    def _column(self, name: str) -> str:
        """Where a problem with this value is shown: its first column, or its name in the mapping."""
        return self._columns.get(name, name)

    def _fill(self, name: str, row: Row) -> str:
        value = self.mapping.values.get(name)
        return value.fill(row) if value else ""

    def product(self, key: str, rows: list[Row], problems: Problems) -> ImportedProduct | None:
        head = rows[0]

        def read(name: str) -> str:
            convert = values.text(TEXT_LIMITS[name], needed="optional" if name == "product.brand" else "needed")
            return problems.read(head.number, self._column(name), self._fill(name, head), convert) or ""

        problems.read(head.number, self.id_column, key, values.text(200))
        name, vendor, brand = (read(name) for name in TEXT_LIMITS)
        status = self._fill("product.status", head) or "published"
        problems.read(head.number, self._column("product.status"), status, values.one_of(STATUSES))
        category = tuple(self._category(head, problems))
        variants = tuple(self._variants(rows, problems))
        images = tuple(self._images(rows, problems))
        if problems.found:
            return None
        return ImportedProduct(
            row=head.number,
            external_id=key,
            name=name,
            slug=values.slug_of(self._fill("product.slug", head) or f"{name} {key}"),
            vendor=vendor,
            status=status.casefold(),
            brand=brand,
            description=self._fill("product.description", head),
            category=category,
            attributes={
                attribute: text for attribute, value in self.mapping.attributes.items() if (text := value.fill(head))
            },
            variants=variants,
            images=images,
        )

    def _category(self, head: Row, problems: Problems) -> Iterator[str]:
        """The names in `Women > Dresses`; a name twice in a row, and an empty one, is one step less."""
        former = ""
        for step in self._fill("product.category", head).split(">"):
            name = problems.read(head.number, self._column("product.category"), step.strip(), values.text(120))
            if name and name != former:
                yield name
                former = name

    def _variants(self, rows: list[Row], problems: Problems) -> Iterator[ImportedVariant]:
        currencies: set[str] = set()
        seen: dict[tuple[tuple[str, str], ...], int] = {}
        for row in rows:
            variant = self._variant(row, problems)
            if variant is None:
                continue
            currencies.add(variant.price.currency)
            if len(currencies) > 1:
                detail = "The prices of one product are in one currency."
                problems.add(row.number, self._column("variant.currency"), detail)
            first = seen.setdefault(tuple(variant.options.items()), row.number)
            if first != row.number:
                detail = f"Row {first} is the same product with the same options."
                problems.add(row.number, self.id_column, detail)
            yield variant

    def _variant(self, row: Row, problems: Problems) -> ImportedVariant | None:
        def read[T](name: str, convert: values.Converter[T]) -> T | None:
            return problems.read(row.number, self._column(name), self._fill(name, row), convert)

        currency = (self._fill("variant.currency", row) or conf.CURRENCY).upper()
        sku = read("variant.sku", values.text(100, needed="needed"))
        price = read("variant.price", values.price(currency))
        compare_at = read("variant.compare_at", values.former_price(currency))
        stock = read("variant.stock", values.stock)
        barcode = read("variant.barcode", values.text(64))
        options = {}
        for option, value in self.mapping.options.items():
            column = value.columns[0] if value.columns else f"variant.options.{option}"
            if text := problems.read(row.number, column, value.fill(row), values.text(255)):
                options[option] = text
        if sku is None or price is None:
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
            for at, value in enumerate(self.mapping.images):
                column = value.columns[0] if value.columns else f"product.images[{at}]"
                url = problems.read(row.number, column, value.fill(row), values.address_or_nothing)
                if url and url not in seen:
                    seen.add(url)
                    yield ImportedImage(url, "", len(seen))
