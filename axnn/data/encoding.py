"""Encoding: from a sample as it was measured to a network's inputs, and from its output to a label.

Every file of a network holds its encoding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.data.columns import Column
from axnn.data.labels import Classes, Quantity
from axnn.data.scaling import Scaling
from qcnpe.spec.documents import convert_document
from qcnpe.spec.errors import InputError


@dataclass(frozen=True)
class Encoding:
    """What a network's inputs and outputs stand for.

    Attributes
    ----------
    scaling : of the inputs
    classes : of the outputs
    columns : of the table that the inputs were read from; empty if they come from no table
    quantity : of a regression: what the one output stands for, which `classes` names
    """

    scaling: Scaling
    classes: Classes
    columns: tuple[Column, ...] = ()
    quantity: Quantity | None = None

    @classmethod
    def plain(cls, classes: int) -> "Encoding":
        """Inputs in [-1, 1] as they are, and classes called 0, 1, 2, ..."""
        return cls(Scaling.identity(), Classes.numbered(classes))

    def table_inputs(self, columns: Mapping[str, Sequence[object]]) -> NDArray[np.float64]:
        """Rows of a table as inputs (rows, inputs, 1, 1) before scaling, as predictors take them.

        Parameters
        ----------
        columns : values of each column by its name; others than the network's are not read

        Raises
        ------
        InputError
            If a column is missing or has another number of rows, or a value is not a number.
        """
        if not self.columns:
            raise InputError("the network was not trained on a table; give it arrays")
        for column in self.columns:
            if column.name not in columns:
                raise InputError(f"column {column.name!r} is missing; the network reads it")
        parts = [column.encode(columns[column.name]) for column in self.columns]
        if len({len(part) for part in parts}) > 1:
            raise InputError("columns differ in their number of rows; give each row a value")
        return np.concatenate(parts, axis=1)[:, :, None, None]

    def document(self) -> dict[str, Any]:
        """The encoding as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Any) -> "Encoding":
        """Inverse of `document`; `FormatError` if the document is not an encoding."""
        return convert_document(document, cls, where="encoding")
