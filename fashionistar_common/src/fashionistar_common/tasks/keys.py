"""Dedupe keys: a task that is about one thing is enqueued once and done once."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import router, transaction
from django.db.models import F, Q, QuerySet
from django.tasks import TaskResult, TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist
from django.utils import timezone

from ..conf import conf
from ..db.text import storable
from ..models import TaskKey

if TYPE_CHECKING:
    from .policy import RetryingTask

logger = logging.getLogger(__name__)


def database() -> str:
    """The alias of the database that keeps the keys."""
    return router.db_for_write(TaskKey)


def enqueue_once(task: "RetryingTask", enqueue: Callable[[int], "TaskResult[..., Any]"]) -> "TaskResult[..., Any]":
    """Claim the task's key and enqueue, in one transaction; or the result of whoever has the key.

    Two at the same time: the second waits until the first has committed or rolled back. A process that is killed in
    between leaves neither, as far as the backend's queue is part of the transaction.

    Raises:
        ValueError: for a key that cannot be kept.
    """
    if len(task.key) > 200 or storable(task.key) != task.key:
        raise ValueError(f"The key of {task.name} must be text of at most 200 characters: {task.key!r}")
    with transaction.atomic(using=database()):
        held, is_new = TaskKey.objects.get_or_create(
            task=task.module_path, key=task.key, defaults={"backend": task.backend}
        )
        if is_new:
            result = enqueue(held.pk)
            TaskKey.objects.filter(pk=held.pk).update(result_id=result.id)
            return result
    logger.info("task is enqueued already", extra={"task": task.name, "key": task.key, "task_id": held.result_id})
    return _result_of(held, task.using(backend=held.backend))


def _result_of(held: TaskKey, task: "RetryingTask") -> "TaskResult[..., Any]":
    backend = task.get_backend()
    if backend.supports_get_result:
        try:
            return backend.get_result(held.result_id)
        except TaskResultDoesNotExist:
            pass  # it has been pruned before its key
    return TaskResult(
        task=task,
        id=held.result_id,
        status=TaskResultStatus.SUCCESSFUL if held.finished_at else TaskResultStatus.READY,
        enqueued_at=held.enqueued_at,
        started_at=None,
        finished_at=held.finished_at,
        last_attempted_at=None,
        args=[],
        kwargs={},
        backend=held.backend,
        errors=[],
        worker_ids=[],
    )


def is_done(key_id: int, *, locked: bool) -> bool:
    """Whether the task of this key has been done; if so, this delivery is counted as a double.

    Args:
        key_id: the row.
        locked: keep the row locked until the transaction ends, so that a second delivery waits for the first.
    """
    rows = TaskKey.objects.filter(pk=key_id)
    row = (rows.select_for_update() if locked else rows).first()
    if row is None or row.finished_at is None:
        return False
    rows.update(doubles=F("doubles") + 1)
    logger.info("task was done already", extra={"task": row.task, "key": row.key, "task_id": row.result_id})
    return True


def finish(key_id: int) -> None:
    """The task of this key is done."""
    TaskKey.objects.filter(pk=key_id, finished_at=None).update(finished_at=timezone.now())


def free(key_id: int) -> None:
    """The task of this key was given up: others may take the key, and late deliveries of this one are doubles."""
    TaskKey.objects.filter(pk=key_id).update(key=None, finished_at=timezone.now())


def expired() -> QuerySet[TaskKey]:
    """Keys that were done, or enqueued without ever being done, more than TASK_KEEP_DAYS ago."""
    before = timezone.now() - timedelta(days=conf.TASK_KEEP_DAYS)
    return TaskKey.objects.filter(Q(finished_at__lt=before) | Q(finished_at=None, enqueued_at__lt=before))
