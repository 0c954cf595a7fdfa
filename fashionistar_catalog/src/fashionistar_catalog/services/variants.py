from collections.abc import Collection
from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import Max, OuterRef, Subquery
from fashionistar_common import audit
from fashionistar_common.db.locks import lock_rows
from fashionistar_common.events import event_bus
from fashionistar_common.money import Money

from ..events import PriceChanged
from ..exceptions import InvalidPriceError, MixedCurrenciesError, SkuTakenError
from ..models import Product, Variant
from ..types import NewVariant
from .stock import receive_stock


class VariantChanges(TypedDict, total=False):
    """What `update_variant` can change."""

    title: str
    options: dict[str, str]
    barcode: str
    position: int
    is_active: bool


@transaction.atomic
def add_variant(product: Product, new: NewVariant) -> Variant:
    """Add a variant behind the others; its first stock is a movement of the ledger like any other.

    Locks the product. Publishes `catalog.stock_changed` where there is stock.

    Raises:
        SkuTakenError: when any product has the SKU.
        MixedCurrenciesError: when the price is not in the product's currency.
        InvalidPriceError: when a price is below zero.
        InvalidQuantityError: when the stock is below zero.
    """
    (product,) = lock_rows(Product.objects.filter(pk=product.pk))
    _check_prices(product.currency, new.price, new.compare_at)
    if Variant.objects.filter(sku=new.sku).exists():
        raise SkuTakenError(sku=new.sku)
    last = product.variants.aggregate(last=Max("position"))["last"]
    variant = Variant.objects.create(
        product=product,
        sku=new.sku,
        title=new.title or " / ".join(new.options.values()),
        options=dict(new.options),
        price_minor=new.price.amount_minor,
        compare_at_minor=None if new.compare_at is None else new.compare_at.amount_minor,
        currency=product.currency,
        position=0 if last is None else last + 1,
        barcode=new.barcode,
    )
    if new.stock:
        variant.stock = receive_stock(variant.sku, new.stock, reference="first stock")
    refresh_prices([product.pk])
    return variant


@transaction.atomic
def update_variant(variant: Variant, **changes: Unpack[VariantChanges]) -> Variant:
    """Change what a variant is called, or take it off sale and back. Locks the product."""
    lock_rows(Product.objects.filter(pk=variant.product_id))
    for name, value in changes.items():
        setattr(variant, name, value)
    variant.save(update_fields=list(changes))
    refresh_prices([variant.product_id])
    return variant


@transaction.atomic
def change_price(variant: Variant, *, price: Money, compare_at: Money | None = None) -> Variant:
    """Set what one piece costs, and the former price that a shop shows beside it.

    Locks the product, then the variant. Publishes `catalog.price_changed` when the price is another one.

    Raises:
        MixedCurrenciesError: when the price is not in the product's currency.
        InvalidPriceError: when a price is below zero.
    """
    (product,) = lock_rows(Product.objects.filter(pk=variant.product_id))
    (variant,) = lock_rows(Variant.objects.filter(pk=variant.pk))
    _check_prices(product.currency, price, compare_at)
    former, former_compare_at = variant.price_minor, variant.compare_at_minor
    variant.price_minor = price.amount_minor
    variant.compare_at_minor = None if compare_at is None else compare_at.amount_minor
    variant.save(update_fields=["price_minor", "compare_at_minor"])
    refresh_prices([product.pk])
    if former != variant.price_minor:
        event_bus.publish(
            PriceChanged(
                sku=variant.sku,
                product_id=str(product.public_id),
                price_minor=variant.price_minor,
                former_price_minor=former,
                compare_at_minor=variant.compare_at_minor,
                currency=variant.currency,
            )
        )
    facts = {
        "price_minor": (former, variant.price_minor),
        "compare_at_minor": (former_compare_at, variant.compare_at_minor),
    }
    changed = {name: pair for name, pair in facts.items() if pair[0] != pair[1]}
    if changed:
        audit.record("catalog.price_changed", variant, public_id=variant.sku, changes=changed)
    return variant


def refresh_prices(product_ids: Collection[int]) -> None:
    """Copy the lowest active price, and its compare-at price, from the variants to their products. One statement.

    The caller holds the locks of the products, or is the only one who writes them, as an import is.
    """
    lowest = Variant.objects.filter(product=OuterRef("pk"), is_active=True).order_by("price_minor", "id")
    Product.objects.filter(pk__in=product_ids).update(
        price_minor=Subquery(lowest.values("price_minor")[:1]),
        compare_at_minor=Subquery(lowest.values("compare_at_minor")[:1]),
    )


def _check_prices(currency: str, price: Money, compare_at: Money | None) -> None:
    for amount in (price, compare_at):
        if amount is None:
            continue
        if amount.currency != currency:
            raise MixedCurrenciesError(expected=currency, currency=amount.currency)
        if amount.amount_minor < 0:
            raise InvalidPriceError
