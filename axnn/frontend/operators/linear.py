"""Sums of products: convolutions and matrix products."""

from dataclasses import replace
from math import prod

import numpy as np

from axnn.frontend.attributes import floating, integer
from axnn.frontend.draft import Draft, Term, Value, map_shape
from axnn.frontend.graph import Array
from axnn.frontend.operators.arithmetic import add_constant
from axnn.frontend.operators.context import Call
from axnn.frontend.operators.sliding import Sliding
from axnn.frontend.refusal import UnsupportedError
from qcnpe.spec.geometry import Geometry


def convolution(call: Call) -> Value:
    """Conv over one or two axes."""
    value, weights = call.value(), call.weights(1)
    axes = len(value.shape) - 1
    if weights.ndim != axes + 2 or not weights.size:
        raise UnsupportedError(f"its kernel {weights.shape} does not fit samples of {value.shape}")
    windows = Sliding.of(call.node, weights.shape[2:], value.shape[1:])
    channels, depth = weights.shape[:2]
    groups = integer(call.node, "group", 1)
    if groups < 1 or channels % groups or value.shape[0] != groups * depth:
        raise UnsupportedError(f"its kernel {weights.shape} does not fit {value.shape[0]} channels")
    draft = convolve(call, value, weights.reshape(channels, depth, -1), windows, groups)
    if call.constant(2) is not None:
        bias = call.weights(2)
        if bias.shape != (channels,):
            raise UnsupportedError(
                f"its bias must have {channels} numbers, not the shape {bias.shape}"
            )
        draft = draft.plus(bias)
    return Value.of(draft, (channels, *draft.shape[3 - axes :]))


def convolve(call: Call, value: Value, weights: Array, windows: Sliding, groups: int) -> Draft:
    """A convolution of a value, into which what only scales the channels before it is folded.

    Parameters
    ----------
    call : the node
    value : what it reads
    weights : (channels, depth, kernel)
    windows : of the kernel
    groups : blocks of channels that read only their own block
    """
    value, outside = _unpadded(value)
    padding = tuple(np.add(windows.padding, outside).tolist())
    if groups == 1:
        pieces = call.builder.channels(value)
    else:
        whole = np.arange(value.shape[0])
        pieces = [(call.builder.scaling(call.builder.as_map(value)), whole, whole)]
    channels = len(weights)
    terms, bias = [], np.zeros(channels)
    for scaled, rows, columns in pieces:
        part = call.builder.layer(scaled) if scaled.bias.any() and any(padding) else scaled
        call.builder.spend(weights.size * len(part.terms))
        here = weights if groups > 1 else _placed(weights[:, rows], columns, part.shape[0])
        if part.bias.any():
            bias += (here.sum(axis=2) * _of_groups(part.bias, channels, groups)).sum(axis=1)
        for term in part.terms:
            geometry = Geometry(
                input_shape=part.shape,
                channels=channels,
                kernel=windows.kernel,
                stride=windows.stride,
                dilation=windows.dilation,
                padding=padding,
                groups=groups,
            )
            folded = _scaled(here, term.weights[:, 0], groups)
            terms.append(Term(term.layer, geometry, folded.reshape(channels, -1)))
    return Draft(tuple(terms), bias)


def _unpadded(value: Value) -> tuple[Value, tuple[int, ...]]:
    """A value without the zeros that a node before has put around it, and how many there are."""
    none = (0, 0, 0, 0)
    if len(value.parts) > 1 or not value.is_natural:
        return value, none
    (part,) = value.parts
    (term, *others) = part.terms
    plain = part.is_linear and not others and not part.bias.any() and term.is_padded_scaling
    if not plain or map_shape(value.shape) != part.shape:
        return value, none
    inner = replace(term, geometry=replace(term.geometry, padding=none))
    shape = inner.geometry.output_shape
    unpadded = Value.of(Draft.of(inner), (shape[0], *shape[4 - len(value.shape) :]))
    return unpadded, term.geometry.padding


