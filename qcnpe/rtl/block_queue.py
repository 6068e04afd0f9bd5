"""Queues in the block memories of an FPGA."""

from typing import Any

from amaranth.hdl import Fragment, Instance, Module, Signal, Value
from amaranth.lib.memory import Memory

from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.leaf import Leaf, ModuleLibrary
from qcnpe.rtl.result_queue import ResultQueue
from qcnpe.rtl.shared_multipliers import MULTIPLIER_BITS


class BlockQueue(Fifo):
    """The queue of `Fifo` in a memory with synchronous read, as block memories have.

    A word that is written and read in the same cycle is passed through, so that the latency is
    that of `Fifo`.

    Latency: a word that enters in cycle t can leave in cycle t + 1. Throughput: one word a cycle.

    Parameters
    ----------
    width, depth : see `Fifo`

    Ports
    -----
    i : in, stream of `width` bits, words that enter
    o : out, stream of `width` bits, words that leave
    level : out, `range(depth + 1)`, number of words in the queue
    """

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return f"qcnpe_block_queue_{self.width}x{self.depth}"

    def build(self) -> Module:
        """A ring buffer; the next word is read while the present one leaves."""
        m = Module()
        pop = self.o.valid & self.o.ready
        m.d.comb += [self.i.ready.eq(self.level != self.depth), self.o.valid.eq(self.level != 0)]
        push = self.i.valid & self.i.ready
        pushed = _build_ring(m, "", self.depth, self.i.payload, push, pop, self.o.payload)
        m.d.sync += self.level.eq(self.level + pushed - pop)
        return m


class BlockResultQueue(ResultQueue):
    """The queue of `ResultQueue` with each slice in a memory, as in `BlockQueue`.

    Latency: a result that enters in cycle t can leave in cycle t + 1. Throughput: one a cycle.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    push : in, 1 bit, see `ResultQueue`
    lane : in, `config.result_lane_bits` bits, see `ResultQueue`
    wanted : in, `len(config.precisions)` bits, see `ResultQueue`
    pop : in, 1 bit, see `ResultQueue`
    oldest_wanted : in, `len(config.precisions)` bits, see `ResultQueue`
    valid : out, 1 bit, see `ResultQueue`
    oldest : out, `config.result_lane_bits` bits, see `ResultQueue`
    """

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        return super().module_name.replace("qcnpe_", "qcnpe_block_")

    def _build_store(self, m: Module, name: str, word: Value, push: Value, pop: Value) -> Value:
        oldest = Signal(len(word), name=f"{name}_oldest")
        _build_ring(m, f"{name}_", self.config.result_depth, word, push, pop, oldest)
        return oldest


def _build_ring(
    m: Module, prefix: str, depth: int, word: Value, push: Value, pop: Value, oldest: Value
) -> Value:
    """A ring of words in a block memory; the next word is read while the present one leaves.

    `oldest` is driven with the oldest word. Returns `push` as a signal.
    """
    places = (depth - 1).bit_length()
    attributes = {"ram_style": "block"}
    ring: Any = Memory(shape=len(word), depth=1 << places, init=[], attrs=attributes)
    m.submodules[f"{prefix}ring"] = ring
    write = ring.write_port()
    read = ring.read_port(transparent_for=(write,))
    written, taken, following = (
        Signal(places, name=f"{prefix}{name}") for name in ("written", "taken", "following")
    )
    m.d.comb += [
        oldest.eq(read.data),
        following.eq(taken + pop),
        read.addr.eq(following),
        write.addr.eq(written),
        write.data.eq(word),
        write.en.eq(push),
    ]
    m.d.sync += [taken.eq(following), written.eq(written + write.en)]
    pushed: Value = write.en
    return pushed


class FpgaLibrary(ModuleLibrary):
    """A module library for FPGAs: queues are in block memories, since registers run out first.

    A `RegisterQueue` stays as it is.

    Parameters
    ----------
    multiplier_bits : operand bits of the FPGA's multipliers, see `SharedMultipliers`
    """

    def __init__(self, *, multiplier_bits: int = MULTIPLIER_BITS) -> None:
        super().__init__()
        self.multiplier_bits = multiplier_bits

    def place(self, leaf: Leaf) -> Instance:
        """Place a leaf, or for a queue the same queue in memories."""
        queue: Leaf | None = None
        if type(leaf) is Fifo:
            queue = BlockQueue(width=leaf.width, depth=leaf.depth)
        elif type(leaf) is ResultQueue:
            queue = BlockResultQueue(leaf.config)
        if queue is None:
            return super().place(leaf)
        Fragment.get(queue, self)  # places it, as the design itself would have done
        return self.instance(queue.module_name, leaf)
