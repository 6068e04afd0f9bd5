"""The accounts that decide when a tile may end."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.spec.config import EngineConfig


class Admission(Component):
    """Says whether all that follows a tile's last beat can go on without waiting.

    The array and the AFUs have no flow control. A last beat may enter only when

    - *drain*: the completed sums of the tile before have left row 0 (one column a cycle),
    - *results*: every row's queue has room for this tile's columns, and the collector for the tile,
    - *parameters*: the parameter words of this tile's neurons are queued and not yet promised.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    cols : active columns of the tile in progress
    finish : its last beat enters in this cycle
    column_read, column_returned : a column has left row 0, or the collector
    parameters_waiting : parameter words in the queue
    collector_ready : the collector can take a tile
    drain_ready, results_ready, parameters_ready : the three conditions
    read_out : no promised parameter word is left in the queue
    drained : no results are on their way
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "cols": In(9),
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
        """A down-counter and two balances."""
        m = Module()
        depth = self.config.result_depth
        draining = Signal(range(self.config.cols))
        room = Signal(range(depth + 1), init=depth)
        promised = Signal(range(self.config.parameter_depth + 1))
        taken = Mux(self.finish, self.cols, 0)
        with m.If(self.finish):
            m.d.sync += draining.eq(self.cols - 1)
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
