"""Build the five distributions, then prove that each wheel lives alone.

    python tests/packaging/build_and_try.py            all five
    python tests/packaging/build_and_try.py orders     only this one

For each wheel: an empty environment gets it and what it declares (its sibling from dist/, the rest from the package
index); its project in tests/projects/ is checked, migrated and served with `runserver` on SQLite; then, with the extra
`postgres` of common and uvicorn added, the same on PostgreSQL. Both times its journey is walked over HTTP.
"""

import argparse
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from calling import Caller, UnexpectedAnswerError
from wheels import DIST, NAMES, ROOT, PackagingError, build, check_contents, uv

sys.path.insert(0, str(ROOT / "sandbox"))
from launch.services import services


@dataclass(frozen=True)
class Trial:
    """One wheel in one empty environment with a copy of its project."""

    name: str
    wheel: Path
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "env" / "bin" / "python"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    def prepare(self) -> None:
        """Make the environment and copy the project out of the checkout, so that nothing of it can be imported."""
        shutil.copytree(ROOT / "tests" / "projects" / f"{self.name}_only", self.project)
        self.run([uv(), "venv", "--quiet", "--python", sys.executable, str(self.folder / "env")])
        self.install(str(self.wheel))
        done = self.run([uv(), "pip", "list", "--quiet", "--python", str(self.python), "--format", "freeze"])
        ours = {line.split("==")[0] for line in done.splitlines() if line.startswith("fashionistar")}
        if ours != {f"fashionistar-{self.name}", "fashionistar-common"}:
            raise PackagingError(f"fashionistar-{self.name} brought {sorted(ours)} into an empty environment.")

    def install(self, *requirements: str) -> None:
        """Install, taking common from dist/ and never from the index."""
        # A plain name could be answered by the index; the file cannot.
        common = next(DIST.glob("fashionistar_common-*.whl"))
        given = [str(common), *(requirement for requirement in requirements if requirement != str(common))]
        self.run([uv(), "pip", "install", "--quiet", "--python", str(self.python), *given])
        self.run([uv(), "pip", "check", "--quiet", "--python", str(self.python)])

    def run(self, command: list[str], environment: Mapping[str, str] | None = None) -> str:
        """Run a program in the project; what it says matters only when it fails."""
        done = subprocess.run(
            command,
            cwd=self.project,
            env=_bare_environment() | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PackagingError(f"{' '.join(command)}\n{done.stdout[-2500:]}")
        return done.stdout

    def django(self, *arguments: str, environment: Mapping[str, str]) -> None:
        """Run a management command; a warning of Python is a failure, as in the test suite."""
        self.run([str(self.python), "-W", "error", "-m", "django", *arguments], environment)

    def walk(self, server: list[str], environment: Mapping[str, str]) -> None:
        """Check, migrate, serve, walk the journey, read both documents."""
        journey = _load(self.project / "journey.py")
        environment = {"DJANGO_SETTINGS_MODULE": "settings", **getattr(journey, "ENVIRONMENT", {}), **environment}
        self.django("check", "--fail-level", "WARNING", environment=environment)
        self.django("makemigrations", "--check", "--dry-run", environment=environment)
        self.django("migrate", "--verbosity", "0", environment=environment)
        for command in getattr(journey, "COMMANDS", []):
            self.django(*command, environment=environment)
        with self.serving(server, environment) as call:
            if call("GET", "/readyz") != (ready := call("GET", "/readyz")) or ready["status"] != "ok":
                raise UnexpectedAnswerError(f"/readyz says {ready}")
            journey.journey(call)
            for path in ("/api/v1/schema", "/api/v2/openapi.json"):
                if not (paths := call("GET", path)["paths"]):
                    raise UnexpectedAnswerError(f"{path} describes {paths}")
        for command in getattr(journey, "AFTERWARDS", []):
            self.django(*command, environment=environment)
        mails = sorted((self.project / "mail").glob("*.eml"))
        if len(mails) != getattr(journey, "RECEIPTS", len(mails)):
            raise PackagingError(f"{self.name}: {len(mails)} mails were written, not {journey.RECEIPTS}.")
        shutil.rmtree(self.project / "mail", ignore_errors=True)

    @contextmanager
    def serving(self, server: list[str], environment: Mapping[str, str]) -> Iterator[Caller]:
        """Run the server on a free port while the block runs; its log is shown when the block fails."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        log = self.folder / "server.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [str(self.python), "-m", *(part.replace("PORT", port) for part in server)],
                cwd=self.project,
                env=_bare_environment() | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            call = Caller(f"http://127.0.0.1:{port}")
            call.wait(lambda: process.poll() is None)
            yield call
        except (AssertionError, UnexpectedAnswerError, OSError) as error:
            raise PackagingError(f"{error!r}\n--- the server said ---\n{log.read_text()[-2500:]}") from error
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


RUNSERVER = ["django", "runserver", "--noreload", "127.0.0.1:PORT"]
UVICORN = [
    "uvicorn",
    "--factory",
    "django.core.asgi:get_asgi_application",
    *("--host", "127.0.0.1", "--port", "PORT", "--app-dir", ".", "--lifespan", "off", "--log-level", "warning"),
]


def attempt(name: str, wheel: Path, folder: Path, database_url: str) -> str:
    """Try one wheel and say how long what took."""
    trial = Trial(name, wheel, folder)
    folder.mkdir()
    times = []

    def lap(title: str, began: float) -> None:
        times.append(f"{title} {time.monotonic() - began:.1f} s")

    began = time.monotonic()
    trial.prepare()
    lap("installed", began)
    began = time.monotonic()
    trial.walk(RUNSERVER, {})
    lap("SQLite", began)
    began = time.monotonic()
    common = next(DIST.glob("fashionistar_common-*.whl"))
    trial.install(f"{common}[postgres]", "uvicorn")
    url = urlsplit(database_url)
    postgres = {
        "PGHOST": url.hostname or "",
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username or "postgres",
        "PGDATABASE": f"alone_{name}_{os.getpid()}",
    }
    if url.password:
        postgres["PGPASSWORD"] = url.password
    connect = "import psycopg; psycopg.connect(dbname='postgres', autocommit=True)"
    statement = f"{connect}.execute('%s database {postgres['PGDATABASE']}')"
    trial.run([str(trial.python), "-c", statement % "create"], postgres)
    try:
        trial.walk(UVICORN, postgres)
    finally:
        trial.run([str(trial.python), "-c", statement % "drop"], postgres)
    lap("PostgreSQL", began)
    return f"fashionistar-{name}: alone in an empty environment; {', '.join(times)}"


def check_with_tools() -> None:
    """What an index would refuse, and what a careful reader of wheels would point at."""
    files = [str(path) for path in sorted(DIST.glob("fashionistar_*")) if path.suffix in {".whl", ".gz"}]
    folder = Path(sys.executable).parent
    # W004: the names of migrations begin with a digit.
    for command in (["twine", "check", "--strict", *files], ["check-wheel-contents", "--ignore", "W004", str(DIST)]):
        program = shutil.which(command[0], path=str(folder)) or shutil.which(command[0])
        if not program:
            raise PackagingError(f"{command[0]} is not here: use `make dist`, or install the group `dist`.")
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
        if done.returncode:
            raise PackagingError(done.stdout + done.stderr)
        print(f"{command[0]}: ok")


def _bare_environment() -> dict[str, str]:
    """This environment without what would let the checkout, another environment or another database shine through."""
    hidden = ("PYTHON", "DJANGO", "VIRTUAL_ENV", "PG", "DATABASE_URL", "REDIS_URL", "COVERAGE", "TOX")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.parent.parent.name + "_journey", path)
    if spec is None or spec.loader is None:
        raise PackagingError(f"{path} is no module.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    """Build, look at, and try."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    names = parser.parse_args().names or list(NAMES)
    began = time.monotonic()
    failed = 0
    try:
        wheels = build()
    except PackagingError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"five wheels and five sdists, built in {time.monotonic() - began:.1f} s")
    for look in (*(partial(check_contents, name, wheels[name]) for name in names), check_with_tools):
        try:
            look()
        except PackagingError as error:
            failed += 1
            print(error, file=sys.stderr)
    with services() as environment, tempfile.TemporaryDirectory(prefix="fashionistar-dist-") as folder:
        url = environment["DATABASE_URL"]
        with ThreadPoolExecutor(max_workers=2) as pool:
            tries = {name: pool.submit(attempt, name, wheels[name], Path(folder) / name, url) for name in names}
            for name, trial in tries.items():
                try:
                    print(trial.result(), flush=True)
                except PackagingError as error:
                    failed += 1
                    print(f"fashionistar-{name}: FAILED\n{error}", file=sys.stderr, flush=True)
    verdict = f"{failed} failed" if failed else f"{len(names)} of {len(names)} passed"
    print(f"dist: {verdict} in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
