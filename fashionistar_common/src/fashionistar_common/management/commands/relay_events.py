import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, connections
from fashionistar_common.audit import seal
from fashionistar_common.conf import conf
from fashionistar_common.events import relay
from fashionistar_common.events.running import RunningRelay
from fashionistar_common.tasks import housekeeping

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Deliver events, queue tasks of dead workers again, and start periodic ones. Several may run at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Deliver what is due and exit.")
        parser.add_argument(
            "--register",
            action="store_true",
            help="Only write down the subscribers of this release, so that any relay makes deliveries for them.",
        )

    def handle(self, *, once: bool, register: bool, **options: Any) -> None:
        bus = relay.event_bus
        bus.verify()
        if register:
            relay.register(bus)
            self.stdout.write(f"{len(bus.subscribers())} subscribers registered")
        elif once:
            delivered, (lost, started) = relay.relay(), housekeeping()
            self.stdout.write(f"{delivered} deliveries, {lost} lost tasks queued again, {started} periodic ones queued")
            seal()
        else:
            self.run(RunningRelay(bus))

    def run(self, running: RunningRelay) -> None:
        """Relay until SIGTERM or SIGINT."""
        for number in (signal.SIGINT, signal.SIGTERM):
            # In a thread: the main one may be interrupted inside of the very lock that stop() takes.
            signal.signal(number, lambda *_: threading.Thread(target=running.stop, daemon=True).start())
        ended = threading.Event()
        threading.Thread(target=self.keep_house, args=[ended], name="tasks", daemon=True).start()
        try:
            unfinished = running.run()
        finally:
            ended.set()
        for subscriber in unfinished:
            self.stderr.write(f"{subscriber} did not finish in time; what it did is undone and will be tried again.")

    def keep_house(self, ended: threading.Event) -> None:
        """Look now and then for tasks that are lost or due; chain new entries of the audit log."""
        while not ended.wait(conf.TASK_RECLAIM_INTERVAL):
            try:
                housekeeping()
                seal()
            except Error as error:
                self.stderr.write(f"The database does not answer, trying again: {error}")
            except Exception:  # whatever it is, the next look may find it gone
                logger.exception("housekeeping failed")
            finally:
                connections.close_all()
