"""The text of a table: a line of names, then a line for each sample.

Cells are separated by commas, semicolons, tabs or vertical bars.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import checked_size

MAX_BYTES = 1 << 28
MAX_COLUMNS = 1 << 14
MAX_CELLS = 1 << 25
"""Limits on a table: bytes of its file, columns, and cells."""

_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_LONGEST_NAMES = 1 << 20
"""Most characters of the line of names."""

_NO_TEXT = "is not text in UTF-8; save it as CSV in UTF-8"

_BLOCK_CELLS = 1 << 16
"""Cells that are processed together."""


@dataclass(frozen=True)
class Block:
    """Some rows of a table.

    Attributes
    ----------
    lines : the line of the file in which each row ends
    cells : cells of each column
    """

    lines: Sequence[int]
    cells: Sequence[Sequence[str]]


@dataclass(frozen=True)
class TableText:
    """A table of text.

    Attributes
    ----------
    path : the file
    columns : their names, from the first line
    delimiter : character between cells
    """

    path: Path
    columns: tuple[str, ...]
    delimiter: str

    @classmethod
    def open(cls, path: Path) -> "TableText":
        """The table in a file, of which only the first line is read.

        Raises
        ------
        FormatError
            If the file is missing or too large, or not a table.
        """
        checked_size(path, MAX_BYTES)
        with _text(path) as stream:
            line = stream.readline(_LONGEST_NAMES)
            if len(line) >= _LONGEST_NAMES:
                raise FormatError(f"{path}: its first line, the columns' names, is too long")
            if "\0" in line:
                raise FormatError(f"{path}: {_NO_TEXT}")
            plain = _QUOTED.sub("", line)
            delimiter = max(_DELIMITERS, key=plain.count)
            stream.seek(0)
            names = next(csv.reader(stream, delimiter=delimiter, strict=True), [])
        if len(names) > MAX_COLUMNS:
            raise FormatError(f"{path}: {len(names):,} columns are more than {MAX_COLUMNS:,}")
        columns = tuple(name.strip() for name in names)
        if not any(columns):
            raise FormatError(f"{path}: its first line must name the columns; add such a line")
        return cls(path, columns, delimiter)

    def blocks(self) -> Iterator[Block]:
        """All rows; empty rows are skipped."""
        lines: list[int] = []
        rows: list[list[str]] = []
        longest = max(1, _BLOCK_CELLS // len(self.columns))
        for line, row in self._rows():
            lines.append(line)
            rows.append(row)
            if len(rows) == longest:
                yield Block(lines, list(zip(*rows, strict=True)))
                lines, rows = [], []
        if rows:
            yield Block(lines, list(zip(*rows, strict=True)))

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        width, most = len(self.columns), MAX_CELLS // len(self.columns)
        with _text(self.path) as stream:
            reader = csv.reader(stream, delimiter=self.delimiter, strict=True)
            next(reader)
            found = 0
            for row in reader:
                if not any(row):
                    continue
                if len(row) != width:
                    raise FormatError(
                        f"{self.path}: line {reader.line_num} has {len(row)} cells, where the first"
                        f" line names {width} columns; correct it"
                    )
                found += 1
                if found > most:
                    raise FormatError(
                        f"{self.path}: more than {most:,} rows of {width} cells; give fewer, or"
                        " arrays (.npz)"
                    )
                yield reader.line_num, row


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    """The file as text; `FormatError` if it is not text in UTF-8 or not a table."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: {_NO_TEXT}") from error
    except csv.Error as error:
        raise FormatError(f"{path}: is not a table ({error}); correct its quotes") from error
