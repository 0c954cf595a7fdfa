"""Tasks that run by the clock: any number of processes look, each tick is queued once."""

import logging
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module

from cronsim import CronSim, CronSimError
from django.db import router, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules

from ..models import PeriodicTask
from .policy import RetryingTask, registry

logger = logging.getLogger(__name__)


def schedules() -> Mapping[str, RetryingTask]:
    """The tasks of the installed apps that have a schedule, by path."""
    import_module(".upkeep", __package__)
    autodiscover_modules("tasks")
    return {path: task for path, task in sorted(registry.items()) if task.schedule}


def next_tick(schedule: str, *, after: datetime) -> datetime:
    """The first moment after `after` that the cron expression names, in the project's time zone.

    Raises:
        ValueError: it is no cron expression, or names no moment within fifty years.
    """
    try:
        return next(CronSim(schedule, after.astimezone(timezone.get_default_timezone())))
    except CronSimError as error:
        raise ValueError(f"{schedule!r} is no cron expression: {error}") from error
    except StopIteration:
        raise ValueError(f"{schedule!r} never comes") from None


def problems() -> list[str]:
    """The schedules that cannot be kept, a sentence each."""
    found = []
    for path, task in schedules().items():
        try:
            next_tick(task.schedule, after=timezone.now())
        except ValueError as error:
            found.append(f"The schedule of {path}: {error}.")
    return found


def start_due_tasks() -> int:
    """Queue each task whose time has come; returns how many.

    A tick is taken by moving the row's `next_run_at` on, in the transaction that queues the task. Whoever else saw the
    same tick waits for that row and then finds it moved. Ticks that were missed, because nobody was looking, are one.
    """
    known, now, started = schedules(), timezone.now(), 0
    rows = {row.task: row for row in PeriodicTask.objects.filter(task__in=known)}
    for path, task in known.items():
        try:
            if (row := rows.get(path)) is None or row.schedule != task.schedule:
                _plan(path, task.schedule, now)
            elif row.enabled and row.next_run_at <= now:
                started += _start(row, task, now)
        except Exception:  # one that cannot be queued keeps its tick, and the others their time
            logger.exception("periodic task cannot be queued", extra={"task": path})
    return started


def _plan(path: str, schedule: str, now: datetime) -> None:
    """A new schedule, or one that the code has changed, starts with its next tick."""
    plan = PeriodicTask(task=path, schedule=schedule, next_run_at=next_tick(schedule, after=now))
    PeriodicTask.objects.bulk_create(
        [plan], update_conflicts=True, unique_fields=["task"], update_fields=["schedule", "next_run_at"]
    )


def _start(row: PeriodicTask, task: RetryingTask, now: datetime) -> bool:
    with transaction.atomic(using=router.db_for_write(PeriodicTask)):
        tick = PeriodicTask.objects.filter(pk=row.pk, next_run_at=row.next_run_at, enabled=True)
        if not tick.update(next_run_at=next_tick(row.schedule, after=now), last_run_at=now):
            return False
        result = task.enqueue()
        PeriodicTask.objects.filter(pk=row.pk).update(last_result_id=result.id)
    return True


def run_now(queryset: QuerySet[PeriodicTask]) -> int:
    """Queue these once, besides their schedule; returns how many there still are in the code."""
    known, now = schedules(), timezone.now()
    found = [row for row in queryset if row.task in known]
    with transaction.atomic(using=router.db_for_write(PeriodicTask)):
        for row in found:
            result = known[row.task].enqueue()
            PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=now, last_result_id=result.id)
    return len(found)
