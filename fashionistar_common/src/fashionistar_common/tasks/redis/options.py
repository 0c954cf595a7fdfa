"""OPTIONS of the backend: names, types, defaults, and what can be wrong with them."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, get_type_hints

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from pydantic import TypeAdapter, ValidationError

from ...redis_servers import redis_servers

#: What `redis_servers()` reads.
SERVERS: Mapping[str, Any] = {
    "URL": str,
    "SENTINELS": list[str],
    "SERVICE": str,
    "CLUSTER": list[str],
    "CLIENT": dict[str, Any],
    "SENTINEL_CLIENT": dict[str, Any],
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The keys of OPTIONS in lower case.

    Attributes:
        prefix: the first word of every key.
        lease: seconds after which a worker that gives no sign of life has lost what it holds.
        max_deaths: how many workers may die over one task before it fails for good.
        result_ttl: seconds that the outcome of a finished task is kept.
        retry_seconds: how long Redis may be away before enqueueing, or asking for a result, fails.
        wait_replicas: how many replicas must have a task before it counts as enqueued.
        wait_timeout_ms: how long to wait for them, each time.
    """

    prefix: str = "tasks"
    lease: float = 30.0
    max_deaths: int = 5
    result_ttl: int = 86_400
    retry_seconds: float = 5.0
    wait_replicas: int = 0
    wait_timeout_ms: int = 1_000

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """The options of one backend; unknown keys are for the check to find."""
        return cls(
            **{field.name: options[field.name.upper()] for field in fields(cls) if field.name.upper() in options}
        )


def check_options(alias: str, options: Mapping[str, Any], queues: Collection[str]) -> list[CheckMessage]:
    """What is wrong with OPTIONS and QUEUES.

    E030 an unknown key, E031 a wrong type or range, E032 servers not named clearly, E033 names, W030 a master that dies
    may take along tasks that counted as enqueued.
    """
    hints = {name.upper(): hint for name, hint in get_type_hints(Options).items()} | dict(SERVERS)
    where, found = f"TASKS[{alias!r}]", list[CheckMessage]()
    for key in options:
        if key not in hints:
            hint = f"Known: {', '.join(sorted(hints))}."
            found.append(Error(f"{where}['OPTIONS'][{key!r}] is not an option.", hint=hint, id=_id(30)))
            continue
        try:
            TypeAdapter(hints[key]).validate_python(options[key], strict=True)
        except ValidationError as error:
            found.append(Error(f"{where}['OPTIONS'][{key!r}]: {error.errors()[0]['msg']}.", id=_id(31)))
    if found:
        return found
    read = Options.read(options)
    at_least_one = (read.lease, read.max_deaths, read.result_ttl, read.wait_timeout_ms)
    if min(at_least_one) < 1 or min(read.wait_replicas, read.retry_seconds) < 0:
        message = f"{where}: LEASE, MAX_DEATHS, RESULT_TTL, WAIT_TIMEOUT_MS are at least 1, no option is negative."
        found.append(Error(message, id=_id(31)))
    try:
        redis_servers(options)
    except (ImproperlyConfigured, TypeError, ValueError) as error:
        found.append(Error(f"{where}: {error}", id=_id(32)))
    if wrong := sorted(name for name in {*queues, read.prefix} if not re.fullmatch(r"[\w-]{1,31}", name, re.ASCII)):
        hint = "They are part of keys and of task ids: letters, digits, _ and -, at most 31."
        found.append(Error(f"{where}: PREFIX and QUEUES cannot be named {wrong}.", hint=hint, id=_id(33)))
    if not queues:
        found.append(Error(f"{where}: QUEUES must name the queues.", hint="Each has keys of its own.", id=_id(33)))
    if not found and not read.wait_replicas and (options.get("SENTINELS") or options.get("CLUSTER")):
        message = f"{where}: a master that dies may take along tasks that no replica has yet."
        hint = "WAIT_REPLICAS 1 lets a task count as enqueued when a replica has it."
        found.append(checks.Warning(message, hint=hint, id="fashionistar_common.W030"))
    return found


def _id(number: int) -> str:
    return f"fashionistar_common.E0{number}"
