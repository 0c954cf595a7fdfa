"""What a product file says, once it is read: frozen values, no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fashionistar_common.money import Money

from ..exceptions import InvalidValueError


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One thing that is wrong in a file.

    Attributes:
        row: as a spreadsheet counts: the header is row 1, and a record with line breaks is one row.
        column: as the header spells it; empty where the whole row is meant.
    """

    row: int
    column: str
    detail: str

    def __str__(self) -> str:
        place = f"row {self.row}, column {self.column}" if self.column else f"row {self.row}"
        return f"{place}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedVariant:
    """One variant of a product.

    Attributes:
        compare_at: the former price; None where the file shows none.
        stock: pieces; None where the file does not say, which leaves the stock as it is.
    """

    row: int
    sku: str
    price: Money
    compare_at: Money | None = None
    stock: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    barcode: str = ""

    @property
    def title(self) -> str:
        return " / ".join(self.options.values())[:255]


@dataclass(frozen=True, slots=True)
class ImportedImage:
    """A picture that lies elsewhere."""

    url: str
    alt: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedProduct:
    """One product with everything that belongs to it.

    Attributes:
        external_id: how the file names the product; with the source it is what a second run finds it by.
        slug: wanted for a new product; a known product keeps the one it has.
        description: plain text.
        category: names from the root down; empty for none.
        variants: at least one, all in one currency.
    """

    row: int
    external_id: str
    name: str
    slug: str
    vendor: str
    status: str
    variants: tuple[ImportedVariant, ...]
    brand: str = ""
    description: str = ""
    category: tuple[str, ...] = ()
    attributes: Mapping[str, str | list[str]] = field(default_factory=dict)
    images: tuple[ImportedImage, ...] = ()


class Problems:
    """Collects what is wrong while one product is read, so that all of it is told at once."""

    def __init__(self) -> None:
        self.found: list[RowProblem] = []

    def add(self, row: int, column: str, detail: str) -> None:
        self.found.append(RowProblem(row, column, detail))

    def read[T](self, row: int, column: str, text: str, convert: Callable[[str], T]) -> T | None:
        """The converted text, or None after noting why it cannot be converted."""
        try:
            return convert(text)
        except InvalidValueError as error:
            self.add(row, column, error.detail)
            return None
