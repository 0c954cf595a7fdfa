"""Make sure that the environment is there, then become a command in it.

    python3 sandbox/launch/bootstrap.py [--only-run | --all-pythons] COMMAND [ARGUMENT ...]

It needs git, and any Python from 3.8; it finds uv or installs it, finds a Python from 3.12 or lets uv fetch one, and
installs exactly what uv.lock says into .venv. When nothing has changed it does nothing. Hence this file alone is
written for old Pythons and imports nothing of ours.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

try:
    import fcntl
except ImportError:  # not on this system
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".run"
VENV = ROOT / ".venv"
STAMP = VENV / ".installed"
LOG = STATE / "bootstrap.log"
SUPPORTED = ((3, 13), (3, 14), (3, 12))
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")


class BootstrapError(Exception):
    """The environment cannot be made; the message is one sentence that says why and what to do."""


def main(arguments: list[str]) -> None:
    """Prepare the environment and replace this process by the command."""
    option = arguments[0] if arguments[:1] in (["--only-run"], ["--all-pythons"]) else ""
    command = arguments[1:] if option else arguments
    if not command:
        sys.exit("usage: bootstrap.py [--only-run | --all-pythons] COMMAND [ARGUMENT ...]")
    try:
        prepare(option == "--only-run")
        pythons = every_python() if option == "--all-pythons" else pyenv_pythons()
    except BootstrapError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"The environment could not be prepared: {error.filename or ''}: {error.strerror}.")
    environment = dict(os.environ, VIRTUAL_ENV=str(VENV), PYTHONPATH=str(ROOT / "sandbox"))
    environment.pop("PYTHONHOME", None)
    folders = [str(VENV / "bin"), *(str(Path(python).parent) for python in pythons)]
    environment["PATH"] = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        sys.exit(f"There is no command {command[0]} in the environment.")
    os.execve(program, command, environment)  # noqa: S606 - becoming the command is the purpose


def prepare(only_run: bool) -> None:
    """Install what the lock file says, unless that was done.

    Args:
        only_run: Leave out the tools of development, which `make run` does not need.
    """
    wanted = fingerprint()
    if is_installed(wanted, only_run):
        return
    STATE.mkdir(exist_ok=True)
    with one_at_a_time():
        if is_installed(wanted, only_run):
            return
        LOG.write_text("")
        use_writable_cache()
        uv = find_uv()
        python = [] if version_of(VENV / "bin" / "python") in SUPPORTED else ["--python", find_python(uv)]
        groups = ["--no-default-groups", "--group", "services", "--inexact"] if only_run else []
        say("Installing the packages of uv.lock into .venv ...")
        if VENV.is_dir():
            STAMP.unlink(missing_ok=True)
        sync: list[str | Path] = [uv, "sync", "--frozen", "--compile-bytecode", *python, *groups]
        problem = run(sync)
        if problem and configured_index():
            problem = install_from_index(uv, python, groups)
        if problem:
            raise BootstrapError(explain(problem))
        STAMP.write_text(f"{'run' if only_run else 'all'} {wanted}\n")


def fingerprint() -> str:
    """Return a digest of everything that decides what is installed."""
    digest = hashlib.sha256(str(ROOT).encode())
    for path in [ROOT / "uv.lock", ROOT / "pyproject.toml", *sorted(ROOT.glob("fashionistar_*/pyproject.toml"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_installed(wanted: str, only_run: bool) -> bool:
    """Whether .venv holds what is wanted, or more."""
    try:
        extent, found = STAMP.read_text().split()
    except (OSError, ValueError):
        return False
    return found == wanted and (only_run or extent == "all") and (VENV / "bin" / "python").exists()


def find_uv() -> str:
    """Return a uv that works: from PATH, from where its installer puts it, or our own, installed by pip."""
    own = STATE / "uv" / "bin" / "uv"
    home = Path.home()
    for candidate in (shutil.which("uv"), home / ".local/bin/uv", home / ".cargo/bin/uv", own):
        if candidate and not run([candidate, "--version"]):
            return str(candidate)
    say("Installing uv into .run/uv ...")
    shutil.rmtree(own.parents[1], ignore_errors=True)
    problem = run([sys.executable, "-m", "venv", own.parents[1]])
    if problem:
        raise BootstrapError("`python3 -m venv` does not work here; install uv (or, on Debian, python3-venv) first.")
    problem = run([own.with_name("python"), "-m", "pip", "install", "--quiet", "uv"])
    if problem:
        raise BootstrapError(f"uv could not be installed: {last_line(problem)} (all of it is in {LOG}).")
    return str(own)


def find_python(uv: str) -> str:
    """Return the path of a supported Python, or the version that uv shall fetch."""
    found: dict[tuple[int, ...] | None, str] = {}
    names = [shutil.which(f"python{major}.{minor}") for major, minor in SUPPORTED]
    for candidate in [*names, *pyenv_pythons(), sys.executable]:
        if candidate:
            found.setdefault(version_of(candidate), str(candidate))
    for version in SUPPORTED:
        if version in found:
            return found[version]
    wanted = "{}.{}".format(*SUPPORTED[0])
    if run([uv, "python", "find", "--managed-python", wanted]):
        say(f"No Python from 3.12 is here; uv fetches Python {wanted} ...")
        problem = run([uv, "python", "install", wanted])
        if problem:
            raise BootstrapError(
                f"Fashionistar needs Python 3.12, 3.13 or 3.14; none is installed, and uv could not fetch one "
                f"({last_line(problem)})."
            )
    return wanted


def every_python() -> list[Path]:
    """Return an interpreter of each supported version that is here or that uv can fetch."""
    found = pyenv_pythons()
    uv = find_uv()
    for version in sorted(SUPPORTED):
        name = "python{}.{}".format(*version)
        here = [python for python in [*found, shutil.which(name)] if python and version_of(python) == version]
        command = [uv, "python", "find", "--managed-python", name[6:]]
        if not here and (not run(command) or not run([uv, "python", "install", name[6:]])):
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(Path(answer.stdout.strip()))
        elif not here:
            say(f"There is no {name} on this machine, and uv could not fetch it.")
    return found


def pyenv_pythons() -> list[Path]:
    """Return pyenv's interpreters, newest first. Its shims on PATH answer only for the version that is switched on."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found: list[Path] = []
    for major, minor in SUPPORTED:
        found += sorted(root.glob(f"versions/{major}.{minor}.*/bin/python{major}.{minor}"), reverse=True)
    return found


