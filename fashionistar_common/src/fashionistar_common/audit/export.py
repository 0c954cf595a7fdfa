"""The log in forms that others read."""

import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from django.db.models import QuerySet

from ..csv_lines import csv_lines
from ..models import AuditEntry
from .chain import HASHED, in_batches

COLUMNS = ("sequence", "at", *HASHED, "previous_hash", "hash")


def as_jsonl(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """One JSON object per line, with all that the hash covers: the chain can be verified from it."""
    for entry in _each(entries):
        yield json.dumps(_facts(entry), separators=(",", ":")) + "\n"


def as_csv(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """CSV with a header; the changes are JSON in one cell."""
    rows = (_facts(entry) for entry in _each(entries))
    return csv_lines(COLUMNS, ([*({**row, "changes": json.dumps(row["changes"])}.values())] for row in rows))


FORMATS = {"jsonl": as_jsonl, "csv": as_csv}


def _each(entries: QuerySet[AuditEntry]) -> Iterator[AuditEntry]:
    for batch in in_batches(entries):
        yield from batch


def _facts(entry: AuditEntry) -> dict[str, Any]:
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    return {name: at if name == "at" else getattr(entry, name) for name in COLUMNS}
