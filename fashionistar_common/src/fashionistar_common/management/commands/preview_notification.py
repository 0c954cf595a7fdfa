import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from fashionistar_common.models import Channel, NotificationDelivery
from fashionistar_common.notifications import kinds
from fashionistar_common.notifications.addresses import language
from fashionistar_common.notifications.rendering import compose


class Command(BaseCommand):
    help = "Show a message as it would leave, and send nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", help="Such as orders.order_confirmation.")
        parser.add_argument("--context", default="{}", help="What notify() would be given, as JSON.")
        parser.add_argument("--channel", default="email", choices=[Channel.EMAIL.value, Channel.SMS.value])
        parser.add_argument("--locale", default="", help="A language code; by default LANGUAGE_CODE.")

    def handle(self, *, kind: str, context: str, channel: str, locale: str, **options: Any) -> None:
        if kind not in kinds:
            raise CommandError(f"There is no kind {kind}. Known: {', '.join(sorted(kinds))}.")
        try:
            stored = json.loads(context)
        except ValueError as error:
            raise CommandError(f"--context is no JSON: {error}") from error
        delivery = NotificationDelivery(kind=kind, channel=channel, locale=language(locale), context=stored)
        with transaction.atomic():  # what a kind writes when its message leaves is taken back
            message = compose(delivery, kinds[kind])
            transaction.set_rollback(True)
        if message is None:
            raise CommandError("With this context the message is called off.")
        self.stdout.write("\n\n".join(part for part in (message.subject, message.text, message.html) if part))
