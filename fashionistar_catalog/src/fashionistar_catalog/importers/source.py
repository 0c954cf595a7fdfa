"""What every format of product file has in common: products that lie over one or more rows."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar

from .records import ImportedProduct, Problems, RowProblem
from .rows import Row, RowFile


class ProductFile(ABC):
    """A file of products, read as a stream; iterate it for its products and its problems.

    The rows of one product follow each other. SKUs and product ids are unique in the file.

    Attributes:
        format: what the command calls it.
        source: the name under which its products are known; part of their identity.
        id_column, sku_column: where a problem with a product's or a variant's identity is shown.
    """

    format: ClassVar[str]
    id_column: str
    sku_column: str

    def __init__(self, path: Path, *, source: str, encoding: str = "utf-8", delimiter: str = ",") -> None:
        self.source = source
        self.file = RowFile(path, encoding=encoding, delimiter=delimiter)

    @property
    @abstractmethod
    def columns(self) -> Collection[str]:
        """The columns without which the file is refused."""

    @abstractmethod
    def key(self, row: Row) -> str:
        """What the rows of one product share."""

    @abstractmethod
    def product(self, key: str, rows: list[Row], problems: Problems) -> ImportedProduct | None:
        """The product that these rows describe; None where a problem was noted."""

    def __iter__(self) -> Iterator[ImportedProduct | RowProblem]:
        skus: dict[str, int] = {}
        for item in self._products():
            if isinstance(item, RowProblem):
                yield item
                continue
            unique = True
            for variant in item.variants:
                first = skus.setdefault(variant.sku, variant.row)
                if first != variant.row:
                    unique = False
                    detail = f"{variant.sku} is the SKU of row {first} already."
                    yield RowProblem(variant.row, self.sku_column, detail)
            if unique:
                yield item

    def _products(self) -> Iterator[ImportedProduct | RowProblem]:
        first_rows: dict[str, int] = {}
        group: list[Row] = []
        current = ""
        for item in self.file.rows(self.columns):
            if isinstance(item, RowProblem):
                yield item
                continue
            key = self.key(item)
            if not key:
                yield RowProblem(item.number, self.id_column, "This is empty, and it is needed.")
            elif key == current:
                group.append(item)
            elif key in first_rows:
                detail = f"{key} stands in row {first_rows[key]} already; the rows of a product follow each other."
                yield RowProblem(item.number, self.id_column, detail)
            else:
                yield from self._read(current, group)
                first_rows[key] = item.number
                current, group = key, [item]
        yield from self._read(current, group)

    def _read(self, key: str, rows: list[Row]) -> Iterator[ImportedProduct | RowProblem]:
        if not rows:
            return
        problems = Problems()
        product = self.product(key, rows, problems)
        yield from problems.found
        if product is not None and not problems.found:
            yield product
