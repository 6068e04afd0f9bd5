"""Changes of axes: nothing is computed, only where each element is changes."""

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from axnn.frontend import constants
from axnn.frontend.attributes import axes_of, integer, integers, word
from axnn.frontend.draft import Draft, Term, Value, map_shape
from axnn.frontend.graph import Array
from axnn.frontend.operators.context import Call
from axnn.frontend.refusal import UnsupportedError

_MOST = 1 << 24
"""Most elements of all samples that a graph's shapes speak of."""


def same(call: Call) -> Value:
    """Identity, Dropout and what else passes on its first input."""
    return call.value()


def cast(call: Call) -> Value:
    """Cast from one floating-point type to another."""
    from onnx import TensorProto

    if integer(call.node, "to", 0) not in (
        TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16,
    ):  # fmt: skip
        raise UnsupportedError("it rounds samples to another type than floating-point numbers")
    return call.value()


def shape(call: Call) -> Array:
    """Shape: of as many samples as the graph's shapes speak of."""
    sizes = np.array((call.batch, *call.value().shape), np.int64)
    start, end = integer(call.node, "start", 0), integer(call.node, "end", len(sizes))
    return sizes[start:end]


def reshape(call: Call) -> Value:
    """Reshape, which must keep samples apart."""
    target = call.constant(1)
    if target is None or target.dtype.kind != "i":
        raise UnsupportedError("its shape must be constant")
    return _rearranged(call, constants.reshape(call.node, _of_samples(call), target))


def expand(call: Call) -> Value:
    """Expand to the size that samples have already."""
    target = call.weights(1).reshape(-1).tolist()
    shape = (call.batch, *call.value().shape)
    sizes = zip(reversed(target), reversed(shape), strict=False)
    if len(target) > len(shape) or any(asked not in (1, size) for asked, size in sizes):
        raise UnsupportedError(f"it repeats samples of {shape[1:]} to {tuple(target)}")
    return call.value()


def flatten(call: Call) -> Value:
    """Flatten."""
    return _rearranged(call, constants.flatten(call.node, _of_samples(call)))


def transpose(call: Call) -> Value:
    """Transpose of a sample's axes."""
    order = integers(call.node, "perm", ())
    if not order or order[0] != 0:
        raise UnsupportedError("it moves the axis of the samples")
    return _rearranged(call, constants.transpose(call.node, _of_samples(call)))


def squeeze(call: Call) -> Value:
    """Squeeze of a sample's axes."""
    axes = axes_of(call.node, call.constant(1))
    ndim = len(call.value().shape) + 1
    if not axes or any(axis in (0, -ndim) for axis in axes):
        raise UnsupportedError("it must name the axes that it drops, not that of the samples")
    return _rearranged(call, constants.squeeze(call.node, _of_samples(call), np.array(axes)))


def unsqueeze(call: Call) -> Value:
    """Unsqueeze of a sample's axes."""
    axes = axes_of(call.node, call.constant(1))
    ndim = len(call.value().shape) + 1 + len(axes)
    if any(axis in (0, -ndim) for axis in axes):
        raise UnsupportedError("it puts an axis before that of the samples")
    return _rearranged(call, constants.unsqueeze(call.node, _of_samples(call), np.array(axes)))


def cut(call: Call) -> Value:
    """Slice, of whole channels."""
    bounds = [call.constant(place) for place in range(1, len(call.inputs))]
    return _chosen(call, _rearranged(call, constants.cut(call.node, _of_samples(call), *bounds)))


def gather(call: Call) -> Value:
    """Gather, of whole channels."""
    places, axis = call.weights(1), integer(call.node, "axis", 0)
    if axis in (0, -len(call.value().shape) - 1) or places.dtype.kind != "i":
        raise UnsupportedError("it picks samples, or picks by numbers that are not whole")
    found = np.take(_of_samples(call), places, axis=axis)
    return _chosen(call, _rearranged(call, found))


