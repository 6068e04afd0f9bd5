"""The two-dimensional array of NCUs, with the skew that its systolic flow needs."""

from amaranth.hdl import Const, Module, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.delay import late
from qcnpe.rtl.layouts import (
    ACTIVATION_LANE,
    NO_CONTROL,
    WEIGHT_LANE,
    control_layout,
    west_layout,
)
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.ncu import Ncu, parameter_suffix
from qcnpe.rtl.skew import Skew
from qcnpe.spec.config import EngineConfig


class NcuRow(Leaf):
    """One row of NCUs and the ORs through which its results are read.

    The columns of a row finish a tile one cycle after another, so that at most one of them drives
    `result` in a cycle and the row needs no registers to drain. On a staged engine one follows.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    west : activation lane and control that enter column 0
    north, south : weight lanes of all columns
    result, done : accumulator of the column that has just finished, and whether there is one
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        weights = data.ArrayLayout(WEIGHT_LANE, config.cols)
        super().__init__(
            {
                "west": In(west_layout(config)),
                "north": In(weights),
                "south": Out(weights),
                "result": Out(signed(config.accumulator_bits)),
                "done": Out(1),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_ncu_row_{self.config.cols}_{parameter_suffix(self.config)}"

    def build(self) -> Module:
        """The NCUs, each one fed by its western neighbour."""
        m = Module()
        west = self.west
        result: Value = Const(0)
        done: Value = Const(0)
        for col in range(self.config.cols):
            m.submodules[f"ncu_{col}"] = ncu = Ncu(self.config)
            m.d.comb += [
                ncu.west.eq(west),
                ncu.north.eq(self.north[col]),
                self.south[col].eq(ncu.south),
            ]
            west = ncu.east
            result, done = result | ncu.result, done | ncu.done
        if self.config.is_staged:
            result, done = late(m, "result", result, reset_less=True), late(m, "done", done)
        m.d.comb += [self.result.eq(result), self.done.eq(done)]
        return m


class NcuArray(Component):
    """rows x cols NCUs behind one unskewed entry.

    A beat enters all rows and columns at once; row r meets it r cycles later, column c c cycles
    later, so that NCU (r, c) works on it in cycle t + r + c + 1.

    Latency: `done[r]` is high in cycle t + r + c + `LATENCY` with the sum of column c, for a beat
    of cycle t that was a tile's last; `array_stages` later on a staged engine. Throughput: one
    beat a cycle, no flow control: whoever sends a last beat must know that the results can be
    taken.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    valid : there is a beat in this cycle
    control : of the beat
    activations, weights : lanes; a lane's own valid flag masks its row or column
    result, done : of each row
    """

    LATENCY = 2

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        total = signed(config.accumulator_bits)
        super().__init__(
            {
                "valid": In(1),
                "control": In(control_layout(config)),
                "activations": In(data.ArrayLayout(ACTIVATION_LANE, config.rows)),
                "weights": In(data.ArrayLayout(WEIGHT_LANE, config.cols)),
                "result": Out(data.ArrayLayout(total, config.rows)),
                "done": Out(config.rows),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Skew on two sides, rows chained from north to south."""
        m = Module()
        rows, cols = self.config.rows, self.config.cols
        control = control_layout(self.config)
        m.submodules.row_skew = west = Skew(lane=ACTIVATION_LANE, lanes=rows, control=control)
        m.submodules.col_skew = north = Skew(lane=WEIGHT_LANE, lanes=cols, control=NO_CONTROL)
        m.d.comb += [
            west.valid.eq(self.valid),
            west.control.eq(self.control),
            west.lanes.eq(self.activations),
            north.valid.eq(self.valid),
            north.lanes.eq(self.weights),
        ]
        weights = north.lane_out
        for row in range(rows):
            m.submodules[f"row_{row}"] = unit = NcuRow(self.config)
            m.d.comb += [
                unit.west.lane.eq(west.lane_out[row]),
                unit.west.control.eq(west.control_out[row]),
                unit.north.eq(weights),
                self.result[row].eq(unit.result),
                self.done[row].eq(unit.done),
            ]
            weights = unit.south
        return m
