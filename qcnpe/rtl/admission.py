"""Admission control: decides when the last beat of a tile may enter the array."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import DRAIN_AFTER_TABLE


class Admission(Component):
    """Admits the last beat of a tile when nothing behind it will have to wait.

    The array and the activation function units (AFUs) have no flow control. A last beat may enter
    only when all three conditions hold:

    - *drain*: the completed sums of the previous tile have left row 0 (one column a cycle); after a
      tile with a table, its last one has left `DRAIN_AFTER_TABLE` cycles ago, since the results of
      tables take longer,
    - *results*: every row's queue has room for this tile's columns, and the collector for the tile,
    - *parameters*: the parameter words of this tile's neurons are queued, and not reserved for an
      earlier tile.

    Latency: `cols`, `is_table`, `parameters_waiting` and `collector_ready` act in the same cycle,
    the other inputs in the next one.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    cols : in, 9 bits, active columns of the tile in progress
    is_table : in, 1 bit, the tile in progress uses the table
    finish : in, 1 bit, its last beat enters in this cycle
    column_read : in, 1 bit, a column leaves row 0
    column_returned : in, 1 bit, a column leaves the collector
    parameters_waiting : in, `range(config.parameter_depth + 1)`, parameter words in the queue
    collector_ready : in, 1 bit, the collector can take a tile
    drain_ready, results_ready, parameters_ready : out, 1 bit each, the three conditions
    read_out : out, 1 bit, no reserved parameter word is left in the queue
    drained : out, 1 bit, no results are in flight
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "cols": In(9),
                "is_table": In(1),
                "finish": In(1),
                "column_read": In(1),
                "column_returned": In(1),
                "parameters_waiting": In(range(config.parameter_depth + 1)),
                "collector_ready": In(1),
                "drain_ready": Out(1),
                "results_ready": Out(1),
                "parameters_ready": Out(1),
                "read_out": Out(1),
                "drained": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A down-counter of columns to drain, and two counters of reserved places."""
        m = Module()
        depth = self.config.result_depth
        draining = Signal(range(self.config.cols + DRAIN_AFTER_TABLE))
        room = Signal(range(depth + 1), init=depth)
        promised = Signal(range(self.config.parameter_depth + 1))
        taken = Mux(self.finish, self.cols, 0)
        with m.If(self.finish):
            m.d.sync += draining.eq(self.cols - 1 + Mux(self.is_table, DRAIN_AFTER_TABLE, 0))
        with m.Elif(draining != 0):
            m.d.sync += draining.eq(draining - 1)
        m.d.sync += [
            room.eq(room - taken + self.column_returned),
            promised.eq(promised + taken - self.column_read),
        ]
        m.d.comb += [
            self.drain_ready.eq(draining == 0),
            self.results_ready.eq((room >= self.cols) & self.collector_ready),
            self.parameters_ready.eq(self.parameters_waiting >= promised + self.cols),
            self.read_out.eq(promised == 0),
            self.drained.eq(room == depth),
        ]
        return m
