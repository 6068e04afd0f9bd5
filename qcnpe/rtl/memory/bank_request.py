"""The request of all lanes to one bank."""

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.memory.layouts import place_layout
from qcnpe.rtl.memory.select import join
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.memory.config import MemoryConfig


class BankRequest(Leaf):
    """Joins the requests of all lanes that name one bank: this is a column of the crossbar.

    Lanes may read one row together; only one lane may write.

    Latency: none.

    Parameters
    ----------
    config : the memories
    writes : the lanes write; else they read

    Ports
    -----
    number : in, `config.bank_bits` bits, the bank
    enable : in, 1 bit, at least one lane has a request
    places : in, `data.ArrayLayout(place_layout(config), config.engine.rows)`, of each request
    words : in, `data.ArrayLayout(OPERAND_BITS, config.engine.rows)`, what they write
    hit : out, 1 bit, a lane addresses this bank
    row : out, `config.row_bits` bits, which row; zero if no lane addresses the bank
    word : out, 16 bits, what is written; zero if no lane addresses the bank
    conflict : out, 1 bit, requests that cannot be served together
    """

    clocked = False

    def __init__(self, config: MemoryConfig, *, writes: bool) -> None:
        self.config, self.writes = config, writes
        lanes = config.engine.rows
        ports = {
            "number": In(config.bank_bits),
            "enable": In(1),
            "places": In(data.ArrayLayout(place_layout(config), lanes)),
            "hit": Out(1),
            "row": Out(config.row_bits),
            "conflict": Out(1),
        }
        if writes:
            ports |= {
                "words": In(data.ArrayLayout(OPERAND_BITS, lanes)),
                "word": Out(OPERAND_BITS),
            }
        super().__init__(ports)

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        config, way = self.config, "write" if self.writes else "read"
        return f"qcnpe_bank_{way}_{config.engine.rows}_b{config.bank_bits}_r{config.row_bits}"

    def build(self) -> Module:
        """An OR over the lanes that name the bank."""
        m = Module()
        places: list[Any] = list(self.places)
        here = [place.valid & self.enable & (place.bank == self.number) for place in places]
        hits = Cat(*here)
        m.d.comb += [
            self.hit.eq(hits.any()),
            self.row.eq(join(here, [place.row for place in places])),
        ]
        if self.writes:
            m.d.comb += [
                self.word.eq(join(here, list(self.words))),
                self.conflict.eq((hits & (hits - 1)[: len(hits)]).any()),
            ]
        else:
            others = Cat(*(place.row != self.row for place in places))
            m.d.comb += self.conflict.eq((hits & others).any())
        return m
