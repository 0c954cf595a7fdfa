"""The catalog in Django's admin. What has a rule is done by the services, here as everywhere."""

from collections.abc import Callable, Collection
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from fashionistar_common.exceptions import FashionistarError
from fashionistar_common.money import Money

from . import services
from .conf import conf
from .models import Category, Product, ProductImage, StockMovement, Variant, Vendor
from .types import NewVariant

#: In one adjustment of stock by hand.
MOST_PIECES = 1_000_000_000


def each(
    modeladmin: "admin.ModelAdmin[Any]", request: HttpRequest, rows: QuerySet[Any], service: Callable[[Any], Any]
) -> None:
    """Run a service on each row and tell what was done and what was refused."""
    done = 0
    for row in rows:
        try:
            service(row)
            done += 1
        except FashionistarError as error:
            modeladmin.message_user(request, f"{row}: {error.detail}", messages.ERROR)
    if done:
        modeladmin.message_user(request, ngettext("%d done.", "%d done.", done) % done, messages.SUCCESS)


def store_variant(variant: Variant, changed: Collection[str]) -> None:
    """Store the changed fields of a variant from a form, through the services."""
    if {"price_minor", "compare_at_minor"} & set(changed):
        before = None if variant.compare_at_minor is None else Money(variant.compare_at_minor, variant.currency)
        services.change_price(variant, price=variant.price, compare_at=before)
    names = ("title", "options", "barcode", "position", "is_active")
    changes: Any = {name: getattr(variant, name) for name in names if name in changed}
    if changes:
        services.update_variant(variant, **changes)


class CategoryForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_parent(self) -> Category | None:
        parent: Category | None = self.cleaned_data["parent"]
        if self.instance.pk and parent and f"{parent.path}/".startswith(f"{self.instance.path}/"):
            raise forms.ValidationError(_("A category cannot be placed below itself."))
        return parent


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = CategoryForm
    fields = ("name", "slug", "parent", "position")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("parent",)
    list_display = ("name", "path", "position")
    search_fields = ("name", "path")
    ordering = ("path",)

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:
        stored = (
            services.update_category(obj, **{name: form.cleaned_data[name] for name in form.changed_data})
            if change
            else services.create_category(**form.cleaned_data)
        )
        obj.__dict__.update(stored.__dict__)


@admin.register(Vendor)
class VendorAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    fields = ("name", "slug", "description", "owner_id", "status", "public_id", "created_at")
    readonly_fields = ("status", "public_id", "created_at")
    prepopulated_fields = {"slug": ("name",)}
    list_display = ("name", "slug", "status", "created_at")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    actions = ("suspend", "reinstate")

    @admin.action(description=_("Suspend: take off sale"), permissions=["change"])
    def suspend(self, request: HttpRequest, rows: QuerySet[Vendor]) -> None:
        each(self, request, rows, services.suspend_vendor)

    @admin.action(description=_("Reinstate: put back on sale"), permissions=["change"])
    def reinstate(self, request: HttpRequest, rows: QuerySet[Vendor]) -> None:
        each(self, request, rows, services.reinstate_vendor)


class OptionsForm(forms.ModelForm):  # type: ignore[type-arg]
    """A variant's form, whose options are texts by name: no page could show anything else."""

    def clean_options(self) -> dict[str, str]:
        options = self.cleaned_data["options"] or {}
        if not isinstance(options, dict) or not all(isinstance(value, str) for value in options.values()):
            raise forms.ValidationError(_('Texts by name, such as {"Size": "M"}.'))
        return options


class ProductForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_attributes(self) -> dict[str, Any]:
        attributes = self.cleaned_data["attributes"] or {}
        if not isinstance(attributes, dict):
            raise forms.ValidationError(_('Values by name, such as {"Fabric": "linen"}.'))
        return attributes


class VariantInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Variant
    form = OptionsForm
    fields = ("sku", "title", "options", "price_minor", "compare_at_minor", "stock", "barcode", "position", "is_active")
    readonly_fields = ("stock",)
    can_delete = False
    show_change_link = True
    extra = 0


class ImageInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ProductImage
    fields = ("file", "url", "alt", "position")
    extra = 0


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ProductForm
    fieldsets = (
        (None, {"fields": ("name", "slug", "vendor", "category", "brand", "description", "attributes", "currency")}),
        (_("State"), {"fields": ("status", "published_at", "price", "public_id", "created_at", "updated_at")}),
        (_("Import"), {"fields": ("source", "external_id"), "classes": ("collapse",)}),
    )
    readonly_fields = ("status", "published_at", "price", "public_id", "created_at", "updated_at")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("vendor", "category")
    inlines = (VariantInline, ImageInline)
    list_display = ("name", "vendor", "category", "price", "status", "published_at")
    list_select_related = ("vendor", "category")
    list_filter = ("status", ("vendor", admin.RelatedOnlyFieldListFilter))
    search_fields = ("name", "slug", "brand", "variants__sku")
    actions = ("publish", "archive")

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, *(("currency",) if obj else ()))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"currency": conf.CURRENCY, **super().get_changeform_initial_data(request)}

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is not Variant:
            super().save_formset(request, form, formset, change)
            return
        formset.save(commit=False)
        for variant, changed in formset.changed_objects:
            store_variant(variant, changed)
        for variant in formset.new_objects:
            product = form.instance
            reduced = variant.compare_at_minor
            new = NewVariant(
                sku=variant.sku,
                price=Money(variant.price_minor, product.currency),
                compare_at=None if reduced is None else Money(reduced, product.currency),
                options=variant.options,
                title=variant.title,
                barcode=variant.barcode,
            )
            variant.__dict__.update(services.add_variant(product, new).__dict__)

    @admin.action(description=_("Publish: put on sale"), permissions=["change"])
    def publish(self, request: HttpRequest, rows: QuerySet[Product]) -> None:
        each(self, request, rows, services.publish_product)

    @admin.action(description=_("Archive: take off sale"), permissions=["change"])
    def archive(self, request: HttpRequest, rows: QuerySet[Product]) -> None:
        each(self, request, rows, services.archive_product)


@admin.register(ProductImage)
class ProductImageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("product", "alt", "position")
    list_select_related = ("product",)
    autocomplete_fields = ("product",)
    search_fields = ("alt", "product__name")


class VariantForm(OptionsForm):
    """A variant's form with a door to the ledger: the stock itself is not a field."""

    stock_change = forms.IntegerField(
        label=_("Adjust stock by"),
        required=False,
        min_value=-MOST_PIECES,
        max_value=MOST_PIECES,
        help_text=_("Such as -1 for a damaged piece."),
    )
    stock_note = forms.CharField(label=_("Why"), required=False, max_length=100)

    def clean_stock_change(self) -> int:
        change: int = self.cleaned_data["stock_change"] or 0
        if self.instance.stock + change < 0:
            raise forms.ValidationError(_("Less than nothing would be left."))
        return change


@admin.register(Variant)
class VariantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = VariantForm
    fields = (
        *("product", "sku", "title", "options", "price_minor", "compare_at_minor", "currency"),
        *("barcode", "position", "is_active", "stock", "stock_change", "stock_note"),
    )
    readonly_fields = ("product", "sku", "currency", "stock")
    list_display = ("sku", "product", "title", "price", "stock", "is_active")
    list_select_related = ("product",)
    list_filter = ("is_active",)
    search_fields = ("sku", "barcode", "product__name")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a variant is added on its product's page

    def save_model(self, request: HttpRequest, obj: Variant, form: Any, change: bool) -> None:
        store_variant(obj, form.changed_data)
        if amount := form.cleaned_data["stock_change"]:
            note = form.cleaned_data["stock_note"] or f"by {request.user}"
            try:
                services.adjust_stock(obj.sku, amount, reference=note[:120])
            except FashionistarError as error:  # somebody bought it since the form was checked
                self.message_user(request, f"{obj}: {error.detail}", messages.ERROR)


@admin.register(StockMovement)
class StockMovementAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("created_at", "variant", "quantity", "reason", "reference")
    list_select_related = ("variant",)
    list_filter = ("reason",)
    search_fields = ("variant__sku", "reference")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
