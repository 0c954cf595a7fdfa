from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from fashionistar_common.events import event_bus
from fashionistar_common.events.pruning import done_events, purge, retire_subscriptions, unseen
from fashionistar_common.models import EventSubscription
from tqdm import tqdm


class Command(BaseCommand):
    help = "Delete delivered events after EVENT_RETENTION_DAYS; retire subscribers that are gone. Also a nightly task."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dead", action="store_true", help="Also events of which a delivery is dead.")
        parser.add_argument(
            "--retire",
            metavar="SUBSCRIBER",
            help="Retire this subscriber at once, by its full name: of a handler that is gone for good.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *, dead: bool, retire: str, dry_run: bool, verbosity: int, **options: Any) -> None:
        subscriptions = EventSubscription.objects.filter(subscriber=retire) if retire else unseen(event_bus)
        events = done_events(and_dead=dead)
        count = events.count()
        if dry_run:
            for subscription in subscriptions:
                self.stdout.write(
                    f"would be retired: {subscription}, last seen {subscription.last_seen_at:%Y-%m-%d %H:%M}"
                )
            self.stdout.write(f"{count} events would be deleted")
            return
        self.stdout.write(f"{retire_subscriptions(subscriptions)} subscriptions retired")
        with tqdm(total=count, unit=" events", file=self.stderr, disable=None if verbosity else True) as bar:
            self.stdout.write(f"{purge(events, progress=bar.update)} events deleted")
