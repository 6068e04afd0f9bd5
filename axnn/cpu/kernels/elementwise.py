"""Functions of values and of windows of values, on whole vectors in LLVM code.

numba could vectorise the same loops, but compiling them would take as long as all other kernels.
"""

from collections.abc import Callable

from llvmlite import ir
from numba import types

from axnn.cpu.kernels.curves import CODES, TANH_DENOMINATOR, TANH_NUMERATOR, TANH_REACH
from axnn.cpu.kernels.llvm import (
    BATCH,
    FLOATS,
    LANES,
    VECTORS,
    Value,
    fused,
    intrinsic,
    load,
    long,
    members,
    repeat,
    splat,
    store,
)  # fmt: skip

Function = Callable[[Value, Value], Value]
"""Builds a vector of results from one of arguments, given the builder."""


def _constant(value: float) -> Value:
    return ir.Constant(FLOATS, [value] * LANES)


def _cut(builder: Value, x: Value, low: float | None, high: float | None) -> Value:
    """The vector clamped to `low` and `high`; None: no limit."""
    for sign, limit in (("<", low), (">", high)):
        if limit is not None:
            beyond = builder.fcmp_ordered(sign, x, _constant(limit))
            x = builder.select(beyond, _constant(limit), x)
    return x


def _horner(builder: Value, coefficients: tuple[float, ...], square: Value) -> Value:
    total = _constant(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = fused(builder)(total, square, _constant(coefficient))
    return total


def _tanh(builder: Value, value: Value) -> Value:
    x = _cut(builder, value, -TANH_REACH, TANH_REACH)
    square = builder.fmul(x, x)
    upper = builder.fmul(x, _horner(builder, TANH_NUMERATOR, square))
    return builder.fdiv(upper, _horner(builder, TANH_DENOMINATOR, square))


def _sigmoid(builder: Value, value: Value) -> Value:
    half = _constant(0.5)
    return fused(builder)(half, _tanh(builder, builder.fmul(half, value)), half)


_FUNCTIONS: dict[str, Function] = {
    "relu": lambda builder, x: _cut(builder, x, 0.0, None),
    "clamp": lambda builder, x: _cut(builder, x, -1.0, 1.0),
    "unit_clamp": lambda builder, x: _cut(builder, x, 0.0, 1.0),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
}
"""The functions of `axnn.cpu.kernels.curves.evaluate`, except the identity."""


@intrinsic
def activate(typing, function, values, count):  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    """Replace the `count` values at a pointer by a function of them, one of `CODES`.

    `count` is a positive multiple of BATCH.
    """
    del typing, function, count

    def build(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        del signature
        code, place, count = arguments
        end = builder.append_basic_block("activated")
        switch = builder.switch(code, end)  # the identity is no case
        for name, function in _FUNCTIONS.items():
            block = builder.append_basic_block(name)
            switch.add_case(long(CODES[name]), block)
            builder.position_at_end(block)
            _replace(builder, place, count, function)
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(types.intp, values, types.intp), build


def _replace(builder: Value, place: Value, count: Value, function: Function) -> None:
    """Replace the vectors from `place` on by the function of them."""

    def body(row: Value, _: list[Value]) -> list[Value]:
        for vector in range(VECTORS):
            at = builder.gep(place, [_offset(builder, row, vector)])
            store(builder, function(builder, load(builder, at, FLOATS)), at)
        return []

    repeat(builder, builder.sdiv(count, long(BATCH)), [], body)


def _offset(builder: Value, row: Value, vector: int) -> Value:
    """Index of a vector of a row of BATCH values."""
    return builder.add(builder.mul(row, long(BATCH)), long(vector * LANES))


@intrinsic
def largest(typing, rows, window, values, found):  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    """The largest of a window's values, (window, rows, BATCH), into found (rows, BATCH)."""
    del typing, rows, window

    def build(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        del signature
        rows, window, values, target = arguments

        def larger(total: Value, value: Value) -> Value:
            return builder.select(builder.fcmp_ordered(">", value, total), value, total)

        def body(row: Value, _: list[Value]) -> list[Value]:
            start = [_constant(float("-inf"))] * VECTORS
            best = _over_window(builder, (rows, window), values, row, start, larger)
            for vector, value in enumerate(best):
                store(builder, value, builder.gep(target, [_offset(builder, row, vector)]))
            return []

        repeat(builder, rows, [], body)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, values, found), build


@intrinsic
def weighted_sum(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, rows, window, values, line, found
):
    """Weight * sum + bias of a window's values, (window, rows, BATCH), into found (rows, BATCH).

    `line` is pointers to the weight and to the bias of each row.
    """
    del typing, rows, window

    def build(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        del signature
        rows, window, values, line, target = arguments
        weight, bias = members(builder, line)

        def body(row: Value, _: list[Value]) -> list[Value]:
            start = [_constant(0.0)] * VECTORS
            sums = _over_window(builder, (rows, window), values, row, start, builder.fadd)
            factor, offset = (
                splat(builder, builder.load(builder.gep(place, [row])), FLOATS)
                for place in (weight, bias)
            )
            for vector, value in enumerate(sums):
                at = builder.gep(target, [_offset(builder, row, vector)])
                store(builder, fused(builder)(factor, value, offset), at)
            return []

        repeat(builder, rows, [], body)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, values, line, found), build


def _over_window(
    builder: Value,
    size: tuple[Value, Value],
    values: Value,
    row: Value,
    start: list[Value],
    join: Callable[[Value, Value], Value],
) -> list[Value]:
    """Reduce a row's values over the positions of a window, in order, by `join`.

    `size` is the number of rows and that of the window's positions.
    """
    rows, window = size

    def body(position: Value, joined: list[Value]) -> list[Value]:
        at = builder.add(builder.mul(position, rows), row)
        return [
            join(total, load(builder, builder.gep(values, [_offset(builder, at, vector)]), FLOATS))
            for vector, total in enumerate(joined)
        ]

    return repeat(builder, window, start, body)
