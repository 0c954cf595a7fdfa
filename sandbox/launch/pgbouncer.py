"""One PgBouncer on 127.0.0.1, in transaction mode, before a PostgreSQL server."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from launch import processes
from launch.errors import LaunchError
from launch.postgres import last_lines, unprivileged_user

START_SECONDS = 20
UNPACKED = Path(__file__).resolve().parents[2] / ".run" / "pgbouncer"


def program() -> Path:
    """Return the program.

    First of: ``PGBOUNCER``, what ``.ci/run`` has unpacked, ``pgbouncer`` on PATH, ``/usr/sbin``.

    Raises:
        LaunchError: There is no PgBouncer here.
    """
    if chosen := os.environ.get("PGBOUNCER"):
        return Path(chosen)
    for found in (UNPACKED / "usr/sbin/pgbouncer", shutil.which("pgbouncer"), Path("/usr/sbin/pgbouncer")):
        if found and Path(found).exists():
            return Path(found)
    raise LaunchError("There is no PgBouncer on this machine: install it, or set PGBOUNCER to the program.")


class PgBouncer:
    """A pool that answers once :meth:`wait` has returned. Whoever connects is believed to be who they say.

    Args:
        folder: A folder for its configuration and log.
        database_url: The server behind it; a client names any of its databases.
        port: The port to listen on.
        users: Names of further users of the server, beside the one in the URL; they have no password.
        pool_size: Connections to the server for each user and database.
    """

    def __init__(
        self, folder: Path, database_url: str, *, port: int, users: tuple[str, ...] = (), pool_size: int = 4
    ) -> None:
        self.port, self.log = port, folder / "pgbouncer.log"
        server = urlsplit(database_url)
        passwords = {unquote(server.username or ""): unquote(server.password or ""), **dict.fromkeys(users, "")}
        quoted = {name.replace('"', '""'): word.replace('"', '""') for name, word in passwords.items()}
        (folder / "users.txt").write_text("".join(f'"{name}" "{word}"\n' for name, word in quoted.items()))
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.hostname} port={server.port or 5432}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {folder}/users.txt\npool_mode = transaction\n"
            f"default_pool_size = {pool_size}\nmax_client_conn = 500\nignore_startup_parameters = extra_float_digits\n"
        )
        user, environment, binary = unprivileged_user(), dict(os.environ), program()
        if binary.is_relative_to(UNPACKED):
            place = folder / "programs"  # where another user may read it
            shutil.copytree(UNPACKED, place, symlinks=True)
            binary = place / binary.relative_to(UNPACKED)
            environment["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, place.glob("usr/lib/*-linux-gnu")))
        if user:
            os.chown(folder, user["user"], user["group"])
        command = [binary, folder / "pgbouncer.ini"]
        self.process = processes.start(
            command, death_signal=signal.SIGQUIT, environment=environment, log=self.log, user=user, folder=Path("/")
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of libpq that lead here."""
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.port)}

    def wait(self) -> None:
        """Return when it takes connections."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LaunchError(f"PgBouncer did not start; its log says: {last_lines(self.log)}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it at once."""
        processes.stop(self.process, signal.SIGQUIT, patience=5)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
