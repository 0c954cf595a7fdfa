"""What every test run needs first: the installed packages, PostgreSQL, Valkey, and only then Django's settings."""

import importlib
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "sandbox"))

from launch.errors import LaunchError
from launch.services import services

# A folder of this repository is importable under the name of its package even when the package is not installed,
# as an empty namespace without a file. Importing the five here also keeps pytest from taking those folders for them.
for package in ("common", "auth", "catalog", "orders", "payments"):
    if importlib.import_module(f"fashionistar_{package}").__file__ is None:
        raise pytest.UsageError(f"fashionistar_{package} is not installed: run `uv sync` first.")

running = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the services once for a run; the workers of pytest-xdist inherit them through the environment."""
    if worker := getattr(config, "workerinput", None):
        os.environ["CACHE_KEY_PREFIX"] = worker["workerid"]  # one server for all, so each has its own keys
    elif not config.option.collectonly:
        stack = config.stash[running] = ExitStack()
        try:
            os.environ.update(stack.enter_context(services()))
        except LaunchError as error:
            raise pytest.UsageError(str(error)) from error
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    # pytest-django has looked for settings before this file was read, and takes it from here.
    import django

    django.setup()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    if stack := config.stash.get(running, None):
        stack.close()
