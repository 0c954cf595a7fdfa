"""Run the test suite of fashionistar_common where nothing else of Fashionistar is installed, on PostgreSQL and SQLite.

    python tests/packaging/suite_alone.py [PYTEST ARGUMENT ...]

An empty environment gets the wheel, its extras and the test tools; tests/common and the project
tests/projects/common_only are copied out of the checkout, so that nothing else of it can be imported. What needs row
locks, LISTEN or policies is skipped on SQLite and says so.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from wheels import ROOT, PackagingError, build, uv

sys.path.insert(0, str(ROOT / "sandbox"))
from launch.services import services

EXTRAS = "database-tasks,httpx,observability,postgres,redis,sms,testing,webpush"


def prepare(folder: Path) -> Path:
    """Fill the folder with an environment, the tests and the project; the environment's Python."""
    wheel = build()["common"]
    python = folder / "env" / "bin" / "python"
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    tools = [*groups["services"], *(tool for tool in groups["test"] if isinstance(tool, str))]
    run([uv(), "venv", "--quiet", "--python", sys.executable, str(folder / "env")], folder)
    run([uv(), "pip", "install", "--quiet", "--python", str(python), f"{wheel}[{EXTRAS}]", *tools], folder)
    shutil.copytree(ROOT / "tests" / "common", folder / "tests" / "common")
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    shutil.copytree(ROOT / "tests" / "projects" / "common_only", folder / "project")
    shutil.copytree(ROOT / "sandbox" / "launch", folder / "sandbox" / "launch")  # it starts servers for some tests
    return python


def run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run a program in the folder, with nothing of this checkout or its environment in reach."""
    hidden = ("PYTHON", "DJANGO", "VIRTUAL_ENV", "PG", "DATABASE_URL", "REDIS_URL", "COV", "TOX")
    bare = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    if subprocess.run(command, cwd=folder, env=bare | (environment or {}), check=False).returncode:
        raise PackagingError(f"failed: {' '.join(command)}")


def suite(python: Path, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
    """Run the suite once, with the settings of pytest that the whole repository has."""
    command = [str(python), "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    command += ["-p", "no:cacheprovider", "--ds", "suite", "-o", "pythonpath=sandbox project", *arguments]
    run([*command, "tests/common"], folder, environment | {"PYTHONPATH": str(folder / "project")})


def main() -> int:
    """Run it on both databases."""
    arguments = sys.argv[1:] or ["-q", "-n", "2"]
    failed = []
    with services() as servers, tempfile.TemporaryDirectory(prefix="fashionistar-alone-") as name:
        folder = Path(name)
        try:
            python = prepare(folder)
        except PackagingError as error:
            print(error, file=sys.stderr)
            return 1
        url = urlsplit(servers["DATABASE_URL"])
        postgres = {
            "PGHOST": url.hostname or "",
            "PGPORT": str(url.port or 5432),
            "PGUSER": url.username or "postgres",
            "PGPASSWORD": url.password or "",
            "PGDATABASE": "postgres",
        }
        for title, environment in (("PostgreSQL", postgres | servers), ("SQLite", {"REDIS_URL": servers["REDIS_URL"]})):
            began = time.monotonic()
            print(f"== fashionistar-common alone, on {title}", flush=True)
            try:
                suite(python, folder, arguments, environment)
            except PackagingError as error:
                failed.append(title)
                print(error, file=sys.stderr)
            print(f"== {title}: {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
