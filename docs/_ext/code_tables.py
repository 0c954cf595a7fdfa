"""Directives whose tables are read from the code while the pages are built, so that they cannot be out of date.

``{settings-of} fashionistar_orders``, ``{events}``, ``{tasks}``, ``{errors}``, ``{commands}``, ``{notifications}``,
``{operations}``, ``{production-items}``, ``{checks} fashionistar_orders``
"""

import dataclasses
import importlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints

import check_table
from django.core.management import get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter
from docutils import nodes
from fashionistar_common import http, production
from fashionistar_common.conf import AppSettings
from fashionistar_common.events import Event, event_bus
from fashionistar_common.events.event import catalogue
from fashionistar_common.exceptions import FashionistarError
from fashionistar_common.http.problems import CODES, STATUS
from fashionistar_common.notifications import kinds
from fashionistar_common.tasks.policy import registry
from fashionistar_common.tasks.schedule import schedules
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

APPS = ("common", "auth", "catalog", "orders", "payments")
HIDDEN = DjangoHelpFormatter.show_last | {"--help"}
API = Path(__file__).resolve().parents[1] / "api"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def first_line(thing: object) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def settings_of(package: str) -> str:
    """Return the settings of one app: from the annotations of its class and the comments above them."""
    module = importlib.import_module(f"{package}.conf")
    settings = next(value for value in vars(module).values() if isinstance(value, AppSettings))
    kind = type(settings)
    comments = ModuleAnalyzer.for_module(module.__name__).find_attr_docs()
    rows = [
        (
            f"`{name}`",
            f"`{_type_name(hint)}`",
            f"`{_default(inspect.getattr_static(kind, name))}`",
            " ".join(comments[kind.__name__, name]).strip(),
        )
        for name, hint in get_type_hints(kind).items()
        if name.isupper()
    ]
    return table(("Key", "Type", "Default", "Meaning"), rows)


def _type_name(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint) if not getattr(hint, "__args__", ()) else hint).replace("typing.", "")


def _default(value: object) -> str:
    if isinstance(value, timedelta):
        for unit in ("days", "hours", "minutes"):
            count = value / timedelta(**{unit: 1})
            if count >= 1 and count.is_integer():
                return f"timedelta({unit}={int(count)})"
        return f"timedelta(seconds={int(value.total_seconds())})"
    return repr(value).replace("'", '"')


def events() -> str:
    """Return every event of the five apps: a list of all, then each with its fields, its order and who listens here."""
    ours = {
        (name, version): event
        for (name, version), event in sorted(catalogue.items())
        if event.__module__.partition(".")[0] in {f"fashionistar_{app}" for app in APPS}
    }
    rows = [
        (f"[{name}](#{name.replace('.', '')})", str(version), first_line(event), str(len(_listeners(name, version))))
        for (name, version), event in ours.items()
    ]
    parts = ["## All of them", "", table(("Event", "Version", "Says", "Subscribers in the sandbox"), rows), ""]
    for (name, version), event in ours.items():
        listeners = ", ".join(f"`{name}`" for name in _listeners(name, version)) or "nobody"
        parts += [
            f"## {name}",
            "",
            f"Version {version}, `{event.__module__}.{event.__name__}`. {first_line(event)}",
            "",
        ]
        parts += [table(("Field", "Type", "Meaning"), _fields_of(event)), ""]
        parts += [f"Delivered in order per `{event.aggregate}`. In the sandbox it is heard by: {listeners}.", ""]
    return "\n".join(parts)


def _listeners(name: str, version: int) -> list[str]:
    return sorted(event_bus.subscriptions(name, version))


