"""A guard for tests: two transactions that lock in opposite orders are found before they ever meet.

A deadlock needs two transactions at the same moment, so a suite hardly ever sees one. An inversion needs only that each
order was used once: the guard remembers what waited for what, in all transactions it saw, and looks for a circle.
"""

import itertools
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

from django.apps import apps
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.transaction import Atomic, get_connection

_FROM = re.compile(r'\sFROM "([^"]+)"')
_COMMA = re.compile(r",(?![^(]*\))")
_ORM = str(Path(models.__file__).parent)
_NOT_THE_CALLER = ("/django/", "/db/locks.py", "/contextlib.py")


class LockInversionError(AssertionError):
    """Locks were taken in two orders; under load, transactions would wait for each other for ever."""


class LockWatch:
    """What was locked in which order, in every transaction of this process since it was made.

    Attributes:
        inversions: a sentence for each inversion found.
        statements: how many locking statements were seen.
    """

    def __init__(self) -> None:
        self.inversions: list[str] = []
        self.statements = 0
        self._edges: dict[str, dict[str, str]] = {}  # holding a row of this table -> waited for that one -> where

    def locked(self, held: dict[str, set[Any]], table: str, keys: list[Any], *, waits: bool) -> None:
        """Note the rows that a statement has locked, in its order; `held` is what its transaction had before."""
        self.statements += 1
        mine = held.setdefault(table, set())
        new = [key for key in keys if key not in mine]
        if waits and new:
            where = _caller()
            comparable = [*([max(mine)] if mine else []), *new]
            if any(later < earlier for earlier, later in itertools.pairwise(comparable)):
                self.inversions.append(f"Rows of {table} are locked in the order {comparable}, at {where}.")
            for other in held.keys() - {table}:
                self._wait(other, table, where)
        mine.update(new)

    def _wait(self, held: str, wanted: str, where: str) -> None:
        if wanted in self._edges.setdefault(held, {}):
            return
        self._edges[held][wanted] = where
        if path := self._path(wanted, held):
            other = "; ".join(f"{b} after {a} at {self._edges[a][b]}" for a, b in itertools.pairwise(path))
            self.inversions.append(f"{wanted} is locked after {held} at {where}, but {other}.")

    def _path(self, start: str, end: str, seen: frozenset[str] = frozenset()) -> list[str]:
        if start == end:
            return [end]
        for following in self._edges.get(start, {}):
            if following not in seen and (rest := self._path(following, end, seen | {start})):
                return [start, *rest]
        return []


_watches: list[LockWatch] = []


@contextmanager
def watch_locks(watch: LockWatch | None = None) -> Iterator[LockWatch]:
    """Fail when the block locks rows in two orders: of one table not by ascending key, or two tables both ways round.

    It sees every `SELECT ... FOR UPDATE` of the ORM, of all threads whose connections open within the block, and takes
    the transactions inside a test's own for transactions. `SKIP LOCKED` and `NOWAIT` wait for nobody, so only what is
    locked after them counts. Locks that `UPDATE` and `DELETE` take, and raw SQL, are not seen.

    Args:
        watch: one that has seen other transactions before; by default it starts with none.

    Raises:
        LockInversionError: at the end of the block.
    """
    watch = watch or LockWatch()
    before = len(watch.inversions)
    _watches.append(watch)
    if len(_watches) == 1:
        _install()
    try:
        yield watch
    finally:
        _watches.remove(watch)
        if not _watches:
            _uninstall()
    if found := watch.inversions[before:]:
        raise LockInversionError("\n".join(found))


_enter = Atomic.__enter__


def _install() -> None:
    Atomic.__enter__ = _forgetting_enter  # type: ignore[method-assign]
    connection_created.connect(_attach)
    for connection in connections.all(initialized_only=True):
        _attach(connection)


def _uninstall() -> None:
    Atomic.__enter__ = _enter  # type: ignore[method-assign]
    connection_created.disconnect(_attach)


def _attach(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if _note_locks not in connection.execute_wrappers:
        # First, for `execute_wrapper()` removes the last one at its end, whichever that is.
        connection.execute_wrappers.insert(0, _note_locks)


def _forgetting_enter(atomic: Atomic) -> None:
    """A transaction begins with nothing locked, also one that is a savepoint of the test's own transaction."""
    connection = get_connection(atomic.using)
    if not _in_transaction(connection):
        connection.locks_held = {}
    _enter(atomic)


def _in_transaction(connection: BaseDatabaseWrapper) -> bool:
    blocks: list[Any] = connection.atomic_blocks
    return not all(block._from_testcase for block in blocks)  # noqa: SLF001 - how Django marks them


def _note_locks(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    result = execute(sql, params, many, context)
    if not _watches or " FOR " not in sql or not (found := _locking(sql)):
        return result
    connection, cursor = context["connection"], context["cursor"].cursor
    # The rows of a server-side cursor have not come yet; a block that began before the watch has locked who knows what.
    if _in_transaction(connection) and hasattr(connection, "locks_held") and not getattr(cursor, "name", None):
        table, position, waits = found
        keys = [row[position] for row in cursor.fetchall()]
        if keys:
            cursor.scroll(0, mode="absolute")  # for whoever asked
        for watch in _watches:
            watch.locked(connection.locks_held.setdefault(id(watch), {}), table, keys, waits=waits)
    return result


@lru_cache(maxsize=1000)
def _locking(sql: str) -> tuple[str, int, bool] | None:
    """The table that the statement locks, where in its rows the primary key is, and whether it waits."""
    ending = sql[max(sql.rfind(" FOR UPDATE"), sql.rfind(" FOR NO KEY UPDATE")) :]
    table = _FROM.search(sql)
    if not sql.startswith("SELECT") or not ending.startswith(" FOR ") or not table:
        return None
    key = f'"{table[1]}"."{_keys().get(table[1], "id")}"'
    for position, column in enumerate(_COMMA.split(sql[len("SELECT ") : table.start()])):
        if column.strip().split(" AS ")[0] == key:
            return table[1], position, not ending.endswith(("SKIP LOCKED", "NOWAIT"))
    return None


@lru_cache(maxsize=1)
def _keys() -> dict[str, str]:
    known = apps.get_models(include_auto_created=True)
    return {model._meta.db_table: str(model._meta.pk.column) for model in known}


def _caller() -> str:
    """The first frame outside of the ORM, and of what stands between it and a caller."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads source files
    in_orm = False
    while frame:
        file = frame.f_code.co_filename
        if file.startswith(_ORM):
            in_orm = True
        elif in_orm and not any(part in file for part in _NOT_THE_CALLER):
            return f"{file}:{frame.f_lineno} ({frame.f_code.co_name})"
        frame = frame.f_back
    return "an unknown place"
