"""Builders for tests: `make_product(stock=3)`. They go through the services, so what they build is whole."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from fashionistar_common.money import Money

from . import services
from .conf import conf
from .models import Category, Product, Variant, Vendor
from .types import NewVariant

_numbers = count(1)


def make_vendor(name: str = "Adire House", **fields: Any) -> Vendor:
    """An active vendor."""
    return services.create_vendor(name=name, **fields)


def make_category(name: str = "Dresses", *, parent: Category | None = None, **fields: Any) -> Category:
    """A category, by default a root."""
    return services.create_category(name=name, parent=parent, **fields)


def make_product(
    name: str = "Indigo wrap dress",
    *,
    vendor: Vendor | None = None,
    variants: Sequence[NewVariant] | None = None,
    price: str = "129.00",
    stock: int = 10,
    sku: str = "",
    images: int = 0,
    published: bool = True,
    **fields: Any,
) -> Product:
    """A published product of `vendor` (a new one by default).

    Without `variants` it has one, with the given price, stock and SKU; any more arguments are `create_product`'s.
    """
    if variants is None:
        money = Money.parse(price, fields.get("currency") or conf.CURRENCY)
        variants = [NewVariant(sku=sku or make_sku(), price=money, stock=stock, options={"Size": "M"})]
    product = services.create_product(vendor=vendor or make_vendor(), name=name, variants=variants, **fields)
    for number in range(images):
        url = f"https://images.fashionistar.example/{product.slug}/{number}.webp"
        services.add_image(product, url=url, alt=f"{name}, view {number + 1}")
    return services.publish_product(product) if published else product


def make_variant(product: Product, *, price: str = "129.00", stock: int = 10, sku: str = "", **fields: Any) -> Variant:
    """One more variant of a product."""
    money = Money.parse(price, product.currency)
    return services.add_variant(product, NewVariant(sku=sku or make_sku(), price=money, stock=stock, **fields))


def make_sku() -> str:
    """A SKU that no other call returns."""
    return f"SKU-{next(_numbers):06d}"
