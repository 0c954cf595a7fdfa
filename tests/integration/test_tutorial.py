"""The tutorial, done by a machine: every file is written, every command run, every shown output compared."""

import doctest
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "first-shop.md"
FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r":caption: (?P<path>[\w./]+)(?P<append>, at the end)?\n\n")
SERVE = "python manage.py runserver"
SHOWN = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# What a reader types once, on a machine of their own; here the environment of the tests stands for it.
OF_THE_READERS_MACHINE = ("python -m venv ", ". .venv/bin/activate")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial asks its server with curl"),
]


@dataclass
class Reader:
    """Somebody who does what the page says, in a folder of their own."""

    folder: Path
    port: int
    server: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "SYSTEMROOT") if name in os.environ}
        self.environment = {**kept, "PATH": path, "PYTHONUTF8": "1"}

    def write(self, path: str, text: str, *, append: bool) -> None:
        target = self.folder / path
        target.parent.mkdir(exist_ok=True)
        with target.open("a" if append else "w", encoding="utf-8") as file:
            file.write(f"\n\n{text}" if append else text)

    def run(self, command: str, shown: str) -> None:
        if command.startswith(OF_THE_READERS_MACHINE):
            return
        if command.startswith("pip install "):
            check_installed(command)
            return
        if command == SERVE:
            self.serve()
            return
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command.replace('127.0.0.1:8000', f'127.0.0.1:{self.port}')}"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        printed = done.stdout.replace(f"127.0.0.1:{self.port}", "127.0.0.1:8000")
        assert done.returncode == 0, f"$ {command}\n{printed}{done.stderr}"
        if shown or printed:
            told = doctest.OutputChecker().check_output(shown, printed, SHOWN)
            assert told, f"$ {command}\nThe page shows:\n{shown}\nIt prints:\n{printed}\n{done.stderr}"

    def serve(self) -> None:
        self.stop()
        command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"]
        log = (self.folder / "server.log").open("wb")
        with log:
            self.server = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"The server did not start: {(self.folder / 'server.log').read_text()}")

    def stop(self) -> None:
        if self.server:
            self.server.terminate()
            self.server.wait(20)
            self.server = None


def check_installed(command: str) -> None:
    """What the page tells to install is what the tests run with, extras included."""
    for word in re.findall(r'"[^"]+"|\S+', command.removeprefix("pip install ")):
        wanted = Requirement(word.strip('"'))
        found = distribution(wanted.name)
        assert wanted.specifier.contains(found.version), word
        assert wanted.extras <= set(found.metadata.get_all("Provides-Extra") or ()), word


def steps() -> Iterator[tuple[str, str, str, bool]]:
    """Yield (kind, path or command, text or output, append) in the order of the page."""
    for fence in FENCE.finditer(PAGE.read_text(encoding="utf-8")):
        kind, body = fence["kind"], fence["body"]
        if kind == "console":
            for command, shown in re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE):
                yield "run", command, shown, False
        elif kind.startswith("{code-block} "):
            caption = CAPTION.match(body)
            assert caption, f"A block without the name of its file: {body[:80]}"
            yield "write", caption["path"], body[caption.end() :], bool(caption["append"])
        else:
            pytest.fail(f"A reader cannot tell what to do with a block of the kind {kind!r}.")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    somebody = Reader(tmp_path, port)
    yield somebody
    somebody.stop()


def test_the_tutorial_works_as_it_is_written(reader: Reader) -> None:
    done = 0
    for kind, what, text, append in steps():
        if kind == "write":
            reader.write(what, text, append=append)
        else:
            reader.run(what, text)
        done += 1
    assert done > 20
