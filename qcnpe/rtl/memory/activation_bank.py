"""One activation bank."""

from amaranth.hdl import Module, Mux
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.memory.sram import Sram
from qcnpe.spec.config import OPERAND_BITS


class ActivationBank(Leaf):
    """An SRAM of 16 bits with a write enable for each octet, and the OR of all that use it.

    Rows and words of what is not used in a cycle are zero.

    Latency: a word is valid in the cycle after its row. Throughput: a read and a write a cycle.

    Parameters
    ----------
    depth : rows
    row_bits : bits of the number of a row

    Ports
    -----
    tile_row, store_row : in, `row_bits` bits each, row that a tile or a store reads
    tile_reads, store_reads : in, 1 bit each, read it
    word : out, 16 bits, the word that was read
    write_row : in, `row_bits` bits, row that a tile writes
    write_word : in, 16 bits, the word
    write_bytes : in, 2 bits, its octets that are written
    fill_row : in, `row_bits` bits, row that is set to zero
    fills : in, 1 bit, set it to zero
    load_row : in, `row_bits` bits, row that is loaded
    load_word : in, 16 bits, the word
    loads : in, 1 bit, write it
    """

    def __init__(self, *, depth: int, row_bits: int) -> None:
        self.depth, self.row_bits = depth, row_bits
        rows = ("tile_row", "store_row", "write_row", "fill_row", "load_row")
        flags = ("tile_reads", "store_reads", "fills", "loads")
        super().__init__(
            {
                **{name: In(row_bits) for name in rows},
                **{name: In(1) for name in flags},
                "word": Out(OPERAND_BITS),
                "write_word": In(OPERAND_BITS),
                "write_bytes": In(OPERAND_BITS // 8),
                "load_word": In(OPERAND_BITS),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_activation_bank_{self.depth}"

    def build(self) -> Module:
        """The SRAM behind the ORs."""
        m = Module()
        sram = Sram(width=OPERAND_BITS, depth=max(2, self.depth), granularity=8)
        m.submodules.sram = sram
        all_bytes = (self.loads | self.fills).replicate(OPERAND_BITS // 8)
        m.d.comb += [
            sram.read_address.eq(self.tile_row | self.store_row),
            sram.read_enable.eq(self.tile_reads | self.store_reads),
            self.word.eq(sram.read_data),
            sram.write_address.eq(self.write_row | self.fill_row | self.load_row),
            sram.write_data.eq(self.write_word | Mux(self.loads, self.load_word, 0)),
            sram.write_enable.eq(self.write_bytes | all_bytes),
        ]
        return m
