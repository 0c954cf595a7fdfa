import functools
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.db import close_old_connections
from django.tasks import Task, TaskResult
from django.utils import timezone

from ..backoff import backoff
from ..conf import conf
from ..context import request_id
from ..db.text import storable

if TYPE_CHECKING:
    _Task = Task[..., Any]
else:
    _Task = Task  # generic in the type stubs only

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RetryingTask(_Task):
    """A task that is tried again when it fails.

    Attributes:
        max_attempts: how often it is tried in all. Each failed attempt stays as a FAILED result with its traceback.
        time_limit: seconds after which a running attempt counts as lost with its worker, and is run again; by default
            TASK_TIME_LIMIT.
    """

    priority: int = 0  # this and the next three have no default in Django 6.0
    backend: str = "default"
    queue_name: str = "default"
    run_after: datetime | None = None
    max_attempts: int = 5
    time_limit: int | None = None

    def enqueue(self, *args: Any, **kwargs: Any) -> "TaskResult[..., Any]":
        """Queue the task; the present request id goes with it. Arguments must be JSON-ready."""
        kwargs.setdefault("_headers", {"attempt": 1, "request_id": request_id.get()})
        return super().enqueue(*args, **kwargs)

    async def aenqueue(self, *args: Any, **kwargs: Any) -> "TaskResult[..., Any]":
        """See enqueue()."""
        kwargs.setdefault("_headers", {"attempt": 1, "request_id": request_id.get()})
        return await super().aenqueue(*args, **kwargs)

    @contextmanager
    def _attempt(self, headers: dict[str, Any], args: Any, kwargs: Any) -> Iterator[None]:
        """Run one attempt in its request's context; queue the next one if it fails."""
        token = request_id.set(headers["request_id"])
        try:
            yield
        except Exception as error:
            close_old_connections()  # on one that has broken, neither the next attempt nor this result could be noted
            attempt = headers["attempt"]
            facts = {"task": self.name, "attempt": attempt}
            if attempt >= self.max_attempts or not self.get_backend().supports_defer:
                logger.exception("task gave up", extra=facts)
                _raise_storable(error)
            again = timezone.now() + backoff(attempt, base=conf.TASK_RETRY_BASE)
            next_headers = {**headers, "attempt": attempt + 1}
            self.using(run_after=again).enqueue(*args, **kwargs, _headers=next_headers)
            logger.warning("task failed, will be tried again", extra=facts, exc_info=error)
            _raise_storable(error)
        finally:
            request_id.reset(token)


def _raise_storable(error: Exception) -> NoReturn:
    """Raise the error again; as plain text, if the worker would die of storing its traceback."""
    text = "".join(traceback.format_exception(error))
    if storable(text) != text:
        raise RuntimeError(storable(text)) from None
    raise error


FIRST_ATTEMPT = {"attempt": 1, "request_id": ""}


def task(
    *,
    queue_name: str = "default",
    priority: int = 0,
    max_attempts: int = 5,
    time_limit: int | None = None,
    backend: str = "default",
) -> Callable[[Callable[..., Any]], RetryingTask]:
    """Make a module-level function, sync or async, a task with retries; see RetryingTask for the numbers."""

    def decorate(function: Callable[..., Any]) -> RetryingTask:
        call = async_to_sync(function) if iscoroutinefunction(function) else function

        @functools.wraps(function)
        def run(*args: Any, _headers: dict[str, Any] = FIRST_ATTEMPT, **kwargs: Any) -> Any:
            with made._attempt(_headers, args, kwargs):  # noqa: SLF001
                return call(*args, **kwargs)

        made = RetryingTask(
            func=run,
            priority=priority,
            backend=backend,
            queue_name=queue_name,
            max_attempts=max_attempts,
            time_limit=time_limit,
        )
        return made

    return decorate
