"""The systolic array of neural compute units (NCUs), with the skew of its operands."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Const, Module, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.delay import delayed
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
    `result` in a cycle, and the row needs no registers to drain.

    Latency: that of `Ncu`, and one cycle more from column to column; on a staged engine a register
    follows the ORs. Throughput: one lane a cycle, no flow control.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    west : in, `west_layout(config)`, activation lane and control word that enter column 0
    north : in, `config.cols * WEIGHT_LANE.size` bits, weight lanes of all columns
    south : out, `config.cols * WEIGHT_LANE.size` bits, the same, one cycle later
    result : out, `config.accumulator_bits` bits, signed, sum of the column that has just finished
    done : out, 1 bit, a column has just finished
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
        result, done = self._build_ncus(m, self.west)
        if self.config.is_staged:
            result, done = delayed(m, "result", result, reset_less=True), delayed(m, "done", done)
        m.d.comb += [self.result.eq(result), self.done.eq(done)]
        return m

    def _build_ncus(self, m: Module, west: Any) -> tuple[Value, Value]:
        """The NCUs and the ORs of their results and of their `done`."""
        results: list[Value] = []
        dones: list[Value] = []
        for col in range(self.config.cols):
            m.submodules[f"ncu_{col}"] = ncu = self._make_ncu()
            m.d.comb += [
                ncu.west.eq(west),
                ncu.north.eq(self._enter_column(m, col, west)),
                self.south[col].eq(ncu.south),
            ]
            west = ncu.east
            results.append(ncu.result)
            dones.append(ncu.done)
        return self._any(m, "result", results), self._any(m, "done", dones)

    def _any(self, _m: Module, _name: str, values: list[Value]) -> Value:
        """The OR of a value of each column."""
        return reduce(or_, values, Const(0))

    def _make_ncu(self) -> Ncu:
        return Ncu(self.config)

    def _enter_column(self, _m: Module, col: int, _west: Any) -> Any:
        """The weight lane of a column's NCU."""
        return self.north[col]


class NcuArray(Component):
    """rows x cols NCUs behind one unskewed entry.

    All lanes of a beat enter in the same cycle t. Lane r of the activations is delayed by r cycles
    and lane c of the weights by c cycles, so that NCU (r, c) works on the beat in cycle
    t + r + c + 1.

    Latency: if the beat of cycle t was a tile's last, `done[r]` is high in cycle
    t + r + c + `LATENCY` with the sum of column c; `array_stages` cycles later on a staged engine.
    Throughput: one beat a cycle, no flow control: the sender of a last beat must know that the
    results can be taken.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    valid : in, 1 bit, there is a beat in this cycle
    control : in, `control_layout(config)`, control word of the beat
    activations : in, `config.rows * ACTIVATION_LANE.size` bits, lanes; each one's own valid flag
        masks its row
    weights : in, `config.cols * WEIGHT_LANE.size` bits, lanes; each one's own valid flag masks its
        column
    result : out, `config.rows * config.accumulator_bits` bits, signed sums, one for each row
    done : out, `config.rows` bits, the row has a sum in this cycle
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
        """Skew for both operands, rows chained from north to south."""
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
            m.submodules[f"row_{row}"] = unit = self._make_row(row)
            m.d.comb += [
                unit.west.lane.eq(west.lane_out[row]),
                unit.west.control.eq(west.control_out[row]),
                unit.north.eq(weights),
                self.result[row].eq(unit.result),
                self.done[row].eq(unit.done),
            ]
            weights = unit.south
        return m

    def _make_row(self, _row: int) -> NcuRow:
        return NcuRow(self.config)
