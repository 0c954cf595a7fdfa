"""One run of a task in a worker: from its message to what became of it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from traceback import format_exception
from typing import Any

from django.db import close_old_connections
from django.tasks import TaskContext, TaskResultStatus
from django.tasks.base import TaskError
from django.tasks.signals import task_finished, task_started
from django.utils import timezone
from django.utils.json import normalize_json

from ...db.text import storable
from ..attempt import UnsettledError
from .backend import AnyResult, RedisBackend
from .queue import Outcome


class StoppedError(BaseException):
    """The worker's grace is over. No Exception, so that a task's `except Exception` does not take it for its own."""


def execute(sender: type[RedisBackend], result: AnyResult) -> Outcome:
    """Run a sync task, which may raise what it likes.

    Raises:
        StoppedError: when the worker is stopped meanwhile.
        UnsettledError: when neither another attempt nor a dead letter could be noted.
    """
    try:
        task_started.send(sender, task_result=result)
        value = result.task.func(*_arguments(result), **result.kwargs)
        outcome = _succeeded(result, value)
    except (StoppedError, UnsettledError):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit, too, is the task's failure, not the worker's end
        outcome = failed(result, error)
        close_old_connections()
    task_finished.send_robust(sender, task_result=result)
    return outcome


async def aexecute(sender: type[RedisBackend], result: AnyResult, *, is_stopping: Callable[[], bool]) -> Outcome:
    """Run an async task; see execute().

    Raises:
        asyncio.CancelledError: when the worker is stopped meanwhile.
        UnsettledError: see execute().
    """
    try:
        await task_started.asend(sender, task_result=result)
        value = await result.task.func(*_arguments(result), **result.kwargs)
        outcome = _succeeded(result, value)
    except asyncio.CancelledError as error:
        if is_stopping():
            raise
        outcome = failed(result, error)
    except UnsettledError:
        raise
    except BaseException as error:  # noqa: BLE001 - see execute()
        outcome = failed(result, error)
    await task_finished.asend_robust(sender, task_result=result)
    return outcome


def failed(result: AnyResult | None, error: BaseException) -> Outcome:
    """Note the error in the result, if the message was one."""
    kind = type(error)
    noted = TaskError(
        exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
        traceback=storable("".join(format_exception(error)))[-20_000:],
    )
    errors = [*(result.errors if result else []), noted]
    if result:
        _set(result, errors=errors, status=TaskResultStatus.FAILED, finished_at=timezone.now())
    return Outcome(status="FAILED", errors=json.dumps([asdict(each) for each in errors]))


def _arguments(result: AnyResult) -> list[Any]:
    return [TaskContext(task_result=result), *result.args] if result.task.takes_context else result.args


def _succeeded(result: AnyResult, value: Any) -> Outcome:
    stored = normalize_json(value)
    text = json.dumps(stored)
    _set(result, status=TaskResultStatus.SUCCESSFUL, _return_value=stored, finished_at=timezone.now())
    return Outcome(status="SUCCESSFUL", return_value=text)


def _set(result: AnyResult, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(result, name, value)  # frozen for everyone but its backend
