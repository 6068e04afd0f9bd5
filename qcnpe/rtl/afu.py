"""The activation function unit: from an accumulator to a 16-bit result."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.layouts import PARAMETER_LAYOUT
from qcnpe.rtl.leaf import Leaf
from qcnpe.spec.activation import Function
from qcnpe.spec.commands import SHIFT_OFFSET
from qcnpe.spec.config import OPERAND_BITS, EngineConfig

NEURON_LAYOUT = data.StructLayout({"parameters": PARAMETER_LAYOUT, "function": 2})
"""What an AFU must know of the neuron whose accumulator it reads."""


_WINDOW_BITS = OPERAND_BITS + 3
"""Bits of a shifted sum that matter: one below the point, and enough above it for any bias."""


def knot_write_layout(config: EngineConfig) -> data.StructLayout:
    """A write to the tables of all AFUs: knot number `index` takes `value`."""
    index = config.table_segments.bit_length()
    return data.StructLayout({"enable": 1, "index": index, "value": signed(OPERAND_BITS)})


class Afu(Leaf):
    """Shift, bias, saturation and activation function for the neurons of one row.

    A neuron's parameters come from the AFU of the row above, one cycle after that row used them,
    which is when this row's accumulator of the same column is complete.

    The table's knots lie in two memories, even and odd ones, so that the two ends of a segment are
    read at once. Its registers, and the multiplier behind them, stand still for other functions.

    Latency: `LATENCY` cycles from `valid` to `result_valid`. Throughput: one neuron a cycle, no
    flow control.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    valid, accumulator : a completed sum
    neuron : its parameters, in the same cycle
    neuron_below : the same, one cycle later, for the next row
    knot : write to the table
    result_valid, result : 16-bit result
    """

    LATENCY = 4

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "valid": In(1),
                "accumulator": In(signed(config.accumulator_bits)),
                "neuron": In(NEURON_LAYOUT),
                "neuron_below": Out(NEURON_LAYOUT),
                "knot": In(knot_write_layout(config)),
                "result_valid": Out(1),
                "result": Out(signed(OPERAND_BITS)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_afu_a{self.config.accumulator_bits}_t{self.config.table_segments}"

    def build(self) -> Module:
        """Read and scale; then three more registers with the table or with nothing to do."""
        m = Module()
        valid, accumulator = self._build_read(m)
        scaled, is_table = self._build_scale(m, accumulator)
        value_valid, value = self._build_delay(m, "value", valid & ~is_table, scaled)[-1]
        table_valid, interpolated = self._build_table(m, valid, is_table, scaled)
        m.d.comb += [
            self.result_valid.eq(value_valid | table_valid),
            self.result.eq(Mux(table_valid, interpolated, value)),
        ]
        return m

    def _build_read(self, m: Module) -> tuple[Signal, Signal]:
        valid = Signal(name="read_valid")
        accumulator = Signal(signed(self.config.accumulator_bits), reset_less=True)
        m.d.sync += valid.eq(self.valid)
        with m.If(self.valid):
            m.d.sync += [accumulator.eq(self.accumulator), self.neuron_below.eq(self.neuron)]
        return valid, accumulator

    def _build_scale(self, m: Module, accumulator: Signal) -> tuple[Signal, Value]:
        """Shift, round, add the bias, saturate, rectify; and whether the table comes next.

        A sum that does not fit `_WINDOW_BITS` after the shift saturates, whatever the bias.
        """
        parameters, function = self.neuron_below.parameters, self.neuron_below.function
        window, fits = self._build_shift(m, accumulator, parameters.shift)
        # The window's lowest bit is one half: its carry rounds half up.
        left = Cat(Const(1, 1), window[1:]).as_signed()
        right = Cat(window[0], parameters.bias).as_signed()
        total = Signal(signed(_WINDOW_BITS))
        top = total[OPERAND_BITS - 1 :]
        is_negative, saturates = Signal(), Signal()
        m.d.comb += [
            total.eq((left + right) >> 1),
            is_negative.eq(Mux(fits, total[-1], accumulator[-1])),
            saturates.eq(~fits | (top.any() & ~top.all())),
        ]
        scaled = Signal(signed(OPERAND_BITS))
        limit = Cat((~is_negative).replicate(OPERAND_BITS - 1), is_negative)
        m.d.comb += scaled.eq(Mux(saturates, limit, total[:OPERAND_BITS]))
        with m.If((function == Function.RELU) & is_negative):
            m.d.comb += scaled.eq(0)
        return scaled, function == Function.TABLE

    def _build_shift(self, m: Module, accumulator: Signal, shift: Value) -> tuple[Signal, Value]:
        """(lowest `_WINDOW_BITS` of the shifted sum, whether the others only repeat its sign).

        `shift` counts from `SHIFT_OFFSET` places to the left, and one place stays below the point.
        Long shifts come first, since the bits that no later shift can bring into the window fall.
        """
        below, sign = SHIFT_OFFSET + 1, accumulator[-1]
        window: Value = Cat(Const(0, below), accumulator, sign.replicate(1 << len(shift)))
        for bit in reversed(range(len(shift))):
            reach = _WINDOW_BITS + (1 << bit) - 1
            shifted = Signal(reach, name=f"shifted_{bit}")
            m.d.comb += shifted.eq(Mux(shift[bit], window[1 << bit :], window))
            window = shifted
        # From the window's highest bit on, all bits must equal the sign. Bit n of the accumulator
        # comes to lie below that place by a shift of `below - _WINDOW_BITS + 2 + n`.
        places = range(1, len(accumulator) - 1)
        upper = Cat(accumulator[place] for place in places)
        beyond = Cat(shift < below - _WINDOW_BITS + 2 + place for place in places)
        differs = Mux(sign, (~upper & beyond).any(), (upper & beyond).any())
        return shifted, ~differs

    def _build_delay(
        self, m: Module, name: str, valid: Value, value: Value
    ) -> list[tuple[Value, Value]]:
        """(valid, value) as it comes and after each of the three registers behind the scaling."""
        stages = [(valid, value)]
        for number in range(2, self.LATENCY + 1):
            late_valid = Signal(name=f"{name}_valid_{number}")
            late = Signal.like(value, reset_less=True, name=f"{name}_{number}")
            m.d.sync += late_valid.eq(valid)
            with m.If(valid):
                m.d.sync += late.eq(value)
            valid, value = late_valid, late
            stages.append((valid, value))
        return stages

    def _build_table(
        self, m: Module, valid: Value, is_table: Value, scaled: Signal
    ) -> tuple[Value, Value]:
        """Segment and offset; both ends of the segment; its rise; interpolation."""
        offset_bits = OPERAND_BITS - self.config.table_segments.bit_length() + 1
        segment, first_offset = Signal(OPERAND_BITS - offset_bits), Signal(offset_bits)
        # Even a register whose clock stands still takes energy when its input toggles. Counting
        # segments from the most negative pre-activation flips the sign bit.
        with m.If(is_table):
            m.d.comb += [
                first_offset.eq(scaled[:offset_bits]),
                segment.eq(Cat(scaled[offset_bits:-1], ~scaled[-1])),
            ]
        valid = valid & is_table
        stages = self._build_delay(m, "offset", valid, first_offset)
        left_end, right_end = self._build_knots(m, valid, segment, stages[1][0])
        left = Signal(signed(OPERAND_BITS), reset_less=True)
        rise = Signal(signed(OPERAND_BITS + 1), reset_less=True)
        with m.If(stages[2][0]):
            m.d.sync += [left.eq(left_end), rise.eq(right_end - left_end)]
        valid, offset = stages[3]
        half = 1 << (offset_bits - 1)
        return valid, left + ((rise * offset + half) >> offset_bits)

    def _build_knots(
        self, m: Module, valid: Value, segment: Value, enable: Value
    ) -> tuple[Value, Value]:
        """Both ends of a segment two cycles later; `enable` is the first of these."""
        pairs = self.config.table_segments // 2
        even: Memory[Any] = Memory(shape=signed(OPERAND_BITS), depth=pairs + 1, init=[])
        odd: Memory[Any] = Memory(shape=signed(OPERAND_BITS), depth=pairs, init=[])
        m.submodules.even, m.submodules.odd = even, odd
        ends = []
        for memory, parity in ((even, 0), (odd, 1)):
            write, read = memory.write_port(), memory.read_port()
            address = Signal.like(read.addr, reset_less=True, name=f"address_{parity}")
            with m.If(valid):
                m.d.sync += address.eq((segment + 1 - parity) >> 1)
            m.d.comb += [
                write.addr.eq(self.knot.index >> 1),
                write.data.eq(self.knot.value),
                write.en.eq(self.knot.enable & (self.knot.index[0] == parity)),
                read.addr.eq(address),
                read.en.eq(enable),
            ]
            ends.append(read.data)
        asked, swapped = Signal(), Signal()
        with m.If(valid):
            m.d.sync += asked.eq(segment[0])
        with m.If(enable):
            m.d.sync += swapped.eq(asked)
        return Mux(swapped, ends[1], ends[0]), Mux(swapped, ends[0], ends[1])


def saturate(value: Value, bits: int) -> Value:
    """`value` clipped to `bits` bits, two's complement."""
    value = Value.cast(value)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    clipped = Mux(value < low, low, Mux(value > high, high, value))
    return clipped[:bits].as_signed()