def _fields_of(event: type[Event]) -> Iterator[tuple[str, str, str]]:
    """Name, type and what the docstring says under `Attributes:`."""
    hints = get_type_hints(event)
    _, _, attributes = (inspect.getdoc(event) or "").partition("Attributes:\n")
    meanings = dict(re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", attributes, flags=re.MULTILINE))
    for field in dataclasses.fields(event):
        meaning = " ".join(meanings.get(field.name, "").split())
        yield f"`{field.name}`", f"`{_type_name(hints[field.name])}`", meaning


def errors() -> str:
    """Return every error that can leave as a problem: status, code, sentence and class, by distribution."""
    importlib.import_module(f"{http.__name__}.idempotency")
    importlib.import_module(f"{http.__name__}.pagination")
    parts = ["## Any route", "", "Errors that are told by their status alone:", ""]
    parts += [table(("Status", "Code"), ((str(status), f"`{code}`") for status, code in CODES.items())), ""]
    for app in APPS:
        rows = sorted(
            (
                str(next(STATUS[kind] for kind in error.__mro__ if kind in STATUS)),
                f"`{error.code}`",
                first_line(error),
                f"`{error.__name__}`",
            )
            for error in set(_descendants(FashionistarError))
            if error.__module__.partition(".")[0] == f"fashionistar_{app}" and _is_answer(error)
        )
        parts += [f"## fashionistar-{app}", "", table(("Status", "Code", "Message", "Class"), rows), ""]
    return "\n".join(parts)


def _descendants(kind: type[FashionistarError]) -> Iterator[type[FashionistarError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def _is_answer(error: type[FashionistarError]) -> bool:
    return issubclass(error, tuple(STATUS)) and error not in STATUS and "code" in vars(error)


def tasks() -> str:
    """Return every task of the five apps, with its policy."""
    schedules()  # imports them all
    rows = [
        (
            f"`{path}`",
            f"`{task.queue_name}`",
            str(task.max_attempts),
            f"{task.seconds:g} s",
            f"`{task.schedule}`" if task.schedule else "",
            first_line(task.func),
        )
        for path, task in sorted(registry.items())
        if path.startswith("fashionistar_")
    ]
    return table(("Task", "Queue", "Attempts", "Limit", "Schedule", "What it does"), rows)


def commands() -> str:
    """Return the management commands of the five apps with their own help."""
    parts = []
    for name, app in sorted(get_commands().items()):
        if app.partition("_")[0] != "fashionistar":
            continue
        command = load_command_class(app, name)
        parser = command.create_parser("manage.py", name)
        rows = [
            (f"`{', '.join(action.option_strings) or action.dest}`", action.help or " or ".join(action.choices or ()))
            for action in parser._actions  # noqa: SLF001 - argparse has no other list of its arguments
            if not set(action.option_strings) & HIDDEN
        ]
        parts += [f"## {name}", "", f"`{app}`: {command.help}", ""]
        parts += [table(("Argument", "Meaning"), rows) if rows else "It takes no arguments.", ""]
    return "\n".join(parts)


def notifications() -> str:
    """Return every kind of message of the five apps."""
    rows = [
        (f"`{name}`", kind.category.value, ", ".join(kind.channels), f"`{kind.template}`", kind.description)
        for name, kind in sorted(kinds.items())
    ]
    return table(("Kind", "Category", "Channels", "Template", "When"), rows)


def operations() -> str:
    """Return the operations of both versions, from the two exported OpenAPI documents."""
    documents = {version: json.loads((API / f"{version}.json").read_text("utf-8")) for version in ("v1", "v2")}
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for version, document in documents.items():
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                place = path.removeprefix(f"/api/{version}"), method.upper()
                found.setdefault(place, {})[version] = operation
    parts = []
    for noun in sorted({path.split("/")[1] for path, _ in found}):
        rows = []
        for (path, method), both in sorted(found.items()):
            if path.split("/")[1] == noun:
                operation = both.get("v2") or both["v1"]
                success = next(status for status in operation["responses"] if status < "300")
                token = "token" if operation.get("security") else ""
                purpose = " ".join((operation.get("description") or "").partition("\n\n")[0].split())
                rows.append((f"`{method} {path}`", ", ".join(sorted(both)), success, token, purpose))
        parts += [f"## {noun}", "", table(("Operation", "In", "Success", "Needs", "Purpose"), rows), ""]
    return "\n".join(parts)


def production_items() -> str:
    """Return every item of `production_check`."""
    rows = ((f"`{item.id}`", item.sentence, f"`{item.evidence}`") for item in production.items())
    return table(("Id", "What is true", "Evidence"), rows)


def checks(package: str) -> str:
    """Return the ids that the checks of one app can give."""
    rows = ((f"`{name}`", level, message) for name, level, message in check_table.checks(package))
    return table(("Id", "Level", "Message"), rows)


class CodeTable(SphinxDirective):
    """A directive that shows what a function of this module returns."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Render the table; the page is built anew each time, as code is no dependency that Sphinx knows."""
        self.env.note_reread()
        text = TABLES[self.name](*self.arguments)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


TABLES: dict[str, Any] = {
    "settings-of": settings_of,
    "events": events,
    "errors": errors,
    "tasks": tasks,
    "commands": commands,
    "notifications": notifications,
    "operations": operations,
    "production-items": production_items,
    "checks": checks,
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    for name in TABLES:
        app.add_directive(name, CodeTable)
    return {"version": "1", "parallel_read_safe": True}
