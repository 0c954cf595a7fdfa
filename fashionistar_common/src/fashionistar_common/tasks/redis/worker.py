"""The process that runs tasks: sync ones in its main thread, one after the other, async ones together on a loop."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from inspect import iscoroutinefunction
from types import FrameType

import redis
from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections

from ..attempt import UnsettledError
from .backend import AnyResult, RedisBackend
from .loop import LoopThread
from .queue import Outcome, RedisQueue, Taken, wait_for_any
from .running import StoppedError, aexecute, execute, failed

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
#: Queues of a Cluster cannot be waited for in one call, and a server rounds a short wait up to a tenth of a second.
POLL_SECONDS = 0.03
OUTAGE_SECONDS = 1.0


class Worker:
    """Takes tasks from queues until it is stopped.

    Args:
        backend: whose queues.
        queues: their names; whichever comes first is emptied first.
        name: unique among the workers of the backend.
        concurrency: how many async tasks run at once. While so many run, nothing new is taken.
        grace: seconds that running tasks have after `stop()`. What has not ended by then is interrupted and given back.
    """

    def __init__(
        self, backend: RedisBackend, queues: Sequence[str], *, name: str, concurrency: int = 10, grace: float = 30
    ) -> None:
        self.backend, self.name, self.grace = backend, name, grace
        self.queues = [backend.queue(queue) for queue in queues]
        self.stopping = False
        self._held: dict[str, Taken] = {}
        self._held_lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(concurrency)
        self._loop = LoopThread()
        self._interruptible = self._grace_over = False
        self._next_claim = 0.0
        self._over = threading.Event()
        self._trouble = False
        self._away: set[str] = set()
        self._grace_end: threading.Timer | None = None
        self._has_signals = False

    def run(self, *, burst: bool = False) -> None:
        """Work until stopped; with `burst`, until nothing is left that could run now.

        Redis or the database being away does not end it. In the main thread, SIGTERM and SIGINT stop it; a second
        one ends the grace.
        """
        keeper = threading.Thread(target=self._keep_leases, name="leases", daemon=True)
        keeper.start()
        logger.info("worker started", extra={"worker": self.name, "queues": [queue.name for queue in self.queues]})
        try:
            with self._signals():
                try:
                    self._warn_of_eviction()
                    self._work(burst=burst)
                    self._drain()
                except StoppedError:
                    logger.warning("the grace is over, running tasks are given back", extra={"worker": self.name})
        finally:
            self._loop.stop()
            self._give_back()
            self._over.set()
            keeper.join()
        logger.info("worker stopped", extra={"worker": self.name})

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Take nothing new. The second call, which the grace's end makes too, interrupts what runs."""
        if self.stopping:
            self._grace_over = True
            if self._interruptible:
                self._interruptible = False
                raise StoppedError
            return
        self.stopping = True
        if self._has_signals:
            self._grace_end = threading.Timer(self.grace, os.kill, (os.getpid(), signal.SIGTERM))
            self._grace_end.daemon = True
            self._grace_end.start()

    # What to do next --------------------------------------------------------------------------------------------

    def _warn_of_eviction(self) -> None:
        for queue in self.queues:
            try:
                policy = queue.eviction_policy()
            except redis.RedisError:
                continue  # whoever takes will say so
            if policy not in ("", "noeviction"):
                logger.warning("this server may throw tasks away", extra={"queue": queue.name, "policy": policy})

    def _work(self, *, burst: bool) -> None:
        while not self.stopping:
            if not self._slots.acquire(timeout=IDLE_SECONDS):
                continue
            ran = self._trouble = False
            try:
                pause, taken = self._take()
                if taken is None and not burst:
                    taken = self._wait(pause)
                if taken is not None:
                    ran = True
                    self._run(taken)
            finally:
                if not ran:
                    self._slots.release()
            if burst and taken is None:
                if not self._held and not self._trouble:
                    return
                time.sleep(0.01)

    def _take(self) -> tuple[float, Taken | None]:
        """The first task of the first queue that has one; else how long nothing will be due.

        Now and then, and then until there is no more of it, it takes what dead workers have left.
        """
        pause, claim = IDLE_SECONDS, time.monotonic() >= self._next_claim
        for queue in self.queues:
            try:
                found = queue.take(self.name, lease=self.backend.settings.lease if claim else 0)
            except redis.RedisError as error:
                self._bear(queue, error)
                continue
            if queue.name in self._away:
                self._away.remove(queue.name)
                logger.info("redis answers again", extra={"queue": queue.name})
            if isinstance(found, Taken):
                if claim and len(found.workers) == 1:
                    self._next_claim = time.monotonic() + self.backend.settings.lease / 4
                return 0, found
            pause = min(pause, IDLE_SECONDS if found is None else found)
        if claim:
            self._next_claim = time.monotonic() + self.backend.settings.lease / 4
        return pause, None

    def _wait(self, pause: float) -> Taken | None:
        """Sleep until something is enqueued; begin it."""
        close_old_connections()
        if self.backend.servers.is_cluster and len(self.queues) > 1:
            self._over.wait(min(pause, POLL_SECONDS))
            return None
        try:
            held = wait_for_any(self.queues, worker=self.name, seconds=pause)
            for queue, stream, entry, task_id in held[1:]:  # taken while there was nobody to run them
                queue.release(stream, entry, task_id, worker=self.name, patience=1)
            for queue, stream, entry, task_id in held[:1]:
                if not self.stopping:
                    return queue.begin(stream, entry, task_id, worker=self.name)
                queue.release(stream, entry, task_id, worker=self.name, patience=1)
        except redis.RedisError as error:
            self._bear(self.queues[0], error)
        return None

    def _bear(self, queue: RedisQueue, error: redis.RedisError) -> None:
        """Make what is missing, or wait a little for what is away. What was taken meanwhile comes back by its lease."""
        self._trouble = True
        queue.servers.forget()
        if str(error).startswith("NOGROUP"):
            try:
                queue.make_groups()
            except redis.RedisError as another:
                error = another
            else:
                return
        if queue.name not in self._away:
            self._away.add(queue.name)
            logger.warning("redis does not answer", extra={"queue": queue.name, "error": str(error)[:200]})
        self._over.wait(OUTAGE_SECONDS / 4)

    # Running ----------------------------------------------------------------------------------------------------

    def _run(self, taken: Taken) -> None:
        """Run a sync task here, or start an async one; gives the slot back when it is done."""
        with self._held_lock:
            self._held[taken.entry] = taken
        try:
            result = self.backend.begun(taken)
        except Exception as error:
            logger.exception("task cannot be loaded", extra={"task_id": taken.id})
            if len(taken.workers) > self.backend.settings.max_deaths and self._is_buried(taken, error):
                self._finish(taken, failed(None, error))
            else:  # a worker of another release may know it
                self._postpone(taken, counts=True)
                self._slots.release()
            return
        try:
            refusal = self._refusal(result) if len(taken.workers) > 1 else None
        except DatabaseError:
            logger.exception("a task that comes again has to wait", extra={"task_id": taken.id})
            close_old_connections()
            self._postpone(taken)
            self._slots.release()
            return
        if refusal is not None:
            self._finish(taken, failed(result, refusal))
            return
        if iscoroutinefunction(result.task.func):
            self._loop.submit(self._arun(taken, result))
        else:
            self._interruptible = True
            try:
                outcome = copy_context().run(execute, type(self.backend), result)
            except UnsettledError:
                logger.exception("task has to be delivered again", extra={"task_id": taken.id})
                self._postpone(taken)
                self._slots.release()
                return
            finally:
                self._interruptible = False
            self._finish(taken, outcome)

    def _is_buried(self, taken: Taken, error: Exception) -> bool:
        from .again import bury_unknown  # see _refusal()

        try:
            bury_unknown(taken, error)
        except DatabaseError:
            logger.exception("a task that cannot be loaded has to wait", extra={"task_id": taken.id})
            close_old_connections()
            return False
        except (ValueError, LookupError, TypeError):
            logger.exception("a message that is no task is thrown away", extra={"task_id": taken.id})
        return True

    def _refusal(self, result: AnyResult) -> Exception | None:
        from .again import why_not_again  # its tables cannot be imported before the apps are ready

        return why_not_again(result, max_deaths=self.backend.settings.max_deaths)

    async def _arun(self, taken: Taken, result: AnyResult) -> None:
        try:
            try:
                outcome = await aexecute(type(self.backend), result, is_stopping=lambda: self._loop.stopping)
            except UnsettledError:
                logger.exception("task has to be delivered again", extra={"task_id": taken.id})
                await asyncio.to_thread(self._postpone, taken)
                return
            try:
                await taken.queue.afinish(taken, outcome, keep=self._keep, patience=self.backend.settings.lease)
            except redis.RedisError as error:
                self._unfinished(taken, error)
            self._forget(taken)
            if outcome.status == "FAILED" or not self._held:  # it may have failed of a broken connection
                await sync_to_async(close_old_connections)()
        finally:
            self._slots.release()

    def _finish(self, taken: Taken, outcome: Outcome) -> None:
        self._interruptible = True
        try:
            taken.queue.finish(taken, outcome, keep=self._keep, patience=self.backend.settings.lease)
        except redis.RedisError as error:
            self._unfinished(taken, error)
        finally:
            self._interruptible = False
            self._slots.release()
        self._forget(taken)

    @property
    def _keep(self) -> int:
        return self.backend.settings.result_ttl

    def _forget(self, taken: Taken) -> None:
        with self._held_lock:
            self._held.pop(taken.entry, None)

    def _postpone(self, taken: Taken, *, counts: bool = False) -> None:
        """Give the task back for somebody to take a lease later. If Redis is away, the lease itself ends then."""
        lease = self.backend.settings.lease
        self._forget(taken)
        try:
            taken.queue.release(
                taken.stream, taken.entry, taken.id, worker=self.name, patience=1, pause=lease, counts=counts
            )
        except redis.RedisError as error:
            self._unfinished(taken, error)

    def _unfinished(self, taken: Taken, error: redis.RedisError) -> None:
        facts = {"task_id": taken.id, "error": str(error)[:200]}
        logger.error("Redis does not take what became of a task: it will run again", extra=facts)

    # Holding and letting go -------------------------------------------------------------------------------------

    def _keep_leases(self) -> None:
        """Show, for what runs, that this worker lives. In a thread of its own, however long a task takes."""
        lease = self.backend.settings.lease
        while not self._over.wait(lease / 4):
            with self._held_lock:
                held = list(self._held.values())
            by_stream: dict[tuple[str, str], list[Taken]] = {}
            for taken in held:
                by_stream.setdefault((taken.queue.name, taken.stream), []).append(taken)
            for (_, stream), group in by_stream.items():
                try:
                    entries = [taken.entry for taken in group]
                    for entry in group[0].queue.renew(self.name, stream, entries, patience=lease / 4):
                        logger.warning("another worker has taken a task over", extra={"entry": entry})
                except redis.RedisError as error:
                    logger.warning("leases are not renewed", extra={"stream": stream, "error": str(error)[:200]})
            for queue in self.queues:
                try:
                    queue.facts(lease=lease, forget_after=10 * lease)
                except redis.RedisError:
                    continue  # said above, or by whoever takes

    def _drain(self) -> None:
        """Wait for the async tasks that run, unless the grace ended when there was nothing to interrupt."""
        self._interruptible = True
        while self._held and not self._grace_over:
            time.sleep(0.02)
        self._interruptible = False

    def _give_back(self) -> None:
        for taken in list(self._held.values()):
            try:
                taken.queue.release(taken.stream, taken.entry, taken.id, worker=self.name, patience=2)
            except redis.RedisError:
                logger.warning("a task comes back by its lease only", extra={"task_id": taken.id})
            self._forget(taken)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGTERM, signal.SIGINT)}
        self._has_signals = True
        try:
            yield
        finally:
            if self._grace_end is not None:
                self._grace_end.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)
