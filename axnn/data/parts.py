"""A data set and its parts: what may be fitted, what decides, and what is only judged on."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from axnn.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set.

    Attributes
    ----------
    inputs : float32 (samples, channels, height, width) in [-1, 1]
    labels : int64 (samples,), class of each sample
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.inputs.ndim != 4 or self.labels.shape != self.inputs.shape[:1]:
            raise DataError(
                "a split needs (samples, channels, height, width) inputs and a label for each, "
                f"not {self.inputs.shape} and {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the samples."""
        total = hashlib.sha256()
        for values in (self.inputs, self.labels):
            total.update(np.ascontiguousarray(values).data)
        return total.hexdigest()

    def head(self, samples: int) -> "Split":
        """The first samples, at most as many as there are."""
        return Split(self.inputs[:samples], self.labels[:samples])


@dataclass(frozen=True, eq=False, kw_only=True)
class DataSet:
    """A data set, split once for all that is done with it.

    Attributes
    ----------
    name : of the loader that made it
    classes : number of classes
    train : what weights and scales are fitted to
    validation : what decides when to stop and which approximation to keep
    test : what only the final evaluation reads
    """

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of a sample."""
        _, channels, height, width = self.train.inputs.shape
        return channels, height, width

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what training sees: the training and the validation part."""
        return hashlib.sha256(f"{self.train.digest} {self.validation.digest}".encode()).hexdigest()


def stratified_split(
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    fractions: tuple[float, ...],
    *,
    seed: int,
) -> list[Split]:
    """Split samples at random into a part for each fraction and one with the rest, at the end.

    Every class keeps its share in every part, to within one sample. A part of fraction f has
    ceil(f * samples) samples.
    """
    if min(fractions) <= 0 or sum(fractions) >= 1:
        raise DataError(f"fractions must be positive and add up to less than 1, not {fractions}")
    rng = np.random.default_rng(seed)
    rest = np.arange(len(labels))
    parts = []
    for fraction in fractions:
        taken = _draw(labels[rest], int(np.ceil(fraction * len(labels))), rng)
        parts.append(rest[taken])
        rest = np.delete(rest, taken)
    return [Split(inputs[part], labels[part]) for part in (*parts, rest)]


def _draw(labels: NDArray[np.int64], samples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sorted indices of a random draw, in which every class has its share."""
    classes, counts = np.unique(labels, return_counts=True)
    share = counts * samples / len(labels)
    quota = np.floor(share).astype(np.int64)
    largest_remainders = np.argsort(quota - share, kind="stable")[: samples - quota.sum()]
    quota[largest_remainders] += 1
    drawn = [
        rng.permutation(np.flatnonzero(labels == label))[:number]
        for label, number in zip(classes, quota, strict=True)
    ]
    return np.sort(np.concatenate(drawn))
