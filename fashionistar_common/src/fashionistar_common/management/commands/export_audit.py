from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from fashionistar_common.audit.export import FORMATS
from fashionistar_common.management.moments import moment
from fashionistar_common.models import AuditEntry


class Command(BaseCommand):
    help = "Write the audit log to a file or to standard output, oldest first, however long it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", dest="form", choices=sorted(FORMATS), default="jsonl")
        parser.add_argument("--since", type=moment, help="Such as 2026-01-31 or 2026-01-31T12:00+01:00.")
        parser.add_argument("--until", type=moment, help="Not included.")
        parser.add_argument("--output", type=Path, metavar="FILE")

    def handle(
        self,
        *,
        form: str,
        since: datetime | None,
        until: datetime | None,
        output: Path | None,
        **options: Any,
    ) -> None:
        entries = AuditEntry.objects.all()
        if since:
            entries = entries.filter(at__gte=since)
        if until:
            entries = entries.filter(at__lt=until)
        lines = FORMATS[form](entries)
        if output is None:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        with output.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
