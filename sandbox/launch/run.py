"""``make run``: the whole platform on this machine, until Ctrl-C.

``PORT`` is where it listens (8000), ``RUN_DIR`` where the data is kept (``.run`` of this repository).
"""

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from launch import processes
from launch.errors import LaunchError
from launch.running import Platform, running_platform

STATE = Path(os.environ.get("RUN_DIR") or Path(__file__).resolve().parents[2] / ".run")
LEFTOVER_SECONDS = 10
ADMINISTRATOR = "admin@fashionistar.example, password fashionistar"  # whom the seed creates


class StoppedError(Exception):
    """Somebody asked us to stop while we were starting."""


def main() -> int:
    """Run until a signal, or until one of the processes dies."""
    stopping = threading.Event()
    starting = True

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        if starting:
            raise StoppedError

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        port = _port()
        STATE.mkdir(parents=True, exist_ok=True)
        with _only_one(STATE / "lock") as left_over:
            _require_free(port, patience=LEFTOVER_SECONDS if left_over else 0)
            print("Starting PostgreSQL, Valkey, the server, a worker and the event relay ...", flush=True)
            with running_platform(port, STATE) as platform:
                starting = False
                print(_banner(platform), flush=True)
                _watch(platform, stopping)
                print("Stopping ...", flush=True)
    except StoppedError:
        return 130
    except LaunchError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Stopped; the data is kept in {STATE}.")
    return 0


def _port() -> int:
    value = os.environ.get("PORT") or "8000"
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise LaunchError(f"PORT must be a number from 1 to 65535, not {value!r}.")
    return int(value)


def _watch(platform: Platform, stopping: threading.Event) -> None:
    while not stopping.wait(0.3):
        if name := platform.dead():
            raise LaunchError(f"The {name} ended by itself, so everything is stopped.")


@contextmanager
def _only_one(path: Path) -> Iterator[bool]:
    """Hold the lock of this folder; yield whether the last holder ended without letting go, as by ``kill -9``."""
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip()
            raise LaunchError(f"It already runs from this folder (process {holder}): stop that first.") from None
        lock.seek(0)
        left_over = bool(lock.read().strip())
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield left_over
        finally:
            lock.truncate(0)


def _require_free(port: int, *, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not processes.port_is_free(port):
        if time.monotonic() >= deadline:
            raise LaunchError(
                f"Port {port} of 127.0.0.1 is taken: stop what listens there, or choose another: PORT=8001 make run."
            )
        time.sleep(0.1)


def _banner(platform: Platform) -> str:
    return f"""
  Fashionistar is up.
    API v2      {platform.url}/api/v2/catalog/products
    API docs    {platform.url}/api/v2/docs   {platform.url}/api/v1/docs
    Admin       {platform.url}/admin/   {ADMINISTRATOR}
    Mail        {platform.mail_directory}
  Ctrl-C stops it; the data stays in {STATE}.
"""


if __name__ == "__main__":
    sys.exit(main())
