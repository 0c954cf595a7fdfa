"""What a request asks its database: how often, for how long, and whether it repeats itself.

Counting follows the context into threads (`sync_to_async`, `gather()`), so it is right for asynchronous views, too.
"""

import asyncio
import inspect
import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..conf import conf

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class QueryLog:
    """The queries of one piece of work. Threads add to it side by side; adding to a list is safe.

    Attributes:
        seconds: how long each query took.
        shapes: how often each statement ran; kept only where repetitions are told.
        places: from where a statement ran that did so too often.
    """

    seconds: list[float] = field(default_factory=list)
    shapes: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)


_log: ContextVar[QueryLog | None] = ContextVar("queries", default=None)


@contextmanager
def counted() -> Iterator[QueryLog]:
    """Count the queries of the block, and warn of statements that ran more than `REPEATED_QUERIES` times in it."""
    log = QueryLog()
    token = _log.set(log)
    try:
        yield log
    finally:
        _log.reset(token)
        for shape, place in log.places.items():
            facts = {"sql": shape, "times": log.shapes[shape], "place": place}
            logger.warning("one query ran %(times)s times, at %(place)s: %(sql)s", facts, extra=facts)


def watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Count what this connection does; receives `connection_created`, which has no other hook.

    It comes first, as `execute_wrapper()` of somebody else removes the last one at its end.
    """
    if _watched not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _watched)


def _watched(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    log = _log.get()
    if log is None:
        return execute(sql, params, many, context)
    began = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = time.perf_counter() - began
        log.seconds.append(seconds)
        if conf.REPEATED_QUERIES and not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            shape = shape_of(sql)
            log.shapes[shape] += 1
            if log.shapes[shape] == conf.REPEATED_QUERIES + 1:
                log.places[shape] = place_of_query()
        if conf.SLOW_QUERY_MS and seconds * 1000 >= conf.SLOW_QUERY_MS:
            facts = {"sql": shape_of(sql), "milliseconds": round(seconds * 1000, 1), "place": place_of_query()}
            logger.warning("slow query (%(milliseconds)s ms) at %(place)s: %(sql)s", facts, extra=facts)


def shape_of(sql: str) -> str:
    """The statement with every list of parameters as one, so that `IN (1, 2)` and `IN (1, 2, 3)` are the same."""
    return re.sub(r"(?:%s|\?)(?:, (?:%s|\?))*", "?", str(sql))


#: Where nobody has written the query that runs.
NOT_HERE = frozenset(
    {"asgiref", "django", "ninja", "opentelemetry", "psycopg", "psycopg_pool", "rest_framework", "wrapt"}
)
UNKNOWN = "(unknown)"
NOT_OURS = tuple(f"fashionistar_common.{name}" for name in ("concurrency", "http", "observability", "testing.locks"))


def place_of_query() -> str:
    """The innermost line of the project's own code that led to the query that runs, as `file.py:12 in function`."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_qualname == "SyncToAsync.thread_handler":
            return _place_of_waiting(frame) or UNKNOWN
        if place := _place(frame):
            return place
        frame = frame.f_back
    return UNKNOWN


def _place_of_waiting(handler: FrameType) -> str:
    """The query runs in a thread for a coroutine: the one that waits with the same list as asgiref's handler has."""
    mine = handler.f_locals.get("task_context")
    for task in asyncio.all_tasks(handler.f_locals["loop"]):
        frames = list(_awaiting(task.get_coro()))
        if any(frame.f_locals.get("task_context") is mine for frame in frames):
            return next((place for frame in reversed(frames) if (place := _place(frame))), "")
    return ""


def _awaiting(coroutine: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of what it awaits, from the outside inwards."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)


def _place(frame: FrameType) -> str:
    module = str(frame.f_globals.get("__name__", ""))
    top = module.partition(".")[0]
    if top in NOT_HERE or top in sys.stdlib_module_names or module.startswith(NOT_OURS):
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
