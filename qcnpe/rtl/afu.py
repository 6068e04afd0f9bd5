"""The activation function unit (AFU): from an accumulator to a 16-bit result."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.delay import delayed
from qcnpe.rtl.interpolator import Interpolator, knots_layout
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.requantize import copies_layout
from qcnpe.spec.activation import Function
from qcnpe.spec.commands import SHIFT_OFFSET
from qcnpe.spec.config import OPERAND_BITS, EngineConfig

NEURON_LAYOUT = data.StructLayout({"bias": signed(OPERAND_BITS), "shift": 6, "first": 1})
"""What an AFU needs to know about the neuron whose accumulator it reads.

`first` is high for a tile's first column.
"""


def results_layout(config: EngineConfig) -> data.StructLayout:
    """What an AFU needs to know about a tile."""
    return data.StructLayout({"function": 2, "pool": 2, "copies": copies_layout(config)})


_WINDOW_BITS = OPERAND_BITS + 3
"""Bits of a shifted sum that matter: one below the point, and enough above it for any bias."""


_LATE_SHIFTS = 2
"""Bits of the shift count that are applied after the first register on `dsp`."""


class Afu(Leaf):
    """Shift, bias, saturation, maximum over a window and activation function for one row.

    A neuron's parameters come from the AFU of the row above, one cycle after that row used them,
    which is when this row's accumulator of the same column is complete. What is known about the
    tile comes with its first column and is kept.

    The maximum over the rows of a pooling window runs down these rows: each takes the larger one of
    its own value and the maximum of the row above, and only the last has a result. Values are
    compared before the table. (Comparing accumulators would make the path through the ORs of a row
    longer than all others.)

    The shift follows the register that takes the accumulator. On `dsp` most of it precedes that
    register, where the path has slack on an FPGA; on other kinds it follows, since a register of
    unshifted bits takes less energy.

    Latency: `LATENCY` cycles from `valid` to `result_valid`, `TABLE_LATENCY` with a table, and one
    more on a staged engine, whose results leave from registers: tiles that use a table must be
    followed by `TABLE_LATENCY - LATENCY` cycles without a column. Throughput: one neuron a cycle,
    no flow control.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    place : in, 2 bits, number of the row modulo 4, constant
    valid : in, 1 bit, a completed sum is there in this cycle
    accumulator : in, `config.accumulator_bits` bits, signed, the sum
    above : in, 16 bits, signed, `below` of the row above
    below : out, 16 bits, signed, the maximum down to this row, if the window goes on below
    neuron : in, `NEURON_LAYOUT`, the neuron's parameters, in the same cycle as `accumulator`
    neuron_below : out, `NEURON_LAYOUT`, the same, one cycle later, for the next row
    tile : in, `results_layout(config)`, the tile whose column is there
    tile_below : out, `results_layout(config)`, the tile of `neuron_below`, for the next row
    knots : in, `knots_layout(config)`, the table
    result_valid : out, 1 bit, a result is there in this cycle
    result : out, 16 bits, signed, the result
    copies : out, `copies_layout(config)`, the copies of it that are wanted
    """

    LATENCY = 2
    TABLE_LATENCY = LATENCY + Interpolator.LATENCY

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "place": In(2),
                "valid": In(1),
                "accumulator": In(signed(config.accumulator_bits)),
                "above": In(signed(OPERAND_BITS)),
                "below": Out(signed(OPERAND_BITS)),
                "neuron": In(NEURON_LAYOUT),
                "neuron_below": Out(NEURON_LAYOUT),
                "tile": In(results_layout(config)),
                "tile_below": Out(results_layout(config)),
                "knots": In(knots_layout(config)),
                "result_valid": Out(1),
                "result": Out(signed(OPERAND_BITS)),
                "copies": Out(copies_layout(config)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        kind = "fpga_" if self.config.kind.is_for_fpga else ""
        widths = "_".join(map(str, self.config.precisions))
        segments = self.config.table_segments
        return f"qcnpe_afu_{kind}a{self.config.accumulator_bits}_t{segments}_p{widths}"

    def build(self) -> Module:
        """Two registers, for the sum and the pre-activation; maximum and table follow.

        On a staged engine the results have registers, too: the way to the queues is long.
        """
        m = Module()
        valid = delayed(m, "valid", self.valid)
        pool = Signal.like(self.tile.pool, name="late_pool")
        copies = Signal.like(self.copies, name="late_copies")
        with m.If(self.valid):
            m.d.sync += self.neuron_below.eq(self.neuron)
        with m.If(self.valid & self.neuron.first):
            m.d.sync += self.tile_below.eq(self.tile)
        with m.If(valid & self.neuron_below.first):
            m.d.sync += [pool.eq(self.tile_below.pool), copies.eq(self.tile_below.copies)]
        read = self._build_read_shifted if self.config.kind.is_for_fpga else self._build_read
        value = Signal(signed(OPERAND_BITS), reset_less=True, name="value")
        scaled = self._build_scale(m, *read(m))
        with m.If(valid):
            m.d.sync += value.eq(scaled)
        is_table = self.tile_below.function == Function.TABLE
        values = delayed(m, "value", valid & ~is_table), delayed(m, "table", valid & is_table)
        leaves = _ends_window(pool, self.place)
        largest = self._build_maximum(m, pool, value, values[0] | values[1], leaves)
        m.submodules.interpolator = table = Interpolator(self.config)
        m.d.comb += [table.valid.eq(values[1] & leaves), table.knots.eq(self.knots)]
        m.d.comb += table.pre_activation.eq(largest)
        wanted = Signal.like(self.copies)
        m.d.comb += wanted.eq(copies)
        with m.If(~leaves):
            m.d.comb += wanted.wanted.eq(0)
        result_valid = values[0] & leaves | table.result_valid
        result = Mux(table.result_valid, table.result, largest)
        domain = m.d.sync if self.config.is_staged else m.d.comb
        domain += [
            self.result_valid.eq(result_valid),
            self.result.eq(result),
            self.copies.eq(wanted),
        ]
        return m

    def _build_maximum(
        self, m: Module, pool: Value, value: Signal, valid: Value, leaves: Value
    ) -> Signal:
        """The larger one of a value and the maximum of the rows above in its window."""
        takes, passes = ~_begins_window(pool, self.place), ~leaves
        own, passed, largest = (Signal.like(value, name=n) for n in ("own", "passed", "largest"))
        # Logic that is not used takes energy when its inputs toggle.
        with m.If(takes):
            m.d.comb += own.eq(value)
        m.d.comb += largest.eq(Mux(takes & (self.above > own), self.above, value))
        with m.If(passes):
            m.d.comb += passed.eq(largest)
        with m.If(valid & passes):
            m.d.sync += self.below.eq(passed)
        return largest

    def _build_read(self, m: Module) -> tuple[Value, Value, Value]:
        """A register, then the shift; returns the arguments of `_build_scale`."""
        accumulator = Signal.like(self.accumulator, reset_less=True, name="kept")
        with m.If(self.valid):
            m.d.sync += accumulator.eq(self.accumulator)
        shift = self.neuron_below.shift
        window = self._build_shift(m, _extended(accumulator, shift), shift, len(shift), 0)
        return window, _fits(accumulator, shift), accumulator[-1]

    def _build_read_shifted(self, m: Module) -> tuple[Value, Value, Value]:
        """The same with all but the shortest shifts before the register."""
        shift, late = self.neuron.shift, _LATE_SHIFTS
        first = self._build_shift(m, _extended(self.accumulator, shift), shift, len(shift), late)
        partly = Signal.like(first, reset_less=True, name="partly")
        fits, is_negative = Signal(reset_less=True), Signal(reset_less=True, name="negative")
        with m.If(self.valid):
            m.d.sync += [
                partly.eq(first),
                fits.eq(_fits(self.accumulator, shift)),
                is_negative.eq(self.accumulator[-1]),
            ]
        shift = self.neuron_below.shift
        return self._build_shift(m, partly, shift, late, 0), fits, is_negative

    def _build_scale(self, m: Module, window: Value, fits: Value, sign: Value) -> Signal:
        """Round, add the bias, saturate, rectify.

        `window` holds the lowest `_WINDOW_BITS` bits of the shifted sum; `fits` is high if all
        others equal its sign. A sum that does not fit saturates, whatever the bias.
        """
        # The window's lowest bit is one half: its carry rounds half up.
        left = Cat(Const(1, 1), window[1:]).as_signed()
        right = Cat(window[0], self.neuron_below.bias).as_signed()
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
        with m.If((self.tile_below.function == Function.RELU) & is_negative):
            m.d.comb += scaled.eq(0)
        return scaled

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
    places = range(1, len(accumulator) - 1)
    # Neighbours are compared, not each bit with the sign: those of small sums do not toggle.
    changes = Cat(accumulator[place] ^ accumulator[place + 1] for place in places)
    beyond = Cat(shift < SHIFT_OFFSET + 3 - _WINDOW_BITS + place for place in places)
    return ~(changes & beyond).any()


def _begins_window(pool: Value, place: Value) -> Value:
    """Whether a row is the first of its window; `pool` is the log2 of the window's rows."""
    return ~((pool == 1) & place[0] | (pool == 2) & place.any())


def _ends_window(pool: Value, place: Value) -> Value:
    """Whether a row is the last of its window."""
    return (pool == 0) | (pool == 1) & place[0] | (pool == 2) & place.all()
