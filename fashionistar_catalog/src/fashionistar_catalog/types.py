"""Values that cross the catalog's boundaries. No ORM."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from fashionistar_common.exceptions import FieldError
from fashionistar_common.money import Money, MoneyError

from .conf import conf
from .exceptions import InvalidFilterError


@dataclass(frozen=True, slots=True)
class SellableVariant:
    """A variant as a cart and an order need it.

    Attributes:
        price: of one piece.
        vendor_id: the public id of the vendor.
        available: pieces in stock when it was read; nothing is reserved.
    """

    sku: str
    product_name: str
    options: dict[str, str]
    price: Money
    vendor_id: str
    vendor_name: str
    available: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVariant:
    """What a variant is made of; see `services.add_variant`."""

    sku: str
    price: Money
    compare_at: Money | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    stock: int = 0
    barcode: str = ""


@dataclass(frozen=True, slots=True)
class StockDifference:
    """A variant whose counter and ledger disagree."""

    sku: str
    counter: int
    ledger: int


@dataclass(frozen=True, slots=True)
class CategoryNode:
    """A category in the tree.

    Attributes:
        product_count: products on sale in this category and below it.
        breadcrumbs: the categories above it, the root first.
    """

    slug: str
    name: str
    product_count: int
    breadcrumbs: tuple[Crumb, ...]
    children: tuple[CategoryNode, ...]


@dataclass(frozen=True, slots=True)
class Crumb:
    """One step of a breadcrumb trail."""

    slug: str
    name: str


class Sort(StrEnum):
    """The orders of a product list. Prices of different currencies are compared as minor units."""

    NEWEST = "newest"
    PRICE = "price"
    PRICE_DESCENDING = "-price"
    NAME = "name"
    RELEVANCE = "relevance"


#: Characters of a search. Each word of it is work, and without full-text search a level of nesting in the query.
LONGEST_SEARCH = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductFilters:
    """Which products on sale a list shows, and in what order.

    Attributes:
        q: words to search for, with the usual "quoted phrases", OR and -exclusions.
        category: slug; products of the categories below it are included.
        vendor: slug.
        brands: any of these, spelled exactly.
        min_price, max_price: of the lowest-priced variant, inclusive, in one currency.
        currency: only products priced in it.
        in_stock: True: something left; False: sold out; None: both.
        sort: `RELEVANCE` needs `q`.

    Raises:
        InvalidFilterError: with one field error per wrong parameter.
    """

    q: str = ""
    category: str = ""
    vendor: str = ""
    brands: tuple[str, ...] = ()
    min_price: Money | None = None
    max_price: Money | None = None
    currency: str = ""
    in_stock: bool | None = None
    sort: Sort = Sort.NEWEST

    def __post_init__(self) -> None:
        if self.sort is Sort.RELEVANCE and not self.q:
            raise InvalidFilterError(errors=[FieldError(pointer="?sort", detail="Relevance needs q.")])
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            detail = "This is below min_price."
            raise InvalidFilterError(errors=[FieldError(pointer="?max_price", detail=detail)])

    @classmethod
    def parse(
        cls,
        *,
        q: str | None = None,
        category: str | None = None,
        vendor: str | None = None,
        brand: list[str] | None = None,
        min_price: str | None = None,
        max_price: str | None = None,
        currency: str | None = None,
        in_stock: str | None = None,
        sort: str | None = None,
    ) -> Self:
        """Build the filters from the parameters of a request; both API versions do it here.

        The faces have checked `in_stock` ("true" or "false") and `sort`. Amounts are decimal strings like `"129.00"`,
        in `currency` or else in the setting CURRENCY. Without a sort, a search is sorted by relevance and anything else
        by newest.

        Raises:
            InvalidFilterError: with one field error per wrong parameter.
        """
        words = " ".join((q or "").split())
        texts = {"q": words, "category": category, "vendor": vendor, "brand": "".join(brand or ())}
        errors = [
            FieldError(pointer=f"?{parameter}", detail="Null characters are not allowed.")
            for parameter, text in texts.items()
            if text and "\0" in text
        ]

        if len(words) > LONGEST_SEARCH:
            errors.append(FieldError(pointer="?q", detail=f"At most {LONGEST_SEARCH} characters."))

        def amount(parameter: str, text: str | None) -> Money | None:
            if not text:
                return None
            try:
                return Money.parse(text, currency or conf.CURRENCY)
            except MoneyError as error:
                errors.append(FieldError(pointer=f"?{parameter}", detail=error.detail, code=error.code))
                return None

        if currency and not re.fullmatch("[A-Z]{3}", currency):
            detail = "Write the three capital letters of ISO 4217, such as NGN."
            raise InvalidFilterError(errors=[*errors, FieldError(pointer="?currency", detail=detail)])
        lowest, highest = amount("min_price", min_price), amount("max_price", max_price)
        if errors:
            raise InvalidFilterError(errors=errors)
        return cls(
            q=words,
            category=category or "",
            vendor=vendor or "",
            brands=tuple(brand or ()),
            min_price=lowest,
            max_price=highest,
            currency=currency or (conf.CURRENCY if lowest is not None or highest is not None else ""),
            in_stock=in_stock == "true" if in_stock else None,
            sort=Sort(sort) if sort else Sort.RELEVANCE if words else Sort.NEWEST,
        )


@dataclass(slots=True)
class ImportCounts:
    """What an import did with one kind of row."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import did, or would do.

    Attributes:
        reference: on the stock movements of this import.
        vendors_created, categories_created: found nowhere by their slug, so added.
        products_published: were not on sale before.
        variants: `removed` counts those that the file no longer names; they are kept, but off sale.
        prices: one per variant, with its compare-at price.
        images: addresses; `removed` counts those that the file no longer names.
    """

    source: str
    reference: str
    products: ImportCounts = field(default_factory=ImportCounts)
    variants: ImportCounts = field(default_factory=ImportCounts)
    prices: ImportCounts = field(default_factory=ImportCounts)
    images: ImportCounts = field(default_factory=ImportCounts)
    vendors_created: int = 0
    categories_created: int = 0
    products_published: int = 0
    stock_movements: int = 0

    @property
    def changed(self) -> bool:
        """Whether the import wrote anything."""
        kinds = (self.products, self.variants, self.prices, self.images)
        return bool(self.stock_movements) or any(kind.created or kind.updated or kind.removed for kind in kinds)
