from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from fashionistar_common.ratelimits.database import paid


class Command(BaseCommand):
    help = "Delete the counts of callers who may do everything again. Redis does it by itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say how many there are.")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        rows = paid()
        if dry_run:
            self.stdout.write(f"{rows.count()} rows would be deleted")
        else:
            self.stdout.write(f"{rows.delete()[0]} rows deleted")
