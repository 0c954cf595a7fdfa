"""Remove soft-deleted rows for good when their time is over; meant for cron."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models.deletion import ProtectedError, RestrictedError
from django.utils import timezone

from ...conf import conf
from ...db.soft_delete import SoftDelete

BATCH = 500


class Command(BaseCommand):
    help = "Removes rows that were soft-deleted longer ago than SOFT_DELETE_DAYS, with everything that cascades."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("models", nargs="*", metavar="app.Model", help="only these; by default all")
        parser.add_argument("--days", type=int, help="deleted so many days ago or longer, instead of each model's own")
        parser.add_argument("--dry-run", action="store_true", help="say what would be removed and remove nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = [apps.get_model(label) for label in options["models"]] or apps.get_models()
        for model in chosen:
            if issubclass(model, SoftDelete):
                removed, kept = self._purge(model, options["days"], dry_run=options["dry_run"])
                verb = "would be removed" if options["dry_run"] else "removed"
                if removed or kept:
                    self.stdout.write(f"{model._meta.label}: {removed} {verb}, {kept} kept (living rows point there)")

    def _purge(self, model: type[SoftDelete], days: int | None, *, dry_run: bool) -> tuple[int, int]:
        """Go through the rows by key, so that one that has to stay is looked at once."""
        own = conf.SOFT_DELETE_DAYS if model.keep_deleted_days is None else model.keep_deleted_days
        due = model.all_objects.filter(deleted_at__lte=timezone.now() - timedelta(days=own if days is None else days))
        removed, kept, last = 0, 0, None
        while keys := list(
            (due if last is None else due.filter(pk__gt=last)).order_by("pk").values_list("pk", flat=True)[:BATCH]
        ):
            last = keys[-1]
            for part in (keys, *([key] for key in keys)):
                count = self._remove(due.filter(pk__in=part), dry_run=dry_run)
                removed += count or 0
                if part is keys and count is not None:
                    break
                kept += count is None and part is not keys
        return removed, kept

    def _remove(self, rows: Any, *, dry_run: bool) -> int | None:
        """How many of these rows were removed, all or none; None where something holds one of them."""
        try:
            with transaction.atomic(using=rows.db):
                count = rows.hard_delete()[1].get(rows.model._meta.label, 0)
                transaction.set_rollback(dry_run, using=rows.db)
                return int(count)
        except (ProtectedError, RestrictedError):
            return None
