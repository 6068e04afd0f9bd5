"""Parameter words from their memory to the engine."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.layouts import ADDRESS_BITS, address_bits
from qcnpe.spec.commands import PARAMETER_BITS
from qcnpe.spec.memory.config import Memory, MemoryConfig

PARAMETER_RUN = data.StructLayout({"first": ADDRESS_BITS + 1, "count": 9, "period": 7})
"""Parameter words; the first of them follows after `period` words, if that is not 0.

An address that goes on beyond any memory is one, too.
"""


class ParameterReader(Component):
    """Reads the parameter words of one tile after the other.

    Latency: two cycles. Throughput: one word a cycle, without a gap between two runs of words.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    runs : in, stream of `PARAMETER_RUN`, what to read
    address : out, `address_bits(config, Memory.PARAMETERS)` bits, word to read
    read_enable : out, 1 bit, read it
    read_data : in, 32 bits, the word that was read
    words : out, stream of 32 bits, to the engine
    outside : out, 1 bit, an address is beyond the memory
    idle : out, 1 bit, no word is left
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        super().__init__(
            {
                "runs": In(stream.Signature(PARAMETER_RUN)),
                "address": Out(address_bits(config, Memory.PARAMETERS)),
                "read_enable": Out(1),
                "read_data": In(PARAMETER_BITS),
                "words": Out(stream.Signature(PARAMETER_BITS)),
                "outside": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The next word is read when the present one leaves."""
        m = Module()
        place = Signal(PARAMETER_RUN["first"].width)
        left = Signal(PARAMETER_RUN["count"].width)
        first, period = Signal.like(place), Signal(PARAMETER_RUN["period"].width)
        until = Signal.like(left)
        moves = ~self.words.valid | self.words.ready
        depth = self.config.addresses(Memory.PARAMETERS)
        m.d.comb += [
            self.read_enable.eq(moves & (left != 0)),
            self.address.eq(place),
            self.words.payload.eq(self.read_data),
            self.runs.ready.eq((left == 0) | ((left == 1) & moves)),
            self.outside.eq((left != 0) & (place >= depth)),
            self.idle.eq((left == 0) & ~self.words.valid),
        ]
        with m.If(moves):
            m.d.sync += self.words.valid.eq(left != 0)
        with m.If(self.read_enable):
            again = until == 1
            m.d.sync += [
                place.eq(Mux(again, first, place + 1)),
                until.eq(Mux(again, period, until - 1)),
                left.eq(left - 1),
            ]
        with m.If(self.runs.valid & self.runs.ready):
            m.d.sync += [
                first.eq(self.runs.payload.first),
                period.eq(self.runs.payload.period),
                place.eq(self.runs.payload.first),
                until.eq(self.runs.payload.period),
                left.eq(self.runs.payload.count),
            ]
        return m
