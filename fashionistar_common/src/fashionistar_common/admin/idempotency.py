from django.contrib import admin

from ..models import IdempotencyRecord
from .read_only import ReadOnlyAdmin


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ReadOnlyAdmin):
    list_display = ["key", "scope", "claimed_at", "status"]
    search_fields = ["key", "scope"]
    exclude = ["body"]
