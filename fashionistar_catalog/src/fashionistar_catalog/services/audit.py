from collections.abc import Callable, Iterator

from django.db import transaction
from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce
from fashionistar_common.db.locks import lock_rows

from ..models import StockMovement, Variant
from ..types import StockDifference

BATCH = 1000


def audit_stock(*, fix: bool = False, progress: Callable[[int, int], None] | None = None) -> list[StockDifference]:
    """Compare every counter with the sum of its movements, a thousand variants at a time.

    Args:
        fix: set each wrong counter to its ledger's sum, under the variant's lock. A ledger below zero means missing
            movements: its counter becomes zero and an adjustment brings the ledger there.
        progress: called with the highest key done and the highest key of all.

    Returns:
        What disagreed, before any fix.
    """
    differences = []
    last = Variant.objects.aggregate(last=Max("pk"))["last"] or 0
    for start in range(0, last, BATCH):
        for variant_id, difference in _differences(start, start + BATCH):
            differences.append(difference)
            if fix:
                _fix(variant_id)
        if progress:
            progress(min(start + BATCH, last), last)
    return differences


def _differences(after: int, until: int) -> Iterator[tuple[int, StockDifference]]:
    """One statement, so counters and ledgers are of the same moment."""
    rows = (
        Variant.objects.filter(pk__gt=after, pk__lte=until)
        .annotate(ledger=Coalesce(Sum("movements__quantity"), 0))
        .exclude(stock=F("ledger"))
        .order_by("pk")
        .values_list("pk", "sku", "stock", "ledger")
    )
    for pk, sku, counter, ledger in rows:
        yield pk, StockDifference(sku, counter, ledger)


@transaction.atomic
def _fix(variant_id: int) -> None:
    """Recompute one counter under its lock."""
    for variant in lock_rows(Variant.objects.filter(pk=variant_id)):
        ledger = variant.movements.aggregate(total=Coalesce(Sum("quantity"), 0))["total"]
        if ledger < 0:
            StockMovement.objects.create(
                variant=variant, quantity=-ledger, reason=StockMovement.Reason.ADJUSTED, reference="stock audit"
            )
        variant.stock = max(ledger, 0)
        variant.save(update_fields=["stock"])
