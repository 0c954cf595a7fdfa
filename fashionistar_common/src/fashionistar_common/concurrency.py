"""Synchronous work for asynchronous code: reads side by side, and a service in a thread.

`asyncio.gather()` over Django's async ORM runs one query after the other, because every call of a request shares one
thread. Here each piece of work has a thread and a connection of its own, both given back when it ends.
"""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextvars import ContextVar
from functools import lru_cache, partial
from threading import Lock
from typing import Any, overload

from asgiref.sync import sync_to_async
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .conf import conf
from .exceptions import FashionistarError

logger = logging.getLogger(__name__)

CANCEL_SECONDS = 5.0  # for the server to take a cancellation


class GatherInTransactionError(FashionistarError):
    """gather() uses other connections, which cannot see what this transaction has written."""

    code = "gather_in_transaction"


class InThreadInTransactionError(FashionistarError):
    """in_thread() uses another connection, where this transaction does not run; sync_to_async() stays on this one."""

    code = "in_thread_in_transaction"


#: Set by whoever holds a transaction open, in a thread, while a coroutine runs that hands its work to that thread.
transaction_held: ContextVar[bool] = ContextVar("transaction_held", default=False)


def pool_size() -> int | None:
    """Connections that this process may have to the default database; None: no pool, hence no bound."""
    options = connections.settings[DEFAULT_DB_ALIAS].get("OPTIONS", {}).get("pool")
    if not options:
        return None
    values = options if isinstance(options, dict) else {}
    return int(values.get("max_size") or values.get("min_size", 4))  # 4: psycopg_pool's own default


def _bounded(threads: int) -> int:
    size = pool_size()
    return threads if size is None else max(1, min(threads, size - conf.POOL_RESERVE))


@lru_cache(maxsize=4)
def _executor(name: str, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)


class _Work[T]:
    """A function on its way through a thread. `cancel()` may come at any moment, from another thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.function = function
        self._lock = Lock()
        self._open: Sequence[BaseDatabaseWrapper] = ()
        self._cancelled = False

    def run(self) -> T:
        with self._lock:
            self._refuse_if_cancelled()
            self._open = connections.all()
        for wrapper in self._open:
            wrapper.execute_wrappers.append(self._unless_cancelled)
        try:
            return self.function()
        finally:
            with self._lock:  # from here on a cancellation would hit whoever gets the connection next
                used, self._open = self._open, ()
            for wrapper in used:
                wrapper.execute_wrappers.remove(self._unless_cancelled)
                if self._cancelled and wrapper.connection is not None and wrapper.vendor == "postgresql":
                    wrapper.connection.close()  # a late cancellation dies with it; the pool makes another
            connections.close_all()  # with a pool: gives the connection back

    def cancel(self) -> None:
        """End the query that runs, and let no further one begin."""
        with self._lock:
            self._cancelled = True
            for wrapper in self._open:
                if wrapper.connection is None:
                    continue
                if wrapper.vendor == "postgresql":
                    wrapper.connection.cancel_safe(timeout=CANCEL_SECONDS)
                elif wrapper.vendor == "sqlite":
                    wrapper.connection.interrupt()

    def _unless_cancelled(self, execute: Callable[..., Any], *query: Any) -> Any:
        self._refuse_if_cancelled()
        return execute(*query)

    def _refuse_if_cancelled(self) -> None:
        if self._cancelled:
            raise CancelledError


def _start(executor: ThreadPoolExecutor, work: _Work[Any]) -> asyncio.Future[Any]:
    return asyncio.get_running_loop().run_in_executor(executor, contextvars.copy_context().run, work.run)


def _in_memory() -> bool:
    return connection.vendor == "sqlite" and connection.is_in_memory_db()  # type: ignore[attr-defined]


def _one_by_one(reads: tuple[Callable[[], Any], ...]) -> list[Any] | None:
    """The results, where reads have to share this connection; else None."""
    if connection.in_atomic_block:
        raise GatherInTransactionError
    return [read() for read in reads] if _in_memory() else None


@overload
async def gather[A, B](a: Callable[[], A], b: Callable[[], B], /) -> tuple[A, B]: ...
@overload
async def gather[A, B, C](a: Callable[[], A], b: Callable[[], B], c: Callable[[], C], /) -> tuple[A, B, C]: ...
@overload
async def gather(*reads: Callable[[], Any]) -> tuple[Any, ...]: ...
async def gather(*reads: Callable[[], Any]) -> tuple[Any, ...]:
    """Run independent synchronous reads at the same time and return their results in order.

    Each read must finish its own query (`lambda: list(queryset)`). At most `GATHER_THREADS` run at once in a process,
    and no more than the pool has connections beyond `POOL_RESERVE`. A read has a copy of the caller's context. On an
    in-memory SQLite database, which has one connection, they run one after the other.

    When a read fails, or the caller is cancelled, the other reads' queries are cancelled in the database, those that
    have not started never do, and their results are dropped. A read that computes instead of waiting for the database
    ends by itself, unheard.

    Raises:
        GatherInTransactionError: inside a transaction.
        Exception: the first error of any read.
    """
    results = await sync_to_async(_one_by_one)(reads)
    if results is not None:
        return tuple(results)
    executor = _executor("gather", _bounded(conf.GATHER_THREADS))
    works = [_Work(read) for read in reads]
    futures = [_start(executor, work) for work in works]
    try:
        return tuple(await asyncio.gather(*futures))
    except BaseException:
        for future in futures:
            future.cancel()
        # Not awaited: the error should not wait for what nobody wants any more.
        asyncio.get_running_loop().run_in_executor(None, _cancel_all, works)
        raise


def _cancel_all(works: Sequence[_Work[Any]]) -> None:
    for work in works:
        try:
            work.cancel()
        except Exception:  # the server is gone, say, and the query with it
            logger.exception("a query could not be cancelled")


async def in_thread[**P, T](function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a synchronous function, such as a service, from an asynchronous one.

    It runs in one of `IN_THREAD_THREADS` threads of this process, with a connection of its own and a copy of the
    caller's context, so calls of one request can also run side by side. When the caller is cancelled, a function that
    has begun runs to its end: a transaction is never left half-way.

    With `IN_THREAD_THREADS` 0 and on an in-memory SQLite database it is `sync_to_async`: in the caller's thread, on
    the caller's connection. Test suites that wrap each test in a transaction need that.

    Raises:
        InThreadInTransactionError: in an endpoint that is `@idempotent(atomic=True)`.
    """
    threads = conf.IN_THREAD_THREADS
    if not threads or _in_memory():
        return await sync_to_async(function)(*args, **kwargs)
    if transaction_held.get():
        raise InThreadInTransactionError
    work = _Work(partial(function, *args, **kwargs))
    result: T = await _start(_executor("in_thread", _bounded(threads)), work)
    return result
