"""``manage.py seed_shop``: something to look at, and to buy."""

import sys
from functools import partial
from typing import Any

from django.core.management import BaseCommand
from tqdm import tqdm

from shop.assortment import read_assortment
from shop.seeding import ADMIN_EMAIL, ADMIN_PASSWORD, ensure_admin, seed


class Command(BaseCommand):
    """Add the products of ``fixtures/shop`` that are not there; a second run finds nothing to do."""

    help = "Fill the shop with its products, and with an administrator on a developer's machine."

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed and say what was added."""
        quiet = options["verbosity"] == 0
        # None: the bar is shown only where somebody looks at a terminal.
        bar = partial(tqdm, desc="Stocking the shop", unit="product", file=sys.stderr, disable=quiet or None)
        seeded = seed(read_assortment(), watch=bar)
        admin = ensure_admin()
        if quiet:
            return
        if seeded.products:
            self.stdout.write(
                f"Added {seeded.products} products with {seeded.variants} variants,"
                f" {seeded.vendors} vendors and {seeded.categories} categories."
            )
        if admin:
            self.stdout.write(f"Administrator: {ADMIN_EMAIL}, password {ADMIN_PASSWORD} (this machine only).")
