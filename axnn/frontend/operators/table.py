"""The rule of every operator that is read."""

from collections.abc import Callable, Mapping

from axnn.frontend.operators import (
    arithmetic,
    functions,
    layout,
    linear,
    pooling,
    quantisation,
)
from axnn.frontend.operators.context import Call, Result
from axnn.frontend.quantiser_nodes import QUANT_NAMES

RULES: Mapping[str, Callable[[Call], Result]] = {
    "Add": arithmetic.addition,
    "AveragePool": pooling.average,
    "BatchNormalization": arithmetic.normalisation,
    "Cast": layout.cast,
    "Clip": functions.clip,
    "Concat": arithmetic.concatenation,
    "Conv": linear.convolution,
    "DequantizeLinear": quantisation.dequantize_linear,
    "DepthToSpace": layout.depth_to_space,
    "Div": arithmetic.division,
    "Dropout": layout.same,
    "Expand": layout.expand,
    "Flatten": layout.flatten,
    "Gather": layout.gather,
    "Gemm": linear.general_product,
    "GlobalAveragePool": pooling.global_average,
    "GlobalMaxPool": pooling.global_largest,
    "HardSigmoid": functions.hard_sigmoid,
    "Identity": layout.same,
    "LeakyRelu": functions.leaky,
    "MatMul": linear.product,
    "Max": functions.limit(1),
    "MaxPool": pooling.largest,
    "Min": functions.limit(-1),
    "Mul": arithmetic.multiplication,
    "Neg": arithmetic.negation,
    "PRelu": functions.parametric,
    "Pad": layout.pad,
    "QuantizeLinear": quantisation.quantize_linear,
    "ReduceMax": pooling.reduction("largest"),
    "ReduceMean": pooling.reduction("mean"),
    "ReduceSum": pooling.reduction("sum"),
    "Relu": functions.function("relu"),
    "Reshape": layout.reshape,
    "Shape": layout.shape,
    "Sigmoid": functions.function("sigmoid"),
    "Slice": layout.cut,
    "Split": layout.split,
    "Squeeze": layout.squeeze,
    "Sub": arithmetic.subtraction,
    "Sum": arithmetic.total,
    "Tanh": functions.function("tanh"),
    "Transpose": layout.transpose,
    "Unsqueeze": layout.unsqueeze,
    "ai.onnx.ml.Scaler": arithmetic.standardisation,
    **dict.fromkeys(QUANT_NAMES, quantisation.quant),
}
"""By the operator's name."""
