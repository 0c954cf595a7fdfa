"""Rate limits in the database: one statement, and a second one only to tell who is refused how long to wait."""

from django.db import connections, router
from django.db.models import QuerySet
from django.utils import timezone

from ..models import RateLimit
from .rates import SECOND, Rate

#: By vendor: the database's own clock in microseconds, and its word for the larger of two.
DIALECTS = {
    "postgresql": ("(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint", "GREATEST"),
    "sqlite": ("CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000", "MAX"),
}

# `excluded.paid_at` is now + interval, so that the clock is read once.
SPEND = """
INSERT INTO {table} AS kept (key, paid_at) VALUES (%(key)s, {now} + %(interval)s)
ON CONFLICT (key) DO UPDATE SET paid_at = {larger}(kept.paid_at + %(interval)s, excluded.paid_at)
WHERE {larger}(kept.paid_at + %(interval)s, excluded.paid_at) <= excluded.paid_at + %(rest)s
RETURNING paid_at - {now}
"""


def spend(digest: str, rate: Rate) -> tuple[bool, int]:
    """Count a call; whether it is allowed, and the debt after it in microseconds.

    Locks the key's row for the length of a statement, or of the transaction in which it is called.
    """
    connection = connections[router.db_for_write(RateLimit)]
    table = connection.ops.quote_name(RateLimit._meta.db_table)
    now, larger = DIALECTS[connection.vendor]
    values: dict[str, str | int] = {"key": digest, "interval": rate.interval, "rest": rate.interval * (rate.limit - 1)}
    with connection.cursor() as cursor:
        cursor.execute(SPEND.format(table=table, now=now, larger=larger), values)
        if row := cursor.fetchone():
            return True, max(0, row[0])
        cursor.execute(f"SELECT paid_at - {now} FROM {table} WHERE key = %s", [digest])  # noqa: S608 - no value of others
        row = cursor.fetchone()
    return False, max(0, row[0]) if row else rate.interval * rate.limit


def forget(digest: str) -> None:
    RateLimit.objects.filter(key=digest).delete()


def paid() -> QuerySet[RateLimit]:
    """Rows that mean nothing any more."""
    return RateLimit.objects.filter(paid_at__lt=int(timezone.now().timestamp() * SECOND))
