"""Background tasks, v2."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router, Schema

from ...http.ninja import PROBLEMS, Bearer, Timestamp, actor_of
from ...tasks.status import TaskState, TaskStatus
from ...tasks.status import task_status as status_of


class TaskStatusOut(Schema):
    """Where a task stands."""

    id: str
    status: TaskState
    attempt: int
    enqueued_at: Timestamp | None
    next_attempt_at: Timestamp | None
    started_at: Timestamp | None
    finished_at: Timestamp | None


async def task_status(request: HttpRequest, task_id: str) -> TaskStatus:
    """A background task that I caused; for staff, any."""
    return await sync_to_async(status_of)(task_id, actor=actor_of(request))


def create_router() -> Router:
    """A new router; each can be mounted once."""
    router = Router(tags=["tasks"])
    router.get(
        "/{task_id}",
        auth=Bearer(),
        response={200: TaskStatusOut, **PROBLEMS},
        operation_id="task_status",
        summary="How a task stands",
    )(task_status)
    return router
