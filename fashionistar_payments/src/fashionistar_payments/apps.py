from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "fashionistar_payments"
    label = "fashionistar_payments"
    verbose_name = "Fashionistar payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, handlers  # noqa: F401 - importing registers them
