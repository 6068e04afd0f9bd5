"""The user's tables: a column holds numbers if all of its cells are numbers, else words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.data.columns import MAX_WORDS, MISSING, Numbers, Rows, Words
from axnn.data.own.division import Labelled
from axnn.data.own.source import (
    LARGEST,
    MAX_CLASSES,
    MAX_VALUES,
    NO_LABEL,
    TAILS,
    Measured,
    check_values,
)
from axnn.data.own.table_text import Block, TableText
from axnn.data.scaling import Scaling
from axnn.errors import DataError

MISSING_RULES = ("median", "refuse")
"""How missing numbers are treated: replaced by the median, or refused."""

_SHOWN = 3
"""Columns that a note lists."""

_MAX_GROUPS = 1 << 20
_DIGITS = r"[+-]?(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?"
_NUMBER = re.compile(_DIGITS)
_NUMBERS = re.compile(
    rf"(?:[ \t]*+(?:{_DIGITS}|{'|'.join(sorted(map(re.escape, MISSING - {''})))})?+[ \t]*+\n)*+"
)
"""A number, and lines of numbers that may be missing; no part gives back what it has matched, since
trying all divisions of a long cell would take the square of its length."""

_COMMA_NUMBER = re.compile(r"[+-]?[0-9]+,[0-9]+")
_WHOLE = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,14})(?:\.0*)?")
_CODE = re.compile(r"[+-]?0[0-9]+")
"""Whole numbers, and digits behind a zero, which are names: 007 is not 7."""

_LIKE_NUMBER = re.compile(
    r"[-+\N{MINUS SIGN}$€£ ]*+[0-9][0-9.,' ]*+(?:[eE][-+]?[0-9]++)?+[%$€£ ]*+"
)
"""What a person takes for a number, such as 1.234,56 or 12 %."""

_NO_CLASS = MISSING - {"None"}
"""Words that stand for a missing label rather than for a class."""

_MOSTLY = 0.5
"""Share of numbers in a column of words from which on it is told that they are read as words."""


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How a table is read.

    Attributes
    ----------
    label : column of the labels
    target : in place of the labels, column of a quantity
    group : column of groups, whose rows go to the same part; None: there are no groups
    split : column that names each row's part; None: the seed decides
    drop : columns that are left out
    category : columns that are read as words even if they hold numbers
    missing : one of `MISSING_RULES`
    unlabelled : whether no column holds labels
    """

    label: str | None = None
    target: str | None = None
    group: str | None = None
    split: str | None = None
    drop: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    missing: str = "median"
    unlabelled: bool = False

    @property
    def apart(self) -> dict[str, str]:
        """The columns of labels or target, groups and parts, which are not inputs."""
        found = {
            "label": self.label,
            "target": self.target,
            "group": self.group,
            "split": self.split,
        }
        return {what: name for what, name in found.items() if name is not None}


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a table; a `Source`.

    Attributes
    ----------
    columns : the inputs
    labelled : labels, groups and parts
    where : the file, for messages
    read_notes : what the user should know about how it was read
    """

    columns: tuple[Numbers | Words, ...]
    labelled: Labelled
    where: str
    read_notes: tuple[str, ...] = ()

    def measure(self, train: Rows) -> Measured:
        """All rows as numbers; medians, words and scaling are learnt on these."""
        try:
            learnt = tuple(column.learn(train) for column in self.columns)
        except DataError as error:
            raise DataError(f"{self.where}: {error}") from error
        rows, width = len(self.labelled.labels), sum(column.inputs for column in learnt)
        check_values(rows, width, self.where)
        inputs, notes, place = np.empty((rows, width, 1, 1)), list(self.read_notes), 0
        for column, facts in zip(self.columns, learnt, strict=True):
            inputs[:, place : place + facts.inputs, 0, 0] = column.encode(facts)
            notes += column.notes(facts, train)
            place += facts.inputs
        scaling = Scaling.fit(inputs[train], tails=TAILS)
        names = [name for column in learnt for name in column.input_names]
        return Measured(inputs, scaling, learnt, (*notes, *_clamped(inputs, scaling, names)))


def _clamped(inputs: NDArray[np.float64], scaling: Scaling, names: Sequence[str]) -> Iterator[str]:
    """A note on values that are clamped, with the limits of the first few columns."""
    counts = scaling.count_beyond(inputs)
    if not counts.any():
        return
    channels = np.flatnonzero(counts).tolist()
    shown = []
    for channel in channels[:_SHOWN]:
        offset, span = scaling.offset[channel], scaling.span[channel]
        shown.append(f"{names[channel]!r} ({offset - span:g} to {offset + span:g})")
    more = f" and {len(channels) - _SHOWN} more columns" if len(channels) > _SHOWN else ""
    yield (
        f"{counts.sum():,} of {inputs.size:,} values lie far outside most of their column and are"
        f" taken as the limit: {', '.join(shown)}{more}"
    )


def read_table(path: Path, options: TableOptions) -> Table:
    """The table in a file, which is read twice: for the types of its columns, then for its cells.

    Raises
    ------
    FormatError
        If the file is missing, too large, or not a table.
    DataError
        If a column is missing, or no network can learn from it.
    """
    text = TableText.open(path)
    _check_columns(text, options)
    unread = {"", *options.drop, *options.apart.values()}
    inputs = _input_cells(text, [name for name in text.columns if name not in unread], options)
    apart: dict[str, _NumberCells | _WordCells] = {
        what: _NumberCells(name, str(text.path), refuses=True)
        if what == "target"
        else _WordCells.of(text, name, what)
        for what, name in options.apart.items()
    }
    places = [(cells, text.columns.index(cells.name)) for cells in (*apart.values(), *inputs)]
    for block in text.blocks():
        for cells, place in places:
            cells.add(block.lines, block.cells[place])
    if not places[0][0].parts:
        raise DataError(f"{path}: has no rows; add some")
    columns = tuple(cells.finish() for cells in inputs)
    answers = {what: cells.finish() for what, cells in apart.items()}
    found = {what: _values(column, what, str(path)) for what, column in answers.items()}
    if options.unlabelled:
        labels: NDArray[Any] = np.full(columns[0].rows, NO_LABEL)
    else:
        labels = found["label" if options.target is None else "target"]
    labelled = Labelled(labels, groups=found.get("group"), given=found.get("split"))
    nameless = [place for place, name in enumerate(text.columns, 1) if not name]
    notes = [f"column {place} has no name and is left out" for place in nameless]
    for cells, column in zip(inputs, columns, strict=True):
        notes += _mixture_notes(cells, column)
    notes += _class_notes(answers.get("label"))
    return Table(columns, labelled, str(path), tuple(notes))


def _mixture_notes(cells: "_NumberCells | _WordCells", column: Numbers | Words) -> list[str]:
    """A note if most cells of a column are numbers, but one that is none makes words of all."""
    if not isinstance(cells, _WordCells) or not isinstance(column, Words) or not cells.fault:
        return []
    are_numbers = np.array([bool(_LIKE_NUMBER.fullmatch(word)) for word in column.words])
    if are_numbers[column.codes].mean() < _MOSTLY:
        return []
    return [
        f"column {column.name!r} is read as words, one input each{cells.fault}; correct such cells,"
        " or say that the numbers are names (--category)"
    ]


def _class_notes(column: Numbers | Words | None) -> list[str]:
    """A note on each class whose name stands for a missing label elsewhere."""
    if not isinstance(column, Words):
        return []
    return [
        f"column {column.name!r}: {word!r} is taken for a class; leave these rows out if their"
        " label is missing"
        for word in column.words
        if word in _NO_CLASS
    ]


def _check_columns(text: TableText, options: TableOptions) -> None:
    """Refuse names that are missing or not unique."""
    names = [name for name in text.columns if name]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{text.path}: two columns are called {twice!r}; rename one")
    if all(map(_NUMBER.fullmatch, names)):
        raise DataError(
            f"{text.path}: its first line holds numbers; add a line above it that names the columns"
        )
    named = [options.label is not None, options.target is not None, options.unlabelled]
    if sum(named) != 1:
        raise DataError(
            f"{text.path}: which column holds the labels? Name it (--label, or --target for a"
            f" quantity), out of {_some(names)}"
        )
    asked = [*options.apart.items()]
    asked += [(what, name) for what in ("drop", "category") for name in getattr(options, what)]
    for what, name in asked:
        if name not in names:
            raise DataError(f"{text.path}: has no column {name!r} ({what}), only {_some(names)}")
    apart = options.apart.values()
    if len(set(apart)) < len(apart):
        raise DataError(f"{text.path}: {', '.join(options.apart)} must be columns of their own")
    if not set(names) - {*apart, *options.drop}:
        raise DataError(f"{text.path}: no column is left for inputs; add some")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:10]))
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown


def _input_cells(
    text: TableText, names: Sequence[str], options: TableOptions
) -> list["_NumberCells | _WordCells"]:
    """Collectors of the cells of each input; a first pass distinguishes numbers from words."""
    words: dict[str, str] = dict.fromkeys(options.category, "")
    asked = [*names, *([options.target] if options.target else [])]
    numbers = {name: text.columns.index(name) for name in asked if name not in words}
    for block in text.blocks():
        for name, place in list(numbers.items()):
            if found := _no_number(block, block.cells[place]):
                words[name] = f" (line {found[0]}: {found[1][:40]!r} is not a number)"
                if _COMMA_NUMBER.fullmatch(found[1]):
                    raise DataError(
                        f"{text.path}: column {name!r}{words[name]}; numbers need a point, names"
                        " that look like this an option (--category)"
                    )
                del numbers[name]
    if options.target in words:
        raise DataError(
            f"{text.path}: column {options.target!r} is no quantity{words[options.target]}; name"
            " words as classes (--label)"
        )
    return [
        _WordCells.of(text, name, "inputs", words[name])
        if name in words
        else _NumberCells(name, str(text.path), refuses=options.missing == "refuse")
        for name in names
    ]


def _no_number(block: Block, cells: Sequence[str]) -> tuple[int, str] | None:
    """Line and text of the first cell that is neither a number nor missing, if there is one."""
    if _NUMBERS.fullmatch("\n".join((*cells, ""))):
        return None
    for line, cell in zip(block.lines, cells, strict=True):
        plain = cell.strip()
        if not _NUMBER.fullmatch(plain) and plain not in MISSING:
            return line, plain
    return None


@dataclass
class _NumberCells:
    """Collects the cells of a column of numbers."""

    name: str
    where: str
    refuses: bool
    parts: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, lines: Sequence[int], cells: Sequence[str]) -> None:
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            plain = (cell.strip() for cell in cells)
            values = np.array([np.nan if cell in MISSING else float(cell) for cell in plain])
        missing = np.isnan(values)
        if self.refuses and missing.any():
            line = lines[int(np.argmax(missing))]
            raise DataError(
                f"{self.where}: line {line} has no value in column {self.name!r}; fill it in, or"
                " leave the row out"
            )
        if (large := np.abs(values) > LARGEST).any():
            line = lines[int(np.argmax(large))]
            raise DataError(
                f"{self.where}: line {line} has a number larger than {LARGEST:g} in column"
                f" {self.name!r}; correct it"
            )
        self.parts.append(values)

    def finish(self) -> Numbers:
        return Numbers(self.name, np.concatenate(self.parts))


@dataclass
class _WordCells:
    """Collects the cells of a column of words, and refuses too many different words."""

    name: str
    where: str
    most: int
    remedy: str
    needed: bool
    fault: str = ""
    known: dict[str, int] = field(default_factory=dict)
    parts: list[NDArray[np.int64]] = field(default_factory=list)

    @classmethod
    def of(cls, text: TableText, name: str, what: str, fault: str = "") -> "_WordCells":
        """A collector for the labels, the groups, the parts or the inputs of a table."""
        most, remedy = {
            "label": (MAX_CLASSES, "; name a column of classes, or a quantity (--target)"),
            "group": (_MAX_GROUPS, "; name another column"),
            "split": (MAX_WORDS, "; it must hold train, validation and test"),
            "inputs": (MAX_WORDS, f"{fault}; make numbers of them, or leave the column out (drop)"),
        }[what]
        return cls(name, str(text.path), most, remedy, needed=what != "inputs", fault=fault)

    def add(self, lines: Sequence[int], cells: Sequence[str]) -> None:
        known, plain = self.known, [cell.strip() for cell in cells]
        if self.needed and "" in plain:
            raise DataError(
                f"{self.where}: line {lines[plain.index('')]} has no value in column"
                f" {self.name!r}; fill it in, or leave the row out"
            )
        codes = [known.setdefault(cell, len(known)) for cell in plain]
        if len(known) > self.most:
            raise DataError(
                f"{self.where}: column {self.name!r} holds more than {self.most:,} different"
                f" words{self.remedy}"
            )
        self.parts.append(np.array(codes, np.int64))

    def finish(self) -> Words:
        if any("\0" in word for word in self.known):
            raise DataError(f"{self.where}: column {self.name!r} holds NUL bytes instead of text")
        return Words(self.name, np.concatenate(self.parts), tuple(self.known))


def _values(column: Numbers | Words, what: str, where: str) -> NDArray[Any]:
    """The number or the word in each row; labels as integers if all are."""
    if isinstance(column, Numbers):
        return column.values
    if what == "label":
        return _label_values(column, where)
    return _names(column, where)


def _names(column: Words, where: str) -> NDArray[np.str_]:
    """The word in each row; numpy keeps room for the longest one in all of them."""
    longest = max(map(len, column.words))
    if longest * column.rows > MAX_VALUES:
        raise DataError(
            f"{where}: column {column.name!r} holds a word of {longest:,} characters, which is too"
            f" long for {column.rows:,} rows; shorten it, or name another column"
        )
    return np.array(column.words, np.str_)[column.codes]


def _label_values(column: Words, where: str) -> NDArray[Any]:
    """Labels as integers if all are, else as words."""
    words = [word for word in column.words if word not in _NO_CLASS]
    if not words or not all(map(_NUMBER.fullmatch, words)):
        return _names(column, where)
    if broken := [word for word in words if not (_WHOLE.fullmatch(word) or _CODE.fullmatch(word))]:
        raise DataError(
            f"{where}: column {column.name!r} holds numbers such as {broken[0][:40]}, not classes;"
            " for a regression name it as the quantity (--target)"
        )
    if missing := [word for word in column.words if word in _NO_CLASS]:
        rows = int(np.isin(column.codes, [column.words.index(word) for word in missing]).sum())
        raise DataError(
            f"{where}: column {column.name!r} has no value in {rows:,} rows ({missing[0]!r}), where"
            " others hold numbers; fill them in, or leave these rows out"
        )
    if any(map(_CODE.fullmatch, words)):
        return _names(column, where)
    return np.array([int(float(word)) for word in words], np.int64)[column.codes]
