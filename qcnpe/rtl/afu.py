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


def knot_write_layout(config: EngineConfig) -> data.StructLayout:
    """A write to the tables of all AFUs: knot number `index` takes `value`."""
    index = config.table_segments.bit_length()
    return data.StructLayout({"enable": 1, "index": index, "value": signed(OPERAND_BITS)})


class Afu(Leaf):
    """Shift, bias, saturation and activation function for the neurons of one row.

    A neuron's parameters come from the AFU of the row above, one cycle after that row used them,
    which is when this row's accumulator of the same column is complete.

    The table's knots lie in two memories, even and odd ones, so that the two ends of a segment are
    read at once.

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
    _SUM_BITS = OPERAND_BITS + 2
    """Saturating the shifted sum to this width cannot change what saturates after the bias."""

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
        """Four stages, each one line of the figure: read, shift, bias, table."""
        m = Module()
        read_valid, accumulator = self._build_read(m)
        shift_valid, shifted, bias, function = self._build_shift(m, read_valid, accumulator)
        bias_valid, pre_activation, function = self._build_bias(
            m, shift_valid, shifted, bias, function
        )
        self._build_function(m, bias_valid, pre_activation, function)
        return m

    def _build_read(self, m: Module) -> tuple[Signal, Signal]:
        valid = Signal(name="read_valid")
        accumulator = Signal(signed(self.config.accumulator_bits))
        m.d.sync += valid.eq(self.valid)
        with m.If(self.valid):
            m.d.sync += [accumulator.eq(self.accumulator), self.neuron_below.eq(self.neuron)]
        return valid, accumulator

    def _build_shift(
        self, m: Module, valid: Signal, accumulator: Signal
    ) -> tuple[Signal, Signal, Signal, Signal]:
        """Shift with one place more than asked for, then halve with rounding: exactly half up."""
        parameters = self.neuron_below.parameters
        wide = Cat(Const(0, SHIFT_OFFSET + 1), accumulator).as_signed()
        rounded = ((wide >> parameters.shift) + 1) >> 1
        next_valid = Signal(name="shift_valid")
        shifted = Signal(signed(self._SUM_BITS))
        bias, function = Signal(signed(OPERAND_BITS)), Signal(2, name="shift_function")
        m.d.sync += next_valid.eq(valid)
        with m.If(valid):
            m.d.sync += [
                shifted.eq(saturate(rounded, self._SUM_BITS)),
                bias.eq(parameters.bias),
                function.eq(self.neuron_below.function),
            ]
        return next_valid, shifted, bias, function

    def _build_bias(
        self, m: Module, valid: Signal, shifted: Signal, bias: Signal, function: Signal
    ) -> tuple[Signal, Signal, Signal]:
        next_valid = Signal(name="bias_valid")
        pre_activation = Signal(signed(OPERAND_BITS))
        next_function = Signal(2, name="bias_function")
        m.d.sync += next_valid.eq(valid)
        with m.If(valid):
            m.d.sync += [
                pre_activation.eq(saturate(shifted + bias, OPERAND_BITS)),
                next_function.eq(function),
            ]
        return next_valid, pre_activation, next_function

    def _build_function(
        self, m: Module, valid: Signal, pre_activation: Signal, function: Signal
    ) -> None:
        segment_bits = self.config.table_segments.bit_length() - 1
        offset_bits = OPERAND_BITS - segment_bits
        # Counting segments from the most negative pre-activation flips the sign bit.
        position = Cat(pre_activation[:-1], ~pre_activation[-1])
        left, right = self._build_table(m, position[offset_bits:], valid & (function == 2))
        value, offset = Signal(signed(OPERAND_BITS)), Signal(offset_bits)
        final_function = Signal(2, name="table_function")
        m.d.sync += self.result_valid.eq(valid)
        with m.If(valid):
            m.d.sync += [
                value.eq(pre_activation),
                offset.eq(position[:offset_bits]),
                final_function.eq(function),
            ]
        rise = Signal(signed(OPERAND_BITS + 1))
        step = Signal(signed(OPERAND_BITS + 1))
        half = 1 << (offset_bits - 1)
        m.d.comb += [
            rise.eq(right - left),
            step.eq((rise * offset + half) >> offset_bits),
            self.result.eq(value),
        ]
        with m.If(final_function == Function.TABLE):
            m.d.comb += self.result.eq(left + step)
        with m.Elif((final_function == Function.RELU) & (value < 0)):
            m.d.comb += self.result.eq(0)

    def _build_table(self, m: Module, segment: Value, enable: Value) -> tuple[Value, Value]:
        """Both ends of a segment, in the cycle after it is asked for."""
        pairs = self.config.table_segments // 2
        odd_segment, pair = segment[0], segment[1:]
        even: Memory[Any] = Memory(shape=signed(OPERAND_BITS), depth=pairs + 1, init=[])
        odd: Memory[Any] = Memory(shape=signed(OPERAND_BITS), depth=pairs, init=[])
        m.submodules.even, m.submodules.odd = even, odd
        ends = []
        for memory, address, parity in ((even, pair + odd_segment, 0), (odd, pair, 1)):
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.knot.index >> 1),
                write.data.eq(self.knot.value),
                write.en.eq(self.knot.enable & (self.knot.index[0] == parity)),
                read.addr.eq(address),
                read.en.eq(enable),
            ]
            ends.append(read.data)
        swapped = Signal()
        with m.If(enable):
            m.d.sync += swapped.eq(odd_segment)
        left = Mux(swapped, ends[1], ends[0])
        right = Mux(swapped, ends[0], ends[1])
        return left, right


def saturate(value: Value, bits: int) -> Value:
    """`value` clipped to `bits` bits, two's complement."""
    value = Value.cast(value)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    clipped = Mux(value < low, low, Mux(value > high, high, value))
    return clipped[:bits].as_signed()
