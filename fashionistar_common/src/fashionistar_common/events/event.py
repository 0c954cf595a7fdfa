"""What an event is."""

import builtins
import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from ..db.text import storable
from ..exceptions import FashionistarError


class OutsideTransactionError(FashionistarError):
    """{name} was published outside a transaction; the event and the change it tells of would not be one."""

    code = "outside_transaction"


class NotJsonError(FashionistarError):
    """{name} carries what is no JSON: {fields}. Write ids, strings and minor units."""

    code = "not_json"


#: Every event class of this process by name and version.
catalogue: dict[tuple[str, int], type["Event"]] = {}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events. The producer owns the class; consumers know its name.

        @dataclass(frozen=True, kw_only=True)
        class OrderPlaced(Event, name="orders.order_placed", version=1, aggregate="order_number"):
            order_number: str
            total_minor: int

    Fields are JSON-ready: strings, whole numbers, booleans, lists, dicts, None. `aggregate` names the field whose
    events are delivered in order.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    aggregate: ClassVar[str]

    def __init_subclass__(cls, *, name: str, version: int, aggregate: str) -> None:
        super().__init_subclass__()
        cls.name, cls.version, cls.aggregate = name, version, aggregate
        known = catalogue.setdefault((name, version), cls)
        if known.__qualname__ != cls.__qualname__ or known.__module__ != cls.__module__:
            raise TypeError(f"{name} v{version} is already {known.__module__}.{known.__qualname__}.")

    @property
    def stream(self) -> str:
        return f"{self.aggregate}:{getattr(self, self.aggregate)}"

    def payload(self) -> Mapping[str, Any]:
        """The fields, as every consumer will read them.

        Raises:
            NotJsonError: when a value would not come back from JSON as it went in, or no database keeps it.
        """
        facts = asdict(self)
        if wrong := [field for field, value in facts.items() if not is_json(value)]:
            raise NotJsonError(name=f"{self.name} v{self.version}", fields=", ".join(wrong))
        return facts


def is_json(value: object) -> bool:
    """Whether the value comes back from JSON as it went in, and every database keeps it."""
    match value:
        case None | bool() | int():
            return True
        case float():
            return math.isfinite(value)
        case str():
            return storable(value) == value
        case list():
            return all(map(is_json, value))
        case dict():
            return all(isinstance(key, str) and is_json(key) and is_json(item) for key, item in value.items())
    return False


def is_json_type(hint: Any) -> bool:
    """Whether every value of this type is JSON: of plain types, containers of such, and dataclasses of such."""
    arguments = get_args(hint)
    match get_origin(hint) or hint:
        case typing.Literal:
            return all(map(is_json, arguments))
        case typing.Union | types.UnionType | builtins.list | builtins.dict:
            return all(map(is_json_type, arguments))
        case typing.Any:
            return True
        case type() as kind if issubclass(kind, str | int | float | types.NoneType):
            return True
        case kind if dataclasses.is_dataclass(kind) or typing.is_typeddict(kind):
            return all(map(is_json_type, get_type_hints(kind).values()))
    return False
