from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models import NotificationDelivery, NotificationPreference, PushSubscription
from ..notifications.addresses import masked
from ..notifications.sending import send_again
from .read_only import ReadOnlyAdmin


@admin.register(NotificationDelivery)
class NotificationDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["kind", "channel", "masked_address", "status", "attempts", "reason", "created_at", "settled_at"]
    list_filter = ["status", "channel", "kind"]
    search_fields = ["key", "user_id", "provider_id"]
    date_hierarchy = "created_at"
    exclude = ["address", "address_hash", "context"]
    readonly_fields = ["public_id", "masked_address"]
    actions = ["send_again"]

    @admin.display(description="address")
    def masked_address(self, delivery: NotificationDelivery) -> str:
        """Whoever looks after the site need not read addresses for it."""
        if "***" in delivery.address:
            return delivery.address
        return masked(delivery.address, delivery.channel)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """The right to change deliveries is the right to have them sent again; the form itself changes nothing."""
        return request.user.has_perm("fashionistar_common.change_notificationdelivery")

    @admin.action(description="Send again (pending and failed)", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[NotificationDelivery]) -> None:
        self.message_user(request, f"{send_again(queryset)} messages will be sent again.", messages.SUCCESS)


@admin.register(NotificationPreference)
class NotificationPreferenceAdmin(ReadOnlyAdmin):
    list_display = ["user_id", "category", "channel", "enabled", "changed_at"]
    list_filter = ["category", "channel", "enabled"]
    search_fields = ["user_id"]


@admin.register(PushSubscription)
class PushSubscriptionAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "user_id", "created_at"]
    search_fields = ["user_id"]
    exclude = ["endpoint", "p256dh", "auth"]
    readonly_fields = ["public_id"]
