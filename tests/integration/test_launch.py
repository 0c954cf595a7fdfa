"""`make run` as a person meets it: it starts, it stops, it says what is wrong in one sentence."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from launch.processes import free_port
from shop.seeding import ADMIN_EMAIL, ADMIN_PASSWORD

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_one_signal_stops_everything_and_the_next_start_finds_its_data(tmp_path: Path) -> None:
    port = free_port()
    with _running(tmp_path, port) as run:
        assert b'"results"' in _get(port, "/api/v2/catalog/products")
        assert f"{ADMIN_EMAIL}, password {ADMIN_PASSWORD}\n" in _said(run)
        assert (
            _second_run(tmp_path, free_port())
            == f"It already runs from this folder (process {run.pid}): stop that first.\n"
        )
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 0
    assert _processes_of(tmp_path) == []
    first = (tmp_path / "prepared").read_text()

    with _running(tmp_path, port) as run:
        assert (tmp_path / "prepared").read_text() == first
        server = _child(run.pid, "granian")
        os.kill(server, signal.SIGKILL)
        assert run.wait(60) == 1
        assert _said(run).endswith("The server ended by itself, so everything is stopped.\n")
    assert _processes_of(tmp_path) == []


def test_after_a_kill_the_next_start_works(tmp_path: Path) -> None:
    port = free_port()
    with _running(tmp_path, port) as run:
        run.kill()
        run.wait(60)
    with _running(tmp_path, port) as run:
        assert b'"slug"' in _get(port, "/api/v2/catalog/products")
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 0
    assert _processes_of(tmp_path) == []


def test_a_taken_port_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = _second_run(tmp_path, port)
    assert said == (
        f"Port {port} of 127.0.0.1 is taken: stop what listens there, or choose another: PORT=8001 make run.\n"
    )


def test_a_port_that_is_no_number_is_told_in_one_sentence(tmp_path: Path) -> None:
    assert _second_run(tmp_path, "many") == "PORT must be a number from 1 to 65535, not 'many'.\n"


@contextmanager
def _running(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "output").open("wb") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "launch.run"], env=_environment(folder, port), stdout=output, stderr=output
        )
    run.output = folder / "output"  # type: ignore[attr-defined]
    try:
        deadline = time.monotonic() + 120
        while "Fashionistar is up." not in _said(run):
            assert run.poll() is None, _said(run)
            assert time.monotonic() < deadline, _said(run)
            time.sleep(0.1)
        yield run
    finally:
        if run.poll() is None:
            run.terminate()
            run.wait(60)


def _said(run: subprocess.Popen[bytes]) -> str:
    output: Path = run.output  # type: ignore[attr-defined]
    return output.read_text()


def _second_run(folder: Path, port: int | str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "launch.run"],
        env=_environment(folder, port),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    return done.stderr


def _environment(folder: Path, port: int | str) -> dict[str, str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "CACHE_KEY_PREFIX"}
        and not name.startswith(("COV_", "PYTEST_"))
    }
    return environment | {"PYTHONPATH": str(ROOT / "sandbox"), "RUN_DIR": str(folder), "PORT": str(port)}


def _get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        body: bytes = answer.read()
        return body


def _child(parent: int, word: str) -> int:
    for pid, ancestor, command in _table():
        if ancestor == parent and word in command:
            return pid
    raise AssertionError(f"{parent} has no child {word}")


def _processes_of(folder: Path) -> list[str]:
    """What still runs with this folder in its command line or environment."""
    return [command for _, _, command in _table(str(folder))]


def _table(word: str = "") -> list[tuple[int, int, str]]:
    if not Path("/proc/self/stat").exists() or shutil.which("ps") is None:
        pytest.skip("there is neither /proc nor ps to look at processes with")
    listing = subprocess.run(["ps", "axeww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = []
    for line in listing.stdout.splitlines():
        pid, parent, command = line.split(None, 2)
        if word in command and int(pid) != os.getpid() and "ps axeww" not in command:
            rows.append((int(pid), int(parent), command))
    return rows
