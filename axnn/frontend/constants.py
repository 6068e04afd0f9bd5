"""What does not depend on the input is computed while a network is read, within limits.

Exporters compute shapes by such operators. Every result's size is known before it is made.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np

from axnn.frontend.attributes import axes_of, integer, integers
from axnn.frontend.graph import Array, Node
from axnn.frontend.quantiser_nodes import QUANT_NAMES, fold_quant, fold_quantize_linear
from axnn.frontend.refusal import UnsupportedError

_LIMIT = 1 << 26
"""Most values of a constant."""


def fold(node: Node, inputs: Sequence[Array | None]) -> Array:
    """Result of a node whose inputs are all known.

    Parameters
    ----------
    node : the operation
    inputs : in order; None for those that are left out

    Raises
    ------
    UnsupportedError
        If the operator is not one of those that are computed, or its inputs do not fit it.
    """
    if node.operator not in FOLDED:
        raise UnsupportedError("the operator is not one that is read, on constants either")
    try:
        with np.errstate(all="ignore"):
            found = np.asarray(FOLDED[node.operator](node, *inputs))
    except (TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise UnsupportedError(f"its constants do not fit it ({error})") from error
    return found


def _checked(size: int) -> None:
    if size > _LIMIT:
        raise UnsupportedError(f"its result would have {size:,} values, more than {_LIMIT:,}")


def _binary(operation: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def apply(node: Node, left: Array, right: Array) -> Array:
        _checked(prod(np.broadcast_shapes(left.shape, right.shape)))
        return operation(left, right)

    return apply


def _divide(left: Array, right: Array) -> Array:
    if left.dtype.kind in "iu":
        if not np.all(right):
            raise UnsupportedError("it divides by zero")
        return np.asarray(np.trunc(left / right)).astype(left.dtype)
    return np.asarray(left / right)


def _power(base: Array, exponent: Array) -> Array:
    return np.power(base, exponent).astype(base.dtype)


def _unary(operation: Callable[[Array], Array]) -> Callable[..., Array]:
    return lambda node, value: operation(value)


def _cast(node: Node, value: Array) -> Array:
    from onnx.helper import tensor_dtype_to_np_dtype

    try:
        return value.astype(tensor_dtype_to_np_dtype(integer(node, "to", 0)))
    except KeyError:
        raise UnsupportedError("it casts to an unknown type") from None


def _where(node: Node, condition: Array, yes: Array, no: Array) -> Array:
    _checked(prod(np.broadcast_shapes(condition.shape, yes.shape, no.shape)))
    return np.where(condition, yes, no)


def _tile(node: Node, value: Array, repeats: Array) -> Array:
    _checked(value.size * prod(max(0, int(count)) for count in repeats))
    return np.tile(value, repeats)


def _concatenate(node: Node, *values: Array) -> Array:
    _checked(sum(value.size for value in values))
    return np.concatenate(values, axis=integer(node, "axis", 0))


def _constant(node: Node) -> Array:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        found = node.attributes.get(name)
        if found is not None:
            kind = np.float32 if "float" in name else np.int64
            return found if isinstance(found, np.ndarray) else np.array(found, kind)
    raise UnsupportedError("it holds no numbers")


def _constant_of_shape(node: Node, shape: Array) -> Array:
    sizes = [int(size) for size in shape]
    if min(sizes, default=0) < 0:
        raise UnsupportedError("its shape is negative")
    _checked(prod(sizes))
    value = node.attributes.get("value")
    filling = value.reshape(-1)[0] if isinstance(value, np.ndarray) else np.float32(0)
    return np.full(sizes, filling)


def _expand(node: Node, value: Array, shape: Array) -> Array:
    sizes = np.broadcast_shapes(value.shape, tuple(int(size) for size in shape))
    _checked(prod(sizes))
    return np.broadcast_to(value, sizes).copy()


def _range(node: Node, start: Array, limit: Array, delta: Array) -> Array:
    first, last, step = (value.reshape(-1)[0].item() for value in (start, limit, delta))
    _checked(int(max(0.0, np.ceil((last - first) / step))))
    return np.arange(first, last, step).astype(start.dtype)


def _gather(node: Node, value: Array, places: Array) -> Array:
    axis = integer(node, "axis", 0)
    _checked(value.size // max(1, value.shape[axis]) * places.size)
    return np.take(value, places, axis=axis)


def _shape(node: Node, value: Array) -> Array:
    sizes = np.array(value.shape, np.int64)
    return sizes[integer(node, "start", 0) : integer(node, "end", len(sizes))]


def _reduce(operation: Callable[..., Array]) -> Callable[..., Array]:
    def apply(node: Node, value: Array, axes: Array | None = None) -> Array:
        chosen = axes_of(node, axes) or None
        return operation(value, axis=chosen, keepdims=bool(integer(node, "keepdims", 1)))

    return apply


def reshape(node: Node, value: Array, shape: Array) -> Array:
    """ONNX' Reshape: 0 keeps a size, -1 is what is left."""
    sizes = [int(size) for size in shape.reshape(-1)]
    if not integer(node, "allowzero", 0):
        sizes = [value.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return value.reshape(sizes)


def squeeze(node: Node, value: Array, axes: Array | None = None) -> Array:
    """ONNX' Squeeze."""
    return np.squeeze(value, axis=axes_of(node, axes) or None)


def unsqueeze(node: Node, value: Array, axes: Array | None = None) -> Array:
    """ONNX' Unsqueeze."""
    return np.expand_dims(value, axes_of(node, axes))


def transpose(node: Node, value: Array) -> Array:
    """ONNX' Transpose."""
    return np.transpose(value, integers(node, "perm", tuple(range(value.ndim))[::-1]))


def flatten(node: Node, value: Array) -> Array:
    """ONNX' Flatten."""
    axis = integer(node, "axis", 1)
    if not -value.ndim <= axis <= value.ndim:
        raise UnsupportedError(f"it has no axis {axis}")
    axis += value.ndim if axis < 0 else 0
    return value.reshape(prod(value.shape[:axis]), -1)


def cut(
    node: Node,
    value: Array,
    starts: Array | None = None,
    ends: Array | None = None,
    axes: Array | None = None,
    steps: Array | None = None,
) -> Array:
    """ONNX' Slice."""
    first = _given(starts, node, "starts")
    last = _given(ends, node, "ends")
    along = _given(axes, node, "axes") or tuple(range(len(first)))
    step = _given(steps, node, "steps") or (1,) * len(first)
    chosen = [slice(None)] * value.ndim
    for begin, end, axis, by in zip(first, last, along, step, strict=True):
        stop: int | None = end
        if by < 0 and end < -value.shape[axis]:
            stop = None
        chosen[axis] = slice(begin, stop, by)
    return value[tuple(chosen)]


def _given(found: Array | None, node: Node, name: str) -> tuple[int, ...]:
    if found is not None:
        return tuple(int(value) for value in found.reshape(-1))
    return integers(node, name, ())


def _dequantize(node: Node, value: Array, scale: Array, zero: Array | None = None) -> Array:
    if integer(node, "block_size", 0):
        raise UnsupportedError("it has scales of blocks; export scales of channels")
    shape = [1] * value.ndim
    if scale.size > 1:
        shape[integer(node, "axis", 1)] = scale.size
    offset = 0 if zero is None else zero.reshape(shape if zero.size > 1 else [1] * value.ndim)
    integers = value.astype(np.float64) - np.asarray(offset, np.float64)
    return (integers * scale.reshape(shape)).astype(np.float32)


FOLDED: Mapping[str, Callable[..., Array]] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "And": _binary(np.logical_and),
    "Cast": _cast,
    "Ceil": _unary(np.ceil),
    "Concat": _concatenate,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": _dequantize,
    "Div": _binary(_divide),
    "Equal": _binary(np.equal),
    "Exp": _unary(np.exp),
    "Expand": _expand,
    "Flatten": flatten,
    "Floor": _unary(np.floor),
    "Gather": _gather,
    "Greater": _binary(np.greater),
    "Identity": _unary(np.asarray),
    "Less": _binary(np.less),
    "Log": _unary(np.log),
    "Max": _binary(np.maximum),
    "Min": _binary(np.minimum),
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "Not": _unary(np.logical_not),
    "Or": _binary(np.logical_or),
    "Pow": _binary(_power),
    "QuantizeLinear": fold_quantize_linear,
    "Range": _range,
    "Reciprocal": _unary(np.reciprocal),
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(np.mean),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": reshape,
    "Shape": _shape,
    "Size": lambda node, value: np.array(value.size, np.int64),
    "Slice": cut,
    "Sqrt": _unary(np.sqrt),
    "Squeeze": squeeze,
    "Sub": _binary(np.subtract),
    "Tile": _tile,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
    "Where": _where,
    **dict.fromkeys(QUANT_NAMES, fold_quant),
}
"""Operators that are computed on constants."""
