from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from ..db.soft_delete import RestoreConflictError, SoftDelete


class DeletedFilter(admin.SimpleListFilter):
    """Living rows, unless somebody looks for the deleted ones."""

    title = "deleted"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Yes"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() != "1")

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": "No"}, *others]


class SoftDeleteAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """An admin for a `SoftDelete` model: "delete" hides, "restore" brings back, and nothing here removes for good."""

    actions = ["restore"]
    readonly_fields = ["deleted_at"]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [DeletedFilter, *super().get_list_filter(request)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        model: type[SoftDelete] = self.model
        rows = model.all_objects.get_queryset()
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    @admin.action(description="Restore", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        try:
            count = queryset.restore()  # type: ignore[attr-defined]
        except RestoreConflictError as error:
            self.message_user(request, error.detail, messages.ERROR)
        else:
            self.message_user(request, f"{count} restored, with what was deleted together with them.", messages.SUCCESS)
