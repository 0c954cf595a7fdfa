"""How busy the pools of database connections are."""

import time

from django.db import connections

from .metrics import gauge

SIZE = gauge("pool_size", "Connections that the pool holds at the moment.", ("database",))
LIMIT = gauge("pool_max", "Connections that the pool may hold.", ("database",))
IN_USE = gauge("pool_in_use", "Connections that somebody has taken.", ("database",))
WAITING = gauge("pool_waiting", "Threads that wait for a connection.", ("database",))

_next = 0.0


def sample_pools(*, every: float = 1.0) -> None:
    """Note the state of this process's pools, unless that was done less than `every` seconds ago."""
    global _next
    if time.monotonic() < _next:
        return
    _next = time.monotonic() + every
    for alias in connections:
        if connections[alias].settings_dict.get("OPTIONS", {}).get("pool"):
            stats = connections[alias].pool.get_stats()  # type: ignore[attr-defined]
            SIZE.labels(alias).set(stats["pool_size"])
            LIMIT.labels(alias).set(stats["pool_max"])
            IN_USE.labels(alias).set(stats["pool_size"] - stats["pool_available"])
            WAITING.labels(alias).set(stats["requests_waiting"])
