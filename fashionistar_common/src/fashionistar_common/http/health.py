"""Liveness and readiness for load balancers and orchestrators."""

import functools
from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse


async def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Touches nothing else, so that a database outage does not restart every process."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """The process can serve: 200, or 503 with what is wrong by name."""
    results = await sync_to_async(lambda: {name: _run(probe) for name, probe in PROBES.items()})()
    ready = all(reason == "ok" for reason in results.values())
    body = {"status": "ok" if ready else "unavailable", "checks": results}
    return JsonResponse(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})


def _run(probe: Callable[[], str]) -> str:
    try:
        return probe()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
        return f"{type(error).__name__}: it does not answer"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _migrations() -> str:
    missing = _newest_migrations() - MigrationRecorder(connection).applied_migrations().keys()
    return f"not applied: {', '.join(sorted('.'.join(key) for key in missing))}" if missing else "ok"


@functools.cache
def _newest_migrations() -> frozenset[tuple[str, str]]:
    """The last migration of each app. It reads every migration file, so once per process."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def _cache() -> str:
    cache.set("readyz", "ok", 10)
    return "ok" if cache.get("readyz") == "ok" else "it does not keep what it is given"


PROBES: dict[str, Callable[[], str]] = {"database": _database, "migrations": _migrations, "cache": _cache}
