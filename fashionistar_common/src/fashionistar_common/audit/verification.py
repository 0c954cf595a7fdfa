"""Walking the chain."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import router
from django.db.models import Max
from django.utils import timezone

from ..conf import conf
from ..models import AuditChain, AuditEntry
from .chain import entry_hash, in_batches, rows
from .retention import PURGED


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
        sequence: the place in the chain; None: outside of it.
        what: a sentence.
    """

    sequence: int | None
    what: str


@dataclass
class Report:
    """What a walk has found.

    Attributes:
        entries: how many sealed entries were read.
        head: the newest one as `sequence:hash`. Keep it elsewhere: a chain that is rewritten as a whole fits together,
            but does not lead through a head that was noted before.
    """

    entries: int = 0
    head: str = "0:"
    findings: list[Finding] = field(default_factory=list)


def verify(*, checkpoint: str = "", progress: Callable[[int], object] = lambda count: None) -> Report:
    """Check every sealed entry: its hash, its place, its link to the one before it; both ends; what is left unsealed.

    Finds entries that were altered, deleted, moved, put in, or cut off at the end. Entries may be recorded, sealed and
    purged meanwhile; those that come are left for the next time.

    Args:
        checkpoint: an earlier report's `head`, kept where whoever can write to this database cannot.
        progress: called with the number of entries read since the last call.
    """
    report = Report()
    chain = _chain()
    report.head = str(chain)
    walk = _Walk(report, chain)
    for batch in in_batches(rows().filter(sequence__lte=chain.head, sequence__gt=chain.purged), by="sequence"):
        for entry in batch:
            walk.visit(entry)
        progress(len(batch))
    walk.end()
    report.findings += [*_ends(chain), *_waiting(), *_against(checkpoint, chain)]
    return report


def _chain() -> AuditChain:
    using = router.db_for_write(AuditChain)
    return AuditChain.objects.using(using).filter(pk=1).first() or AuditChain(pk=1)


class _Walk:
    def __init__(self, report: Report, chain: AuditChain) -> None:
        self.report, self.chain = report, chain
        self.sequence, self.hash = chain.purged, chain.purged_hash

    def visit(self, entry: AuditEntry) -> None:
        assert entry.sequence is not None  # noqa: S101 - asked for
        if entry.sequence > self.sequence + 1 and (now := _chain()).purged > self.sequence:
            self.sequence, self.hash = now.purged, now.purged_hash  # retention has gone on while we read
        if entry.sequence <= self.sequence:
            return
        whole = self.missing(until=entry.sequence)
        if entry_hash(entry) != entry.hash:
            self.found(entry.sequence, f"{entry} was altered.")
        elif whole and entry.previous_hash != self.hash:
            self.found(entry.sequence, f"{entry} does not follow the entry before it.")
        self.sequence, self.hash = entry.sequence, entry.hash
        self.report.entries += 1

    def missing(self, *, until: int) -> bool:
        """Note a gap before this place; whether there is none."""
        first, last = self.sequence + 1, until - 1
        if first <= last:
            self.found(first, "It is missing." if last == first else f"All from here to {last} are missing.")
        return first > last

    def end(self) -> None:
        whole = self.missing(until=self.chain.head + 1)
        if whole and self.hash != self.chain.head_hash:
            self.found(self.chain.head, "The last entry is not the one that was sealed last.")

    def found(self, sequence: int | None, what: str) -> None:
        self.report.findings.append(Finding(sequence, what))


def _ends(chain: AuditChain) -> Iterator[Finding]:
    """What lies outside of the chain's two ends. Sealing and purging may have moved them meanwhile."""
    beyond = rows().aggregate(last=Max("sequence"))["last"] or 0
    if beyond > max(chain.head, _chain().head):
        yield Finding(beyond, f"The chain ends at {chain.head}, but there are entries beyond it.")
    if leftover := rows().filter(sequence__lte=chain.purged).count():
        yield Finding(chain.purged, f"{leftover} entries are still there that retention has removed.")
    declared = rows().filter(action=PURGED).values_list("changes__through__1", flat=True)
    if chain.purged > max((reached for reached in declared if isinstance(reached, int)), default=0):
        yield Finding(chain.purged, "The beginning is gone, and no entry tells of a purge that reached so far.")


def unsealed() -> int:
    """How many entries have waited longer than `AUDIT_SEAL_GRACE` to be sealed."""
    before = timezone.now() - timedelta(seconds=conf.AUDIT_SEAL_GRACE)
    return rows().filter(sequence__isnull=True, at__lt=before).count()


def _waiting() -> Iterator[Finding]:
    if waiting := unsealed():
        yield Finding(None, f"{waiting} entries wait to be sealed; is `relay_events` or `seal_audit` running?")


def _against(checkpoint: str, chain: AuditChain) -> Iterator[Finding]:
    if not checkpoint:
        return
    written, _, expected = checkpoint.partition(":")
    sequence = int(written)
    actual: str | None
    known = {0: "", chain.purged: chain.purged_hash, chain.head: chain.head_hash}
    if sequence in known:
        actual = known[sequence]
    elif sequence < chain.purged:
        return  # removed since, as declared
    else:
        actual = rows().filter(sequence=sequence).values_list("hash", flat=True).first()
    if actual != expected:
        yield Finding(sequence, "The chain does not lead through the checkpoint: it was cut off or rewritten.")
