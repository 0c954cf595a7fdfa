"""Keyset pagination: pages that cost the same however deep, and do not shift while rows come and go."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, cast

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest

from ..conf import conf
from ..exceptions import FieldError, InvalidError

#: Ours are far shorter, whatever the text in them.
LONGEST_CURSOR = 10_000


class InvalidCursorError(InvalidError):
    """The cursor is not one of this list."""

    code = "invalid_cursor"


@dataclass(frozen=True)
class Page[M]:
    """One page of a list, and how to reach its neighbours."""

    results: Sequence[M]
    next_cursor: str | None
    previous_cursor: str | None

    def links(self, request: HttpRequest) -> str:
        """The value of the `Link` header (RFC 8288); empty where there is no neighbour."""
        links = []
        for relation, cursor in (("next", self.next_cursor), ("prev", self.previous_cursor)):
            if cursor:
                query = request.GET.copy()
                query["cursor"] = cursor
                url = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
                links.append(f'<{url}>; rel="{relation}"')
        return ", ".join(links)


@dataclass(frozen=True)
class Keyset:
    """A total order of rows that pages can be cut from.

    Attributes:
        ordering: names of fields or annotations without nulls, `-` for descending; the last one is unique.
    """

    ordering: tuple[str, ...]

    def page[M: Model](
        self, queryset: QuerySet[M], *, cursor: str | None = None, limit: str | int | None = None
    ) -> Page[M]:
        """Read the page that the cursor points to, or the first one.

        Args:
            queryset: filtered and annotated; its order is replaced.
            cursor: from an earlier page of the same list.
            limit: how many rows, 1 to `PAGE_SIZE_MAX`; by default `PAGE_SIZE`.

        Raises:
            InvalidCursorError: when the cursor is damaged or of another list.
            InvalidError: when the limit is out of bounds.
        """
        size = _limit(limit)
        backward, position = self._decode(queryset, cursor)
        ordering = [_flip(name) for name in self.ordering] if backward else list(self.ordering)
        if position is not None:
            queryset = queryset.filter(_after(ordering, position))
        rows = list(queryset.order_by(*ordering)[: size + 1])
        more, rows = len(rows) > size, rows[:size]
        if backward:
            rows.reverse()
        has_next, has_previous = (True, more) if backward else (more, position is not None)
        return Page(
            results=rows,
            next_cursor=self._encode(rows[-1], backward=False) if rows and has_next else None,
            previous_cursor=self._encode(rows[0], backward=True) if rows and has_previous else None,
        )

    def _encode(self, row: Model, *, backward: bool) -> str:
        values = [_value(row, name.removeprefix("-")) for name in self.ordering]
        text = json.dumps([*self.ordering, backward, *values], cls=_ExactEncoder, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _decode(self, queryset: QuerySet[Any], cursor: str | None) -> tuple[bool, list[Any] | None]:
        if not cursor:
            return False, None
        if len(cursor) > LONGEST_CURSOR:
            raise InvalidCursorError
        count = len(self.ordering)
        try:
            parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if parts[:count] != list(self.ordering) or type(parts[count]) is not bool or len(parts) != 2 * count + 1:
                raise InvalidCursorError
            names = (name.removeprefix("-") for name in self.ordering)
            return parts[count], [
                _to_python(queryset, name, part) for name, part in zip(names, parts[count + 1 :], strict=True)
            ]
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, ValidationError) as error:
            raise InvalidCursorError from error


class _ExactEncoder(DjangoJSONEncoder):
    """Django's, but for moments, which it cuts to milliseconds: a page would then begin beside its place."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, (datetime, time)) else super().default(o)


def _limit(limit: str | int | None) -> int:
    if limit is None or limit == "":
        return int(conf.PAGE_SIZE)
    digits = str(limit)
    if digits.isascii() and digits.isdigit() and len(digits) < 6 and 1 <= int(digits) <= conf.PAGE_SIZE_MAX:
        return int(digits)
    detail = f"A number from 1 to {conf.PAGE_SIZE_MAX}."
    raise InvalidError("The limit is out of bounds.", errors=[FieldError(pointer="?limit", detail=detail)])


def _flip(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _value(row: Model, name: str) -> Any:
    for part in name.split("__"):
        row = getattr(row, part)
    return row


def _to_python(queryset: QuerySet[Any], name: str, value: Any) -> Any:
    if value is None or isinstance(value, (list, dict)) or "\0" in str(value):
        raise InvalidCursorError
    try:
        field = queryset.model._meta.get_field(name)
    except FieldDoesNotExist:
        field = queryset.query.annotations[name].output_field
    found = cast("Field[Any, Any]", field).to_python(value)
    if isinstance(found, str):
        found.encode()  # half of a surrogate pair is a ValueError here, and a crash in the database
    if isinstance(found, datetime):
        if found.tzinfo is None:
            raise InvalidCursorError
        found = found.astimezone(UTC)  # in the range of years; databases know fewer offsets than Python
    return found


def _after(ordering: Sequence[str], position: Sequence[Any]) -> Q:
    """Rows behind the position: a < x, or a = x and b < y, ..."""
    condition, equal = Q(), Q()
    for name, value in zip(ordering, position, strict=True):
        field = name.removeprefix("-")
        operator = "lt" if name.startswith("-") else "gt"
        condition |= equal & Q(**{f"{field}__{operator}": value})
        equal &= Q(**{field: value})
    return condition
