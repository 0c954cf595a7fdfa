from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ..models import EventDelivery, EventSubscription, OutboxEvent
from .read_only import ReadOnlyAdmin


class EventDeliveryInline(admin.TabularInline):  # type: ignore[type-arg]
    model = EventDelivery
    fields = ["subscriber", "status", "attempts", "next_attempt_at", "delivered_at"]
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ["id", "name", "version", "stream", "occurred_at", "fanned_out_at", "request_id"]
    list_filter = ["name"]
    search_fields = ["stream", "request_id", "event_id"]
    date_hierarchy = "occurred_at"
    inlines = [EventDeliveryInline]


@admin.register(EventSubscription)
class EventSubscriptionAdmin(ReadOnlyAdmin):
    list_display = ["subscriber", "name", "version", "first_seen_at", "last_seen_at"]
    list_filter = ["name"]
    search_fields = ["subscriber", "name"]


@admin.register(EventDelivery)
class EventDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["event", "subscriber", "status", "attempts", "next_attempt_at", "delivered_at"]
    list_filter = ["status", "subscriber"]
    search_fields = ["stream", "subscriber", "last_error"]
    list_select_related = ["event"]
    actions = ["deliver_again"]

    def has_deliver_permission(self, request: HttpRequest) -> bool:
        """The right to change deliveries is the right to have them tried again; the form itself changes nothing."""
        return request.user.has_perm("fashionistar_common.change_eventdelivery")

    @admin.action(description="Try again (pending and dead deliveries)", permissions=["deliver"])
    def deliver_again(self, request: HttpRequest, queryset: QuerySet[EventDelivery]) -> None:
        count = queryset.exclude(status=EventDelivery.Status.DELIVERED).update(
            status=EventDelivery.Status.PENDING, attempts=0, next_attempt_at=timezone.now()
        )
        self.message_user(request, f"{count} deliveries will be tried again.", messages.SUCCESS)
