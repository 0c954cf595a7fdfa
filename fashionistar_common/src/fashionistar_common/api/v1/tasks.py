"""Background tasks, v1."""

from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ...http.drf import ApiView, IsAuthenticated, actor_of, bearer
from ...tasks.status import TaskState, task_status


class TaskStatusOut(serializers.Serializer[Any]):
    """Where a task stands."""

    id = serializers.CharField()
    status = serializers.ChoiceField(choices=[state.value for state in TaskState])
    attempt = serializers.IntegerField()
    enqueued_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    next_attempt_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    started_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)
    finished_at = serializers.DateTimeField(default_timezone=UTC, allow_null=True)


class TaskDetail(ApiView):
    authentication_classes = [bearer()]
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="task_status", responses=TaskStatusOut, tags=["tasks"])
    def get(self, request: Request, task_id: str) -> Response:
        """A background task that I caused; for staff, any."""
        return Response(TaskStatusOut(task_status(task_id, actor=actor_of(request))).data)
