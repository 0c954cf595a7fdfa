"""Removing what is too old, from the beginning of the chain and by this door only."""

from collections.abc import Iterator
from datetime import datetime

from django.db import connections, router, transaction

from ..models import AuditChain, AuditEntry
from .chain import rows, seal
from .recording import record

#: The action under which a purge tells of itself, before it begins.
PURGED = "common.audit_purged"


def purgeable(before: datetime) -> int:
    """The sequence up to which every entry is older than `before`; 0: nothing is.

    A purge takes a whole beginning of the chain: what is old but stands behind something younger stays with that.
    """
    sealed = rows().filter(sequence__isnull=False).order_by("sequence")
    kept = sealed.filter(at__gte=before).values_list("sequence", flat=True).first()
    last = sealed.values_list("sequence", flat=True).last()
    return kept - 1 if kept is not None else last or 0


def purge(before: datetime, *, batch: int = 1000) -> Iterator[int]:
    """Remove the entries that are older than `before`; yields how many each batch has removed.

    First an entry of the log itself says up to where; then each batch moves the beginning of the chain in the
    transaction that removes it. So the chain can be verified at any moment, also when this was killed on the way.
    Locks the row of the chain during each batch.
    """
    using = router.db_for_write(AuditEntry)
    seal()
    through = purgeable(before)
    first = rows().filter(sequence__lte=through).order_by("sequence").first()
    if first is None:
        return
    with transaction.atomic(using=using):
        chain = AuditChain.objects.using(using).get(pk=1)
        record(PURGED, chain, changes={"through": [chain.purged, through], "before": [None, before.isoformat()]})
    while removed := _purge_batch(using, through, batch):
        yield removed


def _purge_batch(using: str, through: int, batch: int) -> int:
    with transaction.atomic(using=using):
        chain = AuditChain.objects.using(using).select_for_update().get(pk=1)
        doomed = rows().filter(sequence__gt=chain.purged, sequence__lte=through).order_by("sequence")[:batch]
        found = list(doomed.values_list("pk", "sequence", "hash"))
        if not found:
            return 0
        _, last, chain.purged_hash = found[-1]
        chain.purged = last or 0
        chain.save(update_fields=["purged", "purged_hash"])
        if (connection := connections[using]).vendor == "postgresql":
            with connection.cursor() as cursor:  # for this transaction only; see the trigger in the migration
                cursor.execute("SELECT set_config('fashionistar.audit_purge', 'on', true)")
        rows().filter(pk__in=[pk for pk, _, _ in found])._raw_delete(using)  # noqa: SLF001 - no signals, no cascades
        return len(found)
