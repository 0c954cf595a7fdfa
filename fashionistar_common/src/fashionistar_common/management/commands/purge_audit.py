from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from fashionistar_common import audit
from fashionistar_common.audit.retention import purgeable
from fashionistar_common.management.moments import moment
from fashionistar_common.models import AuditChain
from tqdm import tqdm


class Command(BaseCommand):
    help = "Remove the oldest entries of the audit log. What is left is still a chain, and tells of the purge."

    def add_arguments(self, parser: ArgumentParser) -> None:
        age = parser.add_mutually_exclusive_group(required=True)
        age.add_argument("--before", type=moment, help="Such as 2026-01-31 or 2026-01-31T12:00+01:00.")
        age.add_argument("--older-than", type=int, metavar="DAYS")
        parser.add_argument("--dry-run", action="store_true", help="Only say how many there are.")

    def handle(
        self, *, before: datetime | None, older_than: int | None, dry_run: bool, verbosity: int, **options: Any
    ) -> None:
        limit = before or timezone.now() - timedelta(days=older_than or 0)
        chain = AuditChain.objects.first() or AuditChain()
        count = max(0, purgeable(limit) - chain.purged)
        if dry_run:
            self.stdout.write(f"{count} entries would be removed")
            return
        removed = 0
        with tqdm(total=count, unit=" entries", file=self.stderr, disable=None if verbosity else True) as bar:
            for number in audit.purge(limit):
                removed += number
                bar.update(number)
        self.stdout.write(f"{removed} entries removed")
