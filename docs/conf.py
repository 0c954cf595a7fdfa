"""How the documentation is built. Django is set up without a database, so that tables come from the code itself."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "sandbox"), str(ROOT / "docs" / "_ext")]
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

import django  # noqa: E402 - it reads the environment

django.setup()

project = "Fashionistar"
author = "The Fashionistar team"
copyright = "The Fashionistar team"  # noqa: A001 - Sphinx's name

extensions = ["myst_parser", "code_tables"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_ext"]
nitpicky = True
suppress_warnings = ["config.cache"]

html_theme = "furo"
html_title = "Fashionistar"
html_theme_options = {"source_repository": "", "navigation_with_keys": True}
html_show_copyright = False
