"""Sums of products that stay in vector registers, which numba cannot express.

Each function here is LLVM code, inlined into the numba function that calls it. The rows of a tile
are channels; their weights are broadcast. Multiplication and addition are fused (rounded once) on
any processor.
"""

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils

from axnn.cpu.kernels.llvm import (
    BATCH,
    FEATURES,
    FLOAT,
    FLOATS,
    INTS,
    LANES,
    LONG,
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

MAX_ROWS = 8 if LANES == 16 else 6
"""Most channels in a tile, such that all sums of a tile fit the processor's vector registers."""

HAS_BYTE_DOT = LANES == 16 and bool(FEATURES.get("avx512vnni", False))
"""Whether an instruction adds four products of bytes to each 32-bit sum."""


def _tile(
    builder: Value,
    start: Value,
    products: Value,
    rows: int,
    vector: Value,
    multiply_add: Callable[[Value, Value, Value], Value],
) -> list[Value]:
    """Sums of `rows` channels for `BATCH` samples: those of `start` plus all products."""
    weights, source, offsets, taps = members(builder, products)
    first = []
    for row in range(rows):
        value = builder.load(builder.gep(start, [long(row)]))
        first += [splat(builder, value, vector)] * VECTORS

    def body(tap: Value, sums: list[Value]) -> list[Value]:
        offset = builder.sext(builder.load(builder.gep(offsets, [tap])), LONG)
        place = builder.gep(source, [offset])
        operands = [
            load(builder, builder.gep(place, [long(v * LANES)]), vector) for v in range(VECTORS)
        ]
        column = builder.gep(weights, [builder.mul(tap, long(rows))])
        found = []
        for row in range(rows):
            weight = splat(builder, builder.load(builder.gep(column, [long(row)])), vector)
            found += [
                multiply_add(weight, operands[v], sums[row * VECTORS + v]) for v in range(VECTORS)
            ]
        return found

    return repeat(builder, taps, first, body)


def byte_dot(builder: Value) -> Callable[[Value, Value, Value], Value]:
    """Four products of a signed byte of the weight and an unsigned one of the operand, added."""
    if HAS_BYTE_DOT:
        kind = ir.FunctionType(INTS, [INTS] * 3)
        name = "llvm.x86.avx512.vpdpbusd.512"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return lambda weight, operand, total: builder.call(function, [total, operand, weight])

    def shifted(value: Value, by: int, shift: Callable[..., Value]) -> Value:
        return shift(value, ir.Constant(INTS, [by] * LANES)) if by else value

    def dot(weight: Value, operand: Value, total: Value) -> Value:
        for byte in range(4):
            signed = shifted(shifted(weight, 24 - 8 * byte, builder.shl), 24, builder.ashr)
            unsigned = shifted(shifted(operand, 24 - 8 * byte, builder.shl), 24, builder.lshr)
            total = builder.add(total, builder.mul(signed, unsigned))
        return total

    return dot


def _by_rows(
    builder: Value, rows: Value, build: Callable[[int], list[Value]], target: Value
) -> None:
    """A copy of the code for each number of rows, 1 to MAX_ROWS; each stores its vectors."""
    end = builder.append_basic_block("stored")
    switch = builder.switch(rows, end)
    for number in range(1, MAX_ROWS + 1):
        block = builder.append_basic_block(f"rows{number}")
        switch.add_case(long(number), block)
        builder.position_at_end(block)
        for index, vector in enumerate(build(number)):
            store(builder, vector, builder.gep(target, [long(index * LANES)]))
        builder.branch(end)
    builder.position_at_end(end)


@intrinsic
def float_tile(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, rows, sums, start, products
):
    """Sums (rows, BATCH) of float32 products.

    Parameters
    ----------
    rows : channels of the tile, 1 to MAX_ROWS
    sums : pointer to the results
    start : pointer to what the sum of each row begins with
    products : pointers to weights, source and offsets, and the number of taps; tap t adds
        weights[t * rows + row] * source[offsets[t] + sample]
    """
    del typing, rows

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        del signature
        rows, target, start, products = values

        def tile(number: int) -> list[Value]:
            return _tile(builder, start, products, number, FLOATS, fused(builder))

        _by_rows(builder, rows, tile, target)
        return context.get_dummy_value()

    return types.void(types.intp, sums, start, products), build


@intrinsic
def byte_tile(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, rows, sums, start, products, line
):
    """Sums of products of bytes, four to a tap, as float32: scale * sum + bias.

    Parameters
    ----------
    rows, sums : see `float_tile`
    start : the same, of int32
    products : the same; a word of the weights holds four signed bytes, a word of the source four
        unsigned ones
    line : pointers to the scale and to the bias of each row
    """
    del typing, rows

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        del signature
        rows, target, start, products, line = values
        scales, biases = members(builder, line)

        def tile(number: int) -> list[Value]:
            whole = _tile(builder, start, products, number, INTS, byte_dot(builder))
            return [
                fused(builder)(
                    splat(builder, builder.load(builder.gep(scales, [row])), FLOATS),
                    builder.sitofp(total, FLOATS),
                    splat(builder, builder.load(builder.gep(biases, [row])), FLOATS),
                )
                for row, total in ((long(i // VECTORS), total) for i, total in enumerate(whole))
            ]

        _by_rows(builder, rows, tile, target)
        return context.get_dummy_value()

    return types.void(types.intp, sums, start, products, line), build


def rounded(builder: Value, vector: Value, grid: list[Value]) -> Value:
    """A vector of float32 rounded to integers, see `round_to_words`; grid: factor, limit, zero."""
    factor, limit = (splat(builder, value, FLOATS) for value in grid[:2])
    least = builder.fneg(limit)
    half = builder.fadd(grid[2], ir.Constant(FLOAT, 0.5))
    scaled = builder.fmul(vector, factor)
    low = builder.select(builder.fcmp_ordered("<", scaled, least), least, scaled)
    cut = builder.select(builder.fcmp_ordered(">", low, limit), limit, low)
    return builder.fptosi(builder.fadd(cut, splat(builder, half, FLOATS)), INTS)


@intrinsic
def round_to_words(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, source, target, factor, limit, zero
):
    """Four rows (BATCH,) of float32 as one row of words, whose bytes are those values rounded.

    Byte b of word s is source[b * BATCH + s] * factor, clamped to +-limit, plus zero, rounded to
    nearest, half up. The sum must not be negative.
    """
    del typing, factor, limit, zero
    single = types.float32
    signature = types.void(source, target, single, single, single)

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        del signature
        first, into, *grid = values
        for lane in range(0, BATCH, LANES):
            word = ir.Constant(INTS, None)
            for byte in range(4):
                place = builder.gep(first, [long(byte * BATCH + lane)])
                whole = rounded(builder, load(builder, place, FLOATS), grid)
                shift = ir.Constant(INTS, [8 * byte] * LANES)
                word = builder.or_(word, builder.shl(whole, shift))
            store(builder, word, builder.gep(into, [long(lane)]))
        return context.get_dummy_value()

    return signature, build


@intrinsic
def transpose(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, source, pitch, last, target, places
):
    """Take LANES values of each of LANES samples; write a vector of all samples for each value.

    Value v of sample s is source[min(s, last) * pitch + v] and goes to target[places[v] + s];
    `last` may be negative.
    """
    del typing, pitch, last
    signature = types.void(source, types.intp, types.intp, target, places)

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        del signature
        first, pitch, last, target, places = values
        rows = []
        for s in range(LANES):
            there = builder.icmp_signed("<", long(s), last)
            row = builder.mul(pitch, builder.select(there, long(s), last))
            rows.append(load(builder, builder.gep(first, [row]), FLOATS))
        for v, vector in enumerate(_exchange(builder, rows)):
            place = builder.sext(builder.load(builder.gep(places, [long(v)])), LONG)
            store(builder, vector, builder.gep(target, [place]))
        return context.get_dummy_value()

    return signature, build


def _exchange(builder: Value, rows: list[Value]) -> list[Value]:
    """The transposed matrix: in each round pairs of rows exchange blocks of half the size."""
    block = LANES // 2
    while block:
        keep, take = [], []
        for lane in range(LANES):
            upper = lane & block
            keep.append(LANES + (lane ^ block) if upper else lane)
            take.append(LANES + lane if upper else lane ^ block)
        masks = [ir.Constant(INTS, mask) for mask in (keep, take)]
        found = list(rows)
        for index in range(LANES):
            if not index & block:
                pair = rows[index], rows[index | block]
                found[index] = builder.shuffle_vector(*pair, masks[0])
                found[index | block] = builder.shuffle_vector(*pair, masks[1])
        rows, block = found, block // 2
    return rows
