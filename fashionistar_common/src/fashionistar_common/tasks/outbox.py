"""What is enqueued inside a transaction leaves with it: through the outbox, or not at all."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.tasks import task_backends
from django.utils.module_loading import import_string

from ..events import event_bus


@dataclass(frozen=True, kw_only=True)
class EnqueuedTask:
    """A TaskEnqueued, as it comes back from the outbox."""

    task_id: str
    backend: str
    task: str
    queue_name: str
    priority: int
    run_after: str
    args: list[Any]
    kwargs: dict[str, Any]
    enqueued_at: str


@event_bus.subscribe("common.task_enqueued", version=1)
def send_task_on_task_enqueued(event: EnqueuedTask) -> None:
    """Send it on under its own id, so that a second delivery changes nothing.

    A backend that keeps tasks in the database, to which a project may have gone back, takes it as its own.
    """
    backend = task_backends[event.backend]
    if send := getattr(backend, "send", None):
        send(asdict(event))
    else:
        later = datetime.fromisoformat(event.run_after) if event.run_after and backend.supports_defer else None
        task = import_string(event.task).using(queue_name=event.queue_name, priority=event.priority, run_after=later)
        backend.enqueue(task, event.args, event.kwargs)
