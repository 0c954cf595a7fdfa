"""CSV that is written line by line and that no spreadsheet takes for a program."""

import csv
import io
from collections.abc import Iterable, Iterator

#: What a spreadsheet may take for the beginning of a formula, also after a line break or in full width.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def csv_lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The header and the rows as lines of CSV (RFC 4180), each when it is asked for.

    A text that a spreadsheet would calculate gets an apostrophe in front; numbers stay numbers, None is an empty cell.
    """
    yield _line(header)
    for row in rows:
        yield _line(row)


def _line(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(cell) for cell in cells])
    return line.getvalue()


def _harmless(cell: object) -> object:
    if cell is None or isinstance(cell, int | float):
        return cell
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
