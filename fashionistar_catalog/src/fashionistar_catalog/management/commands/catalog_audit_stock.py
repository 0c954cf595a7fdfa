from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from fashionistar_catalog import services
from tqdm import tqdm


class Command(BaseCommand):
    help = "Compare every stock counter with the sum of its movements. Fails when some differ and --fix is not given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Rebuild the counters that differ from their ledger.")

    def handle(self, *, fix: bool, verbosity: int, **options: Any) -> None:
        with tqdm(unit=" variants", desc="stock", file=self.stderr, disable=None if verbosity else True) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            differences = services.audit_stock(fix=fix, progress=progress)
        for difference in differences:
            self.stdout.write(f"{difference.sku}: counter {difference.counter}, ledger {difference.ledger}")
        if differences and not fix:
            raise CommandError(f"{len(differences)} counters differ from their ledger; --fix rebuilds them.")
        self.stdout.write(f"{len(differences)} counters rebuilt." if fix else "Every counter equals its ledger.")
