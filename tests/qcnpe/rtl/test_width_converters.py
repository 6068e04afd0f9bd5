"""The engine behind width converters, as behind the 64-bit DMAs of a system.

Packets have any number of whole words and end anywhere; their last beat is filled up by bytes that
TKEEP leaves out, which a converter must not make a word of.
"""

import random

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from qcnpe.random_work import random_streams
from qcnpe.rtl.component import Component
from qcnpe.rtl.engine import Engine
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.model import execute

CONFIG = EngineConfig(rows=3, cols=3)
BUS_BYTES = 8
SOURCES = ("commands", "activations", "weights", "parameters")


def packed(width):
    """A beat of bytes: how many of them count, the lowest ones, and whether its packet ends."""
    return data.StructLayout(
        {"bytes": data.ArrayLayout(8, width), "count": range(width + 1), "last": 1}
    )


class Converter(Component):
    """Bytes of beats of one width into beats of another; a packet's end sends off what is there.

    `obeys_keep` is what a converter must do; without it, each beat counts with all its bytes.
    """

    def __init__(self, width_in, width_out, *, obeys_keep=True):
        self.widths, self.obeys_keep = (width_in, width_out), obeys_keep
        super().__init__(
            {
                "i": In(stream.Signature(packed(width_in))),
                "o": Out(stream.Signature(packed(width_out))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width_in, width_out = self.widths
        held = Signal(8 * (width_in + width_out))
        count = Signal(range(width_in + width_out + 1))
        ending = Signal()
        comes = Mux(self.obeys_keep, self.i.payload["count"], width_in)
        goes = Mux(count < width_out, count, width_out)
        entering = Cat(
            Mux(place < self.i.payload["count"], byte, 0)
            for place, byte in enumerate(self.i.payload["bytes"])
        )
        m.d.comb += [
            self.i.ready.eq((count < width_out) & ~ending),
            self.o.valid.eq((count >= width_out) | ending),
            self.o.payload["bytes"].eq(held),
            self.o.payload["count"].eq(goes),
            self.o.payload["last"].eq(ending & (count <= width_out)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                held.eq(held | (entering << (count * 8))),
                count.eq(count + comes),
                ending.eq(self.i.payload["last"]),
            ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [held.eq(held >> 8 * width_out), count.eq(count - goes)]
            with m.If(self.o.payload["last"]):
                m.d.sync += ending.eq(0)
        return m


class System:
    """An engine whose five streams are 64 bits wide."""

    def __init__(self, *, obeys_keep=True):
        self.top, self.engine = Module(), Engine(CONFIG)
        self.top.submodules.engine = self.engine
        self.inputs = {name: self._add_input(name, obeys_keep) for name in SOURCES}
        results, lanes = self.engine.results, Value.cast(self.engine.results.payload.lanes)
        size = len(lanes) // 8
        self.output = Converter(size, BUS_BYTES)
        self.top.submodules.output = self.output
        self.top.d.comb += [
            self.output.i.payload["bytes"].eq(lanes),
            self.output.i.payload["count"].eq(size),
            self.output.i.payload["last"].eq(results.payload.last),
            self.output.i.valid.eq(results.valid),
            results.ready.eq(self.output.i.ready),
        ]

    def _add_input(self, name, obeys_keep):
        port = getattr(self.engine, name)
        word = Value.cast(port.payload)
        unit = Converter(BUS_BYTES, len(word) // 8, obeys_keep=obeys_keep)
        self.top.submodules[name] = unit
        self.top.d.comb += [
            word.eq(unit.o.payload["bytes"].as_value()),
            port.valid.eq(unit.o.valid),
            unit.o.ready.eq(port.ready),
        ]
        return unit

    def run(self, packets, cycles):
        """Packets of results as bytes, after so many cycles."""
        simulator = Simulator(self.top)
        simulator.add_clock(1e-6)
        for name, unit in self.inputs.items():
            simulator.add_testbench(sender(unit.i, packets[name]))
        received: list[bytes] = []
        simulator.add_testbench(receiver(self.output.o, received), background=True)
        simulator.run_until(cycles * 1e-6)
        return received


def sender(port, packets):
    """A source of packets, with pauses; the bytes that do not count hold ones."""

    async def send(ctx):
        chance = random.Random(len(packets))
        for packet in packets:
            for start in range(0, len(packet), BUS_BYTES):
                beat = packet[start : start + BUS_BYTES]
                ctx.set(port.payload["bytes"], list(beat.ljust(BUS_BYTES, b"\xff")))
                ctx.set(port.payload["count"], len(beat))
                ctx.set(port.payload["last"], start + BUS_BYTES >= len(packet))
                ctx.set(port.valid, 1)
                taken = False
                while not taken:
                    *_, taken = await ctx.tick().sample(port.ready)
                ctx.set(port.valid, 0)
                for _ in range(chance.randrange(3)):
                    await ctx.tick()

    return send


def receiver(port, packets):
    """A sink that collects packets, by the bytes that count."""
    fields = [Value.cast(port.payload[name]) for name in ("bytes", "count", "last")]

    async def receive(ctx):
        packet = b""
        ctx.set(port.ready, 1)
        while True:
            *_, beat, count, last, valid = await ctx.tick().sample(*fields, port.valid)
            if valid:
                packet += beat.to_bytes(BUS_BYTES, "little")[:count]
            if valid and last:
                packets.append(packet)
                packet = b""

    return receive


def bytes_of(streams):
    """Each stream's words as bytes, lane 0 and the lowest byte first."""
    arrays = {name: getattr(streams, name) for name in SOURCES}
    return {name: [word.astype(word.dtype).tobytes() for word in arrays[name]] for name in SOURCES}


def cut(words, seed):
    """Packets of one to five whole words, odd numbers among them."""
    chance, packets, place = random.Random(seed), [], 0
    while place < len(words):
        count = chance.randint(1, 5)
        packets.append(b"".join(words[place : place + count]))
        place += count
    return packets


def expected_packets(streams):
    """A packet for each tile: its columns' lanes, row 0 first."""
    cols = [tile.cols for tile in streams.tiles(CONFIG)]
    lanes = execute(CONFIG, streams).results.astype("<u4")
    return [part.tobytes() for part in np.split(lanes, np.cumsum(cols)[:-1])]


@pytest.mark.parametrize("seed", range(2))
def test_packets_may_end_after_any_word(seed):
    streams = random_streams(CONFIG, 6, seed, max_beats=6)
    packets = {name: cut(words, seed) for name, words in bytes_of(streams).items()}
    assert any(len(packet) % BUS_BYTES for packet in packets["parameters"])
    assert System().run(packets, 1500) == expected_packets(streams)


def test_a_converter_that_ignores_keep_makes_a_word_of_the_rest():
    """Why `spec.stream_guide` requires TKEEP: an odd number of parameters corrupts later ones."""
    streams = random_streams(CONFIG, 6, 1, max_beats=6)
    words = bytes_of(streams)
    packets = {name: cut(part, 1) for name, part in words.items()}
    # The other streams end with whole beats, so that only the parameters show it.
    for name in ("activations", "weights"):
        packets[name] = [b"".join(words[name])]
    found = System(obeys_keep=False).run(packets, 1500)
    assert found != expected_packets(streams)
