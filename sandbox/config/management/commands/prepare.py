"""``manage.py prepare``: the database as `make run` needs it."""

from typing import Any

from django.core.management import BaseCommand, call_command


class Command(BaseCommand):
    """Migrate and seed in one process; both do nothing when there is nothing to do."""

    help = "Migrate the database and seed the shop."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run both commands."""
        call_command("migrate", interactive=False, verbosity=0)
        call_command("seed_shop", verbosity=options["verbosity"])
