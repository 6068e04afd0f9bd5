"""Sums of products of a single sample, whose channels are in the lanes of the vectors.

`ENTRIES` vectors of sums are computed together, each of any `LANES` channels at any position; the
vectors of sums lie one after the other. Each sum runs in the same order, with the same roundings,
as in the tiles of `axnn.cpu.kernels.vectors`: its last bit is the same.
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
    Arguments,
    Value,
    fused,
    intrinsic,
    load,
    long,
    repeat,
    splat,
    store,
)
from axnn.cpu.kernels.vectors import byte_dot, rounded


def _numbers(builder: Value, first: Value) -> list[Value]:
    return [builder.load(builder.gep(first, [long(entry)])) for entry in range(ENTRIES)]


def _of_blocks(builder: Value, first: Value, blocks: list[Value], vector: Value) -> list[Value]:
    """For each entry the vector of what its channels have."""
    places = [builder.gep(first, [builder.mul(block, long(LANES))]) for block in blocks]
    return [load(builder, place, vector) for place in places]


def _sums(
    builder: Value,
    pointers: tuple[Value, ...],
    blocks: list[Value],
    taps: Value,
    vector: Value,
    multiply_add: Callable[[Value, Value, Value], Value],
) -> list[Value]:
    """Those of `start` plus all products.

    Parameters
    ----------
    pointers : to the start values, to the weights (blocks, taps, LANES), to the source, to the
        offset of each tap in it, and to the origin of each entry
    """
    start, weights, source, offsets, origins = pointers
    block = builder.mul(taps, long(LANES))
    columns = [builder.gep(weights, [builder.mul(number, block)]) for number in blocks]
    places = [builder.gep(source, [origin]) for origin in _numbers(builder, origins)]

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


def _store_all(builder: Value, vectors: list[Value], target: Value) -> None:
    for entry, vector in enumerate(vectors):
        store(builder, vector, builder.gep(target, [long(entry * LANES)]))


@intrinsic
def float_lanes(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, sums, sums_at, start, start_at, weights, weights_at, source, source_at,
    offsets, offsets_at, origins, origins_at, blocks, blocks_at, taps,
):  # fmt: skip
    """Sums (ENTRIES, LANES) of float32 products.

    Every array is flat and followed by an index. Entry k is of the channels of blocks[k], at
    origins[k] of the source. Its sum begins at start[blocks[k]]; tap t adds
    weights[blocks[k], t] * source[origins[k] + offsets[t]].
    """
    del typing, sums_at, start_at, weights_at, source_at, offsets_at, origins_at, blocks_at, taps
    arrays = (sums, start, weights, source, offsets, origins, blocks)
    pairs = [entry for array in arrays for entry in (array, types.intp)]

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        found = Arguments(context, builder, signature, values)
        target, *pointers, blocks = (found.pointer(index) for index in range(0, 14, 2))
        chosen = _numbers(builder, blocks)
        total = _sums(builder, tuple(pointers), chosen, values[-1], FLOATS, fused(builder))
        _store_all(builder, total, target)
        return context.get_dummy_value()

    return types.void(*pairs, types.intp), build


@intrinsic
def byte_lanes(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, sums, sums_at, start, start_at, weights, weights_at, source, source_at,
    offsets, offsets_at, origins, origins_at, blocks, blocks_at, scale, scale_at, bias, bias_at,
    taps,
):  # fmt: skip
    """Sums of products of bytes, four to a tap, as float32: scale * sum + bias.

    A word of the weights holds four signed bytes, a word of the source four unsigned ones; `start`
    is of whole numbers; scale and bias are of the channels. For the rest see `float_lanes`.
    """
    del typing, sums_at, start_at, weights_at, source_at, offsets_at, origins_at, blocks_at
    del scale_at, bias_at, taps
    arrays = (sums, start, weights, source, offsets, origins, blocks, scale, bias)
    pairs = [entry for array in arrays for entry in (array, types.intp)]

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        found = Arguments(context, builder, signature, values)
        target, *pointers, blocks, scale, bias = (found.pointer(i) for i in range(0, 18, 2))
        chosen = _numbers(builder, blocks)
        whole = _sums(builder, tuple(pointers), chosen, values[-1], INTS, byte_dot(builder))
        factors = _of_blocks(builder, scale, chosen, FLOATS)
        offsets = _of_blocks(builder, bias, chosen, FLOATS)
        total = [
            fused(builder)(factor, builder.sitofp(value, FLOATS), offset)
            for factor, value, offset in zip(factors, whole, offsets, strict=True)
        ]
        _store_all(builder, total, target)
        return context.get_dummy_value()

    return types.void(*pairs, types.intp), build


@intrinsic
def weighted_lanes(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, window, values, values_at, weight, weight_at, bias, bias_at, blocks, blocks_at
):
    """Weight * sum + bias of a window's values (window, ENTRIES, LANES), into the first of them.

    Weight and bias are of the channels of each entry's block.
    """
    del typing, window, values_at, weight_at, bias_at, blocks_at
    arrays = (values, weight, bias, blocks)
    pairs = [entry for array in arrays for entry in (array, types.intp)]

    def build(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        pointers = Arguments(context, builder, signature, arguments)
        values, weight, bias, blocks = (pointers.pointer(index) for index in range(1, 9, 2))
        chosen = _numbers(builder, blocks)

        def body(position: Value, totals: list[Value]) -> list[Value]:
            row = builder.gep(values, [builder.mul(position, long(ENTRIES * LANES))])
            return [
                builder.fadd(total, load(builder, builder.gep(row, [long(k * LANES)]), FLOATS))
                for k, total in enumerate(totals)
            ]

        zeros = [ir.Constant(FLOATS, [0.0] * LANES)] * ENTRIES
        sums = repeat(builder, arguments[0], zeros, body)
        factors = _of_blocks(builder, weight, chosen, FLOATS)
        offsets = _of_blocks(builder, bias, chosen, FLOATS)
        total = [
            fused(builder)(factor, value, offset)
            for factor, value, offset in zip(factors, sums, offsets, strict=True)
        ]
        _store_all(builder, total, values)
        return context.get_dummy_value()

    return types.void(types.intp, *pairs), build


@intrinsic
def store_lanes(typing, values, values_at, target, target_at, count):  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    """Copy the first `count` values of a vector, or all of them if it is more."""
    del typing, values_at, target_at, count
    signature = types.void(values, types.intp, target, types.intp, types.intp)

    def build(context: Value, builder: Value, signature: Value, arguments: Value) -> Value:
        found = Arguments(context, builder, signature, arguments)
        place = builder.bitcast(found.pointer(2), FLOATS.as_pointer())
        numbers = ir.VectorType(LONG, LANES)
        lanes = ir.Constant(numbers, list(range(LANES)))
        mask = builder.icmp_signed("<", lanes, splat(builder, arguments[4], numbers))
        kind = ir.FunctionType(
            ir.VoidType(), [FLOATS, place.type, ir.IntType(32), ir.VectorType(ir.IntType(1), LANES)]
        )
        name = f"llvm.masked.store.v{LANES}f32.p0"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        vector = load(builder, found.pointer(0), FLOATS)
        builder.call(function, [vector, place, ir.Constant(ir.IntType(32), 4), mask])
        return context.get_dummy_value()

    return signature, build


@intrinsic
def round_to_bytes(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, source, source_at, target, target_at, factor, limit, zero
):
    """LANES float32 values as neighbouring bytes; see `axnn.cpu.kernels.vectors.round_to_words`."""
    del typing, source_at, target_at, factor, limit, zero
    single = types.float32
    signature = types.void(source, types.intp, target, types.intp, single, single, single)

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        found = Arguments(context, builder, signature, values)
        whole = rounded(builder, load(builder, found.pointer(0), FLOATS), values[4:])
        octets = ir.VectorType(ir.IntType(8), LANES)
        store(builder, builder.trunc(whole, octets), found.pointer(2))
        return context.get_dummy_value()

    return signature, build
