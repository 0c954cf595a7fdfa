"""A short run of `make chaos`; the long one is for machines that have nothing else to do."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_processes_lose_and_double_nothing():
    command = [sys.executable, Path(__file__).with_name("kill_processes.py"), "--kills", "6"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every order has its events and its one mail" in done.stdout
