from typing import Any

from django.core.management.base import BaseCommand
from fashionistar_common import audit


class Command(BaseCommand):
    help = "Chain the audit entries that were committed since the last time. `relay_events` does so while it runs."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{audit.seal()} entries sealed")
