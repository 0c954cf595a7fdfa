"""The admin: facts to be read. What waits can be replayed; nothing is edited."""

import logging
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from fashionistar_common.exceptions import FashionistarError

from . import services
from .models import Payment, WebhookEvent

logger = logging.getLogger(__name__)


class ReadOnly:
    """Nothing is added, changed or deleted here: gateways and services do that."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Payment)
class PaymentAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["public_id", "order_number", "price", "status", "failure_code", "provider", "created_at"]
    list_filter = ["status", "provider", "currency", "created_at"]
    search_fields = ["public_id", "order_number", "provider_reference", "customer_id"]
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False
    exclude = ["next_action"]  # it may hold a secret that opens the gateway's payment page

    @admin.display(description=_("amount"), ordering="amount_minor")
    def price(self, payment: Payment) -> str:
        return str(payment.amount)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["event_id", "provider", "kind", "received_at", "processed_at", "attempts", "last_error"]
    list_filter = [("processed_at", admin.EmptyFieldListFilter), "provider", "kind", "received_at"]
    search_fields = ["event_id", "last_error"]
    date_hierarchy = "received_at"
    ordering = ["-received_at", "-pk"]
    show_full_result_count = False
    actions = ["replay"]

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """The right to change events is the right to replay them; the form itself changes nothing."""
        return request.user.has_perm("fashionistar_payments.change_webhookevent")

    @admin.action(description=_("Process the selected events again"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        processed = 0
        for event in queryset.filter(processed_at__isnull=True).order_by("pk"):
            try:
                services.process_webhook(event)
            except FashionistarError as error:
                self.message_user(request, f"{event}: {error.detail}", messages.ERROR)
            except Exception as error:
                logger.exception("webhook not processed", extra={"event": event.event_id})
                self.message_user(request, f"{event}: {type(error).__name__}", messages.ERROR)
            else:
                processed += 1
        done = ngettext("%d event is processed.", "%d events are processed.", processed)
        self.message_user(request, done % processed, messages.SUCCESS)
