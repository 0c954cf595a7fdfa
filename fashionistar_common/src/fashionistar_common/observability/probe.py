"""Asking what may never answer."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

from asgiref.sync import sync_to_async
from django.db import connection, connections


class Probe[T]:
    """A synchronous question that may hang, as to a database that has gone. Who asks waits for a while only.

    It runs in a thread of its own, on a connection of its own, at most once at a time: who asks while it runs gets the
    answer of the run that began earlier. So a question that hangs holds one thread, however often it is asked, and
    neither the event loop nor the end of the process waits for it.
    """

    def __init__(self, question: Callable[[], T]) -> None:
        self.question = question
        self._lock = threading.Lock()
        self._running: Future[T] | None = None

    async def ask(self, *, seconds: float) -> T:
        """The answer.

        Raises:
            TimeoutError: there was none in this time.
            Exception: whatever the question raised.
        """
        if connection.vendor == "sqlite" and connection.is_in_memory_db():  # type: ignore[attr-defined]
            return await sync_to_async(self.question)()  # its one connection belongs to another thread
        return await asyncio.wait_for(asyncio.wrap_future(self._run()), seconds)

    def _run(self) -> Future[T]:
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                self._running.set_running_or_notify_cancel()  # so that who stops waiting cannot cancel it for others
                threading.Thread(target=self._answer, args=(self._running,), name="probe", daemon=True).start()
            return self._running

    def _answer(self, future: Future[T]) -> None:
        try:
            try:
                answer = self.question()
            finally:
                connections.close_all()
        except BaseException as error:  # noqa: BLE001 - it belongs to who has asked
            future.set_exception(error)
        else:
            future.set_result(answer)
