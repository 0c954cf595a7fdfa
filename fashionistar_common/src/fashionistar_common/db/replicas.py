"""Reads from replicas, without anybody missing their own writes.

    DATABASE_ROUTERS = ["fashionistar_common.db.replicas.ReplicaRouter"]
    FASHIONISTAR_COMMON = {"REPLICAS": ["replica"]}  # aliases in DATABASES

Replicas are read only within `replica_reads()`, which the middleware opens for requests that only read. So relays,
workers, commands and migrations use the primary without being told.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import choice
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections, models

from ..conf import conf

SOON = 0.25  # seconds until an unusable replica is looked at again


class ReplicaReads:
    """What reads may do until the end of a request; one object, shared with the threads that it starts."""

    def __init__(self) -> None:
        self.wrote = False
        self.alias = ""  # one replica for all reads, so that time does not go backwards between two


_reads: ContextVar[ReplicaReads | None] = ContextVar("replica_reads", default=None)
_primary: ContextVar[bool] = ContextVar("using_primary", default=False)


@contextmanager
def replica_reads() -> Iterator[ReplicaReads]:
    """Within the block, reads go to a replica until the first write; from then on to the primary, as all else."""
    token = _reads.set(reads := ReplicaReads())
    try:
        yield reads
    finally:
        _reads.reset(token)


@contextmanager
def using_primary() -> Iterator[None]:
    """Within the block, reads go to the primary: for what must not be a moment old."""
    token = _primary.set(True)
    try:
        yield
    finally:
        _primary.reset(token)


def stick_to_primary() -> None:
    """Say that something was written without the ORM, so that the reads that follow go to the primary."""
    if reads := _reads.get():
        reads.wrote = True


class ReplicaRouter:
    """For `DATABASE_ROUTERS`, as the last one."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        reads = _reads.get()
        if reads is None or reads.wrote or _primary.get() or connections[DEFAULT_DB_ALIAS].in_atomic_block:
            return DEFAULT_DB_ALIAS
        usable = watch.usable()
        if reads.alias not in usable:
            reads.alias = choice(usable) if usable else ""  # noqa: S311 - to share the load
        return reads.alias or DEFAULT_DB_ALIAS

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        """Also for `select_for_update()`, which must not read a replica."""
        stick_to_primary()
        return DEFAULT_DB_ALIAS

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool | None:
        ours = {DEFAULT_DB_ALIAS, *conf.REPLICAS}
        return True if {obj1._state.db, obj2._state.db} <= ours else None  # noqa: SLF001 - documented

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db in conf.REPLICAS else None


class _Watcher(threading.Thread):
    """Looks at one replica again and again. A look that hangs makes it unusable, as one that fails.

    How far it lags is measured on one clock, ours: the primary's position in its log is noted at each look, and a
    replica that has reached a position is no older than that look. So nothing goes by unseen when the replica is
    paused, cut off, or promoted; and one that has nothing to replay does not look old.
    """

    def __init__(self, alias: str) -> None:
        super().__init__(name=f"replica-{alias}", daemon=True)
        self.alias = alias
        self.ended = threading.Event()
        self._positions: deque[tuple[float, int]] = deque()
        self._usable_until = 0.0

    @property
    def usable(self) -> bool:
        return time.monotonic() < self._usable_until

    def run(self) -> None:
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                good = self.look()
            except Error:  # it is down, or the primary is
                good = False
            finally:
                for alias in (DEFAULT_DB_ALIAS, self.alias):
                    connections[alias].close()  # with a pool: gives it back
            self._usable_until = began + 2 * conf.REPLICA_CHECK_INTERVAL if good else 0.0
            # At the first look there is only the primary's present position, which the replica may not have yet.
            self.ended.wait(conf.REPLICA_CHECK_INTERVAL if good else min(SOON, conf.REPLICA_CHECK_INTERVAL))

    def look(self) -> bool:
        """Whether it lags no more than `REPLICA_MAX_LAG` seconds behind the primary."""
        now = time.monotonic()
        # What is flushed holds every commit that was answered; with synchronous_commit off, those of 0.6 s ago.
        self._positions.append((now, int(_query(DEFAULT_DB_ALIAS, "pg_current_wal_flush_lsn()") or 0)))
        while self._positions[0][0] < now - conf.REPLICA_MAX_LAG:
            self._positions.popleft()
        replayed = _query(self.alias, "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END")
        return replayed is not None and any(position <= replayed for _, position in self._positions)


def _query(alias: str, position: str) -> Any:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT pg_wal_lsn_diff({position}, '0/0')")
        return cursor.fetchone()[0]


class Watch:
    """The watchers of this process, begun with the first read that may go to a replica."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._watchers: tuple[_Watcher, ...] = ()

    def usable(self) -> list[str]:
        """Aliases of the replicas that answer and do not lag too far."""
        if self._pid != os.getpid():  # the first time, and after a fork, which takes no threads along
            with self._lock:
                if self._pid != os.getpid():
                    self._watchers = tuple(_Watcher(alias) for alias in conf.REPLICAS)
                    for watcher in self._watchers:
                        watcher.start()
                    self._pid = os.getpid()
        return [watcher.alias for watcher in self._watchers if watcher.usable]

    def stop(self) -> None:
        """End the watchers; the next read begins anew, with the settings of then."""
        with self._lock:
            for watcher in self._watchers:
                watcher.ended.set()
            for watcher in self._watchers:
                watcher.join()
            self._watchers, self._pid = (), 0


watch = Watch()
