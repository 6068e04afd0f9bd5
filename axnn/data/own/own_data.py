"""The user's own data: where they are, how they are read, and the data set that they become."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import inf, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.data.labels import Classes, Quantity
from axnn.data.own.arrays import MAX_BYTES, read_arrays
from axnn.data.own.division import Labelled, Parts, divide
from axnn.data.own.pictures import find_pictures, read_pictures
from axnn.data.own.source import Measured, Source
from axnn.data.own.table import MISSING_RULES, TableOptions, read_table
from axnn.data.parts import DataSet, Split
from axnn.data.scaling import Scaling
from axnn.data.task import Agreement, Classification, Labels, Regression, Task
from axnn.errors import DataError
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import checked_size

_RARE = 10
"""A class is rare if the most frequent class has more than this many times its samples."""

_FINE = 200
"""Number of validation samples at which one sample is half a percentage point."""

_MOST_NOTES = 20
_MAX_SIDE = 512


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """The user's data: a table (.csv, .tsv), arrays (.npz), or a folder of pictures.

    Attributes
    ----------
    path : of the file or the folder
    label : of a table, the column of the labels
    target : of a table, in place of `label`, the column of a quantity: a regression
    group : of a table, a column of groups, such as persons; rows of a group go to the same part
    split : of a table, a column that says train, validation or test; None: the seed decides
    drop : of a table, columns that are left out
    category : of a table, columns whose numbers are names; each number becomes an input
    missing : of a table, how missing numbers are treated, `median` or `refuse`
    side : of pictures, height and width that they are resized to; None: their own if all have the
        same one of at most 64 pixels, else 32
    class_weights : whether every class counts the same in loss and quality, however rare it is
    span : what inputs are divided by, as an imported network reads them; None: the training part
        teaches the scaling
    unlabelled : whether samples have no labels: a network's own answers take their place
    reads : channels, height and width as which an imported network reads the values of a sample, in
        their order; None: as those that the file has
    """

    path: str
    label: str | None = None
    target: str | None = None
    group: str | None = None
    split: str | None = None
    drop: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    missing: str = "median"
    side: int | None = None
    class_weights: bool = False
    span: float | None = None
    unlabelled: bool = False
    reads: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.missing not in MISSING_RULES:
            raise DataError(f"missing must be {' or '.join(MISSING_RULES)}, not {self.missing!r}")
        if self.side is not None and not 1 <= self.side <= _MAX_SIDE:
            raise DataError(f"side must be 1..{_MAX_SIDE}, not {self.side}")
        if self.class_weights and self.target is not None:
            raise DataError(f"{self.path}: a target has no classes, so that they have no weights")
        if self.span is not None and not 0 < self.span < inf:
            raise DataError(f"span must be positive and finite, not {self.span}")
        if self.unlabelled and (self.label or self.target or self.class_weights):
            raise DataError(f"{self.path}: is read without labels; leave out what names them")
        if self.reads is not None and (self.span is None or min(self.reads) < 1):
            raise DataError(
                f"{self.path}: reads {self.reads} is for imported networks; leave it out"
            )
        used = {"path", "class_weights", "span", "unlabelled", "reads", *_USED[self.kind]}
        for entry in fields(self):
            if entry.name not in used and getattr(self, entry.name) != entry.default:
                raise DataError(f"{self.path}: {self.kind} have no {entry.name}; leave it out")

    @classmethod
    def at(cls, path: Path | str, **how: Any) -> "OwnData":
        """The data at a path, which becomes absolute, so that commands may run in any folder."""
        return cls(path=str(Path(path).absolute()), **how)

    @property
    def kind(self) -> str:
        """What the path names: `tables`, `arrays` or `pictures`."""
        suffix = Path(self.path).suffix.lower()
        return "tables" if suffix in _TABLES else "arrays" if suffix == ".npz" else "pictures"

    @property
    def name(self) -> str:
        """Name of the file or folder without its ending."""
        return Path(self.path).stem

    def load(self, seed: int) -> DataSet:
        """The data set, divided by the seed; errors as in `DataSet.read`.

        The latest one stays in memory as long as the files do not change.
        """
        return _load(self, seed, self._stamp())

    def inputs(self, seed: int) -> NDArray[Any]:
        """Inputs of all samples as they were measured, (samples, channels, height, width)."""
        return _measure(replace(self, span=None, reads=None), seed, self._stamp()).measured.inputs

    def _stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Names, sizes and times of the files."""
        path = Path(self.path)
        if not path.exists():
            raise FormatError(f"{path}: no such file or folder; put it there, or name another")
        if self.kind == "pictures":
            if path.is_file():
                raise FormatError(
                    f"{path}: give a table ({', '.join(_TABLES)}), arrays (.npz) or a folder with"
                    " a folder of pictures for each class"
                )
            found, _ = find_pictures(path, unlabelled=self.unlabelled)
            files = [picture.path for picture in found]
        else:
            checked_size(path, MAX_BYTES)
            files = [path]
        states = [(str(file), file.stat()) for file in files]
        return tuple((name, state.st_size, state.st_mtime_ns) for name, state in states)

    def read(self) -> Source:
        """The samples in the files."""
        path = Path(self.path)
        if self.kind == "pictures":
            return read_pictures(path, side=self.side, unlabelled=self.unlabelled)
        if self.kind == "arrays":
            return read_arrays(path, unlabelled=self.unlabelled)
        how = {name: getattr(self, name) for name in _USED["tables"]}
        return read_table(path, TableOptions(**how))


