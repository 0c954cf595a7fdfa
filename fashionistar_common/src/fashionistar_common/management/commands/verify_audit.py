import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from fashionistar_common import audit
from fashionistar_common.models import AuditChain
from tqdm import tqdm

#: Findings that are written out.
SHOWN = 50


class Command(BaseCommand):
    help = "Walk the chain of the audit log; exits 1 when anything was altered, deleted, moved, put in or cut off."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--checkpoint",
            metavar="FILE",
            type=Path,
            help="A file where the database cannot write: the chain must lead through the head that it names, "
            "and when all is well it gets the present one.",
        )

    def handle(self, *, checkpoint: Path | None, verbosity: int, **options: Any) -> None:
        known = ""
        if checkpoint and checkpoint.exists():
            known = checkpoint.read_text(encoding="ascii").strip()
            if not re.fullmatch(r"[0-9]+:[0-9a-f]*", known):
                raise CommandError(f"{checkpoint} holds no checkpoint.")
        chain = AuditChain.objects.first() or AuditChain()
        quiet = None if verbosity else True  # None: where nobody looks
        total = chain.head - chain.purged
        with tqdm(total=total, unit=" entries", desc="audit", file=self.stderr, disable=quiet) as bar:
            report = audit.verify(checkpoint=known, progress=bar.update)
        for finding in report.findings[:SHOWN]:
            place = f"entry {finding.sequence}" if finding.sequence is not None else "outside the chain"
            self.stderr.write(f"{place}: {finding.what}")
        if report.findings:
            raise CommandError(f"{len(report.findings)} findings in {report.entries} entries.")
        self.stdout.write(f"{report.entries} entries, nothing found; head {report.head}")
        if checkpoint:
            checkpoint.write_text(f"{report.head}\n", encoding="ascii")
