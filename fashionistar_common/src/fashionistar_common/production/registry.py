"""The register of items, and running them."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from django.db import connection, transaction
from django.utils.module_loading import autodiscover_modules

from ..observability.redaction import redact_text

logger = logging.getLogger(__name__)


class Status(StrEnum):
    """What became of an item."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Result:
    """An item's outcome; the reason is empty for one that passes."""

    status: Status
    reason: str = ""


def passed() -> Result:
    """It is so."""
    return Result(Status.PASS)


def failed(reason: str) -> Result:
    """It is not so; the reason says what was found, in words without secrets."""
    return Result(Status.FAIL, reason)


def not_applicable(reason: str) -> Result:
    """The question does not arise here."""
    return Result(Status.NOT_APPLICABLE, reason)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that must be true in production.

    Attributes:
        id: `app.what_is_true`; stable, for whoever reads the JSON.
        sentence: what is true when it passes.
        evidence: a command or a place to look at, for whoever wants to see for themselves.
        look: answers whether it is so.
    """

    id: str
    sentence: str
    evidence: str
    look: Callable[[], Result]

    @property
    def app(self) -> str:
        return self.id.partition(".")[0]


_items: dict[str, Item] = {}
_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


def production_item[L: Callable[[], Result]](id: str, sentence: str, *, evidence: str) -> Callable[[L], L]:  # noqa: A002
    """Register the decorated function as an item; see `Item` for the arguments.

    Raises:
        ValueError: the id is taken, or not of the form `app.what_is_true`.
    """

    def register(look: L) -> L:
        known = _items.get(id)
        if not _ID.fullmatch(id) or (known and known.look.__qualname__ != look.__qualname__):
            raise ValueError(f"{id!r} is no id of its own, of the form app.what_is_true.")
        _items[id] = Item(id, sentence, evidence, look)
        return look

    return register


def items(*, apps: tuple[str, ...] = ()) -> list[Item]:
    """Every item of the installed apps in the order of their ids, or of these apps only."""
    autodiscover_modules("production")
    return [item for _, item in sorted(_items.items()) if not apps or item.app in apps]


def run(item: Item) -> Result:
    """Look at one item. What raises an error fails."""
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION READ ONLY")
            return item.look()
    except Exception as error:
        logger.debug("%s cannot be looked at", item.id, exc_info=error)
        return failed(redact_text(f"{type(error).__name__}: {error}".strip()))
