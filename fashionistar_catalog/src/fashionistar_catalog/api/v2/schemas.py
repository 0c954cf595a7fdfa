from __future__ import annotations

from typing import Any, Literal

from fashionistar_common.money import Money
from ninja import Field, FilterSchema, Schema

from ...models import ProductImage
from ...types import ProductFilters, Sort


class ProductFilterSchema(FilterSchema):
    """The query parameters of the product list; what they mean is in `ProductFilters`."""

    q: str | None = Field(None, description="Words to search for.")
    category: str | None = Field(None, description="Slug; the categories below it are included.")
    vendor: str | None = Field(None, description="Slug.")
    brand: list[str] | None = Field(None, description="Brand, spelled exactly; repeat it for any of several.")
    min_price: str | None = Field(None, description="Decimal amount in `currency`, inclusive.")
    max_price: str | None = Field(None, description="Decimal amount in `currency`, inclusive.")
    currency: str | None = Field(None, description="ISO 4217 code.")
    in_stock: Literal["true", "false"] | None = Field(None, description="Anything left, or sold out.")
    sort: Sort | None = Field(None, description="By default relevance with `q`, else newest.")

    @property
    def product_filters(self) -> ProductFilters:
        """What the parameters ask for.

        Raises:
            InvalidFilterError: with one field error per wrong parameter.
        """
        return ProductFilters.parse(**self.dict())


class Link(Schema):
    """Something with a page of its own."""

    slug: str
    name: str


class Image(Schema):
    """A picture."""

    url: str
    alt: str

    @staticmethod
    def resolve_url(image: ProductImage) -> str:
        return image.src


class ProductSummary(Schema):
    """A product in a list. `price` is the lowest of its variants."""

    slug: str
    name: str
    brand: str
    vendor: Link
    category: Link | None
    price: Money
    compare_at: Money | None
    image: Image | None
    in_stock: bool


class Variant(Schema):
    """What can be put into a cart."""

    sku: str
    title: str
    options: dict[str, str]
    price: Money
    compare_at: Money | None
    in_stock: bool
    stock: int


class Product(ProductSummary):
    """A product's own page. `breadcrumbs` lead from the root to the product's category."""

    description: str
    attributes: dict[str, Any]
    breadcrumbs: list[Link]
    images: list[Image]
    variants: list[Variant]


class Category(Schema):
    """A category and those below it. `product_count` includes them."""

    slug: str
    name: str
    product_count: int
    children: list[Category]


class CategoryDetail(Category):
    """A category's own page. `breadcrumbs` are the categories above it, the root first."""

    breadcrumbs: list[Link]


class CategoryTree(Schema):
    """All categories, from the roots."""

    results: list[Category]


class Vendor(Schema):
    """A shop on the marketplace."""

    slug: str
    name: str
    description: str
    product_count: int
