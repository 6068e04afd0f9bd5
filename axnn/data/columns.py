"""Columns of a table: how numbers and words become a network's inputs.

Everything is learnt on the training part. A column of numbers is one input; the median takes the
place of missing numbers. A column of words has one input for each word, which is 1 in the rows with
that word and 0 in others. For a word that the training part does not hold, all of these inputs are
0. An empty cell is a word like others.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from axnn.errors import DataError
from qcnpe.spec.errors import InputError

_MANY_ROWS = 20
"""So many values are not consecutive by chance."""

Rows = NDArray[np.intp]
"""Numbers of the rows of a table."""

MISSING = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?"})
"""Cells that stand for a missing number."""

_ABSENT = frozenset({"None", "nan", "NaT", "<NA>"})
"""How values that are no text show that they are missing, in Python, numpy and pandas."""

MAX_WORDS = 64
"""Most different words of a column."""


@dataclass(frozen=True)
class Column:
    """A column as the network reads it.

    Attributes
    ----------
    name : in the table's first line
    fill : number that takes the place of a missing one; None for a column of words
    words : one for each input; empty for a column of numbers
    """

    name: str
    fill: float | None = None
    words: tuple[str, ...] = ()

    @property
    def inputs(self) -> int:
        """Number of inputs of the network that the column becomes."""
        return len(self.words) or 1

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of these inputs."""
        return tuple(f"{self.name}={word}" for word in self.words) or (self.name,)

    def encode(self, values: Iterable[object]) -> NDArray[np.float64]:
        """New values as (rows, inputs).

        Missing ones may be None or NaN, numbers also as in `MISSING`; a missing word is the empty
        one. Whole numbers may have become 10115.0, as columns with gaps do in pandas.

        Raises
        ------
        InputError
            If a value of a column of numbers is not a number.
        """
        if self.words:
            found = np.array([self._word(value) for value in values], np.str_)
            return (found[:, None] == np.array(self.words)).astype(np.float64)
        numbers = np.array([self._number(value) for value in values], np.float64)
        return np.nan_to_num(numbers, nan=self.fill or 0.0)[:, None]

    def _word(self, value: object) -> str:
        word = str(value).strip()
        if isinstance(value, str) or word in self.words:
            return word
        if word in _ABSENT:
            return ""
        return word.removesuffix(".0")

    def _number(self, value: object) -> float:
        if str(value).strip() in MISSING | _ABSENT:
            return np.nan
        try:
            return float(str(value))
        except ValueError:
            raise InputError(
                f"column {self.name!r} holds numbers, not {str(value)[:40]!r}; correct it"
            ) from None


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of numbers.

    Attributes
    ----------
    name : of the column
    values : float64 (rows,), NaN where a number is missing
    """

    name: str
    values: NDArray[np.float64]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.values)

    def learn(self, rows: Rows) -> Column:
        """The median of the rows.

        Raises
        ------
        DataError
            If the number is missing in all of them.
        """
        known = self.values[rows]
        known = known[~np.isnan(known)]
        if not known.size:
            raise DataError(
                f"column {self.name!r}: no row of the training part has a value; leave the column"
                " out (--drop)"
            )
        return Column(self.name, fill=float(np.median(known)))

    def encode(self, column: Column) -> NDArray[np.float64]:
        """The numbers (rows, 1), with missing ones filled in."""
        fill = 0.0 if column.fill is None else column.fill
        return np.nan_to_num(self.values, nan=fill)[:, None]

    def notes(self, column: Column, rows: Rows) -> list[str]:
        """What a person should know of it."""
        found = []
        if missing := int(np.isnan(self.values).sum()):
            found.append(
                f"column {self.name!r}: {missing:,} of {len(self.values):,} values are missing; the"
                f" median of the training part, {column.fill:g}, takes their place"
            )
        if self._numbers_rows():
            found.append(f"column {self.name!r} only numbers the rows; leave it out (--drop)")
        known = self.values[rows]
        if np.nanmin(known) == np.nanmax(known):
            found.append(_constant(self.name))
        return found

    def _numbers_rows(self) -> bool:
        """Whether the values are the numbers of the rows, from any start, in any order."""
        if len(self.values) < _MANY_ROWS:
            return False
        ordered = np.sort(self.values)
        return bool((np.diff(ordered) == 1).all())


@dataclass(frozen=True, eq=False)
class Words:
    """A column of words.

    Attributes
    ----------
    name : of the column
    codes : int64 (rows,), index of the word in each row
    words : the different words
    """

    name: str
    codes: NDArray[np.int64]
    words: tuple[str, ...] = field(repr=False)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.codes)

    def learn(self, rows: Rows) -> Column:
        """The words of the rows, sorted."""
        found = np.unique(self.codes[rows]).tolist()
        return Column(self.name, words=tuple(sorted(self.words[code] for code in found)))

    def encode(self, column: Column) -> NDArray[np.float64]:
        """(rows, words) inputs: 1 for the word of the row, 0 for others."""
        place = {word: number for number, word in enumerate(column.words)}
        known = np.array([place.get(word, -1) for word in self.words], np.int64)[self.codes]
        return (known[:, None] == np.arange(len(column.words))).astype(np.float64)

    def notes(self, column: Column, rows: Rows) -> list[str]:
        """What a person should know of it."""
        found = []
        if unknown := sorted(
            {self.words[code] for code in set(self.codes.tolist())} - {*column.words}
        ):
            found.append(
                f"column {self.name!r}: the training part does not hold {_listed(unknown)}; all"
                " inputs of the column are 0 there"
            )
        if len(column.words) == 1:
            found.append(_constant(self.name))
        return found


def _constant(name: str) -> str:
    return f"column {name!r} is constant in the training part; leave it out (--drop)"


def _listed(words: list[str]) -> str:
    shown = ", ".join(map(repr, words[:3]))
    return f"{shown} and {len(words) - 3} more words" if len(words) > 3 else shown
