"""What tasks tell others."""

from dataclasses import dataclass

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
