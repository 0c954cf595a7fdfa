"""What can be wrong with events and their settings."""

from collections.abc import Callable
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.db import connections

from ..conf import conf
from ..events import event_bus

RANGES: dict[str, Callable[[float], bool]] = {
    "RELAY_INTERVAL": lambda value: value > 0,
    "RELAY_MAX_ATTEMPTS": lambda value: value >= 1,
    "RELAY_HANDLER_TIME_LIMIT": lambda value: value >= 0.001,
    "RELAY_GRACE": lambda value: value >= 0,
    "EVENT_RETENTION_DAYS": lambda value: value >= 1,
    "EVENT_SUBSCRIPTION_DAYS": lambda value: value >= 1,
}


@register()
def check_events(**kwargs: Any) -> list[CheckMessage]:
    """Whether producers, consumers and settings fit each other.

    E004: a subscription to an event that nobody publishes, or publishes otherwise; an event that is no JSON. E010: a
    number that makes no sense. E011: an alias to listen on that is not there, or not PostgreSQL.
    """
    messages: list[CheckMessage] = [Error(problem, id="fashionistar_common.E004") for problem in event_bus.problems()]
    messages += [
        Error(f"FASHIONISTAR_COMMON[{key!r}] is out of range.", id="fashionistar_common.E010")
        for key, fits in RANGES.items()
        if isinstance(value := getattr(conf, key), int | float) and not fits(value)  # another type is E002
    ]
    alias = conf.RELAY_LISTEN_ALIAS
    if alias and (alias not in connections.settings or connections[alias].vendor != "postgresql"):
        messages.append(
            Error(
                f"FASHIONISTAR_COMMON['RELAY_LISTEN_ALIAS']: DATABASES has no PostgreSQL {alias!r}.",
                hint="Name an alias that leads to PostgreSQL itself, past the pooler.",
                id="fashionistar_common.E011",
            )
        )
    return messages
