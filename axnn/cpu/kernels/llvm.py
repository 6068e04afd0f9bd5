"""Building blocks of LLVM code inside numba functions: vectors, pointers, loops.

A vector holds one value of each of `LANES` samples. Every sum is then computed in the same order in
any batch, and results are the same to the last bit however samples are divided.
"""

from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic

intrinsic: Any = numba_intrinsic
"""Makes LLVM code callable from numba, which passes the first parameter itself."""

FEATURES = llvmlite.binding.get_host_cpu_features()
"""Features of the processor, by LLVM's names."""

LANES = 16 if FEATURES.get("avx512f", False) else 8
"""Samples in a vector."""

VECTORS = 2
"""Vectors in a row of a tile, which share each broadcast weight."""

BATCH = LANES * VECTORS
"""Samples that the kernels compute together."""

ENTRIES = 8
"""Vectors of channels that are computed together for a single sample: enough independent sums to
hide the latency of a multiply-accumulate."""

FLOAT = ir.FloatType()
INT, LONG = ir.IntType(32), ir.IntType(64)
FLOATS, INTS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT, LANES)

Value = Any
"""A value, type or builder of the code that is being built."""


def _int(value: int) -> Value:
    return ir.Constant(INT, value)


def long(value: int) -> Value:
    """A 64-bit constant."""
    return ir.Constant(LONG, value)


def splat(builder: Value, scalar: Value, vector: Value) -> Value:
    """A vector whose lanes all hold the scalar."""
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, scalar, _int(0))
    return builder.shuffle_vector(first, empty, ir.Constant(INTS, None))


def load(builder: Value, pointer: Value, vector: Value) -> Value:
    """The vector whose first element a pointer points to."""
    loaded = builder.load(builder.bitcast(pointer, vector.as_pointer()))
    loaded.align = 4
    return loaded


def store(builder: Value, value: Value, pointer: Value) -> None:
    """Write a vector to where a pointer to its first element points."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer())).align = 4


@intrinsic
def pointer(typing, array, index):  # type: ignore[no-untyped-def]  # numba reads the parameters' names only
    """Address of an element of a flat array, as the functions of this package take operands.

    The pointer does not keep the array alive: its caller has to.
    """
    del typing, index

    def build(context: Value, builder: Value, signature: Value, values: Value) -> Value:
        make = context.make_array(signature.args[0])
        return builder.gep(make(context, builder, value=values[0]).data, [values[1]])

    return types.CPointer(array.dtype)(array, types.intp), build


def members(builder: Value, values: Value) -> list[Value]:
    """The members of a tuple."""
    return list(cgutils.unpack_tuple(builder, values))


def repeat(
    builder: Value,
    count: Value,
    start: list[Value],
    body: Callable[[Value, list[Value]], list[Value]],
) -> list[Value]:
    """A loop of at least one round; `body` maps the round's number and the values to new values."""
    before = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    number = builder.phi(LONG)
    number.add_incoming(long(0), before)
    values = []
    for first in start:
        values.append(builder.phi(first.type))
        values[-1].add_incoming(first, before)
    found = body(number, values)
    end = builder.block
    for value, new in zip(values, found, strict=True):
        value.add_incoming(new, end)
    following = builder.add(number, long(1))
    number.add_incoming(following, end)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    builder.position_at_end(after)
    return found


def fused(builder: Value) -> Callable[[Value, Value, Value], Value]:
    """Builds weight * operand + total with a single rounding."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return lambda weight, operand, total: builder.call(function, [weight, operand, total])
