import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from ..conf import conf
from .errors import CircuitOpenError

logger = logging.getLogger(__name__)


class CircuitBreaker:
    """Stops asking somebody who fails, and tries again after a while with one call.

    Closed, it counts. It opens when within the last `BREAKER_WINDOW` seconds there were at least `BREAKER_FAILURES`
    failures and they were at least `BREAKER_RATIO` of all calls: the number keeps one bad minute of the night from
    counting, the ratio a busy hour. Open, it refuses for `BREAKER_COOLDOWN` seconds. Then it is half open: exactly one
    call goes through, whose success closes and whose failure opens it again.

    It knows what this process has seen; each process finds out for itself.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: deque[list[int]] = deque()  # [second, calls, failures]
        self._opened_at: float | None = None
        self._probing = False
        self._period = 0  # what began before the breaker opened or closed says nothing about the time since

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        with self._lock:
            if self._opened_at is None:
                return "closed"
            return "open" if self._clock() < self._opened_at + conf.BREAKER_COOLDOWN else "half_open"

    def enter(self) -> int:
        """Ask to make one call; returns what `leave()` wants to know.

        Raises:
            CircuitOpenError: not now; `retry_after` seconds later perhaps.
        """
        with self._lock:
            if self._opened_at is not None:
                wait = self._opened_at + conf.BREAKER_COOLDOWN - self._clock()
                if wait > 0 or self._probing:
                    raise CircuitOpenError(provider=self.name, retry_after=max(1, math.ceil(wait)))
                self._probing = True
            return self._period

    def leave(self, period: int, *, ok: bool | None) -> None:
        """Tell how the call ended; None: nobody knows, because it was given up."""
        with self._lock:
            if period != self._period:
                return
            if self._opened_at is not None:  # this was the probe
                self._probing = False
                if ok is not None:
                    self._turn(open_=not ok)
            elif ok is not None:
                self._count(failed=not ok)

    def _count(self, *, failed: bool) -> None:
        now = int(self._clock())
        if not self._counts or self._counts[-1][0] != now:
            self._counts.append([now, 0, 0])
        while self._counts[0][0] <= now - conf.BREAKER_WINDOW:
            self._counts.popleft()
        self._counts[-1][1] += 1
        self._counts[-1][2] += failed
        calls, failures = (sum(count[column] for count in self._counts) for column in (1, 2))
        if failed and failures >= conf.BREAKER_FAILURES and failures >= conf.BREAKER_RATIO * calls:
            self._turn(open_=True)

    def _turn(self, *, open_: bool) -> None:
        self._opened_at = self._clock() if open_ else None
        self._period += 1
        self._counts.clear()
        logger.log(
            logging.ERROR if open_ else logging.WARNING,
            "circuit opened" if open_ else "circuit closed",
            extra={"provider": self.name},
        )
