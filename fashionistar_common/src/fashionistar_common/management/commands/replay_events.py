from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone
from fashionistar_common.events.replay import deliver_missed, missed_events, replay, replayable
from tqdm import tqdm

FILTERS = {"event": "event__name", "subscriber": "subscriber", "since": "event__occurred_at__gte", "id": "pk__in"}


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if timezone.is_aware(found) else timezone.make_aware(found)


class Command(BaseCommand):
    help = "Deliver dead deliveries again, or what happened before a subscriber was there. The relay then does it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--event", metavar="NAME", help="Only dead deliveries of events of this name.")
        parser.add_argument("--subscriber", help="Only those of this subscriber, by its full name.")
        parser.add_argument("--since", type=moment, metavar="TIME", help="Only events since then (ISO 8601).")
        parser.add_argument("--id", type=int, action="append", help="Only this delivery; may be repeated.")
        parser.add_argument("--all", action="store_true", help="Every dead delivery whose subscriber a relay knows.")
        parser.add_argument(
            "--missed",
            action="store_true",
            help="With --subscriber: instead, all events that it never had, because it was not there yet.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say how many there are.")

    def handle(self, *, dry_run: bool, missed: bool, verbosity: int, **options: Any) -> None:
        chosen, deliver = self._missed(options) if missed else self._dead(options)
        count = chosen.count()
        if dry_run:
            self.stdout.write(f"{count} would be delivered")
            return
        with tqdm(total=count, unit=" deliveries", file=self.stderr, disable=None if verbosity else True) as bar:
            done = deliver(progress=bar.update)
        self.stdout.write(f"{done} will be delivered")

    def _dead(self, options: dict[str, Any]) -> tuple[QuerySet[Any], Callable[..., int]]:
        filters = {lookup: options[name] for name, lookup in FILTERS.items() if options[name]}
        if bool(filters) == options["all"]:
            raise CommandError("Say which: --event, --subscriber, --since, --id, or --all of them.")
        rows = replayable().filter(**filters)
        return rows, partial(replay, rows)

    def _missed(self, options: dict[str, Any]) -> tuple[QuerySet[Any], Callable[..., int]]:
        subscriber = options["subscriber"]
        if not subscriber or options["event"] or options["id"] or options["all"]:
            raise CommandError("--missed needs --subscriber, and takes --since and no other filter.")
        try:
            events = missed_events(subscriber, since=options["since"])
        except LookupError as error:
            raise CommandError(str(error)) from error
        return events, partial(deliver_missed, subscriber, events)
