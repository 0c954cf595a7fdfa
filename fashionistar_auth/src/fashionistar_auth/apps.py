from django.apps import AppConfig


class AuthConfig(AppConfig):
    name = "fashionistar_auth"
    label = "fashionistar_auth"
    verbose_name = "Fashionistar auth"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks and the event handlers."""
        from . import checks, handlers  # noqa: F401
