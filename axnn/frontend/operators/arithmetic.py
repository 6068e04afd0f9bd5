"""Sums of maps, and constants that are added or multiplied: folded into the layers before."""

import numpy as np

from axnn.frontend.attributes import floating, integer
from axnn.frontend.builder import LayerBuilder
from axnn.frontend.draft import Draft, Value
from axnn.frontend.graph import Array
from axnn.frontend.operators.context import Call
from axnn.frontend.refusal import UnsupportedError
from qcnpe.spec.geometry import MAX_VALUES

_MAX_PARTS = 1024
"""Most maps that are joined."""


def add_constant(builder: LayerBuilder, value: Value, constant: Array) -> Value:
    """A value plus a constant."""
    numbers = value.by_channel(constant)
    parts = [
        builder.linear(part).plus(bias) if bias.any() else part
        for part, bias in zip(value.parts, numbers, strict=True)
    ]
    return value.with_parts(parts)


def multiply_constant(builder: LayerBuilder, value: Value, constant: Array) -> Value:
    """A value times a constant."""
    numbers = value.by_channel(constant)
    parts = [
        builder.linear(part).times(scale) if (scale != 1).any() else part
        for part, scale in zip(value.parts, numbers, strict=True)
    ]
    return value.with_parts(parts)


def addition(call: Call) -> Value:
    """Add: of a constant, or of another branch."""
    return _sum(call, 1)


def subtraction(call: Call) -> Value:
    """Sub: of a constant, from one, or of another branch."""
    return _sum(call, -1)


def _sum(call: Call, sign: int) -> Value:
    left, right, *_ = call.inputs
    if not isinstance(right, Value):
        return add_constant(call.builder, call.value(0), sign * call.weights(1))
    second = right if sign == 1 else multiply_constant(call.builder, right, np.array(-1.0))
    if not isinstance(left, Value):
        return add_constant(call.builder, second, call.weights(0))
    return add_values(call.builder, left, second)


def add_values(builder: LayerBuilder, left: Value, right: Value) -> Value:
    """The sum of two values of one shape."""
    if left.shape != right.shape:
        raise UnsupportedError(f"it adds samples of {left.shape} and of {right.shape}")
    shapes = [[part.shape for part in value.parts] for value in (left, right)]
    if shapes[0] != shapes[1] or not np.array_equal(left.index, right.index):
        left = Value.of(builder.as_map(left), left.shape)
        right = Value.of(builder.as_map(right), right.shape)
    pairs = zip(left.parts, right.parts, strict=True)
    return left.with_parts([_joined(builder, *pair) for pair in pairs])


def _joined(builder: LayerBuilder, left: Draft, right: Draft) -> Draft:
    one, other = builder.linear(left), builder.linear(right)
    return Draft((*one.terms, *other.terms), one.bias + other.bias)


def multiplication(call: Call) -> Value:
    """Mul: by a constant."""
    left, right, *_ = call.inputs
    if isinstance(left, Value) and isinstance(right, Value):
        raise UnsupportedError("it multiplies two maps, which the engine does not")
    place = 0 if isinstance(left, Value) else 1
    return multiply_constant(call.builder, call.value(place), call.weights(1 - place))


def division(call: Call) -> Value:
    """Div: by a constant."""
    divisor = call.weights(1)
    if not divisor.all():
        raise UnsupportedError("it divides by zero")
    return multiply_constant(call.builder, call.value(0), 1 / divisor.astype(np.float64))


def negation(call: Call) -> Value:
    """Neg."""
    return multiply_constant(call.builder, call.value(), np.array(-1.0))


def normalisation(call: Call) -> Value:
    """BatchNormalization with the statistics of the training: a scale and a shift."""
    if integer(call.node, "training_mode", 0) or not integer(call.node, "spatial", 1):
        raise UnsupportedError("it must be exported for inference, with statistics of channels")
    value = call.value()
    gamma, beta, mean, variance = (call.weights(place).astype(np.float64) for place in range(1, 5))
    if any(numbers.shape != value.shape[:1] for numbers in (gamma, beta, mean, variance)):
        raise UnsupportedError(f"its numbers do not fit samples of {value.shape}")
    spread = variance + floating(call.node, "epsilon", 1e-5)
    if not (spread > 0).all():
        raise UnsupportedError("its variances must be positive")
    scale = gamma / np.sqrt(spread)
    axes = (-1, *(1,) * (len(value.shape) - 1))
    scaled = multiply_constant(call.builder, value, scale.reshape(axes))
    return add_constant(call.builder, scaled, (beta - mean * scale).reshape(axes))


def standardisation(call: Call) -> Value:
    """Scaler of ONNX' traditional machine learning: an offset, then a factor, for each column."""
    offset, scale = (
        np.array(call.node.attributes.get(name, default), np.float64)
        for name, default in (("offset", 0.0), ("scale", 1.0))
    )
    moved = add_constant(call.builder, call.value(), -offset)
    return multiply_constant(call.builder, moved, scale)


def concatenation(call: Call) -> Value:
    """Concat: nothing is computed; who reads it reads several maps."""
    axis = integer(call.node, "axis", 1)
    values = [call.value(place) for place in range(len(call.inputs))]
    axis += len(values[0].shape) + 1 if axis < 0 else 0
    if axis < 1 or any(len(value.shape) < axis for value in values):
        raise UnsupportedError("it must join channels, rows or columns, not samples")
    size = sum(value.index.size for value in values)
    count = sum(len(value.parts) for value in values)
    if size > MAX_VALUES or count > _MAX_PARTS:
        raise UnsupportedError(f"it joins {count} maps of {size:,} values in all, too many")
    indices, start = [], 0
    for value in values:
        indices.append(value.index + start)
        start += int(value.starts[-1])
    try:
        index = np.concatenate(indices, axis=axis - 1)
    except ValueError:
        shapes = ", ".join(str(value.shape) for value in values)
        raise UnsupportedError(f"it joins samples of {shapes}, which do not fit") from None
    return Value(tuple(part for value in values for part in value.parts), index)


def total(call: Call) -> Value:
    """Sum of any number of branches."""
    found = call.value(0)
    for place in range(1, len(call.inputs)):
        found = add_values(call.builder, found, call.value(place))
    return found
