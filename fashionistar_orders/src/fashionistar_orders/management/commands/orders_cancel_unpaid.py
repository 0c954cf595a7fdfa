from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...conf import conf
from ...selectors import unpaid_orders
from ...services import cancel_unpaid_orders


class Command(BaseCommand):
    help = "Cancels orders that have not been paid in time and returns their stock. Made to be run every few minutes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            metavar="MINUTES",
            help="Minutes since the order was placed (default: the setting UNPAID_ORDER_MINUTES).",
        )
        parser.add_argument("--dry-run", action="store_true", help="Name the orders, cancel none.")

    def handle(self, *args: Any, **options: Any) -> None:
        minutes = conf.UNPAID_ORDER_MINUTES if options["older_than"] is None else options["older_than"]
        if minutes < 1:
            raise CommandError("--older-than takes a number of minutes above zero.")
        older_than = timedelta(minutes=minutes)
        if options["dry_run"]:
            numbers = list(unpaid_orders(older_than).values_list("number", flat=True))
        else:
            numbers = cancel_unpaid_orders(older_than=older_than)
        for number in numbers:
            self.stdout.write(number)
        done = "would be cancelled" if options["dry_run"] else "cancelled"
        self.stdout.write(self.style.SUCCESS(f"{len(numbers)} unpaid orders {done}."))
