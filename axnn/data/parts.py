"""A data set and its parts: for training, for validation, and for the final test."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.data.columns import Column
from axnn.data.encoding import Encoding
from axnn.data.labels import Classes, Quantity
from axnn.data.scaling import INPUT_LIMIT, Scaling
from axnn.data.task import Agreement, Classification, Labels, Task
from axnn.errors import DataError
from qcnpe.spec.draws import draw
from qcnpe.spec.inputs import check_reals

Measured = tuple[ArrayLike, ArrayLike]
"""Inputs (samples, ...) and labels (samples,) as they come from a file or a sensor."""

_PREPARE = "DataSet.from_arrays makes them of any numbers and labels"


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set, ready for a network.

    Attributes
    ----------
    inputs : float32 (samples, channels, height, width) in [-1, 1]
    labels : (samples,), number of each sample's class (int64), or a quantity (float32)
    task : what a network is to make of them

    Raises
    ------
    DataError
        If type or shape differ, or there is no sample.
    InputError
        If an input is not in [-1, 1].
    """

    inputs: NDArray[np.float32]
    labels: Labels
    task: Task = field(default_factory=Classification)

    def __post_init__(self) -> None:
        if self.inputs.ndim != 4 or self.labels.shape != self.inputs.shape[:1]:
            raise DataError(
                "a split needs (samples, channels, height, width) inputs and a label for each, "
                f"not {self.inputs.shape} and {self.labels.shape}"
            )
        if not self.inputs.size:
            raise DataError(f"a split needs samples, not inputs of shape {self.inputs.shape}")
        if self.inputs.dtype != np.float32:
            raise DataError(f"a split needs float32 inputs, not {self.inputs.dtype}; {_PREPARE}")
        check_reals(self.inputs, INPUT_LIMIT, where="split")
        if fault := self.task.fault(self.labels):
            raise DataError(f"a split's {fault}; {_PREPARE}")

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the samples, and of a task that is not the usual one."""
        total = hashlib.sha256()
        for values in (self.inputs, self.labels):
            total.update(np.ascontiguousarray(values).data)
        if self.task != Classification():
            total.update(repr(self.task).encode())
        return total.hexdigest()

    def draw(self, samples: int | None, *, seed: int) -> "Split":
        """This many samples, drawn at random; None: all. See `qcnpe.spec.draws.draw`."""
        if samples is None or samples >= len(self):
            return self
        chosen = draw(len(self), samples, seed=seed)
        return replace(self, inputs=self.inputs[chosen], labels=self.labels[chosen])


@dataclass(frozen=True, eq=False, kw_only=True)
class DataSet:
    """A data set, split once for everything that is done with it.

    Attributes
    ----------
    name : of the loader that made it
    classes : what the labels' numbers stand for
    train : what weights and scales are fitted to
    validation : what decides when to stop and which approximation to keep
    test : what only the final evaluation reads
    scaling : from inputs as they were measured to those of the parts
    columns : of the table that they were read from, if any
    quantity : of a regression: what the labels stand for, which `classes` names
    notes : what the user should know about the data, a line each: missing values, constant columns,
        rare classes

    Raises
    ------
    DataError
        If the parts differ in the shape of a sample, or a label has no class.
    """

    name: str
    classes: Classes
    train: Split
    validation: Split
    test: Split
    scaling: Scaling = field(default_factory=Scaling.identity)
    columns: tuple[Column, ...] = ()
    quantity: Quantity | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part, split in self._parts.items():
            shape = split.inputs.shape[1:]
            if shape != self.input_shape:
                raise DataError(
                    f"{self.name}, {part} part: samples are {shape}, those of the training part"
                    f" {self.input_shape}"
                )
            if fault := split.task.outputs_fault(split.labels, len(self.classes)):
                raise DataError(f"{self.name}, {part} part: {fault}")

    @classmethod
    def from_arrays(
        cls, name: str, *, train: Measured, validation: Measured, test: Measured
    ) -> "DataSet":
        """A data set of inputs and labels as they are.

        Scaling and classes are learnt on the training part, and applied to all.

        Parameters
        ----------
        name : for messages and reports
        train, validation, test : inputs (samples, columns) or (samples, channels, height, width) of
            integers or floating-point numbers, and labels (samples,) of integers or strings

        Raises
        ------
        DataError
            If labels have another type, are missing, or do not occur in the training part.
        InputError
            If inputs have another type, are not finite, or far outside those of the training part.
        """
        parts = {"train": train, "validation": validation, "test": test}
        inputs = {
            part: _four_axes(values, where=f"{name}, {part} part")
            for part, (values, _) in parts.items()
        }
        scaling, classes = Scaling.fit(inputs["train"]), Classes.learn(train[1])
        splits = {
            part: Split(
                scaling.apply(inputs[part], where=f"{name}, {part} part"),
                classes.encode(labels, where=f"{name}, {part} part"),
            )
            for part, (_, labels) in parts.items()
        }
        return cls(
            name=name,
            classes=classes,
            scaling=scaling,
            train=splits["train"],
            validation=splits["validation"],
            test=splits["test"],
        )

    @classmethod
    def read(
        cls,
        path: Path | str,
        *,
        label: str | None = None,
        target: str | None = None,
        group: str | None = None,
        split: str | None = None,
        drop: Sequence[str] = (),
        category: Sequence[str] = (),
        missing: str = "median",
        side: int | None = None,
        class_weights: bool = False,
        unlabelled: bool = False,
        span: float | None = None,
        seed: int = 1,
    ) -> "DataSet":
        """The data set in a file or a folder of the user's.

        Unless the file has its own parts, the seed splits it into 60 % for training, 20 % for
        validation and 20 % for the final test; every class keeps its share. Scaling, medians and
        words are learnt on the training part alone.

        Parameters
        ----------
        path : of a table (.csv, .tsv), of arrays (.npz) or of a folder with a folder of pictures
            for each class
        label : of a table, the column of the labels
        target : of a table, in place of `label`, the column of a quantity: a regression
        group : of a table, a column of groups, such as persons; rows of a group go to the same part
        split : of a table, a column that says train, validation or test; None: the seed decides
        drop : of a table, a column or several that are left out
        category : of a table, a column or several whose numbers are names; each becomes an input
        missing : of a table, how missing numbers are treated, `median` or `refuse`
        side : of pictures, height and width that they are resized to; None: their own if all have
            the same one of at most 64 pixels, else 32
        class_weights : whether every class counts the same in loss and quality, however rare it is
        unlabelled : whether samples have no labels; see `answered`
        span : what inputs are divided by, as an imported network reads them; None: the training
            part teaches the scaling
        seed : of the split

        Raises
        ------
        DataError
            If no network can learn from the data; the message says why.
        FormatError
            If a file is missing, damaged, too large or of another kind.

        Examples
        --------
        >>> samples = DataSet.read("wine.csv", label="class", seed=1)  # doctest: +SKIP
        >>> samples.input_shape, samples.classes.names, samples.notes  # doctest: +SKIP
        """
        from axnn.data.own import OwnData  # here, since that module imports this one

        own = OwnData.at(
            path,
            label=label,
            target=target,
            group=group,
            split=split,
            drop=(drop,) if isinstance(drop, str) else tuple(drop),
            category=(category,) if isinstance(category, str) else tuple(category),
            missing=missing,
            side=side,
            class_weights=class_weights,
            unlabelled=unlabelled,
            span=span,
        )
        return own.load(seed)

    def answered(self, predict: Callable[[NDArray[np.float32]], NDArray[Any]]) -> "DataSet":
        """The data set with a network's answers in place of labels; quality is agreement with them.

        Parameters
        ----------
        predict : gives logits (samples, classes) of inputs of the parts
        """
        logits = {name: predict(part.inputs) for name, part in self._parts.items()}
        splits = {
            name: Split(part.inputs, logits[name].argmax(axis=1).astype(np.int64), Agreement())
            for name, part in self._parts.items()
        }
        return replace(
            self,
            classes=Classes.numbered(logits["train"].shape[1]),
            quantity=None,
            train=splits["train"],
            validation=splits["validation"],
            test=splits["test"],
        )

    @property
    def _parts(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of a sample."""
        _, channels, height, width = self.train.inputs.shape
        return channels, height, width

    @property
    def task(self) -> Task:
        """What a network is to make of the samples."""
        return self.train.task

    @property
    def encoding(self) -> Encoding:
        """Scaling, classes and columns: what a network's file says of its data."""
        return Encoding(self.scaling, self.classes, self.columns, self.quantity)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the training and the validation part, which training sees."""
        return hashlib.sha256(f"{self.train.digest} {self.validation.digest}".encode()).hexdigest()


def _four_axes(inputs: ArrayLike, *, where: str) -> NDArray[np.generic]:
    """Inputs as (samples, channels, height, width)."""
    values = np.asarray(inputs)
    if values.ndim == 2:
        values = values[:, :, None, None]
    if values.ndim != 4 or not values.size:
        raise DataError(
            f"{where}: inputs must be (samples, columns) or (samples, channels, height, width), "
            f"not {values.shape}"
        )
    return values


def stratified_split(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    fractions: tuple[float, ...],
    *,
    seed: int,
) -> list[Split]:
    """Split samples into parts, see `stratified_parts`."""
    if len(inputs) != len(labels):
        raise DataError(f"{len(inputs)} samples cannot have {len(labels)} labels")
    parts = stratified_parts(labels, fractions, seed=seed)
    return [Split(inputs[part], labels[part]) for part in parts]


def stratified_parts(
    labels: ArrayLike, fractions: tuple[float, ...], *, seed: int
) -> list[NDArray[np.intp]]:
    """Indices of samples, drawn at random: a part for each fraction, then one of the rest.

    Every class keeps its share in every part, to within one sample. A part of fraction f has
    ceil(f * samples) samples. All parts are in random order, however the samples were sorted.

    Parameters
    ----------
    labels : (samples,) of any type
    fractions : of all samples
    seed : of the draw
    """
    if min(fractions) <= 0 or sum(fractions) >= 1:
        raise DataError(f"fractions must be positive and add up to less than 1, not {fractions}")
    plain, rng = np.asarray(labels), np.random.default_rng(seed)
    sizes = [int(np.ceil(fraction * len(plain))) for fraction in fractions]
    if sum(sizes) >= len(plain):
        raise DataError(f"{len(plain)} samples are too few for parts of {fractions} and a rest")
    rest = np.arange(len(plain))
    parts = []
    for size in sizes:
        taken = _draw_classes(plain[rest], size, rng)
        parts.append(rest[taken])
        rest = np.delete(rest, taken)
    return [rng.permutation(part) for part in (*parts, rest)]


def _draw_classes(
    labels: NDArray[np.generic], samples: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Indices of a random draw that keeps each class's share, sorted by class."""
    classes, counts = np.unique(labels, return_counts=True)
    share = counts * samples / len(labels)
    quota = np.floor(share).astype(np.int64)
    largest_remainders = np.argsort(quota - share, kind="stable")[: samples - quota.sum()]
    quota[largest_remainders] += 1
    drawn = [
        rng.permutation(np.flatnonzero(labels == label))[:number]
        for label, number in zip(classes, quota, strict=True)
    ]
    return np.concatenate(drawn)
