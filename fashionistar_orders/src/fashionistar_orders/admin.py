"""The admin: orders are read here and cancelled here; their money and their states are never edited."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from fashionistar_common.exceptions import FashionistarError
from fashionistar_common.types import Actor, Role

from . import services
from .models import Cart, CartLine, Order, OrderLine, VendorOrder
from .types import OrderStatus


class ReadOnly:
    """Nothing is added, changed or deleted here: services do that."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CartLineInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = CartLine


@admin.register(Cart)
class CartAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["public_id", "customer_id", "status", "created_at", "updated_at"]
    list_filter = ["status"]
    search_fields = ["public_id", "customer_id"]
    show_full_result_count = False
    inlines = [CartLineInline]


@admin.register(CartLine)
class CartLineAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["sku", "quantity", "cart"]
    list_select_related = ["cart"]
    search_fields = ["sku", "cart__customer_id"]
    show_full_result_count = False


class RefundDueFilter(admin.SimpleListFilter):
    """Orders whose money came after they were cancelled."""

    title = _("refund")
    parameter_name = "refund"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("due", _("cancelled but paid"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "due":
            return queryset.filter(status=OrderStatus.CANCELLED, paid_at__isnull=False)
        return queryset


class VendorOrderInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = VendorOrder
    fields = ["number", "vendor_name", "amount"]
    readonly_fields = ["amount"]
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[VendorOrder]:
        return super().get_queryset(request).select_related("order")

    @admin.display(description=_("subtotal"))
    def amount(self, vendor_order: VendorOrder) -> str:
        return str(vendor_order.subtotal)


@admin.register(Order)
class OrderAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["number", "status", "amount", "email", "placed_at", "paid_at", "cancelled_at"]
    list_filter = ["status", RefundDueFilter, "currency", "placed_at"]
    search_fields = ["number", "email", "customer_id", "payment_id"]
    date_hierarchy = "placed_at"
    ordering = ["-placed_at", "-pk"]
    show_full_result_count = False
    inlines = [VendorOrderInline]
    actions = ["cancel"]

    @admin.display(description=_("total"), ordering="total_minor")
    def amount(self, order: Order) -> str:
        return str(order.total)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """The right to change orders is the right to cancel them; the form itself changes nothing."""
        return request.user.has_perm("fashionistar_orders.change_order")

    @admin.action(description=_("Cancel the selected orders and return their stock"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        staff, cancelled = Actor(id=str(getattr(request.user, "public_id", request.user.pk)), role=Role.STAFF), 0
        for number in queryset.order_by("pk").values_list("number", flat=True):
            try:
                services.cancel_order(number, actor=staff)
            except FashionistarError as error:
                self.message_user(request, error.detail, messages.ERROR)
            else:
                cancelled += 1
        if cancelled:
            done = ngettext("%d order is cancelled.", "%d orders are cancelled.", cancelled)
            self.message_user(request, done % cancelled, messages.SUCCESS)


class OrderLineInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    fields = ["sku", "product_name", "options", "quantity", "amount"]
    readonly_fields = ["amount"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("vendor_order__order")

    @admin.display(description=_("total"))
    def amount(self, line: OrderLine) -> str:
        return str(line.total)


@admin.register(VendorOrder)
class VendorOrderAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["number", "vendor_name", "status", "amount"]
    list_select_related = ["order"]
    list_filter = ["order__status"]
    search_fields = ["number", "vendor_id", "vendor_name"]
    show_full_result_count = False
    inlines = [OrderLineInline]

    @admin.display(description=_("subtotal"), ordering="subtotal_minor")
    def amount(self, vendor_order: VendorOrder) -> str:
        return str(vendor_order.subtotal)


@admin.register(OrderLine)
class OrderLineAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["sku", "product_name", "quantity", "amount", "vendor_order"]
    list_select_related = ["vendor_order__order"]
    search_fields = ["sku", "product_name", "vendor_order__number"]
    show_full_result_count = False

    @admin.display(description=_("total"), ordering="total_minor")
    def amount(self, line: OrderLine) -> str:
        return str(line.total)
