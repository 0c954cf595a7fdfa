"""The small language of a mapping: text with column names in braces."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..exceptions import InvalidValueError
from .rows import Row

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[^{}]+")


@dataclass(frozen=True, slots=True)
class Template:
    """One way to make a value.

    Attributes:
        parts: (is a column, text) in order.
    """

    parts: tuple[tuple[bool, str], ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read `"{Brand} {Name}"`; braces that are meant are doubled.

        Raises:
            InvalidValueError: for a brace without its partner.
        """
        parts: list[tuple[bool, str]] = []
        end = 0
        for match in _TOKEN.finditer(text):
            if match.start() != end:
                break
            end = match.end()
            column = match[1]
            parts.append((True, column.strip()) if column else (False, match[0].replace("{{", "{").replace("}}", "}")))
        if end != len(text):
            raise InvalidValueError(f"{text!r} has a brace without its partner; double a brace that is meant.")
        return cls(tuple(parts))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(text for is_column, text in self.parts if is_column)

    def fill(self, row: Row) -> str | None:
        """The text for a row, or None where one of the columns is empty there."""
        filled = [row[text] if is_column else text for is_column, text in self.parts]
        if any(is_column and not row[text] for is_column, text in self.parts):
            return None
        return "".join(filled).strip()


@dataclass(frozen=True, slots=True)
class Value:
    """Templates in order of preference: the first one whose columns are all filled makes the value."""

    templates: tuple[Template, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column for template in self.templates for column in template.columns))

    def fill(self, row: Row) -> str:
        """The text for a row; empty where no template can be filled."""
        for template in self.templates:
            if (filled := template.fill(row)) is not None:
                return filled
        return ""
