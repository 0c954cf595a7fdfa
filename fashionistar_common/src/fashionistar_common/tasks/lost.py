"""Tasks whose worker died."""

import logging
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from .policy import RetryingTask

logger = logging.getLogger(__name__)


def requeue_lost_tasks() -> int:
    """Put back what has been running for longer than its time limit and a tenth; returns how many.

    A worker that is killed leaves its task running for ever; the time limit is what tells such a task from a slow one.
    A task that has lost `max_attempts` workers is what kills them: it is given up. Only for the database backend.
    """
    if not apps.is_installed("django_tasks_db"):
        return 0
    from django_tasks_db.models import DBTaskResult

    now, requeued = timezone.now(), 0
    with transaction.atomic():
        for result in DBTaskResult.objects.running().select_for_update(skip_locked=True):
            try:
                task = result.task
                limits = task if isinstance(task, RetryingTask) else as_retrying(task)
                if result.started_at <= now - timedelta(seconds=limits.lost_after):
                    with transaction.atomic():
                        requeued += _put_back(result, limits)
            except Exception:  # its function, queue or backend is no longer there; the others are none the worse
                logger.exception("lost task cannot be put back", extra={"task": result.task_path})
    return requeued


def as_retrying(task: Any) -> RetryingTask:
    """A plain task of Django's, with the policy by default."""
    return RetryingTask(
        func=task.func,
        takes_context=task.takes_context,
        backend=task.backend,
        queue_name=task.queue_name,
        priority=task.priority,
    )


def _put_back(result: Any, task: RetryingTask) -> bool:
    from . import dead, trail

    kwargs = dict(result.args_kwargs["kwargs"])
    headers = kwargs.pop("_headers", None) or {"attempt": 1, "context": {}}
    task_id = headers.get("task_id") or str(result.pk)
    facts = {"task": result.task_path, "attempt": len(result.worker_ids), "task_id": task_id}
    if trail.is_settled(task_id, attempt=headers["attempt"]):
        # It died between the note of its failure and the result's: what follows is on its way.
        result.set_failed(TimeoutError("lost with its worker, after it had failed"))
        return False
    if len(result.worker_ids) >= task.max_attempts:
        error = TimeoutError(f"lost with its worker {len(result.worker_ids)} times")
        result.set_failed(error)
        args = result.args_kwargs["args"]
        dead.bury(task, task_id=task_id, args=args, kwargs=kwargs, headers=headers, error=error)
        logger.error("task gave up: its workers die", extra=facts)
        return False
    result.status = "READY"
    result.save(update_fields=["status"])
    logger.warning("task lost with its worker, queued again", extra=facts)
    return True
