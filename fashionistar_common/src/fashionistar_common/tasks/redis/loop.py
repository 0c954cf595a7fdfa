"""An event loop in a thread of its own."""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

logger = logging.getLogger(__name__)


class LoopThread:
    """Starts with the first coroutine it is given."""

    def __init__(self) -> None:
        self.stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._end: asyncio.Event | None = None
        self._ready = threading.Event()

    def submit(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start the coroutine beside the others. From one thread only."""
        if self._thread is None:
            self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="async tasks", daemon=True)
            self._thread.start()
            self._ready.wait()
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop).add_done_callback(_say_what_went_wrong)

    def stop(self, *, patience: float = 5) -> None:
        """Cancel what still runs, and end the thread."""
        self.stopping = True
        if self._thread is not None and self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(patience)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._end.wait()  # asyncio.run() then cancels the rest, and closes what the loop held open


def _say_what_went_wrong(done: "Future[None]") -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        logger.error("an async task left its runner", exc_info=error)
