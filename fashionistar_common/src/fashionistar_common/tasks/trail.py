"""From a task's first attempt to its newest, each of which has a result of its own."""

from datetime import timedelta
from typing import Any

from django.db import router
from django.db.models import QuerySet
from django.tasks import TaskResult
from django.utils import timezone

from ..conf import conf
from ..models import DeadTask, RetriedTask


def database() -> str:
    """The alias of the database that keeps the trail."""
    return router.db_for_write(RetriedTask)


def note(task_id: str, *, attempt: int, result: "TaskResult[..., Any]") -> None:
    """This is the task's newest attempt."""
    RetriedTask.objects.bulk_create(
        [RetriedTask(task_id=task_id, attempt=attempt, backend=result.backend, result_id=result.id)],
        update_conflicts=True,
        unique_fields=["task_id"],
        update_fields=["attempt", "backend", "result_id", "queued_at"],
    )


def is_settled(task_id: str, *, attempt: int) -> bool:
    """Whether something has followed this attempt already: a later one, or the end."""
    return (
        RetriedTask.objects.filter(task_id=task_id, attempt__gt=attempt).exists()
        or DeadTask.objects.filter(task_id=task_id).exists()
    )


def expired() -> QuerySet[RetriedTask]:
    """Tasks whose newest attempt was queued more than TASK_KEEP_DAYS ago."""
    return RetriedTask.objects.filter(queued_at__lt=timezone.now() - timedelta(days=conf.TASK_KEEP_DAYS))
