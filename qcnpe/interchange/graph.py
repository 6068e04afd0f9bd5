"""Builder of an ONNX graph: nodes in order, constants without duplicates, in limited size."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.errors import CapacityError

OPSET = 17
"""Version of the standard operators."""

IR_VERSION = 8
"""Version of the file format, the one that belongs to `OPSET`."""

LIMIT_BYTES = (1 << 31) - (1 << 24)
"""Largest sum of the constants: an ONNX file is smaller than 2 GiB."""

_ANNOTATION = "finn_datatype"
"""Key of the type of integers in a tensor's annotation."""


class Graph:
    """A graph under construction; a tensor is referred to by its name.

    Attributes
    ----------
    nodes, constants, annotations : protocol buffers, in order
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.annotations: list[Any] = []
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._bytes = 0

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """A constant; one of the same type and content that is there already is taken instead.

        Raises
        ------
        CapacityError
            If the constants would not fit into a file.
        """
        from onnx import numpy_helper

        array = np.array(value, order="C")
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self._names:
            self._bytes += array.nbytes
            if self._bytes > LIMIT_BYTES:
                raise CapacityError("an ONNX file holds at most 2 GB; export a smaller network")
            self._names[key] = name
            self.constants.append(numpy_helper.from_array(array, name))
        return self._names[key]

    def add(self, operator: str, inputs: Sequence[str], result: str, **attributes: Any) -> str:
        """Append a node with one result; returns the result's name, which is the node's, too."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [result], name=result, **attributes))
        return result

    def annotate(self, tensor: str, low: int, high: int) -> str:
        """Say that a tensor holds integers of a range, in the way of QONNX; returns the tensor."""
        from onnx import StringStringEntryProto, TensorAnnotation

        bits = max(high.bit_length(), (-low - 1).bit_length())
        kind = f"UINT{max(1, bits)}" if low >= 0 else f"INT{bits + 1}"
        entry = StringStringEntryProto(key=_ANNOTATION, value=kind)
        self.annotations.append(
            TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=[entry])
        )
        return tensor

    def scalar(self, value: float) -> str:
        """A float64 constant without axes, named by its value."""
        return self.constant(f"value_{float(value)!r}", np.array(value, np.float64))

    def reshape(self, tensor: str, shape: Sequence[int], result: str) -> str:
        """Give a tensor another shape, before its last axis or instead of it."""
        name = "_".join(("shape", *map(str, shape)))
        return self.add(
            "Reshape", [tensor, self.constant(name, np.array((*shape, -1), np.int64))], result
        )

    def gather(self, tensor: str, index: NDArray[np.integer], axis: int, result: str) -> str:
        """Values at the places of a constant index along an axis, which its axes replace."""
        places = self.constant(f"{result}_places", index.astype(np.int32))
        return self.add("Gather", [tensor, places], result, axis=axis)

    def shift(self, tensor: str, factor: str, result: str) -> str:
        """Multiply integers by powers of two and round half up, see `qcnpe.spec.fixed.round_shift`.

        Parameters
        ----------
        tensor : the integers
        factor : the powers of two, a constant
        result : name of the result
        """
        scaled = self.add("Mul", [tensor, factor], f"{result}_scaled")
        moved = self.add("Add", [scaled, self.scalar(0.5)], f"{result}_moved")
        return self.add("Floor", [moved], result)

    def clip(self, tensor: str, low: int, high: int, result: str) -> str:
        """Saturate to a range."""
        self.add("Clip", [tensor, self.scalar(low), self.scalar(high)], result)
        return self.annotate(result, low, high)

    def cast(self, tensor: str, dtype: type[np.generic], result: str) -> str:
        """Convert to another type."""
        from onnx import helper

        return self.add(
            "Cast", [tensor], result, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        )
