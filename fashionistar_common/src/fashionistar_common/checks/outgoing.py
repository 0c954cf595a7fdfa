"""What can be wrong with the limits of outgoing calls."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from ..conf import conf

AT_LEAST: dict[str, float] = {
    "OUTGOING_TIMEOUT": 0.001,
    "OUTGOING_DEADLINE": 0.001,
    "OUTGOING_ATTEMPTS": 1,
    "OUTGOING_MAX_BYTES": 1,
    "BREAKER_FAILURES": 1,
    "BREAKER_RATIO": 0.0,
    "BREAKER_WINDOW": 1,
    "BREAKER_COOLDOWN": 0.001,
}
AT_MOST: dict[str, float] = {"BREAKER_RATIO": 1.0}


@register()
def check_outgoing(**kwargs: Any) -> list[CheckMessage]:
    """E052: a limit that no call could keep, or that would never hold."""
    messages: list[CheckMessage] = []
    for name, least in AT_LEAST.items():
        value, most = getattr(conf, name), AT_MOST.get(name, float("inf"))
        if isinstance(value, int | float) and not least <= value <= most:
            limit = f"at most {most:g}" if value > most else f"at least {least:g}"
            messages.append(Error(f"FASHIONISTAR_COMMON[{name!r}] must be {limit}.", id="fashionistar_common.E052"))
    return messages
