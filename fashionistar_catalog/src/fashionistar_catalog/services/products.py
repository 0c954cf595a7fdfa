from collections.abc import Iterable, Mapping
from typing import TypedDict, Unpack

from django.core.files import File
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from fashionistar_common import audit
from fashionistar_common.db.locks import lock_rows
from fashionistar_common.events import event_bus

from ..conf import conf
from ..events import ProductPublished
from ..exceptions import NotPublishableError, SlugTakenError
from ..models import Category, Product, ProductImage, Vendor
from ..types import NewVariant
from .slugs import free_slug
from .variants import add_variant


class ProductChanges(TypedDict, total=False):
    """What `update_product` can change."""

    name: str
    slug: str
    brand: str
    description: str
    category: Category | None
    attributes: dict[str, object]


@transaction.atomic
def create_product(
    *,
    vendor: Vendor,
    name: str,
    slug: str = "",
    category: Category | None = None,
    brand: str = "",
    description: str = "",
    attributes: Mapping[str, object] | None = None,
    currency: str = "",
    variants: Iterable[NewVariant] = (),
) -> Product:
    """Add a draft with its variants. `currency` is that of all its prices; the setting CURRENCY by default.

    Publishes `catalog.stock_changed` for each variant with stock.

    Raises:
        SlugTakenError: when the slug is given and taken.
        SkuTakenError, MixedCurrenciesError, InvalidPriceError, InvalidQuantityError: see `add_variant`.
    """
    product = Product.objects.create(
        vendor=vendor,
        category=category,
        name=name,
        slug=free_slug(Product.objects.all(), wanted=slug, name=name),
        brand=brand,
        description=description,
        attributes=dict(attributes or {}),
        currency=currency or conf.CURRENCY,
    )
    for new in variants:
        add_variant(product, new)
    product.refresh_from_db(fields=["price_minor", "compare_at_minor"])
    return product


@transaction.atomic
def update_product(product: Product, **changes: Unpack[ProductChanges]) -> Product:
    """Change a product's texts, category or attributes.

    Raises:
        SlugTakenError: when the new slug is taken.
    """
    for name, value in changes.items():
        setattr(product, name, value)
    if Product.objects.filter(slug=product.slug).exclude(pk=product.pk).exists():
        raise SlugTakenError(slug=product.slug)
    product.save(update_fields=[*changes, "updated_at"])
    return product


@transaction.atomic
def add_image(product: Product, *, url: str = "", file: "File[bytes] | None" = None, alt: str = "") -> ProductImage:
    """Add a picture behind the others: an address elsewhere or a file for the default storage, not both."""
    last = product.images.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    return ProductImage.objects.create(product=product, url=url, file=file or "", alt=alt, position=position)


@transaction.atomic
def publish_product(product: Product) -> Product:
    """Put a product on sale. A product that was on sale before keeps its first publication time.

    Locks the product. Publishes `catalog.product_published`; nothing happens to a published one.

    Raises:
        NotPublishableError: when no variant is active.
    """
    (product,) = lock_rows(Product.objects.select_related("vendor").filter(pk=product.pk))
    if product.status == Product.Status.PUBLISHED:
        return product
    if product.price_minor is None:
        raise NotPublishableError(slug=product.slug)
    former, product.status = product.status, Product.Status.PUBLISHED
    product.published_at = product.published_at or timezone.now()
    product.save(update_fields=["status", "published_at", "updated_at"])
    event_bus.publish(
        ProductPublished(
            product_id=str(product.public_id),
            slug=product.slug,
            product_name=product.name,
            vendor_id=str(product.vendor.public_id),
        )
    )
    audit.record("catalog.product_published", product, changes={"status": (former, product.status)})
    return product


@transaction.atomic
def archive_product(product: Product) -> Product:
    """Take a product off sale and keep it; `publish_product` brings it back. Locks the product."""
    (product,) = lock_rows(Product.objects.filter(pk=product.pk))
    former, product.status = product.status, Product.Status.ARCHIVED
    product.save(update_fields=["status", "updated_at"])
    audit.record("catalog.product_archived", product, changes={"status": (former, product.status)})
    return product
