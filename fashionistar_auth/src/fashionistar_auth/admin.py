"""The accounts of the shop in Django's admin."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.http import HttpRequest

from .models import EmailVerification, SpentRefreshToken, User


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To look at: only services write these rows."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class UserCreation(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email", "role")
        field_classes: ClassVar[dict[str, type[forms.Field]]] = {}


class UserChange(UserChangeForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = "__all__"
        field_classes: ClassVar[dict[str, type[forms.Field]]] = {}


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    form = UserChange
    add_form = UserCreation
    ordering = ("-created_at",)
    date_hierarchy = "created_at"
    list_display = ("email", "role", "first_name", "last_name", "verified", "is_active", "is_staff", "created_at")
    list_filter = ("role", "is_active", "is_staff", ("email_verified_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("email", "first_name", "last_name", "=public_id")
    readonly_fields = ("public_id", "email_verified_at", "last_login", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("public_id", "email", "password", "role")}),
        ("Person", {"fields": ("first_name", "last_name")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("email_verified_at", "last_login", "created_at", "updated_at")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "role", "usable_password", "password1", "password2")}),
    )

    @admin.display(boolean=True, description="verified", ordering="email_verified_at")
    def verified(self, user: User) -> bool:
        return user.is_email_verified


@admin.register(EmailVerification)
class EmailVerificationAdmin(ReadOnlyAdmin):
    list_display = ("user", "requested_at", "sent_at", "expires_at", "used_at", "tries", "locked")
    list_select_related = ("user",)
    list_filter = ("requested_at", ("used_at", admin.EmptyFieldListFilter))
    search_fields = ("user__email",)
    exclude = ("nonce",)

    @admin.display(boolean=True)
    def locked(self, verification: EmailVerification) -> bool:
        return verification.is_locked


@admin.register(SpentRefreshToken)
class SpentRefreshTokenAdmin(ReadOnlyAdmin):
    list_display = ("jti", "user", "spent_at", "expires_at")
    list_select_related = ("user",)
    list_filter = ("spent_at",)
    search_fields = ("=jti", "user__email")
