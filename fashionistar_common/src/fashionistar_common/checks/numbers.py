"""Numbers among the settings that make no sense, alone or together; those of events, tasks and calls are in theirs."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from ..conf import conf

ANY = float("inf")
#: The lowest and the highest value; both are allowed.
RANGES: dict[str, tuple[float, float]] = {
    "PAGE_SIZE": (1, 1000),
    "PAGE_SIZE_MAX": (1, 1000),
    "IDEMPOTENCY_LEASE": (1, 86_400),
    "IDEMPOTENCY_HOURS": (1, 24 * 365),
    "AUDIT_SEAL_GRACE": (1, 86_400),
    "SOFT_DELETE_DAYS": (1, ANY),
    "REPLICA_STICKY_SECONDS": (0, 86_400),
    "REPLICA_MAX_LAG": (0, 86_400),
    "REPLICA_CHECK_INTERVAL": (0, 3600),
    "GATHER_THREADS": (1, 256),
    "READY_TIMEOUT": (0.05, 10),
    "OUTBOX_LAG_MAX": (1, ANY),
    "SLOW_QUERY_MS": (0, ANY),
    "REPEATED_QUERIES": (0, ANY),
    "MAIL_QUEUE_BYTES": (1000, 100_000_000),
    "NOTIFICATION_DAYS": (1, ANY),
}
#: What is no larger than what, in the same unit.
ORDER = (("PAGE_SIZE", "PAGE_SIZE_MAX"),)


@register()
def check_numbers(**kwargs: Any) -> list[CheckMessage]:
    """E080: a number is out of its range. E081: one is larger than another that it cannot exceed."""
    messages: list[CheckMessage] = [
        Error(
            f"FASHIONISTAR_COMMON[{key!r}] is {getattr(conf, key)}.",
            hint=f"From {least:g} to {most:g}." if most != ANY else f"{least:g} or more.",
            id="fashionistar_common.E080",
        )
        for key, (least, most) in RANGES.items()
        if _is_number(getattr(conf, key)) and not least <= getattr(conf, key) <= most  # another type is E002
    ]
    for less, more in ORDER:
        lower, upper = getattr(conf, less), getattr(conf, more)
        if _is_number(lower) and _is_number(upper) and lower > upper:
            messages.append(
                Error(
                    f"FASHIONISTAR_COMMON[{less!r}] is {lower}, which is more than {more} ({upper}).",
                    id="fashionistar_common.E081",
                )
            )
    return messages


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
