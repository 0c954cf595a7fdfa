"""The start on a bare machine, with a uv that does as it is told."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).parents[2] / "sandbox" / "launch" / "bootstrap.py"

WORKING_UV = """
echo "$@" >> "$CALLS"
if [ "$1" = sync ]; then mkdir -p .venv/bin; ln -sf "$PYTHON" .venv/bin/python; fi
"""
FAILING_UV = """
if [ "$1" = sync ]; then echo "error: Failed to fetch: https://index.example/django"
  echo "  cause: {cause}"; exit 2; fi
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "sandbox" / "launch").mkdir(parents=True)
    shutil.copy(BOOTSTRAP, tmp_path / "sandbox" / "launch")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return tmp_path


def test_it_installs_once_and_then_only_when_the_lock_file_changes(clone: Path) -> None:
    _uv(clone, WORKING_UV)
    assert _run(clone, "python", "-c", "print('hello')").stdout == "hello\n"
    assert _syncs(clone) == 1
    _run(clone, "true")
    assert _syncs(clone) == 1
    (clone / "uv.lock").write_text("version = 2\n")
    _run(clone, "true")
    assert _syncs(clone) == 2


def test_what_run_needs_is_less_than_what_the_tests_need(clone: Path) -> None:
    _uv(clone, WORKING_UV)
    _run(clone, "--only-run", "true")
    assert "--no-default-groups" in (clone / "calls").read_text()
    _run(clone, "true")
    assert _syncs(clone) == 2
    _run(clone, "--only-run", "true")
    assert _syncs(clone) == 2


def test_the_command_s_status_is_the_status(clone: Path) -> None:
    _uv(clone, WORKING_UV)
    assert _run(clone, "python", "-c", "raise SystemExit(5)").returncode == 5


def test_a_failed_download_is_told_in_one_sentence(clone: Path) -> None:
    _uv(clone, FAILING_UV.format(cause="tcp connect error"))
    done = _run(clone, "true")
    assert done.returncode == 1
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith("The packages could not be downloaded (tcp connect error): check the network")
    assert "Traceback" not in done.stderr
    assert "https://index.example/django" in (clone / ".run" / "bootstrap.log").read_text()


def test_an_unknown_command_is_told_in_one_sentence(clone: Path) -> None:
    _uv(clone, WORKING_UV)
    done = _run(clone, "no-such-command")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "There is no command no-such-command in the environment.",
    )


def _uv(clone: Path, script: str) -> None:
    (clone / "bin").mkdir()
    uv = clone / "bin" / "uv"
    uv.write_text(f"#!/bin/sh\n{script}")
    uv.chmod(0o755)


def _run(clone: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{clone / 'bin'}:/usr/bin:/bin",
        "HOME": str(clone),
        "PYENV_ROOT": "/nonexistent",
        "CALLS": str(clone / "calls"),
        "PYTHON": sys.executable,
    }
    return subprocess.run(
        [sys.executable, clone / "sandbox" / "launch" / "bootstrap.py", *command],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _syncs(clone: Path) -> int:
    return sum(line.startswith("sync ") for line in (clone / "calls").read_text().splitlines())
