from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.lookups import IsNull

from ..exceptions import ProductNotFoundError
from ..models import Product, ProductImage, Variant
from ..types import ProductFilters, Sort
from .categories import breadcrumbs, categories_below
from .search import search
from .visibility import ON_SALE

#: The keyset of each order; the last field is unique.
ORDERINGS: Mapping[Sort, tuple[str, ...]] = {
    Sort.NEWEST: ("-published_at", "-id"),
    Sort.PRICE: ("price_minor", "id"),
    Sort.PRICE_DESCENDING: ("-price_minor", "-id"),
    Sort.NAME: ("name", "id"),
    Sort.RELEVANCE: ("-relevance", "-id"),
}


#: What is left of a product.
LEFT = Variant.objects.filter(product=OuterRef("pk"), is_active=True, stock__gt=0)


def products_on_sale() -> QuerySet[Product]:
    """Every product that the public may see, annotated with `in_stock`."""
    # Not EXISTS: PostgreSQL would answer it for a page by hashing the variants of the whole catalog.
    in_stock = IsNull(Subquery(LEFT.order_by().values("pk")[:1]), False)
    return Product.objects.filter(ON_SALE).annotate(in_stock=in_stock)


def published_products(filters: ProductFilters) -> QuerySet[Product]:
    """The products of a list, ready for `ORDERINGS[filters.sort]`.

    Loaded with them: vendor, category and the first image (as the list `cover`), in two queries for any number.
    `relevance` is annotated where there is a `q`.
    """
    first_image = ProductImage.objects.order_by("position", "id")[:1]
    products: QuerySet[Product] = (
        products_on_sale()
        .select_related("vendor", "category")
        .defer("description", "attributes", "vendor__description")
        .prefetch_related(Prefetch("images", queryset=first_image, to_attr="cover"))
    )
    if filters.q:
        products = search(products, filters.q)
    if filters.category:
        products = products.filter(category__in=categories_below(filters.category))
    if filters.in_stock is not None:
        products = products.filter(Exists(LEFT) if filters.in_stock else ~Exists(LEFT))
    exact: dict[str, Any] = {
        "vendor__slug": filters.vendor or None,
        "brand__in": filters.brands or None,
        "currency": filters.currency or None,
        "price_minor__gte": None if filters.min_price is None else filters.min_price.amount_minor,
        "price_minor__lte": None if filters.max_price is None else filters.max_price.amount_minor,
    }
    return products.filter(**{lookup: value for lookup, value in exact.items() if value is not None})


def product_by_slug(slug: str) -> Product:
    """One product on sale, with vendor, category, breadcrumbs, images and active variants; four queries.

    Raises:
        ProductNotFoundError: for an unknown slug, and for a product that is not on sale.
    """
    variants = Variant.objects.filter(is_active=True).order_by("position", "id")
    product = (
        products_on_sale()
        .select_related("vendor", "category")
        .prefetch_related("images", Prefetch("variants", queryset=variants))
        .filter(slug=slug)
        .first()
    )
    if product is None:
        raise ProductNotFoundError
    product.breadcrumbs = breadcrumbs(product.category)
    return product
