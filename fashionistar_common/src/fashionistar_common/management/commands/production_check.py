import json
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from fashionistar_common.production import Item, Result, Status, items, run

MARKS = {Status.PASS: "pass", Status.FAIL: "FAIL", Status.NOT_APPLICABLE: "n/a"}


class Command(BaseCommand):
    help = "Look whether this site is fit for production, and change nothing. Exits 1 when something is not."
    requires_system_checks = ()  # one of the items runs them, and says what they found

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("app", nargs="*", help="Look at the items of these apps only: common, orders, ...")
        parser.add_argument("--list", action="store_true", help="Only say what would be looked at.")
        parser.add_argument("--format", choices=["text", "json"], default="text", help="A table, or JSON.")

    def handle(self, *, app: list[str], list: bool, format: str, **options: Any) -> None:  # noqa: A002
        wanted = items(apps=tuple(app))
        if unknown := set(app) - {item.app for item in wanted}:
            raise CommandError(f"No app has items under {', '.join(sorted(unknown))}.")
        if list:
            self._list(wanted, format)
            return
        outcomes = [(item, run(item)) for item in wanted]
        if format == "json":
            self.stdout.write(json.dumps([_facts(item) | _outcome(result) for item, result in outcomes], indent=2))
        else:
            self._table(outcomes)
        if failures := sum(result.status is Status.FAIL for _, result in outcomes):
            raise CommandError(f"{failures} of {len(outcomes)} items fail.")

    def _list(self, wanted: list[Item], format: str) -> None:  # noqa: A002
        if format == "json":
            self.stdout.write(json.dumps([_facts(item) for item in wanted], indent=2))
            return
        width = max((len(item.id) for item in wanted), default=0)
        for item in wanted:
            self.stdout.write(f"{item.id:<{width}}  {item.sentence}")

    def _table(self, outcomes: list[tuple[Item, Result]]) -> None:
        width = max((len(item.id) for item, _ in outcomes), default=0)
        for item, result in outcomes:
            style = {Status.PASS: self.style.SUCCESS, Status.FAIL: self.style.ERROR}.get(result.status, str)
            self.stdout.write(f"{style(f'{MARKS[result.status]:<4}')}  {item.id:<{width}}  {item.sentence}")
            if result.reason:
                self.stdout.write(f"{'':<{width + 8}}{result.reason}")
            if result.status is Status.FAIL:
                self.stdout.write(f"{'':<{width + 8}}see: {item.evidence}")
        counts = Counter(result.status for _, result in outcomes)
        self.stdout.write(", ".join(f"{counts[status]} {MARKS[status]}" for status in Status))


def _facts(item: Item) -> dict[str, str]:
    return {"id": item.id, "sentence": item.sentence, "evidence": item.evidence}


def _outcome(result: Result) -> dict[str, str]:
    return {"status": result.status, "reason": result.reason}
