"""Parts that structural neural compute units (NCUs) share: once for each row, or each column."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.afu import NEURON_LAYOUT, Afu, results_layout
from qcnpe.rtl.interpolator import knots_layout
from qcnpe.rtl.layouts import mode_bits, result_lane
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.requantize import Requantize, wanted_layout
from qcnpe.rtl.result_queue import ResultQueue
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


class ResolveRow(Leaf):
    """Adds the stored carries of a finished accumulator and shifts the sum to its place.

    It is between the row's ORs and the activation function unit. Latency: none, combinational.

    Parameters
    ----------
    config : the engine
    breaks : columns of the carries

    Ports
    -----
    stored : in, `config.accumulator_bits + len(breaks)` bits, an accumulator, its carries above it
    mode : in, `max(1, mode_bits(config))` bits, index of the tile's precision
    result : out, `config.accumulator_bits` bits, signed, the sum
    """

    clocked = False

    def __init__(self, config: EngineConfig, breaks: tuple[int, ...]) -> None:
        self.config, self.breaks = config, breaks
        super().__init__(
            {
                "stored": In(config.accumulator_bits + len(breaks)),
                "mode": In(max(1, mode_bits(config))),
                "result": Out(signed(config.accumulator_bits)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"axnn_resolve_row_a{self.config.accumulator_bits}_{len(self.breaks)}"

    def build(self) -> Module:
        """An adder and a shifter."""
        m = Module()
        bits = self.config.accumulator_bits
        carries = [
            self.stored[bits + self.breaks.index(column)] if column in self.breaks else 0
            for column in range(bits)
        ]
        total = Signal(signed(bits))
        m.d.comb += total.eq(self.stored[:bits] + Cat(*(Value.cast(bit)[:1] for bit in carries)))
        shifted: Value = total
        if self.config.kind.is_packed:
            for mode, precision in enumerate(self.config.precisions):
                places = OPERAND_BITS - precision
                shifted = Mux(self.mode == mode, total >> places, shifted)
        m.d.comb += self.result.eq(shifted)
        return m


class ResultRow(Leaf):
    """All that a row's result passes: activation function unit, narrow copies, queue.

    The engine connects them so; here they are one unit, for its energy to be measured as a whole.
    Latency: that of `Afu` and one cycle.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    place : in, 2 bits, see `Afu`
    valid : in, 1 bit, see `Afu`
    accumulator : in, `config.accumulator_bits` bits, signed, see `Afu`
    above : in, 16 bits, signed, see `Afu`
    below : out, 16 bits, signed, see `Afu`
    neuron : in, `NEURON_LAYOUT`, see `Afu`
    tile : in, `results_layout(config)`, see `Afu`
    knots : in, `knots_layout(config)`, see `Afu`
    pop : in, 1 bit, the oldest result leaves in this cycle
    oldest_wanted : in, `wanted_layout(config)`, its wanted fields
    oldest : out, `result_lane(config)`, the oldest result
    """

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
                "tile": In(results_layout(config)),
                "knots": In(knots_layout(config)),
                "pop": In(1),
                "oldest_wanted": In(wanted_layout(config)),
                "oldest": Out(result_lane(config)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        widths = "_".join(map(str, self.config.precisions))
        return f"axnn_result_row_a{self.config.accumulator_bits}_p{widths}"

    def build(self) -> Module:
        """The three, one after another."""
        m = Module()
        m.submodules.afu = afu = Afu(self.config)
        m.submodules.requantize = copies = Requantize(self.config)
        m.submodules.queue = queue = ResultQueue(self.config)
        for name in ("place", "valid", "accumulator", "above", "neuron", "tile", "knots"):
            m.d.comb += getattr(afu, name).eq(getattr(self, name))
        m.d.comb += [
            self.below.eq(afu.below),
            copies.result.eq(afu.result),
            copies.copies.eq(afu.copies),
            queue.push.eq(afu.result_valid),
            queue.lane.eq(copies.lane),
            queue.wanted.eq(afu.copies.wanted),
            queue.pop.eq(self.pop),
            queue.oldest_wanted.eq(self.oldest_wanted),
            self.oldest.eq(queue.oldest),
        ]
        return m


class ReverseFields(Leaf):
    """Reverses the order of the fields of a weight lane, where it enters a column.

    Latency: none, combinational.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    lane : in, 16 bits, weights
    mode : in, `max(1, mode_bits(config))` bits, index of the tile's precision
    reversed_lane : out, 16 bits, the weights in reverse order
    """

    clocked = False

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "lane": In(OPERAND_BITS),
                "mode": In(max(1, mode_bits(config))),
                "reversed_lane": Out(OPERAND_BITS),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"axnn_reverse_fields_p{'_'.join(map(str, self.config.precisions))}"

    def build(self) -> Module:
        """A selection of wires."""
        m = Module()
        m.d.comb += self.reversed_lane.eq(self.lane)
        for mode, precision in enumerate(self.config.precisions):
            fields = [self.lane[low : low + precision] for low in range(0, OPERAND_BITS, precision)]
            with m.If(self.mode == mode):
                m.d.comb += self.reversed_lane.eq(Cat(*fields[::-1]))
        return m


class ComplementLane(Leaf):
    """Complements an activation lane, where it enters a row.

    Latency: none, combinational.

    Ports
    -----
    lane : in, 16 bits, activations
    complement : out, 16 bits, their complement
    """

    clocked = False
    module_name = "axnn_complement_lane"

    def __init__(self) -> None:
        super().__init__({"lane": In(OPERAND_BITS), "complement": Out(OPERAND_BITS)})

    def build(self) -> Module:
        """An inverter for each bit."""
        m = Module()
        m.d.comb += self.complement.eq(~self.lane)
        return m
