"""What a task may be given: what is the same on both sides of JSON."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

from ..db.text import storable
from ..exceptions import FashionistarError


class TaskArgumentError(FashionistarError):
    """The argument `{argument}` of the task {task} {reason}. Pass ids, text, numbers, lists and dicts of those."""

    code = "task_argument"


def check_arguments(task: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse what would reach the task as something else, or not at all.

    Raises:
        TaskArgumentError: for a value that JSON does not keep as it is, such as a model, a date, a Decimal or a tuple.
        TypeError: when the arguments do not fit the function.
    """
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        variable = signature.parameters[name].kind
        if variable is inspect.Parameter.VAR_POSITIONAL:
            value = list(value)  # noqa: PLW2901 - bind() collects them in a tuple of its own
        try:
            reason = _complaint(value)
        except RecursionError:
            reason = "is nested too deeply"
        if reason:
            raise TaskArgumentError(argument=name, task=task, reason=reason)


def _complaint(value: Any) -> str:
    """Why the value cannot be sent; empty if it can."""
    match value:
        case None | bool() | int():
            return ""
        case float():
            return "" if math.isfinite(value) else f"is {value}, which is no number in JSON"
        case str():
            return "" if storable(value) == value else "has characters that no database keeps"
        case list():
            return next((f"has an item that {found}" for each in value if (found := _complaint(each))), "")
        case dict():
            if strange := next((key for key in value if not isinstance(key, str)), None):
                return f"has a key that is a {_kind(strange)}, not text"
            return next((found for each in value.items() for part in each if (found := _complaint(part))), "")
    return f"is a {_kind(value)}, which JSON does not keep"


def _kind(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
