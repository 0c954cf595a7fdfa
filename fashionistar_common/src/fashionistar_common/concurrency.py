"""Reads side by side.

`asyncio.gather()` over Django's async ORM runs one query after the other, because every call shares one thread.
`gather()` here gives each read a thread and a connection of its own.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, overload

from asgiref.sync import sync_to_async
from django.db import connection, connections

from .conf import conf
from .exceptions import FashionistarError


class GatherInTransactionError(FashionistarError):
    """gather() uses other connections, which cannot see what this transaction has written."""

    code = "gather_in_transaction"


@lru_cache(maxsize=1)
def _executor(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=threads, thread_name_prefix="gather")


def _read[T](read: Callable[[], T]) -> T:
    try:
        return read()
    finally:
        connections.close_all()  # with a pool: gives the connection back


def _one_by_one(reads: tuple[Callable[[], Any], ...]) -> list[Any] | None:
    """The results, where reads have to share this connection; else None."""
    if connection.in_atomic_block:
        raise GatherInTransactionError
    if connection.vendor == "sqlite" and connection.is_in_memory_db():  # type: ignore[attr-defined]
        return [read() for read in reads]
    return None


@overload
async def gather[A, B](a: Callable[[], A], b: Callable[[], B], /) -> tuple[A, B]: ...
@overload
async def gather[A, B, C](a: Callable[[], A], b: Callable[[], B], c: Callable[[], C], /) -> tuple[A, B, C]: ...
@overload
async def gather(*reads: Callable[[], Any]) -> tuple[Any, ...]: ...
async def gather(*reads: Callable[[], Any]) -> tuple[Any, ...]:
    """Run independent synchronous reads at the same time and return their results in order.

    Each read must finish its own query (`lambda: list(queryset)`). At most `GATHER_THREADS` run at once in a process.
    On an in-memory SQLite database, which has one connection, they run one after the other.

    Raises:
        GatherInTransactionError: inside a transaction.
        Exception: the first error of any read; the others still run to their end, their results are dropped.
    """
    results = await sync_to_async(_one_by_one)(reads)
    if results is not None:
        return tuple(results)
    loop, executor = asyncio.get_running_loop(), _executor(conf.GATHER_THREADS)
    return tuple(
        await asyncio.gather(
            *(loop.run_in_executor(executor, contextvars.copy_context().run, _read, read) for read in reads)
        )
    )
