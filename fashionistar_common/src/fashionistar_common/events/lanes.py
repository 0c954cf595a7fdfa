"""A thread for each subscriber, so that one which fails, is slow or hangs delays itself alone."""

import logging
import threading
import time
from collections.abc import Iterable

from django.db import Error, connections

from ..conf import conf
from .bus import EventBus
from .delivery import Claimed, attempt, claim, release

logger = logging.getLogger(__name__)

#: Seconds without work after which a lane gives its connection back.
IDLE_SECONDS = 5.0
#: Seconds between two looks of a lane that could not reach the database.
OUTAGE_SECONDS = 1.0
#: Seconds that looking may take. A lane that looked in vain for longer rests five times as long as it took too long.
LOOKING_SECONDS = 0.02
#: How many threads of one subscriber may hang in a process before it gets no further one there.
MAX_HANGING = 3


class Lane:
    """The deliveries of one subscriber in one process, one after the other.

    Attributes:
        busy_since: `time.monotonic()` when the handler that runs was called; None between handlers.
        abandoned: whether another lane has taken over, because this one hangs.
    """

    def __init__(self, bus: EventBus, subscriber: str, events: Iterable[tuple[str, int]]) -> None:
        self.bus, self.subscriber, self.events = bus, subscriber, list(events)
        self.busy_since: float | None = None
        self.abandoned = False
        self.waiting: list[Claimed] = []
        self._work, self._ended = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"lane of {subscriber}", daemon=True)

    def wake(self) -> None:
        """Look for something due."""
        self._work.set()

    def stop(self) -> None:
        """End after the handler that runs."""
        self._ended.set()
        self._work.set()

    def hangs(self) -> bool:
        """Whether the handler that runs has had its time; PostgreSQL and asyncio had a second to end it themselves."""
        since = self.busy_since
        return since is not None and time.monotonic() - since > conf.RELAY_HANDLER_TIME_LIMIT + 1

    def _run(self) -> None:
        try:
            while self._has_work():
                try:
                    self._work_off()
                except Error as error:
                    logger.warning("the database does not answer: %s", error, extra={"subscriber": self.subscriber})
                    connections.close_all()
                    time.sleep(OUTAGE_SECONDS)
                except BaseException:  # of a handler; no signal interrupts this thread, and nobody would start another
                    logger.exception("a lane failed, and goes on", extra={"subscriber": self.subscriber})
                    time.sleep(OUTAGE_SECONDS)
        finally:
            connections.close_all()

    def _has_work(self) -> bool:
        """Wait for work; False when this lane is to end."""
        if self.abandoned:
            return False
        if not self._work.wait(IDLE_SECONDS):
            connections.close_all()  # with a pool: gives the connection back
            self._work.wait()
        self._work.clear()
        return not self._ended.is_set()

    def _work_off(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            self.waiting = claim(self.subscriber, self.events)
            if not self.waiting:
                # Where much waits behind failures, finding nothing takes long: it is not done all the time.
                self._ended.wait(5 * max(0.0, time.monotonic() - began - LOOKING_SECONDS))
                return
            while self.waiting and not self._ended.is_set():
                delivery = self.waiting.pop(0)
                self.busy_since = time.monotonic()
                try:
                    attempt(delivery, self.bus)
                finally:
                    self.busy_since = None
                if self.abandoned:
                    return
            release(self.waiting)


class Lanes:
    """The lanes of one process."""

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus
        self._lanes = {subscriber: self._start(subscriber) for subscriber in bus.subscribers()}
        self._hanging: list[Lane] = []

    def _start(self, subscriber: str) -> Lane:
        lane = Lane(self.bus, subscriber, self.bus.subscribers()[subscriber])
        lane.thread.start()
        return lane

    def wake(self, subscribers: Iterable[str]) -> None:
        """Wake the lanes of these subscribers, as far as this process has them."""
        for subscriber in subscribers:
            if lane := self._lanes.get(subscriber):
                lane.wake()

    def replace_hanging(self) -> None:
        """Abandon lanes whose handler takes too long; what they had claimed besides goes back.

        PostgreSQL ends the transaction of a handler that hangs; a thread that hangs cannot be ended. It goes on, can
        commit nothing any more, and ends with the process.
        """
        self._hanging = [lane for lane in self._hanging if lane.thread.is_alive()]
        for subscriber, lane in list(self._lanes.items()):
            if not lane.abandoned and lane.hangs():
                lane.abandoned = True
                self._hanging.append(lane)
                facts = {"subscriber": subscriber, "seconds": conf.RELAY_HANDLER_TIME_LIMIT}
                logger.error("event handler hangs, its lane is replaced", extra=facts)
                release(list(lane.waiting))
            if lane.abandoned and sum(each.subscriber == subscriber for each in self._hanging) < MAX_HANGING:
                self._lanes[subscriber] = self._start(subscriber)
                self._lanes[subscriber].wake()

    def stop(self, *, grace: float) -> list[str]:
        """End all lanes after the handlers that run.

        Args:
            grace: seconds to wait for them.

        Returns:
            The subscribers whose handlers still run. They are cut off with the process, and tried again.
        """
        for lane in self._lanes.values():
            lane.stop()
        deadline = time.monotonic() + grace
        for lane in self._lanes.values():
            lane.thread.join(max(0.0, deadline - time.monotonic()))
        return [subscriber for subscriber, lane in self._lanes.items() if lane.thread.is_alive()]
