"""Rules about the repository itself: what a reader may rely on wherever they open it."""

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("auth", "catalog", "common", "orders", "payments")
CONTEXTS = ("auth", "catalog", "orders", "payments")
LONGEST = 400
SHAPELESS = {"utils", "util", "helpers", "helper", "misc", "common", "base"}
# Signals of the framework that have no other hook. Everything else of ours is said with an event.
ALLOWED_SIGNALS = {"setting_changed", "connection_created", "got_request_exception"}
# What django.tasks asks of every backend to send.
ALLOWED_SIGNALS |= {"task_enqueued", "task_started", "task_finished"}
BANNED_SIGNAL_MODULES = {"django.db.models.signals", "django.dispatch"}


def source_of(name: str) -> Path:
    return ROOT / f"fashionistar_{name}" / "src" / f"fashionistar_{name}"


def modules(*names: str) -> list[Path]:
    """Python files of these packages but for migrations, which Django writes."""
    found = [path for name in names for path in source_of(name).rglob("*.py") if "migrations" not in path.parts]
    assert found
    return sorted(found)


def tracked_files() -> Iterator[Path]:
    """Every file of the checkout that git knows or would take; of an unpacked archive, every file that is source."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    for line in done.stdout.splitlines():
        path = ROOT / line
        if path.is_file():
            yield path


def text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def test_no_source_file_is_longer_than_a_reader_can_hold_in_mind() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(text.splitlines())
        for path in tracked_files()
        if path.suffix in {".py", ".md", ".sh", ".toml", ".ini", ".yml", ".html"}
        and "migrations" not in path.parts
        and (text := text_of(path))
    }
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_modules_are_named_after_their_subject() -> None:
    allowed = {
        "sandbox/config/settings/base.py",  # Django projects call it so, and it is the base of three others
        "fashionistar_payments/src/fashionistar_payments/providers/base.py",  # as Django's own backends/base.py
    }
    named = [
        relative
        for path in tracked_files()
        if path.suffix == ".py" and (relative := str(path.relative_to(ROOT))) not in allowed
        if path.stem in SHAPELESS or path.parent.name in SHAPELESS - {"common"}
    ]
    assert named == []


def test_no_file_names_a_machine_or_a_place_on_one() -> None:
    # Assembled, so that this file does not find itself.
    places = [
        "/" + "work/",
        "/" + "root/",
        "/home/" + r"(?!app\b|nonroot\b)\w+",
        "/" + "Users/",
        r"[A-Z]:\\" + "Users",
        "/opt/" + "(?:pypi|wheels)",
        "/tmp/" + "plan",
    ]
    machine = re.compile(r"(?<![\w.])(?:" + "|".join(places) + ")")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in tracked_files()
        if path.name != "uv.lock" and (text := text_of(path))
        for number, line in enumerate(text.splitlines(), 1)
        if machine.search(line)
    ]
    assert found == []


def test_shared_data_is_only_read_by_tests() -> None:
    outside = "../" + "shared"
    found = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if "tests" not in path.parts and outside in (text_of(path) or "")
    ]
    assert found == []


def test_nothing_is_left_unfinished() -> None:
    unfinished = re.compile(
        "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X:", "for " + "now[,.]", "NotImplemented" + "Error"))
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked_files()
        if path.suffix in {".py", ".toml", ".yml", ".html", ".txt", ".sh"} and (text := text_of(path))
        for number, line in enumerate(text.splitlines(), 1)
        if unfinished.search(line)
    ]
    assert found == []


def test_tests_are_no_packages() -> None:
    """In importlib mode, with `__init__.py`, pytest runs one of two equally named files twice and the other never."""
    found = [path for path in (ROOT / "tests").rglob("__init__.py") if "projects" not in path.parts]
    assert found == []  # the apps of the small projects are packages, and hold no tests


def test_what_happens_is_said_by_events_not_by_django_signals() -> None:
    found = []
    for path in modules(*PACKAGES):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = {alias.name for alias in node.names}
                of_signals = node.module in BANNED_SIGNAL_MODULES or node.module.endswith(".signals")
                if of_signals and not names <= ALLOWED_SIGNALS:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} imports {sorted(names)}")
            elif isinstance(node, ast.Import) and {alias.name for alias in node.names} & BANNED_SIGNAL_MODULES:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} imports a module of signals")
    assert found == []


@pytest.mark.parametrize("name", CONTEXTS)
def test_an_app_has_the_doors_that_an_integrator_knows_from_the_others(name: str) -> None:
    doors = (
        "apps",
        "conf",
        "checks",
        "exceptions",
        "models",
        "selectors",
        "services",
        "events",
        "urls",
        "router",
        "testing",
    )
    missing = [
        door
        for door in doors
        if not (source_of(name) / f"{door}.py").is_file() and not (source_of(name) / door / "__init__.py").is_file()
    ]
    assert missing == []


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_package_imports_nothing_else(name: str) -> None:
    """Its docstring apart, `__init__.py` is empty: Django imports it before the settings are ready."""
    statements = ast.parse((source_of(name) / "__init__.py").read_text(encoding="utf-8")).body
    assert [type(statement).__name__ for statement in statements] == ["Expr"]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_setting_an_app_reads_is_in_its_readme(name: str) -> None:
    tree = ast.parse((source_of(name) / "conf.py").read_text(encoding="utf-8"))
    keys = {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id.isupper()
    }
    readme = (ROOT / f"fashionistar_{name}" / "README.md").read_text(encoding="utf-8")
    assert keys - set(re.findall(r"`\"?([A-Z][A-Z_]+)\"?`", readme)) == set()


def test_the_environment_of_this_run_is_the_installed_one() -> None:
    """Both `uv sync`'s editables and built wheels will do, a namespace of empty folders will not."""
    for name in PACKAGES:
        module = __import__(f"fashionistar_{name}")
        assert module.__file__ is not None
        assert os.path.basename(module.__file__) == "__init__.py"  # noqa: PTH119 - a plain string
