"""The precision control register."""

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


class PrecisionRegister(Component):
    """Holds the precision of the tile in progress; a tile's command sets it, the host may read it.

    Latency: `precision` and `mode` follow `load` by one cycle.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    requested : in, 5 bits, operand width that a command requests, in bits
    known : out, 1 bit, the engine has that width (combinational)
    load : in, 1 bit, take `requested` at the end of this cycle
    ceiling : in, 5 bits, the widest operands that `gated` computes with; wider ones are cut to it
    precision : out, 5 bits, operand width of the tile in progress; the widest one after reset
    mode : out, `mode_bits(config)` bits, index of that width among the engine's; absent if that is
        zero
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
        """The register and the decoder of its index."""
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
