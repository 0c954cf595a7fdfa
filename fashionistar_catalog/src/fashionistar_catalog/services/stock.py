"""Stock: the counter of a variant and its ledger of movements, always changed together, under a row lock."""

from collections.abc import Mapping

from django.db import transaction
from fashionistar_common import audit
from fashionistar_common.db.locks import lock_rows
from fashionistar_common.events import event_bus

from ..events import StockChanged
from ..exceptions import (
    InvalidQuantityError,
    MissingReferenceError,
    OutOfStockError,
    VariantNotFoundError,
)
from ..models import Product, StockMovement, Variant, Vendor

Reason = StockMovement.Reason


@transaction.atomic
def take_stock(quantities: Mapping[str, int], *, reference: str) -> None:
    """Take pieces out of stock for a sale: all lines or none.

    Part of the caller's transaction. Locks the variants in primary-key order and decides under the lock. A repeated
    call with the same reference changes nothing. Publishes `catalog.stock_changed` per variant.

    Args:
        quantities: pieces by SKU, each above zero.
        reference: what the pieces are sold with, such as an order number.

    Raises:
        OutOfStockError: with `sku`, `requested` and `available`; also for a variant that is not on sale (0 available).
        InvalidQuantityError: for a quantity below one.
        MissingReferenceError: without a reference.
    """
    _check(quantities, reference)
    variants = _lock(quantities)
    done = _done(variants, Reason.SOLD, reference)
    changes = {}
    for sku, requested in quantities.items():
        variant = variants.get(sku)
        if variant is not None and variant.pk in done:
            continue
        available = variant.stock if variant is not None and _on_sale(variant) else 0
        if variant is None or available < requested:
            raise OutOfStockError(sku=sku, requested=requested, available=available)
        changes[variant] = -requested
    _move(changes, Reason.SOLD, reference)


@transaction.atomic
def return_stock(quantities: Mapping[str, int], *, reference: str) -> None:
    """Put pieces back into stock, on sale or not.

    Part of the caller's transaction. Locks the variants in primary-key order. A second return for the same variant
    and reference changes nothing. Publishes `catalog.stock_changed` per variant.

    Raises:
        VariantNotFoundError: for an unknown SKU.
        InvalidQuantityError: for a quantity below one.
        MissingReferenceError: without a reference.
    """
    _check(quantities, reference)
    variants = _lock(quantities)
    for sku in quantities:
        if sku not in variants:
            raise VariantNotFoundError(sku=sku)
    done = _done(variants, Reason.RETURNED, reference)
    changes = {variant: quantities[sku] for sku, variant in variants.items() if variant.pk not in done}
    _move(changes, Reason.RETURNED, reference)


@transaction.atomic
def receive_stock(sku: str, quantity: int, *, reference: str = "") -> int:
    """Add a delivery and return the new stock. Locks the variant; publishes `catalog.stock_changed`.

    Raises:
        VariantNotFoundError: for an unknown SKU.
        InvalidQuantityError: for a quantity below one.
    """
    if quantity < 1:
        raise InvalidQuantityError(quantity=quantity)
    variant = _lock_one(sku)
    _move({variant: quantity}, Reason.RECEIVED, reference)
    _note("catalog.stock_received", variant, quantity, reference)
    return variant.stock


@transaction.atomic
def adjust_stock(sku: str, change: int, *, reference: str = "") -> int:
    """Correct the stock by a difference, such as -1 for a damaged piece, and return the new stock.

    Locks the variant; publishes `catalog.stock_changed`. A change of zero does nothing.

    Raises:
        VariantNotFoundError: for an unknown SKU.
        InvalidQuantityError: when less than nothing would be left.
    """
    variant = _lock_one(sku)
    if variant.stock + change < 0:
        raise InvalidQuantityError(quantity=change)
    if change:
        _move({variant: change}, Reason.ADJUSTED, reference)
        _note("catalog.stock_adjusted", variant, change, reference)
    return variant.stock


@transaction.atomic
def set_stock(sku: str, stock: int, *, reference: str = "") -> int:
    """Correct the stock to what was counted; the difference becomes an adjustment. Returns the new stock.

    Raises:
        VariantNotFoundError: for an unknown SKU.
        InvalidQuantityError: for a stock below zero.
    """
    if stock < 0:
        raise InvalidQuantityError(quantity=stock)
    return adjust_stock(sku, stock - _lock_one(sku).stock, reference=reference)


def _note(action: str, variant: Variant, change: int, reference: str) -> None:
    facts = {"stock": (variant.stock - change, variant.stock), "reference": (None, reference)}
    audit.record(action, variant, public_id=variant.sku, changes=facts)


def _check(quantities: Mapping[str, int], reference: str) -> None:
    if not reference:
        raise MissingReferenceError
    for quantity in quantities.values():
        if quantity < 1:
            raise InvalidQuantityError(quantity=quantity)


def _lock(skus: Mapping[str, int]) -> dict[str, Variant]:
    rows = lock_rows(Variant.objects.select_related("product__vendor").filter(sku__in=list(skus)))
    return {variant.sku: variant for variant in rows}


def _lock_one(sku: str) -> Variant:
    variant = _lock({sku: 0}).get(sku)
    if variant is None:
        raise VariantNotFoundError(sku=sku)
    return variant


def _on_sale(variant: Variant) -> bool:
    product = variant.product
    return (
        variant.is_active
        and product.status == Product.Status.PUBLISHED
        and product.vendor.status == Vendor.Status.ACTIVE
    )


def _done(variants: Mapping[str, Variant], reason: Reason, reference: str) -> set[int]:
    """The variants that have their movement for this reason and reference already."""
    movements = StockMovement.objects.filter(variant__in=list(variants.values()), reason=reason, reference=reference)
    return set(movements.values_list("variant_id", flat=True))


def _move(changes: Mapping[Variant, int], reason: Reason, reference: str) -> None:
    """Write counters and ledger of locked variants, and tell of it."""
    for variant, change in changes.items():
        variant.stock += change
    Variant.objects.bulk_update(changes, ["stock"])
    StockMovement.objects.bulk_create(
        StockMovement(variant=variant, quantity=change, reason=reason, reference=reference)
        for variant, change in changes.items()
    )
    for variant, change in changes.items():
        event_bus.publish(
            StockChanged(
                sku=variant.sku,
                product_id=str(variant.product.public_id),
                change=change,
                stock=variant.stock,
                reason=reason.value,
                reference=reference,
            )
        )
