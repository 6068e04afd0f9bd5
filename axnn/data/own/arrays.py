"""The user's arrays: a numpy file (.npz) with inputs and labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.data.columns import Rows
from axnn.data.own.division import Labelled
from axnn.data.own.pictures import byte_scaling
from axnn.data.own.source import LARGEST, NO_LABEL, TAILS, Measured, check_labels, check_values
from axnn.data.scaling import Scaling
from axnn.errors import DataError
from qcnpe.spec.errors import InputError
from qcnpe.spec.npz import read_plain_npz

MAX_BYTES = 1 << 30
"""Limit on the size of the file and of its expanded contents."""

NAMES = {
    "inputs": ("inputs", "x", "X"),
    "labels": ("labels", "y"),
    "targets": ("targets",),
    "groups": ("groups",),
}
"""Names of arrays in files."""

_PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_CHANNELS = (1, 3)


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Samples in arrays; a `Source`.

    Attributes
    ----------
    inputs : (samples, channels, height, width)
    labelled : labels, groups and parts
    where : the file, for messages
    are_pictures : whether the inputs are pictures in bytes
    read_notes : what the user should know about how they were read
    """

    inputs: NDArray[Any]
    labelled: Labelled
    where: str
    are_pictures: bool
    read_notes: tuple[str, ...] = ()

    def measure(self, train: Rows) -> Measured:
        """All samples; pictures in bytes have a fixed scaling, others one learnt on these rows."""
        if self.are_pictures:
            scaling = byte_scaling(self.inputs.shape[1])
            return Measured(self.inputs, scaling, notes=self.read_notes)
        known = self.inputs[train]
        try:
            scaling = Scaling.fit(known, tails=TAILS)
        except InputError as error:
            raise DataError(f"{self.where}: {error}") from error
        return Measured(
            self.inputs, scaling, notes=(*self.read_notes, *self._notes(known, scaling))
        )

    def _notes(self, known: NDArray[Any], scaling: Scaling) -> list[str]:
        axes = (0, *range(2, known.ndim))
        notes = []
        if constant := np.flatnonzero(known.min(axis=axes) == known.max(axis=axes)).tolist():
            notes.append(
                f"{len(constant):,} of {known.shape[1]:,} channels are constant in the training"
                f" part, such as channel {constant[0]}"
            )
        if clamped := int(scaling.count_beyond(self.inputs).sum()):
            notes.append(
                f"{clamped:,} of {self.inputs.size:,} values lie far outside the range of the"
                " training part and are clamped"
            )
        return notes


def read_arrays(path: Path, *, unlabelled: bool = False) -> ArraySource:
    """The samples in a file: `inputs`, `labels` and optionally `groups`, or these for each part.

    A file that is divided has `train_inputs`, `train_labels`, `test_inputs`, `test_labels` and
    optionally `validation_inputs` and `validation_labels`; names such as `x_train` and `y_train`
    are read, too. `targets` in place of labels are quantities, for a regression. Inputs are
    (samples, columns), or pictures (samples, height, width), (samples,
    channels, height, width) or (samples, height, width, channels); the last two are distinguished
    by the axis of 1 or 3 channels.

    Parameters
    ----------
    path : of the file
    unlabelled : whether inputs alone are read; the file may hold labels, which are left out

    Raises
    ------
    FormatError
        If the file is missing, damaged, too large, or holds more than plain arrays.
    DataError
        If arrays are missing, do not fit each other, or no network can learn from them.
    """
    where = str(path)
    arrays = read_plain_npz(path, limit_bytes=MAX_BYTES)
    parts = _by_part(arrays, where)
    if None in parts and len(parts) > 1:
        raise DataError(f"{where}: holds samples with a part and without; give either")
    for part, found in parts.items():
        if unlabelled:
            _leave_out_labels(found)
        _check_part(found, f"{where}: {part} part" if part else where)
    given = None
    if None not in parts:
        given = np.concatenate(
            [np.full(len(found["labels"]), part) for part, found in parts.items()]
        )
    joined = _joined(list(parts.values()), where)
    inputs, notes = _four_axes(joined["inputs"], where)
    check_values(len(inputs), int(np.prod(inputs.shape[1:])), where)
    labels = np.full(len(inputs), NO_LABEL) if unlabelled else joined["labels"]
    labelled = Labelled(labels, joined.get("groups"), given)
    if labelled.has_classes:
        check_labels(labels, where)
    are_pictures = inputs.dtype == np.uint8 and joined["inputs"].ndim > 2
    return ArraySource(inputs, labelled, where, are_pictures, notes)


