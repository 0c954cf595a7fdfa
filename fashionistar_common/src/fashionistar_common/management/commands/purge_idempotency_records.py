from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from fashionistar_common.http.idempotency import expired_records


class Command(BaseCommand):
    help = "Delete stored answers whose Idempotency-Key has expired. For cron, once a day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say how many there are.")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        records = expired_records()
        if dry_run:
            self.stdout.write(f"{records.count()} records would be deleted")
        else:
            self.stdout.write(f"{records.delete()[0]} records deleted")
