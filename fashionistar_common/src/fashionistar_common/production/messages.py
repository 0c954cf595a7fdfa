"""Items about messages to people."""

from datetime import timedelta

from django.utils import timezone
from django.utils.module_loading import import_string

from ..conf import conf
from ..models import Category, Channel, NotificationDelivery
from ..notifications import kinds
from ..notifications.providers.log import LogProvider
from .registry import Result, failed, not_applicable, passed, production_item

#: Seconds that a message may wait; its retries take longer only while a provider is down.
MESSAGE_AGE = 900


@production_item(
    "common.messages_carried", "Messages go to people, not to a log.", evidence="manage.py diffsettings: NOTIFICATION_*"
)
def messages_carried() -> Result:
    logged = [
        channel
        for channel, config in conf.NOTIFICATION_PROVIDERS.items()
        if issubclass(import_string(config["BACKEND"]), LogProvider)
    ]
    return failed(f"what goes by {', '.join(sorted(logged))} is only logged") if logged else passed()


@production_item(
    "common.messages_refusable", "Mail that people may refuse says how, over HTTPS.", evidence="RFC 8058; PUBLIC_URL"
)
def messages_refusable() -> Result:
    if not any(kind.category != Category.TRANSACTIONAL and Channel.EMAIL in kind.channels for kind in kinds.values()):
        return not_applicable("no app here sends any")
    return passed() if conf.PUBLIC_URL.startswith("https://") else failed("PUBLIC_URL is no https:// address")


@production_item("common.messages_leave", "No message waits for long.", evidence="admin: notification deliveries")
def messages_leave() -> Result:
    pending = NotificationDelivery.objects.filter(status=NotificationDelivery.Status.PENDING)
    late = pending.filter(created_at__lt=timezone.now() - timedelta(seconds=MESSAGE_AGE)).count()
    return failed(f"{late} have waited for more than {MESSAGE_AGE // 60} minutes") if late else passed()
