"""PostgreSQL and Valkey for one run of anything.

    with services() as environment:            # throw-away servers on free ports
        subprocess.run(command, env=os.environ | environment)

or, from a shell: ``python -m launch.services [--data DIR] -- COMMAND [ARGUMENT ...]``.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from launch import processes
from launch.errors import LaunchError
from launch.postgres import Postgres
from launch.valkey import Valkey

PREFIX = "fashionistar-services-"


@contextmanager
def services(
    data_dir: Path | None = None, *, postgres_port: int | None = None, valkey_port: int | None = None
) -> Iterator[dict[str, str]]:
    """Run PostgreSQL and Valkey on 127.0.0.1 while the block runs.

    A server that the environment already names (``DATABASE_URL``, ``REDIS_URL``) is not started. As root,
    PostgreSQL runs as the user postgres or nobody. Call it from the main thread.

    Args:
        data_dir: Where the data is kept from one run to the next. Without it the servers trade durability for
            speed and their files are removed at the end.
        postgres_port: A port to insist on; a free one by default.
        valkey_port: A port to insist on; a free one by default.

    Yields:
        The variables ``DATABASE_URL`` and ``REDIS_URL``, to be added to a command's environment.

    Raises:
        LaunchError: A server is not installed or does not start.
    """
    environment = {name: value for name in ("DATABASE_URL", "REDIS_URL") if (value := os.environ.get(name))}
    durable = data_dir is not None
    with ExitStack() as cleaning:
        folder = cleaning.enter_context(_working_folder())
        kept = data_dir.resolve() if data_dir else folder
        started: list[Postgres | Valkey] = []
        if "DATABASE_URL" not in environment:
            started.append(_start(Postgres, folder, kept / "postgres", port=postgres_port, durable=durable))
            cleaning.callback(started[-1].stop)
        if "REDIS_URL" not in environment:
            started.append(_start(Valkey, folder, kept / "valkey", port=valkey_port, durable=durable))
            cleaning.callback(started[-1].stop)
        for service in started:
            service.wait()
            environment.update(service.environment)
        yield environment


@contextmanager
def _working_folder() -> Iterator[Path]:
    """Make a folder that goes away at the end, and remove those whose makers were killed before their end."""
    # The path of a Unix socket may have about 100 characters, so this one is short.
    parent = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())  # noqa: S108
    for path in parent.glob(f"{PREFIX}*/lock"):
        try:
            with path.open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path.parent, ignore_errors=True)
        except OSError:  # in use, or another user's
            continue
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    folder.chmod(0o755)
    try:
        with (folder / "new-lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "new-lock").rename(folder / "lock")  # whoever sees it finds it held
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start[Service: (Postgres, Valkey)](
    kind: type[Service], folder: Path, data_dir: Path, *, port: int | None, durable: bool
) -> Service:
    if port is not None and not processes.port_is_free(port):
        raise LaunchError(f"Port {port} of 127.0.0.1 is taken, and {kind.__name__} was to listen on it.")
    return kind(folder, data_dir, port=port or processes.free_port(), durable=durable)


def main() -> int:
    """Run a command with the services and pass its exit status on."""
    parser = argparse.ArgumentParser(prog="python -m launch.services", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep the data here")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("name a command to run")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        with services(arguments.data) as environment:
            return _run(command, os.environ | environment)
    except LaunchError as error:
        print(error, file=sys.stderr)
        return 1


def _run(command: list[str], environment: dict[str, str]) -> int:
    try:
        child = subprocess.Popen(command, env=environment)
    except FileNotFoundError as error:
        raise LaunchError(f"There is no command {command[0]}.") from error
    try:
        while True:
            try:
                status = child.wait()
            except KeyboardInterrupt:  # the terminal sends it to the command as well, which decides what to do
                continue
            return status if status >= 0 else 128 - status
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait(30)


if __name__ == "__main__":
    sys.exit(main())
