"""``{checks} fashionistar_common``: every id that the checks of an app can give, read from its source."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

LEVELS = {"E": "error", "W": "warning"}
NAMES = {"Error", "Warning"}


def checks(package: str) -> list[tuple[str, str, str]]:
    """Return id, level and message of each ``Error(...)`` and ``Warning(...)``, with ``...`` for what varies.

    Where all of a message varies, the check's docstring says what it is: ``E004: this and that.``
    """
    folder = Path(str(importlib.import_module(package).__file__)).parent
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for name, message in _messages(ast.parse(text), package):
            told = re.search(rf"\b{name.rpartition('.')[2]}: ([^.;]+)", text)
            meaning = message if told is None or re.search(r"\w{3}", message) else " ".join(told[1].split())
            if meaning not in found.setdefault(name, []):
                found[name].append(meaning)
    return [(name, LEVELS[name.rpartition(".")[2][0]], " / ".join(said)) for name, said in sorted(found.items())]


def _messages(tree: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    nodes = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    assigned: dict[str, ast.expr] = {}
    for node in sorted(nodes, key=lambda node: node.lineno):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                assigned[name] = value
            case ast.Call(func=function, args=[message, *_], keywords=keywords) if _name(function) in NAMES:
                given = next((_id(keyword.value, package) for keyword in keywords if keyword.arg == "id"), "")
                if given:
                    yield given, _text(assigned.get(message.id, message) if isinstance(message, ast.Name) else message)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _id(value: ast.expr, package: str) -> str:
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[_, ast.Constant(value=str(text))]):
            return f"{package}{text}"
        case ast.Call(args=[ast.Constant(value=int(number))]):
            return f"{package}.E{number:03}"
    return ""


def _text(message: ast.expr) -> str:
    match message:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in parts)
    return "..."
