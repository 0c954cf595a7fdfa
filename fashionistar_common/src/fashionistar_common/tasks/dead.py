"""Dead letters: tasks that were given up, and how they run again."""

import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import router, transaction
from django.db.models import QuerySet
from django.tasks import Task
from django.utils import timezone
from django.utils.module_loading import import_string

from ..conf import conf
from ..db.text import storable
from ..events import event_bus
from ..models import DeadTask
from . import keys
from .attempt import Headers
from .events import TaskDied
from .policy import RetryingTask

TRACEBACK_LENGTH = 20_000


@dataclass(frozen=True)
class UnknownTask:
    """What a message says of a task that this code does not have."""

    module_path: str
    backend: str
    queue_name: str
    priority: int


def bury(
    task: RetryingTask | UnknownTask,
    *,
    task_id: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    headers: Headers,
    error: BaseException,
) -> None:
    """Write a dead letter, free the task's key, and publish `common.task_died`: all of it or nothing.

    A second call for the same `task_id`, as of a task that was delivered twice, changes nothing.
    """
    kind = type(error)
    with transaction.atomic(using=router.db_for_write(DeadTask)):
        dead, is_new = DeadTask.objects.get_or_create(
            task_id=task_id or uuid.uuid4().hex,
            defaults={
                "task": task.module_path,
                "args": list(args),
                "kwargs": dict(kwargs),
                "backend": task.backend,
                "queue_name": task.queue_name,
                "priority": task.priority,
                "key": headers.get("key", ""),
                "context": headers.get("context", {}),
                "attempts": headers.get("attempt", 1),
                "error": f"{kind.__module__}.{kind.__qualname__}"[:300],
                "traceback": storable("".join(traceback.format_exception(error)))[-TRACEBACK_LENGTH:],
            },
        )
        if not is_new:
            return
        if "key_id" in headers:
            keys.free(headers["key_id"])
        event_bus.publish(
            TaskDied(
                task_id=dead.task_id,
                task=dead.task,
                queue_name=dead.queue_name,
                attempts=dead.attempts,
                error=dead.error,
                request_id=dead.context.get("request_id", ""),
            )
        )


def replay(dead: DeadTask, *, by: str) -> bool:
    """Queue a dead task again, from its first attempt, in the context in which it was enqueued.

    Locks the row: of two that replay it at the same time, one does. With the database backend both or neither happen.

    Args:
        dead: the dead letter.
        by: who wants it, for the record.

    Returns:
        Whether it was queued; False when it has been before.

    Raises:
        ImportError: there is no such task any more.
    """
    with transaction.atomic(using=router.db_for_write(DeadTask)):
        row = DeadTask.objects.select_for_update().get(pk=dead.pk)
        if row.replayed_at:
            return False
        found = import_string(row.task)
        if not isinstance(found, Task):
            raise ImportError(f"{row.task} is no task any more")  # noqa: TRY004 - not the caller's mistake
        task = found.using(backend=row.backend, queue_name=row.queue_name, priority=row.priority)
        if isinstance(task, RetryingTask):
            result = task.using(key=row.key).enqueue_in(row.context, *row.args, **row.kwargs)
        else:
            result = task.enqueue(*row.args, **row.kwargs)
        row.replayed_at, row.replayed_by, row.replay_id = timezone.now(), by, result.id
        row.save(update_fields=["replayed_at", "replayed_by", "replay_id"])
    return True


def replayable() -> QuerySet[DeadTask]:
    """The dead tasks that have not been run again, oldest first."""
    return DeadTask.objects.filter(replayed_at=None).order_by("failed_at", "pk")


def expired() -> QuerySet[DeadTask]:
    """The dead tasks older than TASK_DEAD_DAYS."""
    return DeadTask.objects.filter(failed_at__lt=timezone.now() - timedelta(days=conf.TASK_DEAD_DAYS))
