"""One attempt at a task: in its caller's context, within its time, and what follows when it fails."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.tasks import TaskContext
from django.utils import timezone

from ..backoff import backoff
from ..conf import conf
from ..context import carried
from ..db.text import storable
from .limits import alimited, limited

if TYPE_CHECKING:
    from .policy import RetryingTask

logger = logging.getLogger(__name__)

#: What travels with a task beside its arguments, as the keyword `_headers`: `attempt` (from 1), `context` (of whoever
#: enqueued it), and from the second attempt on `task_id`, the result id of the first.
type Headers = dict[str, Any]

#: What is a failed attempt, not the end of the worker.
FAILURES = (Exception, SystemExit, asyncio.CancelledError)


class Attempt:
    """One attempt; the wrapped function of a task makes it and runs it."""

    def __init__(
        self,
        task: "RetryingTask",
        context: "TaskContext[..., Any] | None",
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        headers: Headers | None,
    ) -> None:
        self.task, self.args, self.kwargs = task, args, kwargs
        self.headers = headers or {"attempt": 1, "context": {}}
        self.number: int = self.headers["attempt"]
        result = context.task_result if context else None
        if result:  # it may have been enqueued with another priority or queue than the function's own
            self.task = task.using(
                priority=result.task.priority, queue_name=result.task.queue_name, backend=result.backend
            )
        self.task_id: str = self.headers.get("task_id") or (result.id if result else "")

    def run(self, function: Callable[..., Any]) -> Any:
        """Run the function; a failure is noted, the next attempt queued, and the error raised."""
        with carried(self.headers["context"]):
            try:
                with limited(self.task.name, self.task.seconds):
                    return function(*self.args, **self.kwargs)
            except FAILURES as error:
                self.fail(error)
                _raise_storable(error)

    async def arun(self, function: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        """As `run()`, on the event loop that is there. A worker that cancels the attempt keeps the task."""
        with carried(self.headers["context"]):
            try:
                async with alimited(self.task.name, self.task.seconds):
                    return await function(*self.args, **self.kwargs)
            except FAILURES as error:
                if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                    raise
                await sync_to_async(self.fail)(error)
                _raise_storable(error)

    def fail(self, error: BaseException) -> None:
        """Queue the next attempt, or give the task up."""
        close_old_connections()  # on one that has broken, neither the next attempt nor this result could be noted
        facts = {"task": self.task.name, "attempt": self.number, "task_id": self.task_id}
        if not self._may_follow(error):
            logger.error("task gave up", extra=facts, exc_info=error)
            return
        base = conf.TASK_RETRY_BASE if self.task.retry_base is None else self.task.retry_base
        headers = {**self.headers, "attempt": self.number + 1, "task_id": self.task_id}
        self.task.enqueue_again(self.args, self.kwargs, headers, timezone.now() + backoff(self.number, base=base))
        logger.warning("task failed, will be tried again", extra=facts, exc_info=error)

    def _may_follow(self, error: BaseException) -> bool:
        if self.number >= self.task.max_attempts or not self.task.get_backend().supports_defer:
            return False
        return self.task.is_worth_another(error)


def _is_being_cancelled() -> bool:
    """Whether somebody outside ends this work; else the function has raised CancelledError by itself."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def _raise_storable(error: BaseException) -> NoReturn:
    """Raise the error again; as plain text, if the worker would die of it or of storing its traceback."""
    text = "".join(traceback.format_exception(error))
    if storable(text) != text or not isinstance(error, Exception):
        raise RuntimeError(storable(text)) from None
    raise error
