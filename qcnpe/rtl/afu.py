"""The activation function unit (AFU): from an accumulator to a 16-bit result."""

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
"""What an AFU needs to know about the neuron whose accumulator it reads."""


_WINDOW_BITS = OPERAND_BITS + 3
"""Bits of a shifted sum that matter: one below the point, and enough above it for any bias."""


_LATE_SHIFTS = 2
"""Bits of the shift count that are applied after the first register on `dsp`."""


def knot_write_layout(config: EngineConfig) -> data.StructLayout:
    """A write to the tables of all AFUs: knot number `index` takes `value`."""
    index = config.table_segments.bit_length()
    return data.StructLayout({"enable": 1, "index": index, "value": signed(OPERAND_BITS)})


class Afu(Leaf):
    """Shift, bias, saturation and activation function for the neurons of one row.

    A neuron's parameters come from the AFU of the row above, one cycle after that row used them,
    which is when this row's accumulator of the same column is complete.

    The knots of the activation table are in two memories, one for even and one for odd numbers, so
    that both ends of a segment are read in the same cycle. The registers and the multiplier of the
    table do not switch while another function is selected.

    The shift follows the register that takes the accumulator. On `dsp` most of it precedes that
    register, where the path has slack on an FPGA; on other kinds it follows, since a register of
    unshifted bits takes less energy.

    Latency: `LATENCY` cycles from `valid` to `result_valid`. Throughput: one neuron a cycle, no
    flow control.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    valid : in, 1 bit, a completed sum is there in this cycle
    accumulator : in, `config.accumulator_bits` bits, signed, the sum
    neuron : in, `NEURON_LAYOUT`, the neuron's parameters, in the same cycle
    neuron_below : out, `NEURON_LAYOUT`, the same, one cycle later, for the next row
    knot : in, `knot_write_layout(config)`, write to the table
    result_valid : out, 1 bit, a result is there in this cycle
    result : out, 16 bits, signed, the result
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
        kind = "fpga_" if self.config.kind.is_for_fpga else ""
        return f"qcnpe_afu_{kind}a{self.config.accumulator_bits}_t{self.config.table_segments}"

    def build(self) -> Module:
        """Read and scale, then three more register stages, through the table or past it."""
        m = Module()
        valid = Signal(name="read_valid")
        m.d.sync += valid.eq(self.valid)
        read = self._build_read_shifted if self.config.kind.is_for_fpga else self._build_read
        scaled, is_table = self._build_scale(m, *read(m))
        value_valid, value = self._build_delay(m, "value", valid & ~is_table, scaled)[-1]
        table_valid, interpolated = self._build_table(m, valid, is_table, scaled)
        m.d.comb += [
            self.result_valid.eq(value_valid | table_valid),
            self.result.eq(Mux(table_valid, interpolated, value)),
        ]
        return m

    def _build_read(self, m: Module) -> tuple[Value, Value, Value]:
        """A register, then the shift; returns the arguments of `_build_scale`."""
        accumulator = Signal(signed(self.config.accumulator_bits), reset_less=True)
        with m.If(self.valid):
            m.d.sync += [accumulator.eq(self.accumulator), self.neuron_below.eq(self.neuron)]
        shift = self.neuron_below.parameters.shift
        window = self._build_shift(m, _extended(accumulator, shift), shift, len(shift), 0)
        return window, _fits(accumulator, shift), accumulator[-1]

    def _build_read_shifted(self, m: Module) -> tuple[Value, Value, Value]:
        """The same with all but the shortest shifts before the register."""
        shift, late = self.neuron.parameters.shift, _LATE_SHIFTS
        first = self._build_shift(m, _extended(self.accumulator, shift), shift, len(shift), late)
        partly = Signal.like(first, reset_less=True, name="partly")
        fits, is_negative = Signal(reset_less=True), Signal(reset_less=True, name="negative")
        with m.If(self.valid):
            m.d.sync += [
                partly.eq(first),
                fits.eq(_fits(self.accumulator, shift)),
                is_negative.eq(self.accumulator[-1]),
                self.neuron_below.eq(self.neuron),
            ]
        shift = self.neuron_below.parameters.shift
        return self._build_shift(m, partly, shift, late, 0), fits, is_negative

    def _build_scale(
        self, m: Module, window: Value, fits: Value, sign: Value
    ) -> tuple[Signal, Value]:
        """Round, add the bias, saturate, rectify; returns the value and whether the table is next.

        `window` holds the lowest `_WINDOW_BITS` bits of the shifted sum; `fits` is high if all
        others equal its sign. A sum that does not fit saturates, whatever the bias.
        """
        parameters, function = self.neuron_below.parameters, self.neuron_below.function
        # The window's lowest bit is one half: its carry rounds half up.
        left = Cat(Const(1, 1), window[1:]).as_signed()
        right = Cat(window[0], parameters.bias).as_signed()
        total = Signal(signed(_WINDOW_BITS))
        top = total[OPERAND_BITS - 1 :]
        is_negative, saturates = Signal(), Signal()
        m.d.comb += [
            total.eq((left + right) >> 1),
            is_negative.eq(Mux(fits, total[-1], sign)),
            saturates.eq(~fits | (top.any() & ~top.all())),
        ]
        scaled = Signal(signed(OPERAND_BITS))
        limit = Cat((~is_negative).replicate(OPERAND_BITS - 1), is_negative)
        m.d.comb += scaled.eq(Mux(saturates, limit, total[:OPERAND_BITS]))
        with m.If((function == Function.RELU) & is_negative):
            m.d.comb += scaled.eq(0)
        return scaled, function == Function.TABLE

    def _build_shift(self, m: Module, window: Value, shift: Value, high: int, low: int) -> Value:
        """Shift by bits `low` to `high` (exclusive) of the shift count.

        Long shifts come first, so that bits which no later shift can bring into the window are
        dropped early.
        """
        for bit in reversed(range(low, high)):
            reach = _WINDOW_BITS + (1 << bit) - 1
            shifted = Signal(reach, name=f"shifted_{bit}")
            m.d.comb += shifted.eq(Mux(shift[bit], window[1 << bit :], window))
            window = shifted
        return window

    def _build_delay(
        self, m: Module, name: str, valid: Value, value: Value
    ) -> list[tuple[Value, Value]]:
        """(valid, value) at the input and after each of the three registers behind the scaling."""
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
        """Segment and offset, both ends of the segment, their difference, interpolation."""
        offset_bits = OPERAND_BITS - self.config.table_segments.bit_length() + 1
        segment, first_offset = Signal(OPERAND_BITS - offset_bits), Signal(offset_bits)
        # Even a register that is not clocked takes energy when its input toggles. Counting
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
        """Both ends of a segment, two cycles later; `enable` is high in the first of the two."""
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


def _extended(accumulator: Value, shift: Value) -> Value:
    """The value to shift right: the accumulator, moved left by `SHIFT_OFFSET` and one bit more.

    A count of `SHIFT_OFFSET` leaves the accumulator in place; the one bit more stays below the
    binary point, for rounding.
    """
    sign = accumulator[-1]
    return Cat(Const(0, SHIFT_OFFSET + 1), accumulator, sign.replicate(1 << len(shift)))


def _fits(accumulator: Value, shift: Value) -> Value:
    """Whether all bits of the shifted sum from the window's highest on equal the sign.

    A shift of `SHIFT_OFFSET + 3 - _WINDOW_BITS + n` moves bit n of the accumulator below that
    place.
    """
    sign, places = accumulator[-1], range(1, len(accumulator) - 1)
    upper = Cat(accumulator[place] for place in places)
    beyond = Cat(shift < SHIFT_OFFSET + 3 - _WINDOW_BITS + place for place in places)
    return ~Mux(sign, (~upper & beyond).any(), (upper & beyond).any())
