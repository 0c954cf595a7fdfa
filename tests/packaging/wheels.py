"""Build the five wheels and sdists into dist/, and look at what is in them.

`python tests/packaging/wheels.py` also writes dist/wheels.txt: the requirements of the whole sandbox, with its five
siblings replaced by the built files, so that an environment is filled with `uv pip install -r dist/wheels.txt`. And
dist/floors.txt: what the five themselves require, so that `--resolution lowest-direct` lowers that too.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from email import message_from_string
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist"
NAMES = ("common", "auth", "catalog", "orders", "payments")
STRAY = re.compile(r"(^|/)(tests?|__pycache__|\.[^/]+|changelog\.d)(/|$)|\.(pyc|orig|rej|po~|sqlite3)$")


class PackagingError(Exception):
    """Something about the distributions is not as promised; the message says what."""


def uv() -> str:
    """The uv to call: the one that called us, the one beside this Python, or the one on PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = os.environ.get("UV") or (str(beside) if beside.exists() else shutil.which("uv"))
    if not found:
        raise PackagingError("There is no uv on PATH: pip install uv.")
    return found


def build() -> dict[str, Path]:
    """Build everything from a clean dist/ and return the wheels by name (common, auth, ...)."""
    DIST.mkdir(exist_ok=True)
    for old in DIST.glob("fashionistar_*"):
        old.unlink()
    # The environment of tox names a virtual environment and must not leak into the isolated builds.
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(
        [uv(), "build", "--quiet", "--all-packages", "--out-dir", str(DIST)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackagingError(f"uv build failed:\n{done.stderr}")
    wheels = {name: _only(DIST.glob(f"fashionistar_{name}-*.whl")) for name in NAMES}
    for name in NAMES:
        _only(DIST.glob(f"fashionistar_{name}-*.tar.gz"))
    write_requirements(wheels)
    return wheels


def write_requirements(wheels: dict[str, Path]) -> None:
    """Write dist/wheels.txt and dist/floors.txt from the dependencies of the workspace's root."""
    lines, floors = [], set()
    for requirement in _project(ROOT)["dependencies"]:
        found = re.fullmatch(r"fashionistar-(\w+)(?:\[([^]]*)\])?", requirement)
        if not found:
            lines.append(requirement)
            continue
        name, extras = found[1], found[2]
        lines.append(f"fashionistar-{name}{f'[{extras}]' if extras else ''} @ {wheels[name].as_uri()}")
        project = _project(ROOT / f"fashionistar_{name}")
        floors |= set(project["dependencies"])
        for extra in filter(None, (extras or "").split(",")):
            floors |= set(project["optional-dependencies"][extra])
    (DIST / "wheels.txt").write_text("\n".join(lines) + "\n")
    third_party = sorted(floor for floor in floors if not floor.startswith("fashionistar-"))
    (DIST / "floors.txt").write_text("\n".join(third_party) + "\n")


def _project(folder: Path) -> dict[str, Any]:
    return dict(tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def check_contents(name: str, wheel: Path) -> None:
    """Compare a wheel and its sdist with the source: nothing is missing, nothing has strayed in.

    Raises:
        PackagingError: with every difference, a line each.
    """
    package = f"fashionistar_{name}"
    source = ROOT / package / "src" / package
    wanted = {f"{package}/{path}" for path in _shipped(source)}
    with zipfile.ZipFile(wheel) as archive:
        members = {member for member in archive.namelist() if not member.endswith("/")}
        metadata = archive.read(_only(member for member in members if member.endswith(".dist-info/METADATA"))).decode()
    info = {member for member in members if ".dist-info/" in member}
    problems = [f"{wheel.name} lacks {path}" for path in sorted(wanted - members)]
    problems += [f"{wheel.name} also holds {path}" for path in sorted(members - wanted - info)]
    problems += [f"{wheel.name} lacks {path}" for path in _required(package) if path not in members]
    if not any(member.endswith("/licenses/LICENSE") for member in info):
        problems.append(f"{wheel.name} lacks its LICENSE")
    problems += _metadata_problems(name, metadata)

    sdist = _only(DIST.glob(f"{package}-*.tar.gz"))
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    around = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"}
    wanted = {f"src/{path}" for path in wanted} | around
    problems += [f"{sdist.name} lacks {path}" for path in sorted(wanted - files)]
    problems += [f"{sdist.name} also holds {path}" for path in sorted(files - wanted - {"PKG-INFO", ".gitignore"})]
    if problems:
        raise PackagingError("\n".join(problems))


def _shipped(source: Path) -> set[str]:
    """Every file of a package's source that git would track, relative to the package."""
    return {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and not STRAY.search(str(path.relative_to(source)))
    }


def _required(package: str) -> Iterable[str]:
    """Files without which the package would install but be less than promised."""
    yield f"{package}/py.typed"
    yield f"{package}/apps.py"
    yield f"{package}/migrations/0001_initial.py"
    for kind in ("templates", "locale"):
        folder = ROOT / package / "src" / package / kind
        yield from (str(path.relative_to(folder.parents[1])) for path in folder.rglob("*.[hmt]*") if path.is_file())


def _metadata_problems(name: str, text: str) -> Iterable[str]:
    """What the metadata of a wheel lacks for a reader of its page."""
    metadata = message_from_string(text)
    classifiers = set(metadata.get_all("Classifier", []))
    wanted = {f"Framework :: Django :: {version}" for version in ("6.0", "6.1")}
    wanted |= {f"Programming Language :: Python :: 3.{minor}" for minor in (12, 13, 14)}
    wanted |= {"Typing :: Typed"}
    for classifier in sorted(wanted - classifiers):
        yield f"fashionistar-{name} lacks the classifier {classifier}"
    if metadata["License-Expression"] != "BSD-3-Clause":
        yield f"fashionistar-{name} does not say BSD-3-Clause"
    if metadata["Requires-Python"] != ">=3.12":
        yield f"fashionistar-{name} asks for Python {metadata['Requires-Python']}"
    if len(str(metadata.get_payload())) < 1000:
        yield f"fashionistar-{name} has a README that tells next to nothing"
    for requirement in metadata.get_all("Requires-Dist", []):
        sibling = re.match(r"fashionistar-(\w+)", requirement)
        if sibling and (sibling[1] != "common" or not re.search(r">=\d+\.\d+.*,?<|<.*,>=", requirement)):
            yield f"fashionistar-{name} requires {requirement}: siblings need only common, between two bounds"


def _only[T](items: Iterable[T]) -> T:
    found = list(items)
    if len(found) != 1:
        raise PackagingError(f"Expected one file, found {found or 'none'}.")
    return found[0]


def main() -> int:
    """Build, look, and report."""
    try:
        for name, wheel in build().items():
            check_contents(name, wheel)
            print(f"{wheel.name}: {wheel.stat().st_size / 1024:.0f} kB, complete")
    except PackagingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
