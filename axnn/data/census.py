"""The Adult tables, each of their fourteen columns encoded as one number."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axnn.data.catalog.adult import ADULT, ADULT_CLASSES, ADULT_FIELDS, ADULT_NUMBERS
from axnn.data.fetch import read_collection
from axnn.data.labels import Classes
from axnn.data.parts import DataSet, Split, stratified_parts

_VALIDATION = 0.2
_PRIOR_SAMPLES = 20.0
"""Samples of average income that are added to those of each word, since rare words say little."""


def load_adult(seed: int) -> DataSet:
    """Adult: 26,048 training, 6,513 validation and the official 16,281 test samples.

    Every column becomes one input in [0, 1]: a number becomes its rank, a word the share of high
    incomes among the samples with that word. Both are learnt from the training part alone.
    """
    arrays = read_collection(ADULT)
    known = Table(arrays["train_values"], arrays["train_labels"].astype(np.int64))
    official = Table(arrays["test_values"], arrays["test_labels"].astype(np.int64))
    validation, train = (
        Table(known.values[part], known.labels[part])
        for part in stratified_parts(known.labels, (_VALIDATION,), seed=seed)
    )
    tables = (train, validation, official)
    parts = [Split(_encode(train, table), table.labels) for table in tables]
    return DataSet(
        name="adult",
        classes=Classes(ADULT_CLASSES),
        train=parts[0],
        validation=parts[1],
        test=parts[2],
    )


class Table(NamedTuple):
    """Columns as they were published, int32 (samples, columns), and int64 classes (samples,)."""

    values: NDArray[np.int32]
    labels: NDArray[np.int64]


def _encode(train: Table, part: Table) -> NDArray[np.float32]:
    """The columns of a part, (samples, columns, 1, 1), encoded by the training part."""
    columns = []
    for index, name in enumerate(ADULT_FIELDS):
        known, asked = train.values[:, index], part.values[:, index]
        if name in ADULT_NUMBERS:
            columns.append(_ranks(known, asked))
        else:
            columns.append(_shares(known, train.labels, asked))
    return np.stack(columns, axis=1).astype(np.float32)[:, :, None, None]


def _ranks(known: NDArray[np.int32], asked: NDArray[np.int32]) -> NDArray[np.float64]:
    """Share of the known values below each asked one, half of the equal ones among them."""
    ordered = np.sort(known)
    below = np.searchsorted(ordered, asked, side="left")
    up_to = np.searchsorted(ordered, asked, side="right")
    return (below + up_to) / (2 * len(ordered))


def _shares(
    known: NDArray[np.int32], labels: NDArray[np.int64], asked: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Share of class 1 among the known samples with each asked word."""
    words = max(int(known.max()), int(asked.max())) + 1
    seen = np.bincount(known, minlength=words)
    high = np.bincount(known, weights=labels, minlength=words)
    return ((high + _PRIOR_SAMPLES * labels.mean()) / (seen + _PRIOR_SAMPLES))[asked]
