"""The TOML file that says what the columns of a CSV file mean."""

from __future__ import annotations

import codecs
import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..exceptions import ImportMappingError, InvalidValueError
from .templates import Template, Value

KEYS: Mapping[str, Collection[str]] = {
    "product": ("id", "name", "slug", "vendor", "brand", "category", "description", "status"),
    "variant": ("sku", "price", "compare_at", "currency", "stock", "barcode"),
}
NEEDED = ("product.id", "product.name", "product.vendor", "variant.sku", "variant.price")
SHIPPED = files("fashionistar_catalog.importers") / "mappings"


@dataclass(frozen=True, slots=True)
class FileMapping:
    """What to make of each row.

    Attributes:
        values: the templates of `[product]` and `[variant]` by dotted name, such as `variant.price`.
        images: one template per image.
        replacements: by column, what the text of a cell stands for.
        defaults: by column, what an empty cell stands for.
    """

    source: str
    encoding: str = "utf-8"
    delimiter: str = ","
    values: Mapping[str, Value] = field(default_factory=dict)
    images: tuple[Value, ...] = ()
    attributes: Mapping[str, Value] = field(default_factory=dict)
    options: Mapping[str, Value] = field(default_factory=dict)
    replacements: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is used, in the mapping's order."""
        used = [*self.values.values(), *self.images, *self.attributes.values(), *self.options.values()]
        names = [column for value in used for column in value.columns]
        return tuple(dict.fromkeys([*names, *self.replacements, *self.defaults]))


def shipped_mappings() -> list[str]:
    """The names of the mappings that come with the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in SHIPPED.iterdir() if entry.name.endswith(".toml"))


def load_mapping(name: str) -> FileMapping:
    """Read a mapping from a path, or one of the shipped mappings by its name.

    Raises:
        ImportMappingError: with a sentence for everything that is wrong with it in `facts["problems"]`.
    """
    place = SHIPPED / f"{name}.toml" if name in shipped_mappings() else Path(name)
    try:
        data = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        known = ", ".join(shipped_mappings())
        problem = f"It is neither a file that can be read nor one of the shipped mappings ({known})."
        raise _unusable(name, [problem]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unusable(name, [f"It is not TOML in UTF-8: {error}."]) from error
    reader = _Reader()
    mapping = reader.mapping(data)
    if reader.problems:
        raise _unusable(name, reader.problems)
    return mapping


def _unusable(name: str, problems: list[str]) -> ImportMappingError:
    return ImportMappingError(f"The mapping {name} cannot be used. {' '.join(problems)}", name=name, problems=problems)


class _Reader:
    """Turns TOML into a mapping and notes everything that is wrong on the way."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def mapping(self, data: dict[str, Any]) -> FileMapping:
        self._known("", data, ("source", "encoding", "delimiter", "product", "variant", "values", "defaults"))
        product, variant = self._table(data, "product"), self._table(data, "variant")
        self._known("product", product, (*KEYS["product"], "images", "attributes"))
        self._known("variant", variant, (*KEYS["variant"], "options"))
        tables = {"product": product, "variant": variant}
        values = {
            f"{table}.{key}": self._value(f"{table}.{key}", tables[table][key])
            for table, keys in KEYS.items()
            for key in keys
            if key in tables[table]
        }
        self.problems += [f"{name} is missing." for name in NEEDED if name not in values]
        images = product.get("images", [])
        if not isinstance(images, list):
            self.problems.append("product.images is a list of texts, one per image.")
            images = []
        return FileMapping(
            source=self._source(data.get("source")),
            encoding=self._encoding(data.get("encoding", "utf-8")),
            delimiter=self._delimiter(data.get("delimiter", ",")),
            values=values,
            images=tuple(self._value(f"product.images[{at}]", image) for at, image in enumerate(images)),
            attributes=self._values("product.attributes", self._table(product, "attributes", "product.")),
            options=self._values("variant.options", self._table(variant, "options", "variant.")),
            replacements={
                column: self._texts(f"values.{column}", table) for column, table in self._table(data, "values").items()
            },
            defaults=self._texts("defaults", data.get("defaults", {})),
        )

    def _known(self, table: str, found: Mapping[str, Any], known: Collection[str]) -> None:
        for key in found:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}."
                self.problems.append(f"{table + '.' if table else ''}{key} is not a key{hint}")

    def _table(self, data: Mapping[str, Any], key: str, above: str = "") -> dict[str, Any]:
        table = data.get(key, {})
        if isinstance(table, dict):
            return table
        self.problems.append(f"{above}{key} is a table, not {table!r}.")
        return {}

    def _values(self, name: str, table: Mapping[str, Any]) -> dict[str, Value]:
        return {key: self._value(f"{name}.{key}", text) for key, text in table.items()}

    def _value(self, name: str, found: object) -> Value:
        texts = found if isinstance(found, list) else [found]
        templates = []
        for text in texts:
            if not isinstance(text, str):
                self.problems.append(f"{name} is a text or a list of texts, not {text!r}; write numbers in quotes.")
                continue
            try:
                templates.append(Template.parse(text))
            except InvalidValueError as error:
                self.problems.append(f"{name}: {error.detail}")
        return Value(tuple(templates))

    def _texts(self, name: str, table: object) -> dict[str, str]:
        if isinstance(table, dict) and all(isinstance(value, str) for value in table.values()):
            return table
        self.problems.append(f"{name} is a table of texts, not {table!r}.")
        return {}

    def _source(self, source: object) -> str:
        if isinstance(source, str) and re.fullmatch(r"[a-z0-9_-]{1,40}", source):
            return source
        self.problems.append("source is a name of up to 40 of a-z, 0-9, - and _; it is part of a product's identity.")
        return ""

    def _encoding(self, encoding: object) -> str:
        try:
            # The reader looks for line ends before it decodes, which only a superset of ASCII allows.
            if isinstance(encoding, str) and "\n,".encode(codecs.lookup(encoding).name) == b"\n,":
                return encoding
        except LookupError:
            pass
        self.problems.append(f"encoding is a superset of ASCII such as utf-8 or cp1252, not {encoding!r}.")
        return "utf-8"

    def _delimiter(self, delimiter: object) -> str:
        if isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n':
            return delimiter
        self.problems.append(f"delimiter is one character, not {delimiter!r}.")
        return ","
