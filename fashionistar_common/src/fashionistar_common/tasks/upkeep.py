"""The tasks of common itself."""

from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db.models import QuerySet

from ..conf import conf
from . import dead, keys, trail
from .policy import task


def expired() -> "dict[str, QuerySet[Any]]":
    """What is kept of tasks and no longer needed, by name."""
    return {"dead tasks": dead.expired(), "keys": keys.expired(), "trails": trail.expired()}


@task(schedule="17 3 * * *", max_attempts=3)
def purge_tasks() -> None:
    """Delete what is kept of tasks longer than TASK_KEEP_DAYS and TASK_DEAD_DAYS, and results in the database."""
    for queryset in expired().values():
        queryset.delete()
    if apps.is_installed("django_tasks_db"):
        call_command("prune_db_task_results", queue_name="*", min_age_days=conf.TASK_KEEP_DAYS, verbosity=0)


@task(schedule="57 3 * * *", max_attempts=3)
def purge_notifications() -> None:
    """Delete the log of messages older than NOTIFICATION_DAYS."""
    call_command("purge_notifications", verbosity=0)


@task(schedule="47 3 * * *", max_attempts=3)
def purge_idempotency_records() -> None:
    """Delete stored answers whose Idempotency-Key has expired."""
    call_command("purge_idempotency_records", verbosity=0)


@task(schedule="37 3 * * *", max_attempts=3)
def purge_rate_limits() -> None:
    """Delete the counts of callers who may do everything again."""
    call_command("purge_rate_limits", verbosity=0)


@task(schedule="7 4 * * *", max_attempts=3)
def purge_events() -> None:
    """Delete delivered events after EVENT_RETENTION_DAYS, and retire subscribers that no relay knows any more."""
    call_command("purge_events", verbosity=0)
