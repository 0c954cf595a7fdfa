from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from ...selectors import dead_refresh_tokens, dead_verifications
from ...services import Purged, purge_expired


class Command(BaseCommand):
    help = "Delete verification codes and spent refresh tokens that no longer matter. Run it daily."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Count, delete nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = "would be deleted" if options["dry_run"] else "deleted"
        counts = self._counted() if options["dry_run"] else purge_expired()
        self.stdout.write(
            f"{counts.verifications} verification codes and {counts.refresh_tokens} spent refresh tokens {verb}."
        )

    def _counted(self) -> Purged:
        now = timezone.now()
        return Purged(
            verifications=dead_verifications(at=now).count(),
            refresh_tokens=dead_refresh_tokens(at=now).count(),
        )
