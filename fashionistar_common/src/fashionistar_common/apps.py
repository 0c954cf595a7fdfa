from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "fashionistar_common"
    label = "fashionistar_common"
    verbose_name = "Fashionistar common"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
        from .notifications import checks as notification_checks  # noqa: F401 - registers them
