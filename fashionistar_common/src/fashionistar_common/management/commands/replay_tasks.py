from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone
from fashionistar_common.models import DeadTask
from fashionistar_common.tasks import dead

FILTERS = {"task": "task", "queue": "queue_name", "since": "failed_at__gte", "id": "task_id__in"}


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if timezone.is_aware(found) else timezone.make_aware(found)


class Command(BaseCommand):
    help = "Queue dead tasks again, oldest first, each once. Exits 1 when some could not be queued."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--task", help="Only this one, by the path of its function.")
        parser.add_argument("--queue", help="Only those of this queue.")
        parser.add_argument("--since", type=moment, metavar="TIME", help="Only those that died since then (ISO 8601).")
        parser.add_argument("--id", action="append", help="Only the one with this task id; may be repeated.")
        parser.add_argument("--all", action="store_true", help="Every one that has not been queued again yet.")
        parser.add_argument("--dry-run", action="store_true", help="List them and change nothing.")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        rows = self._chosen(options)
        total, queued, failed = rows.count(), 0, 0
        for number, row in enumerate(rows.iterator(chunk_size=500), 1):
            place = f"{number}/{total} {row.task} {row.task_id}"
            if dry_run:
                self.stdout.write(f"{place}: {row.error} after {row.attempts} attempts, {row.failed_at:%Y-%m-%d %H:%M}")
                continue
            try:
                done = dead.replay(row, by="replay_tasks")
            except Exception as error:  # noqa: BLE001 - whatever it is, the others can still be queued
                failed += 1
                self.stderr.write(f"{place}: {type(error).__name__}: {error}")
            else:
                queued += done
                self.stdout.write(f"{place}: {'queued' if done else 'has been queued by somebody else'}")
        self.stdout.write(f"{total} would be queued" if dry_run else f"{queued} of {total} queued")
        if failed:
            raise CommandError(f"{failed} could not be queued")

    def _chosen(self, options: dict[str, Any]) -> QuerySet[DeadTask]:
        filters = {lookup: options[name] for name, lookup in FILTERS.items() if options[name]}
        if bool(filters) == options["all"]:
            raise CommandError("Say which: --task, --queue, --since, --id, or --all of them.")
        return dead.replayable().filter(**filters)
