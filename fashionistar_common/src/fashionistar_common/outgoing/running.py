"""The one event loop on which all outgoing calls of a process run, in a thread of its own.

So a call has one implementation and one deadline for everything, name lookup and headers that come a byte at a time
included, which no blocking socket has; and connections are kept whatever thread or event loop the next call comes from.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None


def loop() -> asyncio.AbstractEventLoop:
    """This process's loop, started when it is first needed; a forked process gets one of its own."""
    global _running
    with _lock:
        if _running is None or _running[0] != os.getpid():
            made = asyncio.new_event_loop()
            threading.Thread(target=made.run_forever, name="outgoing", daemon=True).start()
            _running = (os.getpid(), made)
        return _running[1]


def start[T](work: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin the work there, in the context (request, trace) of whoever calls."""
    return asyncio.run_coroutine_threadsafe(work, loop())


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Do the work there and wait for it; who stops waiting stops the work."""
    future = start(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
