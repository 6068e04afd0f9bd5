"""Largest values and averages of windows, of whole maps among them."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from axnn.frontend.attributes import axes_of, integer, integers
from axnn.frontend.draft import Draft, Term, Value
from axnn.frontend.operators.context import Call
from axnn.frontend.operators.layout import channels_first, channels_last
from axnn.frontend.operators.linear import convolve
from axnn.frontend.operators.sliding import Sliding
from axnn.frontend.refusal import UnsupportedError
from axnn.frontend.windows import Windows

_ONE = (1, 1)


def largest(call: Call) -> Value:
    """MaxPool of any window, stride and padding."""
    value, windows = call.value(), _windows(call)
    if windows.dilation != _ONE:
        raise UnsupportedError("its windows have gaps (dilations), which are not read")
    # A window that reaches over the edge covers it, too: copies of it change no largest value.
    top, left, bottom, right = (int(side) for side in np.add(windows.padding, value.border))
    return _largest(call, value, replace(windows, padding=(top, left, bottom, right)))


def average(call: Call) -> Value:
    """AveragePool; padding must count as zeros."""
    value, windows = call.value(), _windows(call)
    if windows.dilation != _ONE:
        raise UnsupportedError("its windows have gaps (dilations), which are not read")
    own = Sliding.of(call.node, integers(call.node, "kernel_shape", ()), value.shape[1:])
    if windows != own:
        raise UnsupportedError("its windows reach over the edge (ceil_mode); export it without")
    if any(windows.padding) and not integer(call.node, "count_include_pad", 0):
        raise UnsupportedError(
            "its padding does not count (count_include_pad is 0), which is not read"
        )
    return _average(call, value, windows, 1 / prod(windows.kernel))


def global_largest(call: Call) -> Value:
    """GlobalMaxPool."""
    return _largest(call, call.value(), _whole(call.value()))


def global_average(call: Call) -> Value:
    """GlobalAveragePool."""
    windows = _whole(call.value())
    return _average(call, call.value(), windows, 1 / prod(windows.kernel))


def _windows(call: Call) -> Sliding:
    value, kernel = call.value(), integers(call.node, "kernel_shape", ())
    top, left, bottom, right = value.border
    added = (top + bottom, left + right)[3 - len(value.shape) :]
    shape = tuple(size + more for size, more in zip(value.shape[1:], added, strict=False))
    return Sliding.of(call.node, kernel, shape).rounded_up(call.node, shape)


def _whole(value: Value, axes: tuple[int, ...] = (1, 2)) -> Sliding:
    """One window over the given axes of a map."""
    shape = value.shape if len(value.shape) == 3 else (value.shape[0], 1, value.shape[-1])
    if len(value.shape) not in (2, 3):
        raise UnsupportedError(f"samples of {value.shape} are no maps")
    kernel = tuple(shape[axis] if axis in axes else 1 for axis in (1, 2))
    pair = (kernel[0], kernel[1])
    return Sliding(kernel=pair, stride=pair, dilation=_ONE, padding=(0, 0, 0, 0))


def _largest(call: Call, value: Value, windows: Sliding) -> Value:
    stages = Windows(size=windows.kernel, stride=windows.stride, padding=windows.padding)
    return _shaped(value, call.builder.largest(call.builder.as_map(value), stages))


def _average(call: Call, value: Value, windows: Sliding, weight: float) -> Value:
    channels = value.shape[0]
    weights = np.full((channels, 1, prod(windows.kernel)), weight)
    draft = convolve(call, value, weights, windows, channels)
    if windows.kernel == windows.stride and not any(windows.padding):
        draft = replace(draft, terms=tuple(_averaging(term) for term in draft.terms))
    return _shaped(value, draft)


def _averaging(term: Term) -> Term:
    return replace(term, is_average=not any(term.geometry.padding))


def _shaped(value: Value, draft: Draft) -> Value:
    return Value.of(
        draft, draft.shape if len(value.shape) == 3 else (draft.shape[0], draft.shape[2])
    )


def reduction(kind: str) -> Callable[[Call], Value]:
    """The rule of ReduceMean, ReduceMax or ReduceSum over rows and columns."""

    def rule(call: Call) -> Value:
        value, is_moved = channels_first(call.value())
        ndim = len(value.shape)
        given = axes_of(call.node, call.constant(1))
        axes = {axis % (ndim + 1) for axis in given if -ndim - 1 <= axis <= ndim}
        if not axes or 0 in axes or len(axes) < len(given):
            raise UnsupportedError(f"it must reduce rows or columns, not the axes {given}")
        places = {(axis % ndim if is_moved else axis - 1) for axis in axes}
        if 0 in places:
            raise UnsupportedError("it must reduce rows or columns, not channels")
        windows = _whole(value, tuple(place if ndim == 3 else 2 for place in places))
        if kind == "largest":
            result = _largest(call, value, windows)
        else:
            weight = 1 / prod(windows.kernel) if kind == "mean" else 1.0
            result = _average(call, value, windows, weight)
        result = channels_last(result) if is_moved else result
        if integer(call.node, "keepdims", 1):
            return result
        return Value(result.parts, np.squeeze(result.index, tuple(axis - 1 for axis in axes)))

    return rule
