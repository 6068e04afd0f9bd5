"""What numba has no words for: sums of products that stay in vector registers.

numba keeps compiled kernels by the date of `axnn/cpu/kernels.py`: delete `__pycache__` beside it
after a change here.

Each function here is LLVM code that is placed in the calling numba function. A vector holds one
value of each of `LANES` samples, so that every sum runs in the same order whatever the batch, and
results are the same to the last bit for any partition of it. The rows of a tile are channels; their
weights are broadcast. Multiplication and addition are one rounding (fused), on any processor.
"""

from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_intrinsic: Any = intrinsic  # its types know nothing of the first parameter, which numba fills

_FEATURES = llvmlite.binding.get_host_cpu_features()

LANES = 16 if _FEATURES.get("avx512f", False) else 8
"""Samples in a vector."""

VECTORS = 2
"""Vectors in a row of a tile: one weight broadcast serves both."""

BATCH = LANES * VECTORS
"""Samples that the kernels compute together."""

MAX_ROWS = 8 if LANES == 16 else 6
"""Channels in a tile, so that all sums of a tile fit the processor's vector registers."""

HAS_BYTE_DOT = LANES == 16 and bool(_FEATURES.get("avx512vnni", False))
"""Whether an instruction adds four products of bytes to each 32-bit sum."""

_FLOAT, _BYTE = ir.FloatType(), ir.IntType(8)
_INT, _LONG = ir.IntType(32), ir.IntType(64)
_FLOATS, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)

Value = Any
"""A value of the code that is being built."""


def _int(value: int) -> Value:
    return ir.Constant(_INT, value)


def _long(value: int) -> Value:
    return ir.Constant(_LONG, value)


def _splat(builder: Value, scalar: Value, vector: Value) -> Value:
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, scalar, _int(0))
    return builder.shuffle_vector(first, empty, ir.Constant(_INTS, None))


def _load(builder: Value, pointer: Value, vector: Value) -> Value:
    loaded = builder.load(builder.bitcast(pointer, vector.as_pointer()))
    loaded.align = 4
    return loaded


def _store(builder: Value, value: Value, pointer: Value) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = 4


class _Arguments:
    """Pointers into the arrays that a function passes, each with the index that follows it."""

    def __init__(self, context: Value, builder: Value, signature: Value, values: Value) -> None:
        self._context, self._builder = context, builder
        self._types, self._values = signature.args, values

    def pointer(self, array: int) -> Value:
        """Address of the element at the index that is the next argument."""
        make = self._context.make_array(self._types[array])
        base = make(self._context, self._builder, value=self._values[array]).data
        return self._builder.gep(base, [self._values[array + 1]])


def _repeat(
    builder: Value,
    count: Value,
    start: list[Value],
    body: Callable[[Value, list[Value]], list[Value]],
) -> list[Value]:
    """A loop of at least one round; `body` takes its number and the values and returns new ones."""
    before = builder.block
    loop, after = builder.append_basic_block("taps"), builder.append_basic_block("summed")
    builder.branch(loop)
    builder.position_at_end(loop)
    number = builder.phi(_LONG)
    number.add_incoming(_long(0), before)
    values = []
    for first in start:
        values.append(builder.phi(first.type))
        values[-1].add_incoming(first, before)
    found = body(number, values)
    end = builder.block
    for value, new in zip(values, found, strict=True):
        value.add_incoming(new, end)
    following = builder.add(number, _long(1))
    number.add_incoming(following, end)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    builder.position_at_end(after)
    return found


def _tile(
    builder: Value,
    pointers: tuple[Value, ...],
    taps: Value,
    rows: int,
    vector: Value,
    multiply_add: Callable[[Value, Value, Value], Value],
) -> list[Value]:
    """Sums of `rows` channels for `BATCH` samples: those of `start` plus all products.

    Parameters
    ----------
    pointers : to the start values, to the weights (taps, rows), to the source, and to the offset of
        each tap in it
    """
    start, weights, source, offsets = pointers
    first = []
    for row in range(rows):
        value = builder.load(builder.gep(start, [_long(row)]))
        first += [_splat(builder, value, vector)] * VECTORS

    def body(tap: Value, sums: list[Value]) -> list[Value]:
        offset = builder.sext(builder.load(builder.gep(offsets, [tap])), _LONG)
        place = builder.gep(source, [offset])
        operands = [
            _load(builder, builder.gep(place, [_long(v * LANES)]), vector) for v in range(VECTORS)
        ]
        column = builder.gep(weights, [builder.mul(tap, _long(rows))])
        found = []
        for row in range(rows):
            weight = _splat(builder, builder.load(builder.gep(column, [_long(row)])), vector)
            found += [
                multiply_add(weight, operands[v], sums[row * VECTORS + v]) for v in range(VECTORS)
            ]
        return found

    return _repeat(builder, taps, first, body)


def _fused(builder: Value) -> Callable[[Value, Value, Value], Value]:
    """The product of weight and operand, plus the sum, in one rounding."""
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return lambda weight, operand, total: builder.call(function, [weight, operand, total])


def _byte_dot(builder: Value) -> Callable[[Value, Value, Value], Value]:
    """Four products of a signed byte of the weight and an unsigned one of the operand, added."""
    if HAS_BYTE_DOT:
        kind = ir.FunctionType(_INTS, [_INTS] * 3)
        name = "llvm.x86.avx512.vpdpbusd.512"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return lambda weight, operand, total: builder.call(function, [total, operand, weight])

    def shifted(value: Value, by: int, shift: Callable[..., Value]) -> Value:
        return shift(value, ir.Constant(_INTS, [by] * LANES)) if by else value

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
        switch.add_case(_long(number), block)
        builder.position_at_end(block)
        for index, vector in enumerate(build(number)):
            _store(builder, vector, builder.gep(target, [_long(index * LANES)]))
        builder.branch(end)
    builder.position_at_end(end)


