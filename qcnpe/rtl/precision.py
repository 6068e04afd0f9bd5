"""The precision control register."""

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


class PrecisionRegister(Component):
    """Holds the precision of the tile in flight; a tile's command sets it, the host may read it.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    requested : operand width in bits that a command asks for
    known : the engine has that width (combinational)
    load : take `requested` at the end of this cycle
    ceiling : on `gated`, the widest that is taken
    precision : operand width of the tile in flight, 16 after reset
    mode : its index among the engine's widths, on an engine that has several
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        ports = {
            "requested": In(5),
            "known": Out(1),
            "load": In(1),
            "ceiling": In(5, init=OPERAND_BITS),  # type: ignore[call-arg]
            "precision": Out(5, init=config.precisions[0]),  # type: ignore[call-arg]
        }
        if mode_bits(config):
            ports["mode"] = Out(mode_bits(config))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """The register and the decoder beside it."""
        m = Module()
        taken = self.requested
        if self.config.kind.is_gated:
            taken = Mux(self.requested > self.ceiling, self.ceiling, self.requested)
        with m.If(self.load):
            m.d.sync += self.precision.eq(taken)
        with m.Switch(self.requested):
            with m.Case(*self.config.precisions):
                m.d.comb += self.known.eq(1)
        if mode_bits(self.config):
            with m.Switch(self.precision):
                for mode, width in enumerate(self.config.precisions):
                    with m.Case(width):
                        m.d.comb += self.mode.eq(mode)
        return m
