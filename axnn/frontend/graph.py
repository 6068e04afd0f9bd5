"""An ONNX graph as plain values: all that is read of a file, and no more of the library."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.text import printable

Array = NDArray[Any]

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Array | None
"""Value of an attribute; None stands for kinds that no operator here reads, such as graphs."""

_LONGEST_NAME = 60


@dataclass(frozen=True, eq=False)
class Node:
    """One operation of a graph.

    Attributes
    ----------
    name : as the file has it, or made up from its first result
    operator : name of the operator, behind its domain unless that is ONNX' own
    inputs, outputs : names of tensors; an empty one is an input that is left out
    attributes : by name
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name and operator for messages."""
        return f"{shown(self.name)} ({shown(self.operator)})"


@dataclass(frozen=True, eq=False)
class Graph:
    """What an ONNX file computes from one input.

    Attributes
    ----------
    path : the file
    name : of the graph
    opset : version of ONNX' operators
    input : name of the input
    input_shape : of one sample
    input_type : of the input's elements
    batch : samples that the file reads at once; None: any number
    output : name of the tensor that is read as the network's output
    nodes : that lead to the output, in an order in which they can be computed
    constants : by the name of the tensor
    content : an ONNX file with these nodes alone, which holds all its data
    notes : what was left out, for the user
    classes : names of the outputs, if the file has some
    """

    path: Path
    name: str
    opset: int
    input: str
    input_shape: tuple[int, ...]
    input_type: np.dtype[Any]
    batch: int | None
    output: str
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    content: bytes
    notes: tuple[str, ...]
    classes: tuple[str, ...] = ()


def text_of(field: str | bytes) -> str:
    """A string of a file, which protobuf gives as bytes if it is no UTF-8.

    Raises
    ------
    UnicodeDecodeError
        If so.
    """
    return field if isinstance(field, str) else field.decode()


def shown(name: str) -> str:
    """A foreign name for a message: printable and not too long."""
    plain = printable(name)
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[:_LONGEST_NAME]}..."
