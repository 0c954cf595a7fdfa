"""When a call may be made again, and after how long."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..backoff import backoff

#: Methods whose second time changes nothing (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
#: Answers that may be another one in a moment.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


def may_repeat(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request that may have arrived can be sent once more."""
    return method.upper() in IDEMPOTENT or bool(headers.get("idempotency-key"))


def pause(attempt: int, retry_after: str) -> float:
    """Seconds before the next attempt: what the server asks for, else about 0.2, 0.4, 0.8 ... up to 5."""
    asked = _seconds(retry_after)
    return asked if asked is not None else backoff(attempt, base=0.2, cap=5.0).total_seconds()


def _seconds(retry_after: str) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3): seconds or a date; None for anything else."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
