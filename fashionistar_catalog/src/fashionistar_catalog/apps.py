from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "fashionistar_catalog"
    label = "fashionistar_catalog"
    verbose_name = "Fashionistar catalog"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, events  # noqa: F401 - registers them
