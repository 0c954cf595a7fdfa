"""The whole platform as processes: server, worker, relay, and the services under them."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from launch import processes
from launch.errors import LaunchError
from launch.services import services

SANDBOX = Path(__file__).resolve().parents[1]
START_SECONDS = 60


class Platform:
    """The running processes by name: ``server``, ``worker`` and ``relay``.

    Args:
        port: Where the server listens on 127.0.0.1.
        environment: The environment of every process.
    """

    def __init__(self, port: int, environment: Mapping[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.environment = dict(environment)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        python, manage = sys.executable, str(SANDBOX / "manage.py")
        server = ["--interface", "asginl", "--loop", "uvloop", "--no-ws", "--log-level", "warning"]
        server += ["--host", "127.0.0.1", "--port", str(port), "--workers", environment.get("WEB_CONCURRENCY", "1")]
        worker = ["--queue-name", "*", "--interval", "0.2", "--no-reload", "--no-startup-delay"]
        self.commands = {
            "relay": [python, manage, "relay_events"],
            "worker": [python, manage, "db_worker", *worker],
            "server": [python, "-m", "granian", *server, "config.asgi:application"],
        }

    @property
    def mail_directory(self) -> Path:
        """Where the messages that the platform sends are kept, one file each."""
        return Path(self.environment["MAIL_DIRECTORY"])

    def manage(self, *arguments: str) -> None:
        """Run a Django command to its end.

        Raises:
            LaunchError: It failed; its own output says why.
        """
        command = [sys.executable, str(SANDBOX / "manage.py"), *arguments]
        if subprocess.run(command, env=self.environment, cwd=SANDBOX, check=False).returncode:
            raise LaunchError(f"`manage.py {arguments[0]}` failed; what it said is above.")

    def start(self, name: str) -> None:
        """Start one of the processes, which must not be running."""
        self.processes[name] = processes.start(
            self.commands[name], death_signal=signal.SIGTERM, environment=self.environment, folder=SANDBOX
        )

    def stop(self, name: str) -> None:
        """End one of the processes after the request or task it is at."""
        processes.stop(self.processes.pop(name), signal.SIGTERM, patience=10)

    def stop_all(self) -> None:
        """End what runs: first what takes requests, then what works through them."""
        for name in ("server", "worker", "relay"):
            if name in self.processes:
                self.stop(name)

    def kill(self, name: str) -> None:
        """End one of the processes at once, with all its children, as a crash would."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def dead(self) -> str | None:
        """Return the name of a process that ended by itself, if one did."""
        return next((name for name, process in self.processes.items() if process.poll() is not None), None)

    def wait(self) -> None:
        """Return when the server answers that it and its services are ready."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if name := self.dead():
                raise LaunchError(f"The {name} ended while starting; what it said is above.")
            if time.monotonic() > deadline:
                raise LaunchError(f"The server did not become ready within {START_SECONDS} seconds.")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own server
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def running_platform(port: int | None = None, data_dir: Path | None = None) -> Iterator[Platform]:
    """Run the whole platform, migrated and seeded, while the block runs.

    Call it from the main thread. ``DATABASE_URL`` and ``REDIS_URL`` name services to use instead of our own.

    Args:
        port: The port of 127.0.0.1 to serve; a free one by default.
        data_dir: Where the data, the media files and the mail are kept; by default they go away at the end.

    Yields:
        The platform, answering.

    Raises:
        LaunchError: Something does not start.
    """
    with ExitStack() as running:
        if data_dir:
            folder = data_dir.resolve()
        else:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="fashionistar-")))
        defaults = {
            "DJANGO_SETTINGS_MODULE": "config.settings.development",
            "MAIL_DIRECTORY": str(folder / "mail"),
            "MEDIA_ROOT": str(folder / "media"),
        }
        environment = running.enter_context(services(data_dir))
        forced = {"PYTHONPATH": str(SANDBOX), "PYTHONUNBUFFERED": "1"}
        platform = Platform(port or processes.free_port(), defaults | os.environ | environment | forced)
        running.callback(platform.stop_all)
        mark = folder / "prepared"
        already = _schema() if "DATABASE_URL" not in os.environ else ""
        if already and mark.is_file() and mark.read_text() == already:
            # Our own data, prepared before by this very code: the server can start while that is made sure of.
            platform.start("server")
            platform.manage("prepare")
        else:
            platform.manage("prepare")
            platform.start("server")
        mark.write_text(already)
        platform.wait()
        platform.start("relay")
        platform.start("worker")
        yield platform


def _schema() -> str:
    """Return a digest of what decides what ``prepare`` does: the migrations, the sandbox and Django's version."""
    digest = sha256(version("django").encode())
    sources = [*SANDBOX.parent.glob("fashionistar_*/src/*/migrations/*.py"), *SANDBOX.glob("**/*.py")]
    for path in sorted([*sources, *SANDBOX.glob("fixtures/**/*.toml")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