_TABLES = (".csv", ".tsv", ".txt")
_USED = {
    "tables": tuple(entry.name for entry in fields(TableOptions)),
    "arrays": (),
    "pictures": ("side",),
}
"""Fields that only some kinds of data use."""


Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, eq=False)
class _Divided:
    """Samples as they were measured, with their labels and parts."""

    measured: Measured
    labelled: Labelled
    parts: Parts


@lru_cache(maxsize=1)
def _measure(own: OwnData, seed: int, stamp: Stamp) -> _Divided:
    source = own.read()
    parts = divide(source.labelled, seed=seed, where=own.path)
    return _Divided(source.measure(parts["train"]), source.labelled, parts)


@lru_cache(maxsize=1)
def _load(own: OwnData, seed: int, stamp: Stamp) -> DataSet:
    found = _measure(replace(own, span=None, reads=None), seed, stamp)
    measured, parts, scaling = found.measured, found.parts, found.measured.scaling
    inputs = _as_read(measured.inputs, own)
    if own.span is not None:
        channels = inputs.shape[1]
        scaling = Scaling((0.0,) * channels, (own.span,) * channels)
    asked = _ask(found.labelled, parts, own)
    splits = {
        name: Split(
            scaling.apply(inputs[rows], where=f"{own.path}, {name} part"),
            asked.labels[name],
            asked.task,
        )
        for name, rows in parts.items()
    }
    notes = (*_shortened(measured.notes), *asked.notes)
    return DataSet(
        name=own.name,
        classes=asked.classes,
        scaling=scaling,
        columns=measured.columns,
        quantity=asked.quantity,
        notes=notes,
        **splits,
    )


def _as_read(inputs: NDArray[Any], own: OwnData) -> NDArray[Any]:
    """Samples in the shape that an imported network reads."""
    if own.reads is None:
        return inputs
    if prod(own.reads) != prod(inputs.shape[1:]):
        raise DataError(f"{own.path}: samples of {inputs.shape[1:]} cannot be read as {own.reads}")
    return inputs.reshape(len(inputs), *own.reads)


@dataclass(frozen=True)
class _Asked:
    """What networks are asked, and the right answers by part."""

    task: Task
    classes: Classes
    labels: Mapping[str, Labels]
    quantity: Quantity | None = None
    notes: tuple[str, ...] = ()


def _ask(samples: Labelled, parts: Parts, own: OwnData) -> _Asked:
    """The task, with everything that the training part teaches for it."""
    if samples.is_regression:
        values = samples.labels.astype(np.float64)
        try:
            quantity = Quantity.learn(values[parts["train"]])
        except DataError as error:
            raise DataError(f"{own.path}: {error}") from error
        encoded = {name: quantity.encode(values[rows]) for name, rows in parts.items()}
        return _Asked(Regression(), Classes((own.target or "target",)), encoded, quantity)
    sizes = tuple(_size_notes(len(parts["validation"])))
    if own.unlabelled:
        none = {name: np.zeros(len(rows), np.int64) for name, rows in parts.items()}
        return _Asked(Agreement(), Classes.numbered(1), none, notes=sizes)
    classes = Classes.learn(samples.labels[parts["train"]])
    numbers = {name: classes.encode(samples.labels[rows]) for name, rows in parts.items()}
    if own.class_weights:
        return _Asked(Classification.balanced(numbers["train"]), classes, numbers)
    notes = (*_class_notes(samples.labels), *sizes)
    return _Asked(Classification(), classes, numbers, notes=notes)


def _class_notes(labels: NDArray[np.generic]) -> list[str]:
    """A note if some classes are much rarer than others."""
    names, counts = np.unique(labels, return_counts=True)
    rare = int(np.count_nonzero(counts * _RARE < counts.max()))
    if not rare:
        return []
    least = int(np.argmin(counts))
    return [
        f"{rare} of {len(names)} classes are rare: {names[least].item()!r} has {counts[least]:,}"
        f" samples, {names[np.argmax(counts)].item()!r} {counts.max():,}; class weights"
        " (--class-weights) let all count the same"
    ]


def _size_notes(samples: int) -> list[str]:
    """A note if the validation part is too small to resolve half a percentage point."""
    if samples >= _FINE:
        return []
    return [
        f"the validation part has {samples} samples, each of which is {100 / samples:.1f}"
        " percentage points of accuracy: a tighter bound allows no loss at all"
    ]


def _shortened(notes: Sequence[str]) -> tuple[str, ...]:
    if len(notes) <= _MOST_NOTES:
        return tuple(notes)
    return (*notes[:_MOST_NOTES], f"{len(notes) - _MOST_NOTES} more lines of this kind")
