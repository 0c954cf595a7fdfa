"""Say which distribution a tag releases, after making sure that tag, version and changelog agree.

`python tests/packaging/release_tag.py fashionistar-orders-v1.2.0` prints `package=fashionistar_orders`, or one sentence
about what does not agree, and exits with 1. Standard library only: it runs before anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def version_of(package: str) -> str:
    """The version in a distribution's pyproject.toml."""
    text = (ROOT / package / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def changelog_version(package: str) -> str | None:
    """The version in the topmost release heading of a distribution's changelog."""
    text = (ROOT / package / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(r"^## \[([^]]+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    return heading[1] if heading else None


def released_package(tag: str) -> str:
    """The folder of the distribution that a tag releases.

    Raises:
        ValueError: the tag has another form, or another version than pyproject.toml or CHANGELOG.md.
    """
    found = re.fullmatch(r"(fashionistar-[a-z]+)-v(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)", tag)
    if not found:
        raise ValueError(f"{tag} is not of the form fashionistar-<name>-v<version>.")
    package, version = found[1].replace("-", "_"), found[2]
    if not (ROOT / package / "pyproject.toml").is_file():
        raise ValueError(f"There is no distribution {found[1]}.")
    if version_of(package) != version:
        raise ValueError(f"{package}/pyproject.toml says {version_of(package)}, the tag says {version}.")
    if changelog_version(package) != version:
        raise ValueError(f"{package}/CHANGELOG.md ends at {changelog_version(package)}, the tag says {version}.")
    return package


if __name__ == "__main__":
    try:
        print(f"package={released_package(sys.argv[1])}")
    except ValueError as problem:
        sys.exit(str(problem))
