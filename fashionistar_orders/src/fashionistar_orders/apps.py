from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "fashionistar_orders"
    label = "fashionistar_orders"
    verbose_name = "Fashionistar orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, handlers  # noqa: F401 - registers them
