"""One attempt at a task: in its caller's context, within its time, and what follows when it fails."""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

from asgiref.sync import sync_to_async
from django.db import close_old_connections, transaction
from django.tasks import TaskContext
from django.utils import timezone

from ..backoff import backoff
from ..conf import conf
from ..context import carried
from ..db.text import storable
from ..observability.work import work
from .limits import alimited, limited

if TYPE_CHECKING:
    from .policy import RetryingTask

logger = logging.getLogger(__name__)

#: What travels with a task beside its arguments, as the keyword `_headers`: `attempt` (from 1) and `context` (that of
#: the caller); from the second attempt on `task_id`, the result id of the first; for a keyed task `key` and `key_id`.
type Headers = dict[str, Any]

#: What is a failed attempt, not the end of the worker.
FAILURES = (Exception, SystemExit, asyncio.CancelledError)
#: Seconds between tries to note a failure, which may be that of the very database or queue that it is noted in.
PAUSES = (0.1, 0.5, 2.0)


class UnsettledError(RuntimeError):
    """An attempt failed, and neither the next one nor a dead letter could be written: it has to be delivered again."""


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
        self.key_id: int = self.headers.get("key_id", 0)
        result = context.task_result if context else None
        if result:  # it may have been enqueued with another priority or queue than the function's own
            now = result.task
            self.task = task.using(priority=now.priority, queue_name=now.queue_name, backend=result.backend)
        self.task_id: str = self.headers.get("task_id") or (result.id if result else "")

    def run(self, function: Callable[..., Any]) -> Any:
        """Run the function; a failure is noted, the next attempt queued, and the error raised."""
        with carried(self.headers["context"]), work("task", self.task.module_path, self._facts()):
            try:
                with limited(self.task.name, self.task.seconds):
                    return self._once(function)
            except FAILURES as error:
                self.fail(error)
                _raise_storable(error)

    async def arun(self, function: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        """As `run()`, on the event loop that is there. A worker that cancels the attempt keeps the task."""
        with carried(self.headers["context"]), work("task", self.task.module_path, self._facts()):
            try:
                async with alimited(self.task.name, self.task.seconds):
                    return await self._aonce(function)
            except FAILURES as error:
                if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                    raise
                await sync_to_async(self.fail)(error)
                _raise_storable(error)

    def _once(self, function: Callable[..., Any]) -> Any:
        if not self.key_id and not self.task.atomic:
            return function(*self.args, **self.kwargs)
        from . import keys

        with transaction.atomic(using=keys.database()) if self.task.atomic else nullcontext():
            if self.key_id and keys.is_done(self.key_id, locked=self.task.atomic):
                return None
            value = function(*self.args, **self.kwargs)
            if self.key_id:
                keys.finish(self.key_id)
        return value

    async def _aonce(self, function: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        if not self.key_id:
            return await function(*self.args, **self.kwargs)
        from . import keys

        if await sync_to_async(keys.is_done)(self.key_id, locked=False):
            return None
        value = await function(*self.args, **self.kwargs)
        await sync_to_async(keys.finish)(self.key_id)
        return value

    def fail(self, error: BaseException) -> None:
        """Queue the next attempt, or give the task up.

        Raises:
            UnsettledError: neither was possible.
        """
        if transaction.get_connection().needs_rollback:  # of a caller that runs the task where it is enqueued
            raise UnsettledError(f"{self.task.name} has broken the transaction around it") from error
        settle = self._try_again if self._may_follow(error) else self._give_up
        for pause in (*PAUSES, None):
            close_old_connections()  # on one that has broken, nothing could be noted
            try:
                settle(error)
            except Exception as failure:
                if pause is None:
                    raise UnsettledError(f"{self.task.name}, attempt {self.number}") from failure
                logger.exception("a failed attempt cannot be noted", extra=self._facts())
                time.sleep(pause)
            else:
                return

    def _may_follow(self, error: BaseException) -> bool:
        if self.number >= self.task.max_attempts or not self.task.get_backend().supports_defer:
            return False
        return self.task.is_worth_another(error)

    def _try_again(self, error: BaseException) -> None:
        from . import trail

        base = conf.TASK_RETRY_BASE if self.task.retry_base is None else self.task.retry_base
        headers = {**self.headers, "attempt": self.number + 1, "task_id": self.task_id}
        run_after = timezone.now() + backoff(self.number, base=base)
        with transaction.atomic(using=trail.database()):
            result = self.task.enqueue_again(self.args, self.kwargs, headers, run_after)
            if self.task_id:
                trail.note(self.task_id, attempt=self.number + 1, result=result)
        logger.warning("task failed, will be tried again", extra=self._facts(), exc_info=error)

    def _give_up(self, error: BaseException) -> None:
        from . import dead

        dead.bury(
            self.task, task_id=self.task_id, args=self.args, kwargs=self.kwargs, headers=self.headers, error=error
        )
        logger.error("task gave up", extra=self._facts(), exc_info=error)

    def _facts(self) -> dict[str, Any]:
        return {"task": self.task.name, "attempt": self.number, "task_id": self.task_id}


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
