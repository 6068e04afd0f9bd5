"""What the lanes want of one bank."""

from amaranth.hdl import Cat, Module
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.memory.select import join


class BankRequest(Leaf):
    """Joins the requests of all lanes that name one bank: this is a column of the crossbar.

    Lanes may read one row together; only one lane may write.

    Latency: none.

    Parameters
    ----------
    lanes : number of lanes
    bank_bits, row_bits : bits of the numbers of banks and rows
    width : bits of a word that is written; 0: the lanes read

    Ports
    -----
    number : in, `bank_bits` bits, the bank
    active : in, `lanes` bits, lanes that want something
    banks : in, `data.ArrayLayout(bank_bits, lanes)`, the bank that each lane wants
    rows : in, `data.ArrayLayout(row_bits, lanes)`, and the row
    words : in, `data.ArrayLayout(width, lanes)`, and what it writes there
    hit : out, 1 bit, a lane wants this bank
    row : out, `row_bits` bits, which row; zero if no lane wants the bank
    word : out, `width` bits, what is written; zero if no lane wants the bank
    conflict : out, 1 bit, lanes want what cannot be done together
    """

    clocked = False

    def __init__(self, *, lanes: int, bank_bits: int, row_bits: int, width: int) -> None:
        self.lanes, self.bank_bits, self.row_bits, self.width = lanes, bank_bits, row_bits, width
        ports = {
            "number": In(bank_bits),
            "active": In(lanes),
            "banks": In(data.ArrayLayout(bank_bits, lanes)),
            "rows": In(data.ArrayLayout(row_bits, lanes)),
            "hit": Out(1),
            "row": Out(row_bits),
            "conflict": Out(1),
        }
        if width:
            ports |= {"words": In(data.ArrayLayout(width, lanes)), "word": Out(width)}
        super().__init__(ports)

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        size = f"{self.lanes}_b{self.bank_bits}_r{self.row_bits}_w{self.width}"
        return f"qcnpe_bank_request_{size}"

    def build(self) -> Module:
        """An OR over the lanes that name the bank."""
        m = Module()
        lanes = range(self.lanes)
        here = [self.active[lane] & (self.banks[lane] == self.number) for lane in lanes]
        hits = Cat(*here)
        m.d.comb += [
            self.hit.eq(hits.any()),
            self.row.eq(join(here, [self.rows[lane] for lane in lanes])),
        ]
        if self.width:
            m.d.comb += [
                self.word.eq(join(here, [self.words[lane] for lane in lanes])),
                self.conflict.eq((hits & (hits - 1)[: self.lanes]).any()),
            ]
        else:
            others = Cat(*(here[lane] & (self.rows[lane] != self.row) for lane in lanes))
            m.d.comb += self.conflict.eq(others.any())
        return m
