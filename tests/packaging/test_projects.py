"""The minimal projects stand: the quick half of `make dist`, in the environment of this test run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECTS = Path(__file__).resolve().parents[1] / "projects"
NAMES = sorted(folder.name for folder in PROJECTS.glob("*_only"))


@pytest.mark.parametrize("name", NAMES)
def test_a_project_with_one_app_has_no_warnings_and_no_missing_migrations(name: str, tmp_path: Path) -> None:
    project = tmp_path / name
    shutil.copytree(PROJECTS / name, project)
    program = (
        "import django; django.setup(); from django.core.management import call_command as call;"
        "call('check', fail_level='WARNING'); call('makemigrations', check=True, dry_run=True)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=project,
        env={key: value for key, value in os.environ.items() if not key.startswith("PG")}
        | {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_distribution_has_its_project() -> None:
    assert [f"{name}_only" for name in ("auth", "catalog", "common", "orders", "payments")] == NAMES
