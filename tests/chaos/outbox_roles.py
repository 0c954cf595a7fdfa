"""The processes of `outbox.py`: publisher, relay, worker; their event, its subscribers and a task."""

import ctypes
import logging
import os
import random
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

COATS = 40
HANG_SECONDS = 1.0
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
TABLES = """
    CREATE TABLE coat (id integer PRIMARY KEY, strokes integer NOT NULL);
    CREATE TABLE effect (id bigserial, subscriber text, event_id uuid, coat integer, stroke integer, lag float);
    CREATE TABLE task_run (event_id text);
    CREATE TABLE task_effect (event_id text PRIMARY KEY);
"""


def set_up(url: str) -> None:
    """Configure Django around fashionistar_common alone."""
    parts = urlsplit(url)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": parts.username,
        "HOST": parts.hostname,
        "PORT": str(parts.port),
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 20}},
    }
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=["fashionistar_common", "django_tasks_db", "django.contrib.contenttypes", "django.contrib.auth"],
        TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}},
        USE_TZ=True,
        SECRET_KEY="chaos",
        LOGGING_CONFIG=None,
        FASHIONISTAR_COMMON={
            "RELAY_HANDLER_TIME_LIMIT": HANG_SECONDS,
            "RELAY_MAX_ATTEMPTS": 12,
            "TASK_RECLAIM_INTERVAL": 1.0,
            "TASK_TIME_LIMIT": 3,
        },
    )
    django.setup()
    logging.disable(logging.CRITICAL)  # every failure here is meant


set_up(os.environ["DATABASE_URL"])

from django.core.management import call_command  # noqa: E402 - they need settings
from django.db import connection, transaction  # noqa: E402
from fashionistar_common.events import Event, event_bus  # noqa: E402
from fashionistar_common.tasks import task  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class CoatBrushed(Event, name="chaos.coat_brushed", version=1, aggregate="coat"):
    """`stroke` counts the strokes of its coat from 1; a doomed one is rolled back."""

    coat: int
    stroke: int
    doomed: bool
    at: float


@dataclass(frozen=True)
class Stroke:
    event_id: str
    coat: int
    stroke: int
    at: float


def note(subscriber: str, event: Stroke) -> None:
    """An effect that shows how often, and in which order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO effect (subscriber, event_id, coat, stroke, lag) VALUES (%s, %s, %s, %s, %s)",
            [subscriber, event.event_id, event.coat, event.stroke, time.time() - event.at],
        )


@event_bus.subscribe("chaos.coat_brushed", version=1)
def steady(event: Stroke) -> None:
    note("steady", event)


@event_bus.subscribe("chaos.coat_brushed", version=1)
async def asynchronous(event: Stroke) -> None:
    from asgiref.sync import sync_to_async

    await sync_to_async(note)("asynchronous", event)


@event_bus.subscribe("chaos.coat_brushed", version=1)
def flaky(event: Stroke) -> None:
    note("flaky", event)
    if random.random() < 0.1:
        raise ValueError("once in a while")


@event_bus.subscribe("chaos.coat_brushed", version=1)
def enqueuing(event: Stroke) -> None:
    note("enqueuing", event)
    if event.stroke % 5 == 0:
        tidy.enqueue(event.event_id)


@event_bus.subscribe("chaos.coat_brushed", version=1)
def failing(event: Stroke) -> None:
    note("failing", event)
    raise ValueError("always")


@event_bus.subscribe("chaos.coat_brushed", version=1)
def hanging(event: Stroke) -> None:
    note("hanging", event)
    time.sleep(10**6)


@task(max_attempts=100)
def tidy(event_id: str) -> None:
    """Tasks run at least once; what this one does it does once."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO task_run VALUES (%s)", [event_id])
        cursor.execute("INSERT INTO task_effect VALUES (%s) ON CONFLICT DO NOTHING", [event_id])


class RolledBackError(Exception):
    """A transaction ends without a commit."""


def publisher(rate: float) -> None:
    """Brush coats for ever; every fourth transaction is rolled back."""
    while True:
        time.sleep(random.expovariate(rate))
        try:
            with transaction.atomic():
                brush(random.randrange(COATS), doomed=random.random() < 0.25)
        except RolledBackError:
            continue


def brush(coat: int, *, doomed: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE coat SET strokes = strokes + 1 WHERE id = %s RETURNING strokes", [coat])
        stroke = cursor.fetchone()[0]
    event_bus.publish(CoatBrushed(coat=coat, stroke=stroke, doomed=doomed, at=time.time()))
    if doomed:
        raise RolledBackError


def prepare() -> None:
    call_command("migrate", verbosity=0)
    call_command("relay_events", "--register", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        cursor.execute("INSERT INTO coat SELECT number, 0 FROM generate_series(0, %s) number", [COATS - 1])


def worker() -> None:
    call_command("db_worker", "--queue-name", "*", "--interval", "0.1", "--no-startup-delay", verbosity=0)


ROLES: dict[str, Any] = {
    "prepare": prepare,
    "publisher": lambda: publisher(rate=25.0),
    "relay": lambda: call_command("relay_events"),
    "worker": worker,
}


def start(role: str) -> int:
    """Fork a process of that role, which has everything imported already; its id."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    status = 1
    try:
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, int(signal.SIGKILL))
        if os.getppid() == parent:
            random.seed()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            ROLES[role]()
            status = 0
    except BaseException:  # noqa: BLE001 - a forked process must not go on as its parent
        traceback.print_exc()
    finally:
        os._exit(status)
    return 0
