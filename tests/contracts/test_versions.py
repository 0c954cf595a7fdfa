"""Versions, changelogs, bounds and tags: what a release promises."""

import ast
import importlib.util
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("auth", "catalog", "common", "orders", "payments")


def project_of(name: str) -> dict[str, Any]:
    text = (ROOT / f"fashionistar_{name}" / "pyproject.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["project"])


@pytest.fixture(scope="module")
def release_tag() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_tag", ROOT / "tests" / "packaging" / "release_tag.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", PACKAGES)
def test_the_topmost_changelog_heading_is_the_version(name: str, release_tag: ModuleType) -> None:
    assert release_tag.changelog_version(f"fashionistar_{name}") == project_of(name)["version"]


@pytest.mark.parametrize("name", PACKAGES)
def test_the_installed_version_is_the_one_in_the_tree(name: str) -> None:
    assert version(f"fashionistar-{name}") == project_of(name)["version"]


@pytest.mark.parametrize("name", PACKAGES)
def test_the_right_tag_releases_its_package(name: str, release_tag: ModuleType) -> None:
    tag = f"fashionistar-{name}-v{project_of(name)['version']}"
    assert release_tag.released_package(tag) == f"fashionistar_{name}"


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("v0.1.0", "not of the form"),
        ("fashionistar-orders-0.1.0", "not of the form"),
        ("fashionistar-orders-v0.1", "not of the form"),
        ("fashionistar-shipping-v0.1.0", "no distribution"),
        ("fashionistar-orders-v99.0.0", "pyproject.toml says"),
    ],
)
def test_any_other_tag_releases_nothing(tag: str, reason: str, release_tag: ModuleType) -> None:
    with pytest.raises(ValueError, match=reason):
        release_tag.released_package(tag)


@pytest.mark.parametrize("name", sorted(set(PACKAGES) - {"common"}))
def test_common_is_the_only_sibling_and_bounded_on_both_sides(name: str) -> None:
    siblings = [found for found in project_of(name)["dependencies"] if found.startswith("fashionistar-")]
    assert len(siblings) == 1
    found = re.fullmatch(r"fashionistar-common>=(\d+)\.(\d+),<(\d+)\.(\d+)", siblings[0])
    assert found, siblings[0]
    low, high = (int(found[1]), int(found[2])), (int(found[3]), int(found[4]))
    major, minor, *_ = (int(part) for part in project_of("common")["version"].split("."))
    assert low <= (major, minor) < high


@pytest.mark.parametrize("name", PACKAGES)
def test_every_dependency_says_how_old_it_may_be(name: str) -> None:
    project = project_of(name)
    extras = [found for group in project.get("optional-dependencies", {}).values() for found in group]
    unbounded = [found for found in [*project["dependencies"], *extras] if ">=" not in found]
    assert unbounded == []


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_imports_only_what_it_or_common_declares(name: str) -> None:
    """Django, DRF, Ninja and pydantic are common's to choose; everything else a package declares itself."""
    declared = {
        "fashionistar-common",
        f"fashionistar-{name}",
        "asgiref",
        "pydantic-core",
    }  # Django's and pydantic's own
    for project in (project_of(name), project_of("common")):
        extras = [found for group in project.get("optional-dependencies", {}).values() for found in group]
        declared |= {_canonical(found) for found in [*project["dependencies"], *extras]}
    providers = packages_distributions()
    source = ROOT / f"fashionistar_{name}" / "src" / f"fashionistar_{name}"
    undeclared = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            roots = []
            if isinstance(node, ast.Import):
                roots = [alias.name.partition(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                roots = [node.module.partition(".")[0]]
            for root in roots:
                distributions = {_canonical(found) for found in providers.get(root, [root])}
                if root not in sys.stdlib_module_names and not distributions & declared:
                    undeclared.add(f"{path.relative_to(source)}: {root}")
    assert undeclared == set()


def _canonical(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-").replace(".", "-")
