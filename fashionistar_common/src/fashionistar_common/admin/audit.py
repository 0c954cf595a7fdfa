import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..audit.export import as_csv, as_jsonl
from ..models import AuditEntry
from .read_only import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "object_id", "changed", "ip", "sequence"]
    list_display_links = ["at", "action"]
    list_filter = ["actor_role", "at"]
    #: Whole values, so that the indexes serve; and the beginning of an action.
    search_fields = [
        *("object_id__exact", "actor_id__exact", "request_id__exact", "trace_id__exact", "ip__exact"),
        "action__startswith",
    ]
    search_help_text = "A whole object, actor, request, trace or address; or the beginning of an action."
    ordering = ["-id"]
    show_full_result_count = False
    exclude = ["changes"]
    readonly_fields = ["difference"]
    actions = ["export_csv", "export_jsonl"]

    @admin.display(description="actor", ordering="actor_id")
    def actor(self, entry: AuditEntry) -> str:
        return f"{entry.actor_id} ({entry.actor_role})" if entry.actor_id else "the system"

    @admin.display(description="fields")
    def changed(self, entry: AuditEntry) -> str:
        return ", ".join(entry.changes)

    @admin.display(description="changes")
    def difference(self, entry: AuditEntry) -> SafeString:
        changes = ((name, *map(_shown, pair)) for name, pair in entry.changes.items())
        rows = format_html_join("", "<tr><th>{}</th><td><del>{}</del></td><td><ins>{}</ins></td></tr>", changes)
        return format_html("<table><tr><th>field</th><th>before</th><th>after</th></tr>{}</table>", rows)

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> StreamingHttpResponse:
        return StreamingHttpResponse(
            as_csv(queryset),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="audit.csv"'},
        )

    @admin.action(description="Export as JSON lines", permissions=["view"])
    def export_jsonl(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> StreamingHttpResponse:
        return StreamingHttpResponse(
            as_jsonl(queryset),
            content_type="application/jsonl",
            headers={"Content-Disposition": 'attachment; filename="audit.jsonl"'},
        )


def _shown(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
