"""What the pages say about the repository is still so."""

import ast
import importlib.util
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    chain(ROOT.glob("*.md"), ROOT.glob("docs/*/*.md"), ROOT.glob("docs/*.md"), ROOT.glob("fashionistar_*/README.md"))
)
PRODUCTION = ROOT / "docs" / "how-to" / "run-in-production.md"
ENVIRON_READERS = {"required", "text", "number", "flag", "listing"}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_file_that_a_page_names_as_proof_is_there(page: Path) -> None:
    named = re.findall(r"`((?:tests|sandbox|docs|fashionistar_\w+)/[\w./-]*)`", page.read_text(encoding="utf-8"))
    built = [name for name in named if name.startswith("docs/_build")]
    assert [name for name in named if name not in built and not (ROOT / name).exists()] == []


def test_the_readme_takes_less_than_two_screens() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80


def test_every_environment_variable_of_the_production_site_is_documented() -> None:
    names = set()
    for module in ("base", "production"):
        tree = ast.parse((ROOT / "sandbox" / "config" / "settings" / f"{module}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="environ"), attr=reader), args=[ast.Constant(value=name), *_]
                ) if reader in ENVIRON_READERS:
                    names.add(name)
    assert names
    page = PRODUCTION.read_text(encoding="utf-8")
    assert names == {name for name in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in variables(name)}


def variables(cell: str) -> list[str]:
    return [name for name in re.findall(r"`([A-Z_]+)`", cell) if "_" in name or name.isupper()]


def test_every_command_that_production_needs_exists() -> None:
    page = PRODUCTION.read_text(encoding="utf-8")
    first_column = " ".join(re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", page, re.MULTILINE))
    named = set(re.findall(r"`([a-z_]+)`", first_column)) | set(re.findall(r"manage\.py ([a-z_]+)", page))
    assert len(named) > 8
    assert named <= set(get_commands())


@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="Sphinx is not installed here")
def test_the_pages_are_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "--keep-going", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