def _by_part(
    arrays: Mapping[str, NDArray[Any]], where: str
) -> dict[str | None, dict[str, NDArray[Any]]]:
    """Inputs, labels and groups of each part; the key None is for samples without a part."""
    names: dict[str, tuple[str | None, str]] = {}
    for what, called in NAMES.items():
        for name in called:
            names |= {name: (None, what)}
            for word, division in _PARTS.items():
                names |= dict.fromkeys((f"{word}_{name}", f"{name}_{word}"), (division, what))
    found: dict[str | None, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        if name not in names:
            raise DataError(
                f"{where}: holds an array {name!r}; arrays are called inputs, labels and groups, or"
                " the same with train_, validation_ and test_ before it"
            )
        part, what = names[name]
        if what in found.setdefault(part, {}):
            raise DataError(f"{where}: holds two arrays of {what}, one of them {name!r}; give one")
        answer = array if what == "inputs" else _without_column_axis(array)
        found[part][what] = _as_names(answer) if what == "labels" else answer
    if not found:
        raise DataError(f"{where}: holds no arrays; give inputs and labels")
    return found


def _leave_out_labels(found: dict[str, NDArray[Any]]) -> None:
    """Let no sample have a label, whether the file has some or not."""
    found.pop("targets", None)
    if "inputs" in found and found["inputs"].ndim:
        found["labels"] = np.zeros(len(found["inputs"]), np.int64)


def _check_part(found: dict[str, NDArray[Any]], where: str) -> None:
    """Refuse arrays that are missing or do not fit; targets become labels in floating point."""
    if "labels" in found and "targets" in found:
        raise DataError(f"{where}: holds labels (of classes) and targets (quantities); give either")
    answers = "targets" if "targets" in found else "labels"
    for what in ("inputs", answers):
        if what not in found:
            raise DataError(f"{where}: has no array of {what}; add it")
    samples = len(found[answers]) if found[answers].ndim else 0
    for what, array in found.items():
        if what != "inputs" and (array.ndim != 1 or array.dtype.kind not in _KINDS[what]):
            raise DataError(
                f"{where}: {what} must be (samples,) {_KIND_NAMES[what]}, not {array.dtype}"
                f" {array.shape}"
            )
        if not array.ndim or len(array) != samples:
            raise DataError(
                f"{where}: {what} are {array.shape}, where there are {samples} {answers}; give one"
                " for each sample"
            )
    if not samples:
        raise DataError(f"{where}: has no samples; add some")
    if answers == "targets":
        values = found.pop("targets").astype(np.float64)
        if not (np.abs(values) <= LARGEST).all():
            raise DataError(f"{where}: targets must be finite numbers of at most {LARGEST:g}")
        found["labels"] = values


def _without_column_axis(array: NDArray[Any]) -> NDArray[Any]:
    """(samples, 1), as Keras keeps labels, as (samples,)."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _as_names(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels as integers or words, if they are whole numbers or booleans."""
    if labels.dtype == np.bool_:
        return np.array(["False", "True"])[labels.astype(np.intp)]
    is_float = labels.dtype.kind == "f"
    if is_float and (np.abs(labels) < _LARGEST_NAME).all() and (labels == np.rint(labels)).all():
        return labels.astype(np.int64)
    return labels


_LARGEST_NAME = 1e15
"""Whole numbers up to this are exact in floating point."""

_KINDS = {"labels": "iuU", "targets": "iuf", "groups": "iuU"}
_WORDS = "integers or words"
_KIND_NAMES = {
    "labels": f"{_WORDS} (quantities are called targets)",
    "targets": "numbers",
    "groups": _WORDS,
}
"""Types of arrays, as numpy's letters and in words."""


def _joined(parts: list[dict[str, NDArray[Any]]], where: str) -> dict[str, NDArray[Any]]:
    """The arrays of all parts, one after the other."""
    first = parts[0]
    for found in parts[1:]:
        if set(found) != set(first):
            raise DataError(f"{where}: either all parts have groups, or none")
        if found["inputs"].shape[1:] != first["inputs"].shape[1:]:
            shapes = [found["inputs"].shape[1:] for found in parts]
            raise DataError(f"{where}: samples of the parts differ in shape: {shapes}")
        if {found[what].dtype.kind for what in first} != {first[what].dtype.kind for what in first}:
            raise DataError(f"{where}: arrays of the parts differ in type; give the same")
    return {what: np.concatenate([found[what] for found in parts]) for what in first}


def _four_axes(inputs: NDArray[Any], where: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Inputs as (samples, channels, height, width), and a note if axes were exchanged."""
    values = inputs.astype(np.uint8) if inputs.dtype == np.bool_ else inputs
    if values.dtype.kind not in "iuf" or values.ndim not in (2, 3, 4) or not values.size:
        raise DataError(
            f"{where}: inputs must be numbers, (samples, columns) or pictures, not {inputs.dtype}"
            f" {inputs.shape}"
        )
    if values.ndim == 2:
        return values[:, :, None, None], ()
    if values.ndim == 3:
        return values[:, None], ()
    if values.shape[1] not in _CHANNELS and values.shape[3] in _CHANNELS:
        note = f"inputs {values.shape[1:]} are taken as (height, width, channels)"
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2)), (note,)
    return values, ()
