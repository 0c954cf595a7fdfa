from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from fashionistar_payments.selectors import replayable_webhooks
from fashionistar_payments.services import replay_webhooks


class Command(BaseCommand):
    help = "Process stored webhook events whose effect is not in place, oldest first. Exits 1 when some still fail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="List the events and change nothing.")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        if dry_run:
            rows = list(replayable_webhooks().defer("body", "headers"))
            for row in rows:
                self.stdout.write(f"{row} {row.kind}: {row.last_error or 'not tried yet'}")
            self.stdout.write(f"{len(rows)} to process")
            return
        report = replay_webhooks()
        for event, reason in report.errors.items():
            self.stderr.write(f"{event}: {reason}")
        self.stdout.write(f"{report.processed} of {report.found} processed")
        if report.errors:
            raise CommandError(f"{len(report.errors)} still fail")
