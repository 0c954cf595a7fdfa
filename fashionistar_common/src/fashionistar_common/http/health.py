"""Liveness and readiness for load balancers and orchestrators."""

import asyncio
import functools
import logging
from collections.abc import Callable
from datetime import timedelta

from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.module_loading import import_string

from ..conf import conf
from ..models import OutboxEvent
from ..observability.probe import Probe
from ..tasks.readings import queues

logger = logging.getLogger(__name__)

type Check = Callable[[], str]


async def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Touches nothing else, so that a database outage does not restart every process."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """The process can serve: 200, or 503 with what is wrong by name, after `READY_TIMEOUT` seconds at the latest.

    `warnings` are for people: with them the process serves as well as another one would.
    """
    required: dict[str, Check | str] = {**PROBES, **conf.READY_PROBES}
    asked = {**WARNINGS, **required}
    found = await asyncio.gather(*(_ask(name, check) for name, check in asked.items()))
    reasons = dict(zip(asked, found, strict=True))
    checks = {name: reasons[name] for name in required}
    warnings = {name: reasons[name] for name in WARNINGS if reasons[name] != "ok"}
    ready = all(reason == "ok" for reason in checks.values())
    body = {"status": "ok" if ready else "unavailable", "checks": checks, "warnings": warnings}
    return JsonResponse(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})


async def _ask(name: str, check: Check | str) -> str:
    """The reason in words that anybody may read: what an error says is for the log."""
    try:
        return await _probe(check).ask(seconds=conf.READY_TIMEOUT)
    except TimeoutError:
        return f"no answer within {conf.READY_TIMEOUT} seconds"
    except Exception as error:
        logger.warning("%s is not ready", name, exc_info=error)
        return f"{type(error).__name__}: it does not answer"


@functools.lru_cache(maxsize=64)
def _probe(check: Check | str) -> Probe[str]:
    return Probe(import_string(check) if isinstance(check, str) else check)


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


def _relay() -> str:
    """Another process delivers the events, so a dead one is no reason to send requests elsewhere."""
    late = timezone.now() - timedelta(seconds=conf.OUTBOX_LAG_MAX)
    waiting = OutboxEvent.objects.filter(fanned_out_at__isnull=True).order_by("id")
    oldest = waiting.values_list("occurred_at", flat=True).first()
    return f"events have waited since {oldest:%Y-%m-%dT%H:%M:%SZ}" if oldest and oldest < late else "ok"


def _tasks() -> str:
    """Events wait in the database for a backend that is away, so it is no reason to send requests elsewhere."""
    list(queues())
    return "ok"


#: What a process needs to serve.
PROBES: dict[str, Check] = {"database": _database, "migrations": _migrations, "cache": _cache}
#: What people should look after.
WARNINGS: dict[str, Check] = {"relay": _relay, "tasks": _tasks}
