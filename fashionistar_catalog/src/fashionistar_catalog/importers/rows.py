"""Reading a CSV file row by row, with a place for everything that is wrong in it."""

import csv
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .records import RowProblem

BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True)
class Row:
    """One record: cells by column, without the spaces around them."""

    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


class RowFile:
    """A CSV file that is read as a stream.

    Attributes:
        size: bytes in all.
        position: bytes read so far, for a progress bar.
    """

    def __init__(self, path: Path, *, encoding: str = "utf-8", delimiter: str = ",") -> None:
        self.path = path
        self.encoding = "utf-8-sig" if encoding.casefold() in {"utf-8", "utf8"} else encoding
        self.delimiter = delimiter
        self.size = path.stat().st_size
        self.position = 0

    def rows(self, needed: Collection[str]) -> Iterator[Row | RowProblem]:
        """The records in order, and a problem in the place of each that cannot be read.

        Rows without any content are passed over. A file without the needed columns yields problems only.
        """
        with self.path.open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if found := BYTE_ORDER_MARKS.get(start[:2]):
                yield RowProblem(1, "", f"The file is {found}; save it as CSV in UTF-8.")
            elif start in SPREADSHEETS:
                yield RowProblem(1, "", "This is a spreadsheet or an archive; save it as CSV in UTF-8.")
            else:
                yield from self._rows(raw, needed)

    def _rows(self, raw: BinaryIO, needed: Collection[str]) -> Iterator[Row | RowProblem]:
        # What is not in the encoding becomes a lone surrogate, so that the cell it is in can be named.
        lines = (line.decode(self.encoding, "surrogateescape") for line in raw)
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        number, header = 0, None
        while True:
            number += 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield RowProblem(number, "", f"This cannot be read as CSV: {error}.")
                return  # nobody knows where the next record starts
            if cells is None:
                break
            self.position = raw.tell()
            if header is None:
                header = [cell.strip() for cell in cells]
                if problems := list(_header_problems(header, needed)):
                    yield from problems
                    return
            elif any(cell.strip() for cell in cells):
                yield from self._record(number, header, cells)
        if header is None:
            yield RowProblem(1, "", "The file is empty.")

    def _record(self, number: int, header: list[str], cells: list[str]) -> Iterator[Row | RowProblem]:
        if len(cells) != len(header):
            column = header[len(cells)] if len(cells) < len(header) else header[-1]
            detail = f"The row has {len(cells)} fields, the header {len(header)}."
            if len(cells) > len(header):
                detail += " A text with the delimiter in it belongs in quotes."
            yield RowProblem(number, column, detail)
            return
        problems = [
            RowProblem(number, column, detail)
            for column, cell in zip(header, cells, strict=True)
            if (detail := self._cell_problem(cell))
        ]
        if problems:
            yield from problems
        else:
            yield Row(number, {column: cell.strip() for column, cell in zip(header, cells, strict=True)})

    def _cell_problem(self, cell: str) -> str:
        if "\0" in cell:
            return "This holds a NUL character."
        if not cell.isascii() and any("\ud800" <= character <= "\udfff" for character in cell):
            return f"This is not {self.encoding.removesuffix('-sig').upper()}; save the file in that encoding."
        return ""


def _header_problems(header: list[str], needed: Collection[str]) -> Iterator[RowProblem]:
    for column, times in Counter(header).items():
        if times > 1:
            yield RowProblem(1, column, f"The header names this column {times} times.")
    for column in needed:
        if column not in header:
            yield RowProblem(1, column, "The file has no such column.")
