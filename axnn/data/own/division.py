"""Divides the user's data into parts for training, for validation and for the final test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from axnn.data.columns import Rows
from axnn.data.labels import Label
from axnn.data.parts import stratified_parts
from axnn.errors import DataError

TEST_SHARE = VALIDATION_SHARE = 0.2
"""Share of all samples for the final test, and share for validation."""

LEAST_OF_A_CLASS = 3
"""Fewest samples of a class, so that each part can have one."""

PART_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of parts in files."""

_MAX_SHARES = 1 << 26
"""Most groups times classes that a split by groups counts."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """What decides how samples are divided.

    Attributes
    ----------
    labels : (samples,) integers or strings of classes, float64 of a quantity, or booleans, which
        say nothing, if there are no labels
    groups : (samples,) group of each sample, such as a person; all samples of a group go to the
        same part; None: there are no groups
    given : (samples,) name of each sample's part, as in `PART_NAMES`; None: the seed decides
    """

    labels: NDArray[np.generic]
    groups: NDArray[np.generic] | None = None
    given: NDArray[np.str_] | None = None

    @property
    def is_regression(self) -> bool:
        """Whether the labels are a quantity."""
        return self.labels.dtype.kind == "f"

    @property
    def has_classes(self) -> bool:
        """Whether the labels are classes."""
        return self.labels.dtype.kind not in "bf"

    @cached_property
    def strata(self) -> NDArray[np.generic]:
        """(samples,) what keeps its share in every part: the classes, or fifths of the quantity."""
        if not self.is_regression:
            return self.labels
        values = self.labels.astype(np.float64)
        return np.searchsorted(np.quantile(values, (0.2, 0.4, 0.6, 0.8)), values)


Parts = Mapping[str, Rows]
"""The samples of each part: train, validation and test."""


def divide(samples: Labelled, *, seed: int, where: str) -> Parts:
    """Samples by part.

    Parameters
    ----------
    samples : labels, and what else decides
    seed : of the draw
    where : the file, for messages

    Raises
    ------
    DataError
        If a class or a part would have too few samples.
    """
    if samples.has_classes:
        _check_classes(samples.labels, where)
    everything = np.arange(len(samples.labels))
    if samples.given is None:
        shares = {"test": TEST_SHARE, "validation": VALIDATION_SHARE}
        parts: Parts = _draw(samples, everything, shares, seed, where)
    else:
        parts = _as_given(samples, samples.given, seed, where)
    known = set(np.unique(samples.strata[parts["train"]]).tolist())
    for label in np.unique(samples.labels).tolist() if samples.has_classes else ():
        if label not in known:
            raise DataError(
                f"{where}: the training part has no sample of class {label!r}; give it some, or"
                " leave the class out"
            )
    return parts


def _check_classes(labels: NDArray[np.generic], where: str) -> None:
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2:
        raise DataError(
            f"{where}: all samples have the label {_shown(names)}; there must be at least two"
            " classes"
        )
    if counts.min() < LEAST_OF_A_CLASS:
        rare = names[counts < LEAST_OF_A_CLASS]
        raise DataError(
            f"{where}: {len(rare)} of {len(names)} classes have less than {LEAST_OF_A_CLASS}"
            f" samples ({_shown(rare)}); each needs one in every part: leave them out, or add"
            " samples"
        )


def _shown(names: NDArray[np.generic]) -> str:
    shown = ", ".join(map(repr, names[:3].tolist()))
    return f"{shown}, ..." if len(names) > 3 else shown


def _as_given(samples: Labelled, given: NDArray[np.str_], seed: int, where: str) -> Parts:
    """The file's own parts; a missing validation part is drawn from the training part."""
    names, places = np.unique(given, return_inverse=True)
    for name in names.tolist():
        if name.lower() not in PART_NAMES:
            raise DataError(
                f"{where}: parts are train, validation and test, not {name!r}; correct the file"
            )
    found = np.array([PART_NAMES[name.lower()] for name in names.tolist()])[places]
    parts = {name: np.flatnonzero(found == name) for name in ("train", "validation", "test")}
    for name in ("train", "test"):
        if not parts[name].size:
            raise DataError(f"{where}: its {name} part is empty; give it samples")
    if not parts["validation"].size:
        shares = {"validation": VALIDATION_SHARE}
        parts |= _draw(samples, parts["train"], shares, seed, where)
    if samples.groups is not None:
        _check_groups(samples.groups, parts, where)
    return parts


def _check_groups(groups: NDArray[np.generic], parts: Parts, where: str) -> None:
    seen: set[Label] = set()
    for name, part in parts.items():
        here = set(np.unique(groups[part]).tolist())
        if both := sorted(seen & here):
            raise DataError(
                f"{where}: group {both[0]!r} is in the {name} part and in another one; correct the"
                " file's parts"
            )
        seen |= here


def _draw(
    samples: Labelled, rows: Rows, shares: Mapping[str, float], seed: int, where: str
) -> dict[str, Rows]:
    """Rows drawn for each share, and the rest for training."""
    labels = samples.strata[rows]
    names = (*shares, "train")
    try:
        if samples.groups is None:
            drawn = stratified_parts(labels, tuple(shares.values()), seed=seed)
        else:
            drawn = grouped_parts(labels, samples.groups[rows], tuple(shares.values()), seed=seed)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    return {name: rows[part] for name, part in zip(names, drawn, strict=True)}


def grouped_parts(
    labels: NDArray[np.generic],
    groups: NDArray[np.generic],
    shares: Sequence[float],
    *,
    seed: int,
) -> list[Rows]:
    """Indices of samples: a part for each share, then one of the rest; no group is in two parts.

    The largest groups are placed first, groups of equal size in random order. Each goes to the part
    whose numbers of samples by class then deviate least, by chi-squared, from their targets.

    Parameters
    ----------
    labels : (samples,) of any type
    groups : (samples,) of any type
    shares : of all samples
    seed : of the draw
    """
    generator = np.random.default_rng(seed)
    names, member = np.unique(groups, return_inverse=True)
    classes, label = np.unique(labels, return_inverse=True)
    parts = len(shares) + 1
    if len(names) < parts:
        raise DataError(f"{len(names)} groups cannot be divided into {parts} parts; add groups")
    if len(names) * len(classes) > _MAX_SHARES:
        raise DataError(f"{len(names)} groups of {len(classes)} classes are too many to divide")
    counts = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(counts, (member, label), 1)
    order = generator.permutation(len(names))
    order = order[np.argsort(-counts.sum(axis=1)[order], kind="stable")]
    wanted = np.outer((*shares, 1 - sum(shares)), counts.sum(axis=0))
    place = _place_groups(counts[order], wanted)
    part_of = np.empty(len(names), np.int64)
    part_of[order] = place
    return [generator.permutation(np.flatnonzero(part_of[member] == p)) for p in range(parts)]


def _place_groups(counts: NDArray[np.int64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Part of each group, in the order of the rows of `counts`; no part stays empty."""
    held = np.zeros_like(wanted)
    place = np.zeros(len(counts), np.int64)
    empty = set(range(len(wanted)))
    for number, group in enumerate(counts):
        change = (group * (2 * (held - wanted) + group) / wanted).sum(axis=1)
        if len(counts) - number <= len(empty):
            change[[part for part in range(len(wanted)) if part not in empty]] = np.inf
        chosen = int(np.argmin(change))
        held[chosen] += group
        empty.discard(chosen)
        place[number] = chosen
    return place
