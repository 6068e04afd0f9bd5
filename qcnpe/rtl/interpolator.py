"""The interpolator: the value of the activation function's table."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.delay import delayed
from qcnpe.rtl.leaf import Leaf
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


def knot_write_layout(config: EngineConfig) -> data.StructLayout:
    """A write to the table: knot number `index` takes `value`."""
    index = config.table_segments.bit_length()
    return data.StructLayout({"enable": 1, "index": index, "value": signed(OPERAND_BITS)})


def knots_layout(config: EngineConfig) -> data.StructLayout | data.ArrayLayout:
    """What the interpolators of all rows take: all knots, or on an FPGA the writes of knots."""
    if config.kind.is_for_fpga:
        return knot_write_layout(config)
    return data.ArrayLayout(signed(OPERAND_BITS), config.table_segments + 1)


class KnotRegisters(Leaf):
    """The knots of the table, held once for the interpolators of all rows.

    On an FPGA each interpolator has its own knots, in memories, and the writes are passed on.

    Latency: a knot that is written in cycle t is there in cycle t + 1.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    write : in, `knot_write_layout(config)`, write of a knot
    knots : out, `knots_layout(config)`, all knots
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {"write": In(knot_write_layout(config)), "knots": Out(knots_layout(config))}
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        kind = "fpga_" if self.config.kind.is_for_fpga else ""
        return f"qcnpe_knots_{kind}t{self.config.table_segments}"

    @property
    def clocked(self) -> bool:  # type: ignore[override]
        """Whether the knots are registers."""
        return not self.config.kind.is_for_fpga

    def build(self) -> Module:
        """A register for each knot."""
        m = Module()
        if self.config.kind.is_for_fpga:
            m.d.comb += self.knots.eq(self.write)
            return m
        for index in range(self.config.table_segments + 1):
            knot = Signal(signed(OPERAND_BITS), reset_less=True, name=f"knot_{index}")
            with m.If(self.write.enable & (self.write.index == index)):
                m.d.sync += knot.eq(self.write.value)
            m.d.comb += self.knots[index].eq(knot)
        return m


class Interpolator(Leaf):
    """Evaluates the line segments of the table; the knots at both ends of a segment are read.

    Latency: `LATENCY` cycles from `valid` to `result_valid`. Throughput: one value a cycle, no flow
    control.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    valid : in, 1 bit, a pre-activation is there in this cycle
    pre_activation : in, 16 bits, signed, the pre-activation
    knots : in, `knots_layout(config)`, see `KnotRegisters`
    result_valid : out, 1 bit, a value is there in this cycle
    result : out, 16 bits, signed, the value
    """

    LATENCY = 3

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "valid": In(1),
                "pre_activation": In(signed(OPERAND_BITS)),
                "knots": In(knots_layout(config)),
                "result_valid": Out(1),
                "result": Out(signed(OPERAND_BITS)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        kind = "fpga_" if self.config.kind.is_for_fpga else ""
        return f"qcnpe_interpolator_{kind}t{self.config.table_segments}"

    @property
    def _offset_bits(self) -> int:
        return OPERAND_BITS - self.config.table_segments.bit_length() + 1

    def build(self) -> Module:
        """The pre-activation, both ends and the offset, the product.

        On an FPGA the second register is that of the memories, and none follows the product.
        """
        m = Module()
        kept = self._build_kept(m, "kept", self.valid, self.pre_activation)
        valid: Value = delayed(m, "kept", self.valid)
        offset: Value = kept[: self._offset_bits].as_unsigned()
        # Counting segments from the most negative pre-activation flips the sign bit.
        segment = Cat(kept[self._offset_bits : -1], ~kept[-1])
        if self.config.kind.is_for_fpga:
            ends = self._build_memories(m, segment, valid)
            offset = self._build_kept(m, "offset", valid, offset)
            valid = delayed(m, "read", valid)
        else:
            ends = self._choose_ends(segment)
        left = self._build_kept(m, "left", valid, ends[0])
        rise = self._build_kept(m, "rise", valid, ends[1] - ends[0])
        offset = self._build_kept(m, "late_offset", valid, offset)
        valid = delayed(m, "valid", valid)
        half = 1 << (self._offset_bits - 1)
        result = (left + ((rise * offset + half) >> self._offset_bits))[:OPERAND_BITS].as_signed()
        if not self.config.kind.is_for_fpga:
            valid, result = (
                delayed(m, "result_valid", valid),
                self._build_kept(m, "kept_result", valid, result),
            )
        m.d.comb += [self.result_valid.eq(valid), self.result.eq(result)]
        return m

    def _build_kept(self, m: Module, name: str, enable: Value, value: Value) -> Signal:
        """A register that is clocked only when it takes a value."""
        kept = Signal.like(value, reset_less=True, name=name)
        with m.If(enable):
            m.d.sync += kept.eq(value)
        return kept

    def _choose_ends(self, segment: Value) -> tuple[Value, Value]:
        """Both ends of a segment; even and odd knots are chosen apart, each once."""
        even = Array(self.knots[index] for index in range(0, len(self.knots), 2))
        odd = Array(self.knots[index] for index in range(1, len(self.knots), 2))
        ends = even[(segment + 1) >> 1], odd[segment >> 1]
        return _in_order(segment[0], ends)

    def _build_memories(self, m: Module, segment: Value, valid: Value) -> tuple[Value, Value]:
        """Memories of the even and the odd knots; both ends, one cycle later."""
        pairs = self.config.table_segments // 2
        even: Memory[Any] = Memory(shape=signed(OPERAND_BITS), depth=pairs + 1, init=[])
        odd: Memory[Any] = Memory(shape=signed(OPERAND_BITS), depth=pairs, init=[])
        m.submodules.even, m.submodules.odd = even, odd
        ends = []
        for memory, parity in ((even, 0), (odd, 1)):
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.knots.index >> 1),
                write.data.eq(self.knots.value),
                write.en.eq(self.knots.enable & (self.knots.index[0] == parity)),
                read.addr.eq((segment + 1 - parity) >> 1),
                read.en.eq(valid),
            ]
            ends.append(read.data)
        return _in_order(self._build_kept(m, "swapped", valid, segment[0]), (ends[0], ends[1]))


def _in_order(swapped: Value, ends: tuple[Value, Value]) -> tuple[Value, Value]:
    """The even and the odd knot as left and right end."""
    return (
        Mux(swapped, ends[1], ends[0]).as_signed(),
        Mux(swapped, ends[0], ends[1]).as_signed(),
    )
