"""Quantisers: of QONNX (Brevitas), and the pairs QuantizeLinear and DequantizeLinear (QDQ).

On constants they give numbers. On a network's values they change no number here; the layers keep
them, and `axnn.frontend.grading` says how much of them the engine can do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from axnn.frontend.builder import LayerBuilder
from axnn.frontend.draft import Draft, Value
from axnn.frontend.graph import Array
from axnn.frontend.operators.context import Call
from axnn.frontend.operators.functions import with_function
from axnn.frontend.quantiser import Quantiser
from axnn.frontend.quantiser_nodes import QONNX_DOMAINS, linear_quantiser, qonnx_quantiser
from axnn.frontend.refusal import UnsupportedError

_INTEGERS = "it computes with integers; export the network with QuantizeLinear and DequantizeLinear"
_MICROSOFT = (
    "QAttention", "QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearConcat",
    "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearReduceMean",
    "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere",
)  # fmt: skip
"""Of onnxruntime's quantiser."""

REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"), _INTEGERS),
    **dict.fromkeys([f"com.microsoft.{name}" for name in _MICROSOFT], _INTEGERS),
    "DynamicQuantizeLinear": "its scales depend on each sample; quantise the network statically",
    **{
        f"{domain}.{name}": reason
        for domain in QONNX_DOMAINS
        for name, reason in {
            "BipolarQuant": "it rounds to +1 and -1; quantise to 2 bits or more",
            "FloatQuant": "it rounds to floating-point numbers, which the engine does not have",
            "MultiThreshold": "it counts thresholds; export the network with quantisers",
            "QuantAvgPool2d": "it averages integers; export the network with AveragePool",
            "Trunc": "it drops bits of averages; export the network with AveragePool",
        }.items()
    },
}
"""Why operators on integers are not read, by name."""


def quant(call: Call) -> Value:
    """Quant of QONNX on a network's value."""
    return _quantised(call.builder, call.value(), _of_call(call, qonnx_quantiser, 3))


def quantize_linear(call: Call) -> Value:
    """QuantizeLinear: the result counts as the numbers that its integers stand for."""
    quantiser = _of_call(call, linear_quantiser, 2)
    return replace(_quantised(call.builder, call.value(), quantiser), codes=quantiser)


def dequantize_linear(call: Call) -> Value:
    """DequantizeLinear of what a QuantizeLinear with the same scale and zero point has made."""
    value = call.value()
    if value.codes is None:
        raise UnsupportedError("it reads integers that no QuantizeLinear has made")
    if _of_call(call, linear_quantiser, 2) != value.codes:
        raise UnsupportedError("its scale and zero point are not those of its QuantizeLinear")
    return replace(value, codes=None)


def _of_call(call: Call, kind: Callable[..., tuple[Quantiser, Array]], most: int) -> Quantiser:
    """The quantiser of a node whose other inputs are constants, so many at most."""
    constants = [call.constant(place) for place in range(1, len(call.inputs))]
    if len(constants) > most:
        raise UnsupportedError(f"it has {len(call.inputs)} inputs, more than {most + 1}")
    quantiser, scale = kind(call.node, *constants)
    _check_shapes(call, constants)
    if not (scale == scale.reshape(-1)[0]).all():
        raise UnsupportedError("it has a scale for each channel of a value; export it with one")
    return quantiser


def _check_shapes(call: Call, constants: Sequence[Array | None]) -> None:
    """Refuse constants that would make the value larger."""
    shape = (1, *call.value().shape)
    for constant in constants:
        try:
            fits = constant is None or np.broadcast_shapes(shape, constant.shape) == shape
        except ValueError:
            fits = constant is not None and constant.ndim == 1  # one for each channel
        if not fits:
            raise UnsupportedError("its scale, zero point or bits do not fit the value")


def _quantised(builder: LayerBuilder, value: Value, quantiser: Quantiser) -> Value:
    return value.with_parts([_quantised_draft(builder, part, quantiser) for part in value.parts])


def _quantised_draft(builder: LayerBuilder, draft: Draft, quantiser: Quantiser) -> Draft:
    if builder.takes_quantiser(draft, quantiser):
        return draft
    if draft.quantiser is not None:
        draft = builder.layer(draft)
        if builder.takes_quantiser(draft, quantiser):
            return draft
    if quantiser.unsigned and draft.function == "identity":
        draft = with_function(builder, draft, "relu")  # exporters leave it to the quantiser
    return replace(draft, quantiser=quantiser)