def _placed(weights: Array, columns: Array, depth: int) -> Array:
    """Weights of some channels among those of a part."""
    if np.array_equal(columns, np.arange(depth)):
        return weights
    found = np.zeros((len(weights), depth, weights.shape[2]), weights.dtype)
    found[:, columns] = weights
    return found


def _scaled(weights: Array, scale: Array, groups: int) -> Array:
    """Weights of a convolution whose input channels are multiplied by numbers before."""
    if (scale == 1).all():
        return weights
    return weights * _of_groups(scale, len(weights), groups)[:, :, None]


def _of_groups(numbers: Array, channels: int, groups: int) -> Array:
    """(channels, depth) number of each input channel that each channel reads."""
    blocks = np.arange(channels) // (channels // groups)
    found: Array = numbers.reshape(groups, -1)[blocks]
    return found


def general_product(call: Call) -> Value:
    """Gemm: alpha times the product, plus beta times a constant."""
    value, matrix = call.value(), call.weights(1)
    if integer(call.node, "transA", 0) or len(value.shape) != 1 or matrix.ndim != 2:
        raise UnsupportedError("it must multiply (samples, columns) by a constant matrix")
    rows = matrix if integer(call.node, "transB", 0) else matrix.T
    alpha, beta = floating(call.node, "alpha", 1.0), floating(call.node, "beta", 1.0)
    result = Value.of(_dense(call, value, rows if alpha == 1 else rows * alpha), (len(rows),))
    if call.constant(2) is None:
        return result
    return add_constant(call.builder, result, call.weights(2) * np.float64(beta))


def product(call: Call) -> Value:
    """MatMul with a constant matrix: a dense layer, or one at every place of a map."""
    value, matrix = call.value(), call.weights(1)
    if matrix.ndim != 2:
        raise UnsupportedError(f"it must multiply by a constant matrix, not one of {matrix.shape}")
    if len(value.shape) == 1:
        return Value.of(_dense(call, value, matrix.T), (matrix.shape[1],))
    if value.shape[-1] != len(matrix) or not matrix.size:
        raise UnsupportedError(f"its matrix {matrix.shape} does not fit samples of {value.shape}")
    first = Value(value.parts, np.moveaxis(value.index, -1, 0))
    ones = Sliding(kernel=(1, 1), stride=(1, 1), dilation=(1, 1), padding=(0, 0, 0, 0))
    draft = convolve(call, first, matrix.T[:, :, None], ones, 1)
    result = Value.of(draft, (matrix.shape[1], *first.shape[1:]))
    return Value(result.parts, np.moveaxis(result.index, 0, -1))


def _dense(call: Call, value: Value, rows: Array) -> Draft:
    """A dense layer; what only scales the channels before it is folded into it.

    Parameters
    ----------
    call : the node
    value : (columns,)
    rows : (neurons, columns) weights
    """
    if not rows.size or rows.shape[1] != value.shape[0]:
        raise UnsupportedError(f"its matrix {rows.T.shape} does not fit {value.shape[0]} columns")
    neurons = len(rows)
    flat = np.empty_like(rows)
    flat[:, value.index] = rows
    terms, bias = [], np.zeros(neurons)
    for part, start in zip(value.parts, value.starts[:-1], strict=True):
        scaled, size = call.builder.scaling(part), prod(part.shape)
        here = flat[:, start : start + size]
        outputs = size // part.shape[0]
        bias += here @ np.repeat(scaled.bias, outputs)
        call.builder.spend(here.size * len(scaled.terms))
        for term in scaled.terms:
            scale = np.repeat(term.weights[:, 0], outputs)
            folded = here if (scale == 1).all() else here * scale
            geometry = Geometry.dense(size, neurons)
            terms.append(Term(term.layer, geometry, folded, is_dense=True))
    return Draft(tuple(terms), bias)
