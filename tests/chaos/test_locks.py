"""A short run of the lock soak; the long one is part of `make chaos`."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_sixteen_threads_lock_without_a_deadlock():
    command = [sys.executable, Path(__file__).with_name("locks.py"), "--seconds", "4"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no deadlock, and every counter is right" in done.stdout
