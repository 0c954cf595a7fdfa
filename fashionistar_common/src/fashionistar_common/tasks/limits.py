"""How long an attempt may take."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

from ..conf import conf

logger = logging.getLogger(__name__)


class TaskTimeLimitError(Exception):
    """An attempt has taken longer than its task's time limit."""


@contextmanager
def limited(task: str, seconds: float) -> Iterator[None]:
    """Stop the block when its time is over; warn when TASK_TIME_WARNING of it is.

    Only Python's main thread can be interrupted, there with SIGALRM; in any other, what takes too long is logged and
    goes on. A timer that was set before, and would ring first, stays: whoever has set it has less patience.

    Raises:
        TaskTimeLimitError: the time is over.
    """
    if threading.current_thread() is not threading.main_thread():
        with _watched(task, seconds):
            yield
        return
    began, first = time.monotonic(), seconds * conf.TASK_TIME_WARNING
    before, interval = signal.getitimer(signal.ITIMER_REAL)
    if 0 < before <= seconds:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        if (left := seconds - (time.monotonic() - began)) > 0.001:
            _warn(task, seconds)
            signal.setitimer(signal.ITIMER_REAL, left)
        else:
            raise _too_long(task, seconds)

    handler = signal.signal(signal.SIGALRM, ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, first)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:  # twice, as the alarm may ring between the end of the block and the line above
        signal.signal(signal.SIGALRM, handler)
        if before:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, before - (time.monotonic() - began)), interval)


@asynccontextmanager
async def alimited(task: str, seconds: float) -> AsyncIterator[None]:
    """As `limited()`, for a coroutine, wherever its event loop runs: it is cancelled where it awaits."""
    warning = asyncio.get_running_loop().call_later(seconds * conf.TASK_TIME_WARNING, _warn, task, seconds)
    try:
        async with asyncio.timeout(seconds) as scope:
            yield
    except TimeoutError:
        if scope.expired():
            raise _too_long(task, seconds) from None
        raise
    finally:
        warning.cancel()


@contextmanager
def _watched(task: str, seconds: float) -> Iterator[None]:
    def later(delay: float, say: Callable[..., Any]) -> threading.Timer:
        timer = threading.Timer(delay, say, (task, seconds))
        timer.daemon = True
        timer.start()
        return timer

    timers = [later(seconds * conf.TASK_TIME_WARNING, _warn), later(seconds, _give_up_waiting)]
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def _warn(task: str, seconds: float) -> None:
    logger.warning("task will soon be out of time", extra={"task": task, "time_limit": seconds})


def _give_up_waiting(task: str, seconds: float) -> None:
    message = "task is out of time and cannot be stopped: it runs in a thread"
    logger.error(message, extra={"task": task, "time_limit": seconds})


def _too_long(task: str, seconds: float) -> TaskTimeLimitError:
    return TaskTimeLimitError(f"{task} took longer than {seconds:g} seconds")
