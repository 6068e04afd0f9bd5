"""Execution of the operations of frames."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.link.framer import FRAMED_OCTET
from qcnpe.spec.frames import (
    OPERATION_BYTES,
    OPERATION_FIELDS,
    LinkedEngine,
    Operation,
    word_sizes,
)
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.registers import REGISTER_BYTES

STORES = ("activations", "weights")
"""The operand stores, by the names that operations have for them."""

_HEADER = data.StructLayout({field.name: field.bits for field in OPERATION_FIELDS})


class Executor(Component):
    """Decodes and executes the operations of frames, in order.

    Each operation waits until its target is ready. PLAY starts an operand store and does not wait
    for its end; the next access to the same store does. An unknown operation is ignored; an
    operation is cut short by the end of its body (the host of this package sends neither).

    Latency: a header or a word takes effect in the cycle after its last octet. Throughput: one
    octet a cycle, and one cycle more for each header or word.

    Parameters
    ----------
    config : the engine, or the memories of an autonomous one
    address_bits : of registers
    store_depth : words of each operand store, which an autonomous engine has not

    Ports
    -----
    octets : in, stream of `FRAMED_OCTET`, the accepted bodies
    commands : out, stream of 64 bits, command words to the engine
    parameters : out, stream of 32 bits, parameter words to the engine
    bus_words : out, stream of `config.bus_bits` bits, what an autonomous engine reads; instead of
        `commands` and `parameters`
    address : out, `max(address_bits, (store_depth - 1).bit_length())` bits, of a store's beat or of
        a register
    count : out, 16 bits, number of beats to stream
    word : out, `8 * max(word_sizes(config).values())` bits, the beat or value to write
    write_NAME, start_NAME : out, 1 bit each, see `OperandStore`, for each of `STORES`, if there are
        stores
    playing_NAME : in, 1 bit, see `OperandStore`, for each of them
    register_start, register_write : out, 1 bit each, see `RegisterAccess`
    register_done : in, 1 bit, see `RegisterAccess`
    register_value : in, 32 bits, see `RegisterAccess`
    values : out, stream of 32 bits, registers that were read
    worked_off : out, 8 bits, number of executed bodies, modulo 256
    finished : out, 1 bit, high for one cycle after each executed body
    """

    def __init__(self, config: LinkedEngine, *, address_bits: int, store_depth: int = 1) -> None:
        self.config = config
        self._sizes = word_sizes(config)
        self._fed = fed = isinstance(config, MemoryConfig)
        self._streams = (
            {"bus_words": Operation.FEED}
            if fed
            else {"commands": Operation.COMMANDS, "parameters": Operation.PARAMETERS}
        )
        self._stores = () if fed else STORES
        register_bits = 8 * REGISTER_BYTES
        ports = {
            "octets": In(stream.Signature(FRAMED_OCTET)),
            "address": Out(max(address_bits, (store_depth - 1).bit_length())),
            "count": Out(16),
            "word": Out(8 * max(self._sizes.values())),
            "register_start": Out(1),
            "register_write": Out(1),
            "register_done": In(1),
            "register_value": In(register_bits),
            "values": Out(stream.Signature(register_bits)),
            "worked_off": Out(8),
            "finished": Out(1),
        }
        for name, operation in self._streams.items():
            ports[name] = Out(stream.Signature(8 * self._sizes[operation]))
        for name in self._stores:
            ports |= {f"write_{name}": Out(1), f"start_{name}": Out(1), f"playing_{name}": In(1)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """The header, then word by word; each is handed over before the next one is read."""
        m = Module()
        header: Any = Signal(_HEADER)
        left, ended, accepted = Signal(16), Signal(), Signal()
        octet = self.octets.payload
        m.d.comb += [self.address.eq(header.address), self.count.eq(header.count)]
        m.d.sync += self.finished.eq(0)
        take, size = self._build_word(m, header)
        with m.If(self.octets.valid & self.octets.ready & octet.last):
            m.d.sync += ended.eq(1)
        with m.FSM(name="state"):
            with m.State("HEADER"):
                self._build_header(m, header, left, ended)
            with m.State("WORD"):
                m.d.comb += [self.octets.ready.eq(1), take.eq(self.octets.valid)]
                with m.If(take & (size == 1)):
                    m.next = "ISSUE"
                with m.Elif(take & octet.last):
                    m.next = "HEADER"
            with m.State("ISSUE"):
                self._build_issue(m, header.code, accepted)
                with m.If(accepted):
                    m.d.sync += [left.eq(left - 1), header.address.eq(header.address + 1)]
                    m.next = "WORD"
                    with m.If((left == 1) | ended):
                        m.next = "HEADER"
                    if self._fed:
                        with m.If((header.code == Operation.FEED_ZEROS) & (left != 1)):
                            m.next = "ISSUE"
            with m.State("VALUE"):
                m.d.comb += self.values.valid.eq(1)
                with m.If(self.values.ready):
                    m.next = "HEADER"
        return m

    def _build_word(self, m: Module, header: Any) -> tuple[Signal, Signal]:
        """Collect a word, low octet first; `size` counts down to its last octet."""
        take, counting = Signal(), Signal()
        size = Signal(range(max(self._sizes.values()) + 1))
        first = Signal.like(size)
        with m.Switch(header.code):
            for operation, octets in self._sizes.items():
                with m.Case(operation):
                    m.d.comb += first.eq(octets)
        missing = Signal.like(first)
        m.d.comb += size.eq(first)
        with m.If(counting):
            m.d.comb += size.eq(missing)
        collected = Signal.like(self.word)
        with m.If(take):
            m.d.sync += [
                collected.eq(Cat(collected[8:], self.octets.payload.octet)),
                missing.eq(size - 1),
                counting.eq((size != 1) & ~self.octets.payload.last),
            ]
        with m.Switch(header.code):
            for operation, octets in self._sizes.items():
                with m.Case(operation):
                    m.d.comb += self.word.eq(collected[len(collected) - 8 * octets :])
        return take, size

    def _build_header(self, m: Module, header: Any, left: Signal, ended: Signal) -> None:
        """Shift octets into the header; between operations, check whether the body has ended."""
        missing = Signal(range(OPERATION_BYTES), init=OPERATION_BYTES - 1)
        octet = self.octets.payload
        shifted = Cat(header.as_value()[8:], octet.octet)
        code = shifted[:8]
        with m.If(ended):
            m.d.sync += [
                ended.eq(0),
                self.worked_off.eq(self.worked_off + 1),
                self.finished.eq(1),
                missing.eq(OPERATION_BYTES - 1),
            ]
        with m.Else():
            m.d.comb += self.octets.ready.eq(1)
            with m.If(self.octets.valid):
                m.d.sync += [header.eq(shifted), missing.eq(missing - 1)]
                with m.If(missing == 0):
                    m.d.sync += [missing.eq(OPERATION_BYTES - 1), left.eq(shifted[8:24])]
                    with m.Switch(code):
                        with m.Case(*self._sizes):
                            with m.If(~octet.last & (shifted[8:24] != 0)):
                                m.next = "WORD"
                        plays = [Operation[f"PLAY_{name.upper()}"] for name in self._stores]
                        with m.Case(*plays, Operation.READ):
                            m.d.sync += left.eq(1)
                            m.next = "ISSUE"
                        if self._fed:
                            with m.Case(Operation.FEED_ZEROS):
                                with m.If(shifted[8:24] != 0):
                                    m.next = "ISSUE"

    def _build_issue(self, m: Module, code: Value, accepted: Signal) -> None:
        targets = {name: getattr(self, name) for name in self._streams}
        m.d.comb += [target.payload.eq(self.word) for target in targets.values()]
        with m.Switch(code):
            for name, operation in self._streams.items():
                with m.Case(operation):
                    m.d.comb += [targets[name].valid.eq(1), accepted.eq(targets[name].ready)]
            if self._fed:
                (target,) = targets.values()
                with m.Case(Operation.FEED_ZEROS):
                    m.d.comb += [
                        target.payload.eq(0),
                        target.valid.eq(1),
                        accepted.eq(target.ready),
                    ]
            for name in self._stores:
                free = ~getattr(self, f"playing_{name}")
                with m.Case(Operation[f"STORE_{name.upper()}"]):
                    m.d.comb += [accepted.eq(free), getattr(self, f"write_{name}").eq(free)]
                with m.Case(Operation[f"PLAY_{name.upper()}"]):
                    m.d.comb += [accepted.eq(free), getattr(self, f"start_{name}").eq(free)]
            with m.Case(Operation.WRITE):
                m.d.comb += [
                    self.register_start.eq(1),
                    self.register_write.eq(1),
                    accepted.eq(self.register_done),
                ]
            with m.Case(Operation.READ):
                m.d.comb += self.register_start.eq(1)
                with m.If(self.register_done):
                    m.d.sync += self.values.payload.eq(self.register_value)
                    m.next = "VALUE"
