"""The smallest complete engine, with free streams."""

from amaranth.hdl import Module

from qcnpe.rtl import engine
from qcnpe.spec.config import EngineConfig
from tests.formal.harness import Harness, Inside, add_open, free_inputs


def small(rows: int, cols: int) -> EngineConfig:
    """An engine without options; its control logic is that of every engine."""
    return EngineConfig(
        rows=rows,
        cols=cols,
        ncu="plain16",
        precisions=(16,),
        accumulator_bits=24,
        table_segments=8,
        fifo_depth=2,
    )


class EngineHarness(Harness):
    """An engine with a host that sends and takes anything at any time.

    Attributes
    ----------
    dut, inside : the engine and its inner signals, once it is placed
    """

    dut: engine.Engine
    inside: Inside

    def __init__(self, config: EngineConfig) -> None:
        super().__init__()
        self.config = config

    def place(self, m: Module) -> None:
        """Add the engine."""
        self.dut = engine.Engine(self.config)
        self.inside = add_open(m, "dut", self.dut)
        free_inputs(m, self.dut)