def version_of(python: str | Path) -> tuple[int, ...] | None:
    """Return (major, minor) of an interpreter that works, else None."""
    if not os.access(python, os.X_OK):
        return None
    code = "import sys, ssl, sqlite3; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False, timeout=30)
        return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired):
        return None


def use_writable_cache() -> None:
    """Give uv a place for its files when the user's home is not one, as for nobody."""
    home = Path.home()
    if not (os.access(home, os.W_OK) or os.environ.get("XDG_CACHE_HOME")):
        os.environ.setdefault("UV_CACHE_DIR", str(STATE / "cache" / "uv"))
        os.environ.setdefault("UV_PYTHON_INSTALL_DIR", str(STATE / "python"))


def configured_index() -> str:
    """Return the package index that this machine is set up to use, or an empty string."""
    for name in INDEX_VARIABLES:
        if os.environ.get(name):
            return os.environ[name]
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def install_from_index(uv: str, python: list[str], groups: list[str]) -> str:
    """Install the locked versions from the configured index, as the lock file's own cannot be reached."""
    say("The lock file's index cannot be used; trying the configured one ...")
    pins = STATE / "requirements.txt"
    groups = [option for option in groups if option != "--inexact"]
    export: list[str | Path] = [uv, "export", "--frozen", "--quiet", *groups, "--output-file", pins]
    environment: list[str | Path] = [uv, "venv", "--allow-existing", *python, VENV]
    install: list[str | Path] = [
        uv,
        "pip",
        "sync",
        "--compile-bytecode",
        "--python",
        VENV,
        "--default-index",
        configured_index(),
        pins,
    ]
    return run(export) or run(environment) or run(install)


def run(command: Sequence[str | Path]) -> str:
    """Run a program and return its output if it failed, else an empty string."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=str(ROOT),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        output, failed = done.stdout, done.returncode != 0
    except OSError as error:
        output, failed = f"{command[0]}: {error.strerror}", True
    if LOG.exists():
        with LOG.open("a") as log:
            log.write(f"$ {' '.join(str(part) for part in command)}\n{output}\n")
    return (output.strip() or f"{command[0]} failed") if failed else ""


def explain(problem: str) -> str:
    """Return one sentence about uv's failure."""
    network = ("dns", "connect", "timed out", "timeout", "tls", "certificate", "failed to fetch", "failed to download")
    if any(word in problem.lower() for word in network):
        return (
            f"The packages could not be downloaded ({last_line(problem)}): check the network, "
            f"or name an index in UV_DEFAULT_INDEX; all of it is in {LOG}."
        )
    return f"The packages could not be installed ({last_line(problem)}); all of it is in {LOG}."


def last_line(output: str) -> str:
    """Return the last thing a program said, without decoration."""
    lines = [line.strip(" \t│├╰─▶\u00d7·") for line in output.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("hint:", "help:", "[notice]"))]
    return re.sub(r"^(cause|error): ", "", lines[-1].rstrip(".")) if lines else "it gave no reason"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep a second `make` from installing into the same folder at the same time."""
    with (STATE / "bootstrap.lock").open("w") as lock:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(message: str) -> None:
    """Tell a person what takes time."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
