"""What may be told of a task to whoever caused it."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.tasks import TaskResult, TaskResultStatus, task_backends
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.utils import timezone

from ..exceptions import NotFoundError
from ..models import DeadTask, EventDelivery, OutboxEvent, RetriedTask
from ..types import Actor, Role
from .events import TaskEnqueued
from .outbox import send_task_on_task_enqueued

#: How often a task that was given up and replayed is followed; the next one has an id of its own to ask for.
REPLAYS = 5


class TaskState(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


STATES = {
    TaskResultStatus.READY: TaskState.WAITING,
    TaskResultStatus.RUNNING: TaskState.RUNNING,
    TaskResultStatus.SUCCESSFUL: TaskState.SUCCEEDED,
    TaskResultStatus.FAILED: TaskState.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatus:
    """A task, whichever of its attempts is the newest.

    Attributes:
        id: the id of the result that `enqueue()` returned.
        status: `failed` is final: no attempt follows by itself.
        attempt: the number of the newest attempt, from 1.
        enqueued_at: when the newest attempt was queued.
        next_attempt_at: when it will be tried again; None unless it waits for that.
        started_at: when the newest attempt began.
        finished_at: when the newest attempt ended.
    """

    id: str
    status: TaskState
    attempt: int
    enqueued_at: datetime | None
    next_attempt_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


def task_status(task_id: str, *, actor: Actor) -> TaskStatus:
    """The task as it is now.

    Raises:
        NotFoundError: there is none that this actor caused; to staff, none at all.
    """
    found = _found(task_id) if re.fullmatch(r"[\w-]{1,64}", task_id, re.ASCII) else None
    if found is None:
        raise NotFoundError
    status, owner = found
    if actor.role != Role.STAFF and owner != actor.id:
        raise NotFoundError
    return replace(status, id=task_id)


def _found(task_id: str) -> tuple[TaskStatus, str] | None:
    """The status of the newest attempt, and the public id of the user who caused the task."""
    if result := _newest(task_id):
        status, headers, later = STATES[result.status], result.kwargs.get("_headers"), result.task.run_after
        times = {"started_at": result.started_at, "finished_at": result.finished_at}
        return _status(status, headers, enqueued_at=result.enqueued_at, later=later, **times)
    if facts := _in_outbox(task_id):
        enqueued_at, later = (
            datetime.fromisoformat(facts[name]) if facts[name] else None for name in ("enqueued_at", "run_after")
        )
        return _status(TaskState.WAITING, facts["kwargs"].get("_headers"), enqueued_at=enqueued_at, later=later)
    return None


def _status(
    status: TaskState,
    headers: dict[str, Any] | None,
    *,
    enqueued_at: datetime | None,
    later: datetime | None,
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
) -> tuple[TaskStatus, str]:
    headers = headers or {}
    waits = status == TaskState.WAITING and later is not None and later > timezone.now()
    told = TaskStatus(
        id="",
        status=status,
        attempt=headers.get("attempt", 1),
        enqueued_at=enqueued_at,
        next_attempt_at=later if waits else None,
        started_at=started_at,
        finished_at=finished_at,
    )
    return told, headers.get("context", {}).get("user_id", "")


def _in_outbox(task_id: str) -> dict[str, Any] | None:
    """What has been enqueued in a transaction and not been sent to its queue yet."""
    stream = f"{TaskEnqueued.aggregate}:{task_id}"
    new = OutboxEvent.objects.filter(fanned_out_at=None, name=TaskEnqueued.name, stream=stream)
    sender = f"{send_task_on_task_enqueued.__module__}.{send_task_on_task_enqueued.__qualname__}"
    pending = EventDelivery.objects.filter(status="pending", subscriber=sender, stream=stream)
    return new.values_list("payload", flat=True).first() or pending.values_list("event__payload", flat=True).first()


def _newest(task_id: str) -> "TaskResult[..., Any] | None":
    for _ in range(REPLAYS):
        replay = DeadTask.objects.filter(task_id=task_id).exclude(replay_id="").values_list("replay_id", flat=True)
        if not (again := replay.first()):
            break
        task_id = again
    if retried := RetriedTask.objects.filter(task_id=task_id).first():
        return _result(retried.backend, retried.result_id)
    for alias in task_backends.settings:
        if result := _result(alias, task_id):
            return result
    return None


def _result(alias: str, result_id: str) -> "TaskResult[..., Any] | None":
    if alias not in task_backends.settings or not (backend := task_backends[alias]).supports_get_result:
        return None
    try:
        return backend.get_result(result_id)
    except (TaskResultDoesNotExist, ImportError, InvalidTask, SuspiciousOperation):
        return None  # it was pruned, or is of a task that is no longer in the code
