from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from fashionistar_common.notifications import purge_notifications


class Command(BaseCommand):
    """Delete the log of messages that is older than NOTIFICATION_DAYS."""

    help = "Delete the log of messages that is older than NOTIFICATION_DAYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        count = purge_notifications(dry_run=options["dry_run"])
        done = "would be deleted" if options["dry_run"] else "deleted"
        self.stdout.write(f"{count} messages {done}.")
