"""Activation functions: the engine's own, and those that sums of its ReLUs give exactly."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from axnn.frontend.attributes import floating
from axnn.frontend.builder import LayerBuilder
from axnn.frontend.draft import Draft, Value
from axnn.frontend.graph import Array
from axnn.frontend.operators.arithmetic import add_constant, multiply_constant
from axnn.frontend.operators.context import Call
from axnn.frontend.refusal import UnsupportedError


def function(name: str) -> Callable[[Call], Value]:
    """The rule of an operator that is one of the engine's functions."""

    def rule(call: Call) -> Value:
        value = call.value()
        return value.with_parts([with_function(call.builder, part, name) for part in value.parts])

    return rule


def with_function(builder: LayerBuilder, draft: Draft, name: str) -> Draft:
    """A draft and one of the engine's functions behind it."""
    if name == draft.function == "relu":
        return draft
    # The function rises, so that it may stand before or behind the largest of a window; a ReLU
    # may stand before or behind a quantiser, which rises and keeps 0.
    joins = draft.function == "identity" and (draft.quantiser is None or name == "relu")
    before = draft if joins else builder.layer(draft)
    return replace(before, function=name)


def leaky(call: Call) -> Value:
    """LeakyRelu: one slope for negative values."""
    return _with_slopes(call, call.value(), np.array(floating(call.node, "alpha", 0.01)))


def parametric(call: Call) -> Value:
    """PRelu: a slope for the negative values of each channel."""
    value, slopes = call.value(), call.weights(1)
    if slopes.ndim == 1 and slopes.size == value.shape[0]:  # so it was written before version 7
        slopes = slopes.reshape(-1, *(1,) * (len(value.shape) - 1))
    return _with_slopes(call, value, slopes)


def _with_slopes(call: Call, value: Value, slopes: Array) -> Value:
    """The sum of slope * x and (1 - slope) * relu(x)."""
    parts = []
    for part, slope in zip(value.parts, value.by_channel(slopes), strict=True):
        plain = call.builder.layer(part)
        positive = call.builder.layer(replace(plain, function="relu"))
        terms = (plain.times(slope).terms[0], positive.times(1 - slope).terms[0])
        parts.append(Draft(terms, np.zeros(len(slope))))
    return value.with_parts(parts)


def clip(call: Call) -> Value:
    """Clip, of which ReLU6 is one."""
    if len(call.inputs) > 1:
        low, high = call.number(1), call.number(2)
    else:
        low, high = (
            floating(call.node, name, sign * np.inf) for name, sign in (("min", -1), ("max", 1))
        )
    return _between(
        call, call.value(), -np.inf if low is None else low, np.inf if high is None else high
    )


def limit(sign: int) -> Callable[[Call], Value]:
    """The rule of Max (sign 1) or Min (sign -1) of a value and numbers."""

    def rule(call: Call) -> Value:
        places = [place for place, one in enumerate(call.inputs) if isinstance(one, Value)]
        if len(places) > 1:
            raise UnsupportedError("it compares two maps, which the engine does not")
        numbers = [call.number(place) for place in range(len(call.inputs)) if place not in places]
        limits = [-sign * np.inf, *(number for number in numbers if number is not None)]
        bound = sign * max(sign * number for number in limits)
        low, high = (bound, np.inf) if sign == 1 else (-np.inf, bound)
        return _between(call, call.value(places[0]), low, high)

    return rule


def hard_sigmoid(call: Call) -> Value:
    """HardSigmoid: a line, between 0 and 1."""
    slope = np.array(floating(call.node, "alpha", 0.2))
    middle = np.array(floating(call.node, "beta", 0.5))
    line = multiply_constant(call.builder, call.value(), slope)
    return _between(call, add_constant(call.builder, line, middle), 0.0, 1.0)


def _between(call: Call, value: Value, low: float, high: float) -> Value:
    """The value between two limits."""
    lowest, highest = -3.0e38, 3.0e38  # what exporters write for no limit
    if low > high:
        raise UnsupportedError(f"its limits {low:g} and {high:g} leave no value")
    if low <= lowest and high >= highest:
        return value
    limits = (low if low > lowest else None, high if high < highest else None)
    return value.with_parts([_limited(call.builder, part, *limits) for part in value.parts])


def _limited(builder: LayerBuilder, part: Draft, low: float | None, high: float | None) -> Draft:
    """The draft above a limit, less what exceeds the other one: most of that is zero, and exactly.

    A difference from the upper limit would be one source, but round small values as large ones.
    """
    ones = np.ones(part.shape[0])
    found, start = part, 0.0
    if low == 0:
        found = with_function(builder, part, "relu")
    elif low is not None:
        found, start = _rectified(builder.linear(part).plus(-low * ones)), low
    if high is None:
        return found if start == 0 else builder.layer(found).plus(start * ones)
    below = builder.layer(found)
    above = builder.layer(_rectified(below.plus((start - high) * ones)))
    return Draft((*below.terms, *above.times(-ones).terms), start * ones)


def _rectified(draft: Draft) -> Draft:
    return replace(draft, function="relu")
