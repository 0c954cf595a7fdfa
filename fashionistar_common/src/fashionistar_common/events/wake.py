"""Waking relays: LISTEN and NOTIFY on PostgreSQL. On other databases relays look for themselves.

A lost notification loses nothing: every relay also looks each RELAY_INTERVAL seconds.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import Error, connections, transaction

from ..conf import conf

logger = logging.getLogger(__name__)

CHANNEL = "fashionistar_events"
#: Seconds after which a listener that lost its connection, or hears nothing, tries again.
RECONNECT_SECONDS = 5.0
#: Seconds in which a new listener must hear itself.
PROOF_SECONDS = 2.0


def wake_relays_on_commit(alias: str) -> None:
    """Notify the relays after the commit of the present transaction, once however often it asks.

    Not inside it: PostgreSQL commits transactions that have notified one after the other. For the same reason the
    notification's own commit does not wait for the disk.
    """
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return
    if not any(getattr(hook[1], "func", None) is _notify for hook in connection.run_on_commit):
        transaction.on_commit(partial(_notify, alias), using=alias, robust=True)


def _notify(alias: str, text: str = "") -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, %s)", [CHANNEL, text])


class Listener:
    """A thread that calls `wake` whenever something was published, on a plain connection of its own.

    A pooler in transaction mode takes a LISTEN and delivers nothing. So each new connection is proved with a
    notification of its own; where that does not arrive, the log says so, and the relay is left to look for itself.

    Args:
        alias: the database of the outbox.
        wake: called in the listener's thread.
    """

    def __init__(self, alias: str, wake: Callable[[], None]) -> None:
        self.alias, self.wake = alias, wake
        self.listens = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="event listener", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End within a second or so."""
        self._stopping.set()

    def _run(self) -> None:
        import psycopg

        while not self._stopping.is_set():
            try:
                parameters = connections[conf.RELAY_LISTEN_ALIAS or self.alias].get_connection_params()
                with psycopg.connect(**parameters | {"autocommit": True}) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    if self._is_heard(connection):
                        self._listen(connection)
            except (psycopg.Error, Error) as error:
                logger.warning("the relay cannot listen and looks for itself: %s", error)
            except Exception:  # whatever it is, the relay can do without
                logger.exception("the relay cannot listen and looks for itself")
            self.listens = False
            self._stopping.wait(RECONNECT_SECONDS)

    def _is_heard(self, connection: Any) -> bool:
        text = uuid.uuid4().hex
        try:
            _notify(self.alias, text)
        finally:
            connections.close_all()
        if any(notice.payload == text for notice in connection.notifies(timeout=PROOF_SECONDS, stop_after=1)):
            return True
        logger.warning(
            "notifications do not arrive, so the relay looks for itself; behind a pooler set RELAY_LISTEN_ALIAS"
        )
        return False

    def _listen(self, connection: Any) -> None:
        self.listens = True
        self.wake()  # for what came before
        while not self._stopping.is_set():
            for _ in connection.notifies(timeout=1.0, stop_after=1):
                self.wake()
