import json

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from ..conf import conf
from ..mail.queued import send_queued_email
from ..models import DeadTask, PeriodicTask, TaskKey
from ..tasks import dead, schedule
from .read_only import ReadOnlyAdmin


@admin.register(DeadTask)
class DeadTaskAdmin(ReadOnlyAdmin):
    list_display = ["task_id", "task", "queue_name", "attempts", "error", "failed_at", "replayed_at"]
    list_filter = [("replayed_at", admin.EmptyFieldListFilter), "queue_name", "task"]
    search_fields = ["task_id", "task", "error", "traceback", "key"]
    date_hierarchy = "failed_at"
    exclude = ["args", "kwargs", "traceback"]
    readonly_fields = ["arguments", "what_happened"]
    actions = ["run_again"]

    @admin.display
    def arguments(self, row: DeadTask) -> str:
        if row.task == send_queued_email.module_path:  # a letter may hold a link to a new password
            return "(hidden)"
        hidden = dict.fromkeys(conf.TASK_HIDDEN_ARGUMENTS, "(hidden)")
        named = {**row.kwargs, **{name: value for name, value in hidden.items() if name in row.kwargs}}
        positional = "(hidden)" if hidden and row.args else row.args  # whose names only the code knows
        return format_html("<pre>{}</pre>", json.dumps([positional, named], indent=1, ensure_ascii=False))

    @admin.display
    def what_happened(self, row: DeadTask) -> str:
        return format_html("<pre>{}</pre>", row.traceback)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """The right to change dead tasks is the right to have them run again; the form itself changes nothing."""
        return request.user.has_perm("fashionistar_common.change_deadtask")

    @admin.action(description="Run again (once each)", permissions=["replay"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[DeadTask]) -> None:
        queued = 0
        for row in queryset.filter(replayed_at=None).order_by("failed_at", "pk"):
            try:
                queued += dead.replay(row, by=request.user.get_username())
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer, and the others go on
                self.message_user(request, f"{row}: {error}", messages.ERROR)
        self.message_user(request, f"{queued} tasks are queued again.", messages.SUCCESS)


@admin.register(TaskKey)
class TaskKeyAdmin(ReadOnlyAdmin):
    list_display = ["key", "task", "enqueued_at", "finished_at", "doubles"]
    search_fields = ["key", "task", "result_id"]


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    list_display = ["task", "schedule", "enabled", "next_run_at", "last_run_at", "last_result_id"]
    list_filter = ["enabled"]
    search_fields = ["task"]
    ordering = ["task"]
    actions = ["enable", "disable", "run_now"]

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """The right to change periodic tasks; their schedules are in the code."""
        return request.user.has_perm("fashionistar_common.change_periodictask")

    @admin.action(description="Enable", permissions=["steer"])
    def enable(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self.message_user(request, f"{queryset.update(enabled=True)} tasks enabled.", messages.SUCCESS)

    @admin.action(description="Disable", permissions=["steer"])
    def disable(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self.message_user(request, f"{queryset.update(enabled=False)} tasks disabled.", messages.SUCCESS)

    @admin.action(description="Run now", permissions=["steer"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        self.message_user(request, f"{schedule.run_now(queryset)} tasks queued.", messages.SUCCESS)