@_intrinsic
def float_tile(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, rows, sums, sums_at, start, start_at, weights, weights_at,
    source, source_at, offsets, offsets_at, taps,
):  # fmt: skip
    """Sums (rows, BATCH) of float32 products, of 1 to MAX_ROWS rows.

    Every array is flat and followed by an index. The sum of a row begins at `start`; tap t adds
    weights[t * rows + row] * source[offsets[t] + sample].
    """
    del typing, rows, sums_at, start_at, weights_at, source_at, offsets_at, taps
    arrays = (sums, start, weights, source, offsets)
    pairs = [entry for array in arrays for entry in (array, types.intp)]

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        found = _Arguments(context, builder, signature, values)
        target, *pointers = (found.pointer(index) for index in range(1, 10, 2))

        def sums(number: int) -> list[Value]:
            return _tile(builder, tuple(pointers), values[-1], number, _FLOATS, _fused(builder))

        _by_rows(builder, values[0], sums, target)
        return context.get_dummy_value()

    return types.void(types.intp, *pairs, types.intp), build


@_intrinsic
def byte_tile(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, rows, sums, sums_at, start, start_at, weights, weights_at,
    source, source_at, offsets, offsets_at, scale, scale_at, bias, bias_at, taps,
):  # fmt: skip
    """Sums of products of bytes, four to a tap, as float32: scale * sum + bias.

    A word of the weights holds four signed bytes, a word of the source four unsigned ones; `start`
    is of whole numbers. For the rest see `float_tile`.
    """
    del typing, rows, sums_at, start_at, weights_at, source_at, offsets_at, scale_at, bias_at, taps
    arrays = (sums, start, weights, source, offsets, scale, bias)
    pairs = [entry for array in arrays for entry in (array, types.intp)]

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        found = _Arguments(context, builder, signature, values)
        target, *pointers, scales, biases = (found.pointer(index) for index in range(1, 14, 2))

        def sums(number: int) -> list[Value]:
            whole = _tile(builder, tuple(pointers), values[-1], number, _INTS, _byte_dot(builder))
            return [
                _fused(builder)(
                    _splat(builder, builder.load(builder.gep(scales, [row])), _FLOATS),
                    builder.sitofp(total, _FLOATS),
                    _splat(builder, builder.load(builder.gep(biases, [row])), _FLOATS),
                )
                for row, total in ((_long(i // VECTORS), total) for i, total in enumerate(whole))
            ]

        _by_rows(builder, values[0], sums, target)
        return context.get_dummy_value()

    return types.void(types.intp, *pairs, types.intp), build


@_intrinsic
def round_to_words(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, source, source_at, target, target_at, factor, limit, zero
):
    """Four rows (BATCH,) of float32 as one row of words, whose bytes are those values rounded.

    Byte b of word s is source[source_at + b * BATCH + s] * factor, cut at +-limit, plus zero,
    rounded to the nearest, halves up. The sum must not be negative.
    """
    del typing, source_at, target_at, factor, limit, zero
    single = types.float32
    signature = types.void(source, types.intp, target, types.intp, single, single, single)

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        found = _Arguments(context, builder, signature, values)
        first, into = found.pointer(0), found.pointer(2)
        half = ir.Constant(_FLOAT, 0.5)
        factor, limit = (_splat(builder, value, _FLOATS) for value in values[4:6])
        least = builder.fneg(limit)
        zero = _splat(builder, builder.fadd(values[6], half), _FLOATS)
        for lane in range(0, BATCH, LANES):
            word = ir.Constant(_INTS, None)
            for byte in range(4):
                place = builder.gep(first, [_long(byte * BATCH + lane)])
                scaled = builder.fmul(_load(builder, place, _FLOATS), factor)
                low = builder.select(builder.fcmp_ordered("<", scaled, least), least, scaled)
                cut = builder.select(builder.fcmp_ordered(">", low, limit), limit, low)
                rounded = builder.fptosi(builder.fadd(cut, zero), _INTS)
                shift = ir.Constant(_INTS, [8 * byte] * LANES)
                word = builder.or_(word, builder.shl(rounded, shift))
            _store(builder, word, builder.gep(into, [_long(lane)]))
        return context.get_dummy_value()

    return signature, build


@_intrinsic
def transpose(  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    typing, source, source_at, pitch, target, target_at, places, places_at
):
    """Take LANES values of each of LANES samples; write a vector of all samples for each value.

    Value v of sample s is source[source_at + s * pitch + v] and goes to
    target[target_at + places[places_at + v] + s].
    """
    del typing, source_at, pitch, target_at, places_at
    whole = types.intp
    signature = types.void(source, whole, whole, target, whole, places, whole)

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        found = _Arguments(context, builder, signature, values)
        first, pitch = found.pointer(0), values[2]
        rows = [
            _load(builder, builder.gep(first, [builder.mul(pitch, _long(s))]), _FLOATS)
            for s in range(LANES)
        ]
        base, places = found.pointer(3), found.pointer(5)
        for v, vector in enumerate(_exchange(builder, rows)):
            place = builder.sext(builder.load(builder.gep(places, [_long(v)])), _LONG)
            _store(builder, vector, builder.gep(base, [place]))
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
        masks = [ir.Constant(_INTS, mask) for mask in (keep, take)]
        found = list(rows)
        for index in range(LANES):
            if not index & block:
                pair = rows[index], rows[index | block]
                found[index] = builder.shuffle_vector(*pair, masks[0])
                found[index | block] = builder.shuffle_vector(*pair, masks[1])
        rows, block = found, block // 2
    return rows
