"""What an event is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from ..exceptions import FashionistarError


class OutsideTransactionError(FashionistarError):
    """{name} was published outside a transaction; the event and the change it tells of would not be one."""

    code = "outside_transaction"


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
        return asdict(self)
