"""The relay as a process that runs until it is told to stop."""

import logging
import threading
import time
from collections.abc import Callable

from django.db import Error, connections

from ..conf import conf
from . import relay
from .bus import EventBus
from .delivery import outbox_alias
from .lanes import Lanes
from .wake import Listener

logger = logging.getLogger(__name__)

#: Seconds between two notes that the subscribers of this process are there.
HEARTBEAT_SECONDS = 60.0
#: Seconds in which events gather before the next fanning out; what comes to an idle relay leaves at once.
GATHER_SECONDS = 0.02


class RunningRelay:
    """Fans out in the thread that calls `run()`, delivers in a lane for each subscriber.

    Where the database has no row locks (SQLite), one thread does it all, and a slow subscriber delays the others.
    """

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus
        self._news, self._stopping = threading.Event(), threading.Event()
        self._next_heartbeat = self._next_look = 0.0

    def stop(self) -> None:
        """Make `run()` return soon. Not for a signal handler of the thread that runs: it may hold the lock."""
        self._stopping.set()
        self._news.set()

    def run(self) -> list[str]:
        """Relay until stop() is called, through outages of the database.

        Returns:
            The subscribers whose handlers still ran when RELAY_GRACE was over.
        """
        connection = connections[outbox_alias()]
        if not connection.features.has_select_for_update_skip_locked:
            self._repeat(relay.relay)
            return []
        listener = Listener(connection.alias, self._news.set) if connection.vendor == "postgresql" else None
        lanes = Lanes(self.bus)
        try:
            self._repeat(lambda: self._round(lanes))
        finally:
            if listener:
                listener.stop()
        return lanes.stop(grace=conf.RELAY_GRACE)

    def _repeat(self, work: Callable[[], object]) -> None:
        answers = True
        while not self._stopping.is_set():
            try:
                work()
                if not answers:
                    logger.warning("the database answers again")
                answers = True
            except Error as error:
                if answers:
                    logger.warning("the database does not answer, trying again: %s", error)
                answers = False
                connections.close_all()
            self._stopping.wait(GATHER_SECONDS)
            self._news.wait(conf.RELAY_INTERVAL)
            self._news.clear()

    def _round(self, lanes: Lanes) -> None:
        now = time.monotonic()
        if now >= self._next_heartbeat:
            relay.register(self.bus)
            self._next_heartbeat = now + HEARTBEAT_SECONDS
        if (fanned_out := relay.fan_out()).events:
            lanes.wake(fanned_out.subscribers)
            self._news.set()  # there may be more
        # For retries, and for what other relays have fanned out.
        if not fanned_out.events or now >= self._next_look:
            lanes.wake(relay.due_subscribers(self.bus))
            self._next_look = now + conf.RELAY_INTERVAL
        lanes.replace_hanging()
