"""What the readers of the user's files return: samples that are not divided yet."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from axnn.data.columns import Column, Rows
from axnn.data.own.division import Labelled
from axnn.data.scaling import Scaling
from axnn.errors import DataError

MAX_VALUES = 1 << 27
"""Most values of all samples together: 512 MB as a network reads them."""

NO_LABEL = False
"""In place of the label of each sample, if samples are read without labels."""

MAX_CLASSES = 1024
"""Most classes; a column with more different labels is taken for another one."""

LARGEST = 1e30
"""Largest magnitude of a number: no measurement is larger."""

TAILS = 0.005
"""Share of a column's smallest, and of its largest, values that its scaling ignores."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Inputs as they were measured, and what was learnt on the training part.

    Attributes
    ----------
    inputs : numbers (samples, channels, height, width)
    scaling : of the inputs
    columns : of the table, if the source is one
    notes : what the user should know
    """

    inputs: NDArray[Any]
    scaling: Scaling
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """The samples in a file of the user's."""

    @property
    def labelled(self) -> Labelled:
        """Labels, groups and the file's own parts."""
        ...

    def measure(self, train: Rows) -> Measured:
        """All samples; scaling and columns are learnt on these rows."""
        ...


def check_values(samples: int, values: int, where: str) -> None:
    """Refuse more than `MAX_VALUES` values in all before memory is allocated."""
    if samples * values > MAX_VALUES:
        raise DataError(
            f"{where}: {samples:,} samples of {values:,} values are more than {MAX_VALUES:,} values"
            " in all; give fewer or smaller samples"
        )


def check_labels(labels: NDArray[Any], where: str) -> None:
    """Refuse more than `MAX_CLASSES` classes."""
    if (count := len(np.unique(labels))) > MAX_CLASSES:
        raise DataError(
            f"{where}: {count:,} different labels are more than {MAX_CLASSES:,} classes; name"
            " another column, or put labels together"
        )
