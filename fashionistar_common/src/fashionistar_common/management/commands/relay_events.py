import signal
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, close_old_connections
from fashionistar_common.conf import conf
from fashionistar_common.events.relay import relay
from fashionistar_common.tasks import requeue_lost_tasks

OUTAGE_SECONDS = 1


class Command(BaseCommand):
    help = "Deliver events to their subscribers, and queue tasks of dead workers again. Several may run at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Deliver what is due and exit.")

    def handle(self, *, once: bool, **options: Any) -> None:
        if once:
            self.stdout.write(f"{relay()} deliveries, {requeue_lost_tasks()} lost tasks queued again")
            return
        self.running = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        next_reclaim = 0.0
        while self.running:
            try:
                relay()
                if time.monotonic() >= next_reclaim:
                    requeue_lost_tasks()
                    next_reclaim = time.monotonic() + conf.TASK_RECLAIM_INTERVAL
            except (OperationalError, InterfaceError) as error:
                self.stderr.write(f"The database does not answer, trying again: {error}")
                time.sleep(OUTAGE_SECONDS)
            close_old_connections()
            time.sleep(conf.RELAY_INTERVAL)

    def stop(self, signum: int, frame: FrameType | None) -> None:
        self.running = False
