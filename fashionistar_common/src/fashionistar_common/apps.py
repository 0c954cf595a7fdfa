from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "fashionistar_common"
    label = "fashionistar_common"
    verbose_name = "Fashionistar common"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from . import checks  # noqa: F401 - registers them
        from .events import readings  # noqa: F401 - registers them
        from .notifications import readings as notification_readings  # noqa: F401 - registers them
        from .observability.queries import watch
        from .tasks import events, outbox, webhook  # noqa: F401 - what they publish, and who hears it
        from .tasks import readings as task_readings  # noqa: F401 - registers them

        connection_created.connect(watch)
