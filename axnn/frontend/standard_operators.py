"""QONNX' quantisers written as standard operators of ONNX, for tools that know only these."""

from collections.abc import Iterator, Sequence
from typing import Any

from axnn.frontend.quantiser_nodes import QUANT_NAMES

_OF_VALUES = {"ROUND": "Round", "HALF_EVEN": "Round", "FLOOR": "Floor", "CEIL": "Ceil"}
"""Operator that rounds a value."""

_HALF_EVEN = ("ROUND", "HALF_EVEN")
_FIRST_ROUND = 11
"""Version of ONNX' operators since which there is `Round`."""

_ONLY_INTEGERS = 1.5 * 2**23
"""In single precision, numbers of up to 2**22 that are added to it are rounded to integers."""

_OF_MAGNITUDES = {
    "DOWN": ("Floor",), "ROUND_TO_ZERO": ("Floor",), "UP": ("Ceil",),
    "HALF_UP": ("Add", "Floor"), "HALF_DOWN": ("Sub", "Ceil"),
}  # fmt: skip
"""Operators that round a value's magnitude; the first of two adds or subtracts 0.5."""


def with_standard_operators(content: bytes, outputs: Sequence[str]) -> bytes:
    """An ONNX file with the same numbers and other outputs, without QONNX' quantisers.

    Parameters
    ----------
    content : of the file, which has been read and checked
    outputs : names of its tensors
    """
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(content)
    nodes = list(model.graph.node)
    del model.graph.node[:], model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    versions = [entry.version for entry in model.opset_import if not entry.domain]
    has_round = max(versions, default=0) >= _FIRST_ROUND
    count = 0
    for node in nodes:
        if f"{node.domain}.{node.op_type}" in QUANT_NAMES:
            model.graph.node.extend(_Quant(node, count, has_round=has_round).nodes())
            count += 1
        else:
            model.graph.node.append(node)
    found: bytes = model.SerializeToString()
    return found


class _Quant:
    """One quantiser as standard nodes: value / scale + zero point, limited, rounded, and back."""

    def __init__(self, node: Any, number: int, *, has_round: bool) -> None:
        import onnx

        self._helper, self._types = onnx.helper, onnx.TensorProto
        self._inputs, self._output = list(node.input), node.output[0]
        found = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        self._signed, self._narrow = bool(found.get("signed", 1)), bool(found.get("narrow", 1))
        self._rounding = str(found.get("rounding_mode", b"ROUND"), "utf-8").upper()
        self._prefix, self._made = f"quant {number} ", 0
        self._nodes: list[Any] = []
        self._has_round = has_round

    def nodes(self) -> Iterator[Any]:
        """The nodes, in order."""
        value, scale, zero, bits = self._inputs
        low, high = self._limits(bits)
        steps = self._add("Add", self._add("Div", value, scale), zero)
        inside = self._add("Max", self._add("Min", steps, high), low)
        centred = self._add("Sub", self._rounded(inside), zero)
        self._add("Mul", centred, scale, output=self._output)
        yield from self._nodes

    def _limits(self, bits: str) -> tuple[str, str]:
        one = self._constant(1.0)
        if self._signed:
            half = self._add("Pow", self._constant(2.0), self._add("Sub", bits, one))
            low = self._add("Neg", half)
            low = self._add("Add", low, one) if self._narrow else low
            return low, self._add("Sub", half, one)
        most = self._add("Sub", self._add("Pow", self._constant(2.0), bits), one)
        return self._constant(0.0), self._add("Sub", most, one) if self._narrow else most

    def _rounded(self, value: str) -> str:
        if self._rounding in _HALF_EVEN and not self._has_round:
            far = self._constant(_ONLY_INTEGERS)
            return self._add("Sub", self._add("Add", value, far), far)
        if self._rounding in _OF_VALUES:
            return self._add(_OF_VALUES[self._rounding], value)
        magnitude = self._add("Abs", value)
        for operator in _OF_MAGNITUDES[self._rounding]:
            more = (self._constant(0.5),) if operator in ("Add", "Sub") else ()
            magnitude = self._add(operator, magnitude, *more)
        return self._add("Mul", self._add("Sign", value), magnitude)

    def _constant(self, number: float) -> str:
        value = self._helper.make_tensor("", self._types.FLOAT, [], [number])
        return self._add("Constant", value=value)

    def _add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{self._prefix}{self._made}"
        self._made += 1
        self._nodes.append(self._helper.make_node(operator, inputs, [name], **attributes))
        return name
