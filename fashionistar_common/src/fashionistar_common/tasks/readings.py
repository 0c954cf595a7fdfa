"""What waits in the queues, whatever they are kept in, and what was given up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Count, Min, Q
from django.tasks import task_backends
from django.utils import timezone

from ..models import DeadTask
from ..observability.metrics import Reading, reading


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue at this moment.

    Attributes:
        ready: tasks that a worker could take; those whose time has not come are `delayed`.
        age: seconds that the oldest of the ready ones has waited.
        workers: how many work on it; None where the backend cannot know.
    """

    backend: str
    name: str
    ready: int
    delayed: int
    age: float
    workers: int | None


def queues() -> Iterator[Queue]:
    """Every queue of every backend that can tell."""
    for alias in task_backends.settings:
        backend = task_backends[alias]
        if hasattr(backend, "queue_facts"):
            for facts in backend.queue_facts():
                yield Queue(alias, facts.queue, facts.waiting, facts.delayed, facts.oldest_seconds, facts.workers)
        elif type(backend).__module__.startswith("django_tasks_db.") and apps.is_installed("django_tasks_db"):
            yield from _database_queues(alias, backend.queues)


def _database_queues(alias: str, names: Iterable[str]) -> Iterator[Queue]:
    from django_tasks_db.models import DBTaskResult, get_date_max

    now = timezone.now()
    due = Q(run_after__lte=now) | Q(run_after=get_date_max())  # how that package writes "at once"
    rows = DBTaskResult.objects.filter(status="READY", backend_name=alias).order_by().values_list("queue_name")
    counted = {
        name: (ready, delayed, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)
        for name, ready, delayed, oldest in rows.annotate(
            ready=Count("pk", filter=due), delayed=Count("pk", filter=~due), oldest=Min("enqueued_at", filter=due)
        )
    }
    for name in sorted({*names, *counted}):
        yield Queue(alias, name, *counted.get(name, (0, 0, 0.0)), None)


@reading
def queue_readings() -> Iterator[Reading]:
    """Depth, age and workers by queue."""
    for queue in queues():
        labels = {"backend": queue.backend, "queue": queue.name}
        yield Reading("queue_ready", "Tasks that a worker could take.", queue.ready, labels)
        yield Reading("queue_delayed", "Tasks whose time has not come.", queue.delayed, labels)
        yield Reading(
            "queue_age_seconds", "How long the oldest task that a worker could take has waited.", queue.age, labels
        )
        if queue.workers is not None:
            yield Reading("queue_workers", "Workers that have shown themselves lately.", queue.workers, labels)


@reading
def dead_tasks() -> Iterator[Reading]:
    """What was given up, and has not been run again."""
    dead = DeadTask.objects.filter(replayed_at=None).order_by()
    for queue, count in dead.values_list("queue_name").annotate(count=Count("pk")):
        yield Reading("tasks_dead", "Tasks that were given up.", count, {"queue": queue})
