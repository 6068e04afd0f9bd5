"""Encoding: from a sample as it was measured to a network's inputs, and from its output to a label.

Every file of a network holds its encoding.
"""

from dataclasses import asdict, dataclass
from typing import Any

from axnn.data.columns import Column
from axnn.data.labels import Classes, Quantity
from axnn.data.scaling import Scaling
from qcnpe.spec.documents import convert_document


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

    def document(self) -> dict[str, Any]:
        """The encoding as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Any) -> "Encoding":
        """Inverse of `document`; `FormatError` if the document is not an encoding."""
        return convert_document(document, cls, where="encoding")
