"""A short run of `outbox.py`; the long one is part of `make chaos`."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_relays_and_publishers_lose_and_double_nothing():
    command = [sys.executable, Path(__file__).with_name("outbox.py"), "--kills", "12"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=115)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every event once for each subscriber, in order" in done.stdout
