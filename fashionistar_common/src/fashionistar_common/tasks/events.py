"""What tasks tell others."""

from dataclasses import dataclass
from typing import Any

from ..events import Event


@dataclass(frozen=True, kw_only=True)
class TaskDied(Event, name="common.task_died", version=1, aggregate="task_id"):
    """A task will not be tried again, and waits among the dead ones. Its arguments and error text are only there."""

    task_id: str
    task: str
    queue_name: str
    attempts: int
    error: str
    request_id: str


@dataclass(frozen=True, kw_only=True)
class TaskEnqueued(Event, name="common.task_enqueued", version=1, aggregate="task_id"):
    """A task was enqueued inside a transaction, for a queue outside of the database.

    `task` is the path of the task, `run_after` an ISO time or empty, `backend` the alias in TASKS.
    """

    task_id: str
    backend: str
    task: str
    queue_name: str
    priority: int
    run_after: str
    args: list[Any]
    kwargs: dict[str, Any]
    enqueued_at: str
