"""Labels of samples, classes or quantities, and the numbers that networks use for them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.errors import DataError

Label = int | str
"""The name of a class in the data."""


@dataclass(frozen=True)
class Classes:
    """Classes in the order of a network's outputs.

    Attributes
    ----------
    names : label of each class: all integers, or all strings; no two alike
    """

    names: tuple[Label, ...]

    def __post_init__(self) -> None:
        kinds = {type(name) for name in self.names}
        if kinds not in ({int}, {str}):
            raise DataError(f"classes must be all integers or all strings, not {self.names}")
        if len(set(self.names)) < len(self.names):
            raise DataError(f"classes must differ from each other, not {self.names}")

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def numbered(cls, count: int) -> "Classes":
        """Classes called 0, 1, 2, ..."""
        return cls(tuple(range(count)))

    @classmethod
    def learn(cls, labels: ArrayLike) -> "Classes":
        """The classes that occur among labels (samples,) of integers or strings, sorted.

        Raises
        ------
        DataError
            If the labels have another type, or are all the same.
        """
        names = tuple(np.unique(_plain(labels)).tolist())
        if len(names) < 2:
            raise DataError(f"labels must be of at least two classes, not all {names[0]!r}")
        return cls(names)

    def encode(self, labels: ArrayLike, *, where: str = "labels") -> NDArray[np.int64]:
        """Number of each label's class; `DataError` names the first label that has none."""
        plain = _plain(labels)
        if not plain.size:
            return np.zeros(0, np.int64)
        shown, places = np.unique(plain, return_inverse=True)
        number = {name: index for index, name in enumerate(self.names)}
        for label in shown.tolist():
            if label not in number:
                sample = int(np.argmax(plain == label))
                raise DataError(
                    f"{where}: sample {sample} is labelled {label!r}, which is not one of the"
                    f" classes {self._listed}"
                )
        return np.array([number[label] for label in shown.tolist()], np.int64)[places]

    def decode(self, numbers: ArrayLike) -> list[Label]:
        """Label of each class number (samples,)."""
        return [self.names[number] for number in np.asarray(numbers).tolist()]

    @property
    def _listed(self) -> str:
        """The classes for a message, shortened."""
        shown = ", ".join(map(repr, self.names[:5]))
        return f"{shown} ..." if len(self) > 5 else shown


@dataclass(frozen=True)
class Quantity:
    """A quantity that networks answer in place of a class, as (value - offset) / span.

    Attributes
    ----------
    offset, span : mean and standard deviation of the training part
    """

    offset: float
    span: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.offset, self.span]).all() and self.span > 0):
            raise DataError("a quantity needs a finite mean and a positive standard deviation")

    @classmethod
    def learn(cls, values: NDArray[np.float64]) -> "Quantity":
        """Mean and standard deviation of values (samples,).

        Raises
        ------
        DataError
            If the values are all alike.
        """
        if values.min() == values.max():
            raise DataError(f"the target must vary, but is always {values.min():g} in training")
        return cls(float(values.mean()), float(values.std()))

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """What networks are to answer."""
        return ((values - self.offset) / self.span).astype(np.float32)

    def decode(self, outputs: ArrayLike) -> NDArray[np.float64]:
        """The values that networks' outputs stand for."""
        return np.asarray(outputs, np.float64) * self.span + self.offset


def _plain(labels: ArrayLike) -> NDArray[Any]:
    """Labels (samples,) as int64 or strings."""
    found = np.asarray(labels)
    if found.ndim != 1:
        raise DataError(f"labels must be (samples,), not {found.shape}")
    if found.dtype.kind == "O" and all(isinstance(label, str) for label in found):
        return found.astype(np.str_)
    if found.dtype.kind in "iu":
        if found.size and int(found.max()) > np.iinfo(np.int64).max:
            raise DataError(
                f"labels must be less than 2**63, not {found.max()}; number the classes"
            )
        return found.astype(np.int64)
    if found.dtype.kind == "U":
        return found
    raise DataError(
        f"labels must be integers or strings, not {found.dtype}; give each class a number or a name"
    )