def split(call: Call) -> tuple[Value, ...]:
    """Split, into whole channels."""
    whole, axis = _of_samples(call), integer(call.node, "axis", 0)
    if axis in (0, -whole.ndim):
        raise UnsupportedError("it splits samples")
    count = len(call.node.outputs)
    given = call.constant(1)
    lengths = given.reshape(-1).tolist() if given is not None else integers(call.node, "split", ())
    size = whole.shape[axis]
    if not lengths:
        step = -(-size // count)
        lengths = [min(step, size - start) for start in range(0, size, step)]
    if sum(lengths) != size or min(lengths) < 1 or len(lengths) != count:
        raise UnsupportedError(f"its parts {tuple(lengths)} do not fit {size}")
    parts = np.split(whole, np.cumsum(lengths)[:-1], axis=axis)
    return tuple(_chosen(call, _rearranged(call, part)) for part in parts)


def depth_to_space(call: Call) -> Value:
    """DepthToSpace."""
    value, block = call.value(), integer(call.node, "blocksize", 1)
    if len(value.shape) != 3 or block < 1 or value.shape[0] % (block * block):
        raise UnsupportedError(f"its blocks of {block} do not fit samples of {value.shape}")
    channels, height, width = value.shape
    depth = channels // (block * block)
    if word(call.node, "mode", "DCR") == "CRD":
        blocks = value.index.reshape(depth, block, block, height, width)
        order = (0, 3, 1, 4, 2)
    else:
        blocks = value.index.reshape(block, block, depth, height, width)
        order = (2, 3, 0, 4, 1)
    index = blocks.transpose(order).reshape(depth, height * block, width * block)
    return Value(value.parts, index)


def pad(call: Call) -> Value:
    """Pad of rows and columns with zeros."""
    value, is_moved = channels_first(call.value())
    ndim = len(value.shape)
    sides = _padding(call, ndim + 1)
    begin, end = sides[0], sides[1]
    if is_moved:
        begin, end = (begin[0], begin[-1], *begin[1:-1]), (end[0], end[-1], *end[1:-1])
    if any((*begin[:2], *end[:2])) or min(*begin, *end) < 0 or ndim not in (2, 3):
        raise UnsupportedError("it must add rows or columns, not samples or channels")
    if not any((*begin, *end)):
        return call.value()
    if word(call.node, "mode", "constant") == "edge":
        return _bordered(value, begin[2:], end[2:], is_moved=is_moved)
    draft = call.builder.as_map(value)
    if not draft.is_scaling or draft.bias.any() or len(draft.terms) > 1:
        draft = call.builder.layer(draft)
    (term,) = draft.terms
    lift = (0,) * (3 - ndim)
    padding = (*lift, *begin[2:], *lift, *end[2:])
    padded = Draft.of(_padded(term, padding))
    result = Value.of(padded, padded.shape if ndim == 3 else (padded.shape[0], padded.shape[2]))
    return channels_last(result) if is_moved else result


def _bordered(
    value: Value, begin: tuple[int, ...], end: tuple[int, ...], *, is_moved: bool
) -> Value:
    if is_moved:
        raise UnsupportedError("it copies the edge of a map whose channels come last")
    lift = (0,) * (2 - len(begin))
    top, left, bottom, right = (*lift, *begin, *lift, *end)
    return replace(value, border=(top, left, bottom, right))


def _padded(term: Term, padding: tuple[int, ...]) -> Term:
    return replace(term, geometry=replace(term.geometry, padding=padding))


def _padding(call: Call, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Positions that are added before and behind each axis."""
    mode = word(call.node, "mode", "constant")
    if mode not in ("constant", "edge"):
        raise UnsupportedError("it must add zeros, not reflected values")
    filling = call.number(2) if len(call.inputs) > 2 else None
    value = call.node.attributes.get("value", 0.0) if filling is None else filling
    if value != 0 and mode == "constant":
        raise UnsupportedError("it must add zeros")
    given = call.constant(1)
    pads = integers(call.node, "pads", ()) if given is None else tuple(given.reshape(-1).tolist())
    axes = call.constant(3)
    chosen = list(range(ndim)) if axes is None else [int(axis) % ndim for axis in axes.reshape(-1)]
    if len(pads) != 2 * len(chosen):
        raise UnsupportedError(f"it has {len(pads)} numbers for {len(chosen)} axes")
    begin, end = [0] * ndim, [0] * ndim
    for place, axis in enumerate(chosen):
        begin[axis], end[axis] = pads[place], pads[len(chosen) + place]
    return tuple(begin), tuple(end)


def channels_first(value: Value) -> tuple[Value, bool]:
    """A map whose last axis is that of the channels, with that axis first; whether it was moved."""
    moved = Value(value.parts, np.moveaxis(value.index, -1, 0))
    if len(value.shape) < 2 or not moved.is_natural:
        return value, False
    first, last = map_shape(value.shape), map_shape(moved.shape)
    shapes = [part.shape for part in value.parts]  # a single channel may be first or last
    is_last = not value.is_natural or (shapes == [last] and shapes != [first])
    return (moved, True) if is_last else (value, False)


def channels_last(value: Value) -> Value:
    """Inverse of `channels_first`."""
    return Value(value.parts, np.moveaxis(value.index, 0, -1))


def _of_samples(call: Call) -> NDArray[np.int64]:
    """The index, with an axis of so many samples as the graph's shapes speak of."""
    index = call.value().index
    if call.batch * index.size > _MOST:
        raise UnsupportedError(f"it is written for {call.batch} samples at once; export it for one")
    sample = np.arange(call.batch).reshape(-1, *(1,) * index.ndim)
    return index + sample * index.size


def _rearranged(call: Call, whole: NDArray[np.int64]) -> Value:
    """A value of its index with the axis of the samples, which must be in their order."""
    size, batch = call.value().index.size, call.batch
    first = whole[0] if whole.ndim > 1 and len(whole) == batch else None
    sample = np.arange(batch).reshape(-1, *(1,) * (whole.ndim - 1))
    if first is None or not np.array_equal(whole, first + sample * size) or not prod(first.shape):
        raise UnsupportedError(f"its result of shape {whole.shape} mixes or drops samples")
    return Value(call.value().parts, first)


def _chosen(call: Call, value: Value) -> Value:
    """A value that has some elements of its parts, as a value of its own."""
    if value.index.size == value.starts[-1] and len(np.unique(value.index)) == value.index.size:
        return value
    if channels_first(call.value())[1]:
        moved = Value(value.parts, np.moveaxis(value.index, -1, 0))
        return channels_last(Value.of(call.builder.as_map(moved), moved.shape))
    return Value.of(call.builder.as_map(value), value.shape)
