#!/usr/bin/env python
"""Django's commands for the sandbox; development settings unless DJANGO_SETTINGS_MODULE says otherwise."""

import importlib
import os
import sys

PACKAGES = ("common", "auth", "catalog", "orders", "payments")


def main() -> None:
    """Run the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
    # Beside a folder fashionistar_x of the repository, `import fashionistar_x` succeeds even when the distribution
    # is not installed, with an empty namespace package that has no file.
    for package in PACKAGES:
        if importlib.import_module(f"fashionistar_{package}").__file__ is None:
            sys.exit(f"fashionistar_{package} is not installed: run `make run` or `uv sync` first.")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from fashionistar_common.observability.tracing import configure_tracing

    try:
        configure_tracing()
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The settings are not complete. {error}")


if __name__ == "__main__":
    main()
