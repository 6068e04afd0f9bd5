"""Small quantised networks made for a test."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.axnn.frontend.graphs import make_model, node

NETWORKS = Path(__file__).parent / "networks"
"""Made by `tests/peers/brevitas_network.py`."""

QONNX = "qonnx.custom_op.general"


@dataclass
class Drawn:
    """A QONNX network that is drawn at random, node after node.

    Attributes
    ----------
    rng : draws
    bits : of weights and activations
    rounding : of the quantisers of layers
    fraction_bits : of biases, beyond those of the products; None: any number
    """

    rng: np.random.Generator
    bits: int = 4
    rounding: str = "HALF_UP"
    fraction_bits: int | None = 0
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    step_bits: dict[str, int] = field(default_factory=dict)

    def constant(self, value: Any) -> str:
        """Name of a new constant."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, np.float32)
        return name

    def add(self, operator: str, inputs: str, **attributes: Any) -> str:
        """Name of what a new node makes."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(node(operator, inputs, name, **attributes))
        return name

    def quantise(
        self, tensor: str, fraction_bits: int, rounding: str = "", *, signed: bool = False
    ) -> str:
        """A value over 2**fraction_bits."""
        rounding = rounding or self.rounding
        found = self._quant(tensor, 2.0**-fraction_bits, self.bits, rounding, signed)
        self.step_bits[found] = fraction_bits
        return found

    def _quant(self, tensor: str, scale: Any, bits: int, rounding: str, signed: bool) -> str:
        inputs = " ".join([tensor, *map(self.constant, (scale, 0.0, bits))])
        how = {"rounding_mode": rounding, "signed": int(signed), "narrow": 0}
        return self.add("Quant", inputs, domain=QONNX, **how)

    def convolution(self, tensor: str, channels: int, depth: int, **how: Any) -> str:
        """A 3x3 convolution; each channel's weights have a power of two of their own."""
        weights = self.rng.normal(size=(channels, depth, 3, 3))
        exponents = self.rng.integers(2, 5, channels)
        scale = (2.0**-exponents).reshape(-1, 1, 1, 1)
        kernel = self._quant(self.constant(weights * scale * 4), scale, self.bits, "ROUND", True)
        bias = self.bias(exponents + self.step_bits[tensor])
        inputs = f"{tensor} {kernel} {bias}"
        return self.add("Conv", inputs, kernel_shape=[3, 3], pads=[1] * 4, **how)

    def bias(self, step_bits: Any) -> str:
        """Biases, one for each number of a product's fraction bits."""
        found = self.rng.normal(size=len(step_bits))
        if self.fraction_bits is not None:
            places = step_bits + self.fraction_bits
            found = np.round(np.ldexp(found, places)) * 2.0**-places
        return self.constant(found)

    def model(self, output: str, shape: tuple[int, ...]) -> onnx.ModelProto:
        """The network that ends with a tensor."""
        model = make_model(self.nodes, shape, self.constants, outputs=(output,))
        model.opset_import.add(domain=QONNX, version=2)
        return model


def residual(drawn: Drawn) -> onnx.ModelProto:
    """Two convolutions, the second with a shortcut around it, a pool, a depth-wise one, means."""
    x = drawn.quantise("x", drawn.bits, "HALF_UP")
    first = drawn.quantise(drawn.add("Relu", drawn.convolution(x, 4, 1)), drawn.bits - 1)
    second = drawn.quantise(drawn.add("Relu", drawn.convolution(first, 4, 4)), drawn.bits - 2)
    total = drawn.quantise(drawn.add("Relu", drawn.add("Add", f"{second} {first}")), drawn.bits - 2)
    how = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 0, 0]}
    pooled = drawn.add("MaxPool", total, **how)
    drawn.step_bits[pooled] = drawn.step_bits[total]
    last = drawn.convolution(pooled, 4, 1, group=4)
    mean = drawn.add("GlobalAveragePool", drawn.quantise(last, drawn.bits - 3))
    return drawn.model(drawn.quantise(mean, drawn.bits - 3), (1, 8, 8))


def signed(drawn: Drawn, *, shared: bool) -> onnx.ModelProto:
    """Convolutions whose results have signs; two roundings of the first if that is shared."""
    x = drawn.quantise("x", drawn.bits, "HALF_UP")
    first = drawn.convolution(x, 3, 1)
    steps = [drawn.bits - 2, drawn.bits - 3] if shared else [drawn.bits - 2]
    parts = [drawn.quantise(first, step, signed=True) for step in steps]
    sums = [drawn.convolution(part, 2, 3) for part in parts]
    results = [drawn.quantise(total, drawn.bits - 4, signed=True) for total in sums]
    joined = drawn.add("Concat", " ".join(results), axis=1)
    drawn.step_bits[joined] = drawn.bits - 4
    last = drawn.convolution(joined, 4, 2 * len(parts))
    return drawn.model(drawn.quantise(last, drawn.bits - 5, signed=True), (1, 6, 6))
