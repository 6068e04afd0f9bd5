"""Sums of products of a single sample, with channels in the lanes of the vectors.

`ENTRIES` vectors of sums are computed together, each of a block of `LANES` channels at a position;
the vectors of sums lie one after the other. Each sum is computed in the same order, with the same
roundings, as in the tiles of `axnn.cpu.kernels.vectors`, so that results are equal bit for bit.
"""

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils

from axnn.cpu.kernels.llvm import (
    ENTRIES,
    FLOATS,
    INTS,
    LANES,
    LONG,
    Value,
    fused,
    intrinsic,
    load,
    long,
    members,
    repeat,
    splat,
    store,
)
from axnn.cpu.kernels.vectors import byte_dot, rounded


def _numbers(builder: Value, first: Value) -> list[Value]:
    return [builder.load(builder.gep(first, [long(entry)])) for entry in range(ENTRIES)]


def _of_blocks(builder: Value, first: Value, blocks: list[Value], vector: Value) -> list[Value]:
    """For each entry, the vector of an array at its block of channels."""
    places = [builder.gep(first, [builder.mul(block, long(LANES))]) for block in blocks]
    return [load(builder, place, vector) for place in places]


def _sums(
    builder: Value,
    arguments: list[Value],
    vector: Value,
    multiply_add: Callable[[Value, Value, Value], Value],
) -> list[Value]:
    """The sums of each entry: start values plus all products; arguments as in `float_lanes`."""
    _, start, products, entries = arguments
    weights, source, offsets, taps = members(builder, products)
    origins, blocks = (_numbers(builder, array) for array in members(builder, entries))
    block = builder.mul(taps, long(LANES))
    columns = [builder.gep(weights, [builder.mul(number, block)]) for number in blocks]
    places = [builder.gep(source, [origin]) for origin in origins]

    def body(tap: Value, sums: list[Value]) -> list[Value]:
        offset = builder.sext(builder.load(builder.gep(offsets, [tap])), LONG)
        row = builder.mul(tap, long(LANES))
        found = []
        for column, place, total in zip(columns, places, sums, strict=True):
            weight = load(builder, builder.gep(column, [row]), vector)
            operand = splat(builder, builder.load(builder.gep(place, [offset])), vector)
            found.append(multiply_add(weight, operand, total))
        return found

    return repeat(builder, taps, _of_blocks(builder, start, blocks, vector), body)


def _on_lines(builder: Value, sums: list[Value], line: Value, blocks: Value) -> list[Value]:
    """Weight * sum + bias of each entry; the arguments are those of `weighted_lanes`."""
    chosen = _numbers(builder, blocks)
    factors, offsets = (
        _of_blocks(builder, first, chosen, FLOATS) for first in members(builder, line)
    )
    return [
        fused(builder)(factor, value, offset)
        for factor, value, offset in zip(factors, sums, offsets, strict=True)
    ]


def _store_all(builder: Value, vectors: list[Value], target: Value) -> None:
    for entry, vector in enumerate(vectors):
        store(builder, vector, builder.gep(target, [long(entry * LANES)]))


@intrinsic
def float_lanes(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, sums, start, products, entries
):
    """Sums (ENTRIES, LANES) of float32 products.

    Parameters
    ----------
    sums : pointer to the results
    start : pointer to what the sums of each block of LANES channels begin with
    products : pointers to weights (blocks, taps, LANES), source and offsets, and the number of taps
    entries : pointers to origins and blocks; entry k is of the channels of blocks[k], and its tap t
        adds weights[blocks[k], t] * source[origins[k] + offsets[t]]
    """
    del typing

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        del signature
        _store_all(builder, _sums(builder, values, FLOATS, fused(builder)), values[0])
        return context.get_dummy_value()

    return types.void(sums, start, products, entries), build


@intrinsic
def byte_lanes(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, sums, start, products, entries, line
):
    """Sums of products of bytes, four to a tap, as float32: scale * sum + bias.

    Parameters
    ----------
    sums, entries : see `float_lanes`
    start : the same, of int32
    products : the same; a word of the weights holds four signed bytes, a word of the source four
        unsigned ones
    line : pointers to the scales and to the biases of the channels
    """
    del typing

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        del signature
        *arguments, line = values
        whole = _sums(builder, arguments, INTS, byte_dot(builder))
        floats = [builder.sitofp(total, FLOATS) for total in whole]
        _, blocks = members(builder, values[3])
        _store_all(builder, _on_lines(builder, floats, line, blocks), values[0])
        return context.get_dummy_value()

    return types.void(sums, start, products, entries, line), build


@intrinsic
def weighted_lanes(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, window, values, line, blocks
):
    """Weight * sum + bias of a window's values (window, ENTRIES, LANES), into the first of them.

    `line` holds pointers to the weights and to the biases of the channels; `blocks` points to the
    number of each entry's block of channels.
    """
    del typing, window

    def build(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        del signature
        window, values, line, blocks = arguments

        def body(position: Value, totals: list[Value]) -> list[Value]:
            row = builder.gep(values, [builder.mul(position, long(ENTRIES * LANES))])
            return [
                builder.fadd(total, load(builder, builder.gep(row, [long(k * LANES)]), FLOATS))
                for k, total in enumerate(totals)
            ]

        zeros = [ir.Constant(FLOATS, [0.0] * LANES)] * ENTRIES
        sums = repeat(builder, window, zeros, body)
        _store_all(builder, _on_lines(builder, sums, line, blocks), values)
        return context.get_dummy_value()

    return types.void(types.intp, values, line, blocks), build


@intrinsic
def store_lanes(typing, values, target, count):  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    """Copy the first `count` values of a vector, or all of them if `count` is larger."""
    del typing, count

    def build(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        del signature
        values, target, count = arguments
        place = builder.bitcast(target, FLOATS.as_pointer())
        numbers = ir.VectorType(LONG, LANES)
        lanes = ir.Constant(numbers, list(range(LANES)))
        mask = builder.icmp_signed("<", lanes, splat(builder, count, numbers))
        kind = ir.FunctionType(
            ir.VoidType(), [FLOATS, place.type, ir.IntType(32), ir.VectorType(ir.IntType(1), LANES)]
        )
        name = f"llvm.masked.store.v{LANES}f32.p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        vector = load(builder, values, FLOATS)
        builder.call(function, [vector, place, ir.Constant(ir.IntType(32), 4), mask])
        return context.get_dummy_value()

    return types.void(values, target, types.intp), build


@intrinsic
def round_to_bytes(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, source, target, factor, limit, zero
):
    """LANES float32 values as neighbouring bytes; see `axnn.cpu.kernels.vectors.round_to_words`."""
    del typing, factor, limit, zero
    single = types.float32
    signature = types.void(source, target, single, single, single)

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        del signature
        source, target, *grid = values
        whole = rounded(builder, load(builder, source, FLOATS), grid)
        octets = ir.VectorType(ir.IntType(8), LANES)
        store(builder, builder.trunc(whole, octets), target)
        return context.get_dummy_value()

    return signature, build
