"""Reads. Every queryset comes with its loading decided: a face never causes a query of its own."""

from .categories import breadcrumbs, categories_below, category_node, category_tree
from .products import ORDERINGS, product_by_slug, products_on_sale, published_products
from .variants import sellable_variants
from .vendors import VENDOR_ORDERING, active_vendors, vendor_by_slug
from .visibility import ON_SALE

__all__ = [
    "ON_SALE",
    "ORDERINGS",
    "VENDOR_ORDERING",
    "active_vendors",
    "breadcrumbs",
    "categories_below",
    "category_node",
    "category_tree",
    "product_by_slug",
    "products_on_sale",
    "published_products",
    "sellable_variants",
    "vendor_by_slug",
]
