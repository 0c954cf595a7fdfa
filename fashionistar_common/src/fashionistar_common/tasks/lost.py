"""Tasks whose worker died."""

import logging
from datetime import timedelta

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from .policy import RetryingTask

logger = logging.getLogger(__name__)


def requeue_lost_tasks() -> int:
    """Put back what has been running for longer than its time limit; returns how many.

    A worker that is killed leaves its task running for ever; the time limit is what tells such a task from a slow one.
    A task that has lost `max_attempts` workers is what kills them: it fails for good. Only for the database backend.
    """
    if not apps.is_installed("django_tasks_db"):
        return 0
    from django_tasks_db.models import DBTaskResult

    now, requeued = timezone.now(), 0
    with transaction.atomic():
        for result in DBTaskResult.objects.running().select_for_update(skip_locked=True):
            try:
                task = result.task
                limits = (
                    task
                    if isinstance(task, RetryingTask)
                    else RetryingTask(func=task.func, takes_context=task.takes_context)
                )
            except Exception:  # its function, queue or backend is no longer there; the others are none the worse
                logger.exception("task cannot be loaded", extra={"task": result.task_path})
                continue
            if result.started_at > now - timedelta(seconds=limits.lost_after):
                continue
            facts = {"task": result.task_path, "attempt": len(result.worker_ids)}
            if len(result.worker_ids) >= limits.max_attempts:
                result.set_failed(TimeoutError(f"lost with its worker {len(result.worker_ids)} times"))
                logger.error("task gave up: its workers die", extra=facts)
                continue
            result.status = "READY"
            result.save(update_fields=["status"])
            logger.warning("task lost with its worker, queued again", extra=facts)
            requeued += 1
    return requeued
