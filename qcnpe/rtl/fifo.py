"""FIFOs that decouple the streams of the engine."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.bank import Bank
from qcnpe.rtl.leaf import Leaf

BANK_WORDS = 4
"""Words of a bank: the fewest for which its own selects and ANDs pay off."""

SLICE_BITS = 32
"""Bits that one set of selects drives."""


class Fifo(Leaf):
    """A first-in first-out queue between two streams of plain bits.

    Words are not shifted. One-hot ring counters select the place to write and the place to read:
    one for the words of a bank, one for the banks. So a word clocks only its own registers and
    toggles only the inputs of its bank, whatever the depth, and no address is decoded. A wide queue
    consists of slices, each with its own ring counters.

    Latency: a word that enters in cycle t can leave in cycle t + 1. Throughput: one word a cycle.

    Parameters
    ----------
    width : bits of a word
    depth : words that it holds

    Ports
    -----
    i : in, stream of `width` bits, words that enter
    o : out, stream of `width` bits, words that leave
    level : out, `range(depth + 1)`, number of words in the queue
    """

    def __init__(self, *, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        super().__init__(
            {
                "i": In(stream.Signature(width)),
                "o": Out(stream.Signature(width)),
                "level": Out(range(depth + 1)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_fifo_{self.width}x{self.depth}"

    def build(self) -> Module:
        """Flow control, and the banks of each slice."""
        m = Module()
        push, pop = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(self.level != self.depth),
            self.o.valid.eq(self.level != 0),
            push.eq(self.i.valid & self.i.ready),
            pop.eq(self.o.valid & self.o.ready),
        ]
        with m.If(push & ~pop):
            m.d.sync += self.level.eq(self.level + 1)
        with m.If(pop & ~push):
            m.d.sync += self.level.eq(self.level - 1)
        for low in range(0, self.width, SLICE_BITS):
            bits = slice(low, min(low + SLICE_BITS, self.width))
            word = build_slice(m, low, self.depth, self.i.payload[bits], push, pop)
            m.d.comb += self.o.payload[bits].eq(word)
        return m


class RegisterQueue(Fifo):
    """The queue of `Fifo`, whose words are in registers on an FPGA, too.

    For queues whose oldest word goes through much logic in its cycle: on an ECP5 of the slowest
    grade, a block memory's word comes 6 ns after the clock.

    Latency, throughput: see `Fifo`.

    Parameters
    ----------
    width, depth : see `Fifo`

    Ports
    -----
    i : in, stream of `width` bits, words that enter
    o : out, stream of `width` bits, words that leave
    level : out, `range(depth + 1)`, number of words in the queue
    """


def build_slice(
    m: Module, name: object, depth: int, payload: Value, push: Value, pop: Value
) -> Value:
    """Banks of words with ring counters; returns the word to read.

    Parameters
    ----------
    m : the module of a queue
    name : of the slice, unique in the module
    depth : words that it holds
    payload : the word that enters
    push, pop : a word enters or leaves in this cycle
    """
    write_place, write_bank = _build_ring(m, f"write_{name}", depth, push)
    read_place, read_bank = _build_ring(m, f"read_{name}", depth, pop)
    values = []
    for number in range(_banks(depth)):
        bank = Bank(width=len(payload), words=min(BANK_WORDS, depth - number * BANK_WORDS))
        m.submodules[f"bank_{name}_{number}"] = bank
        m.d.comb += [
            bank.payload.eq(payload),
            bank.push.eq(push),
            bank.write_here.eq(write_bank[number]),
            bank.write_place.eq(write_place),
            bank.read_here.eq(read_bank[number]),
            bank.read_place.eq(read_place),
        ]
        values.append(bank.value)
    return reduce(or_, values)


def _build_ring(m: Module, name: str, depth: int, move: Value) -> tuple[Value, Value]:
    """Ring counters of the place in a bank and of the bank; both advance with `move`."""
    place = Signal(min(BANK_WORDS, depth), init=1, name=f"{name}_place")
    if _banks(depth) == 1:
        with m.If(move):
            m.d.sync += place.eq(place.rotate_left(1))
        return place, Const(1, 1)
    bank = Signal(_banks(depth), init=1, name=f"{name}_bank")
    leaves = Signal(name=f"{name}_leaves_bank")
    m.d.comb += leaves.eq(place[-1] | bank[-1] & place[(depth - 1) % BANK_WORDS])
    with m.If(move):
        m.d.sync += place.eq(Mux(leaves, 1, Cat(0, place[:-1])))
    with m.If(move & leaves):
        m.d.sync += bank.eq(bank.rotate_left(1))
    return place, bank


def _banks(depth: int) -> int:
    return -(-depth // BANK_WORDS)
