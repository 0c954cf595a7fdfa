"""A task that comes a second time: is there anything left to do?"""

import json
import logging

from .. import dead, trail
from ..lost import as_retrying
from ..policy import RetryingTask
from .backend import AnyResult
from .queue import Taken

logger = logging.getLogger(__name__)


class LostWithWorkersError(Exception):
    """Every worker that began this task died over it."""


class FollowedError(Exception):
    """The worker died between the note of the task's failure and that of its end: what follows is on its way."""


def bury_unknown(taken: Taken, error: Exception) -> None:
    """Keep a task that no worker could load, for `replay_tasks` to run when its code is there (again).

    Raises:
        ValueError, LookupError, TypeError: the message is none of ours.
        django.db.Error: it cannot be written at the moment.
    """
    message = json.loads(taken.message)
    kwargs = dict(message["kwargs"])
    headers = kwargs.pop("_headers", None) or {"attempt": 1, "context": {}}
    task = dead.UnknownTask(*(message[name] for name in ("task", "backend", "queue_name", "priority")))
    task_id = headers.get("task_id") or taken.id
    dead.bury(task, task_id=task_id, args=message["args"], kwargs=kwargs, headers=headers, error=error)


def why_not_again(result: AnyResult, *, max_deaths: int) -> Exception | None:
    """Why a task that was begun before must not run again; None: it must. Buries what kills its workers.

    Raises:
        django.db.Error: what was noted of it cannot be read or written at the moment.
    """
    kwargs = dict(result.kwargs)
    headers = kwargs.pop("_headers", None) or {"attempt": 1, "context": {}}
    task_id = headers.get("task_id") or result.id
    if trail.is_settled(task_id, attempt=headers["attempt"]):
        return FollowedError()
    deaths = len(result.worker_ids) - 1
    if deaths < max_deaths:
        return None
    error = LostWithWorkersError(f"{deaths} workers died over it: {', '.join(result.worker_ids[:-1])}")
    task = result.task if isinstance(result.task, RetryingTask) else as_retrying(result.task)
    dead.bury(task, task_id=task_id, args=result.args, kwargs=kwargs, headers=headers, error=error)
    logger.error("task gave up: its workers die", extra={"task_id": task_id, "task": task.name, "deaths": deaths})
    return error
