"""The host as external memory: the engine's own bus units at the other end."""

from functools import partial

import numpy as np
from amaranth.hdl import Module
from amaranth.lib.wiring import In
from amaranth.sim import Simulator

from qcnpe.rtl.link.bus_target import BusTarget
from qcnpe.rtl.memory.axi_reader import AxiReader
from qcnpe.rtl.memory.axi_writer import AxiWriter
from qcnpe.rtl.memory.bus import read_ports, write_ports
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig

CONFIG = MemoryConfig.default(EngineConfig(rows=1, cols=1, ncu="dsp"))
BUS = {"data_bits": CONFIG.bus_bits, "address_bits": CONFIG.address_bits}
TRANSFERS = ((510, 7), (0, 300), (900, 1))
"""First bus word and number of words: over a border of 4 kB, of two bursts, of one word."""


class Bench:
    """A target whose bus the engine's reader and writer use, with random pauses at its streams."""

    def __init__(self) -> None:
        self.top = Module()
        self.target, self.reader = BusTarget(CONFIG), AxiReader(**BUS)
        self.writer = AxiWriter(**BUS)
        self.rng = np.random.default_rng(1)
        count = sum(count for _, count in TRANSFERS)
        self.words = [int(word) for word in self.rng.integers(1 << 63, size=count)]
        for name in ("target", "reader", "writer"):
            self.top.submodules[name] = getattr(self, name)
        for unit, ports in ((self.reader, read_ports), (self.writer, write_ports)):
            for name, member in ports("axi", **BUS).items():
                ours, its = getattr(self.target, name), getattr(unit, name)
                self.top.d.comb += its.eq(ours) if member.flow is In else ours.eq(its)

    async def send(self, ctx, *, stream) -> None:
        for word in self.words:
            while self.rng.random() < 0.3:
                await ctx.tick()
            ctx.set(stream.payload, word)
            ctx.set(stream.valid, 1)
            await ctx.tick().until(stream.ready)
            ctx.set(stream.valid, 0)

    async def receive(self, ctx, *, stream, found) -> None:
        ports = (stream.valid, stream.ready, stream.payload)
        while len(found) < len(self.words):
            ctx.set(stream.ready, bool(self.rng.random() < 0.7))
            _, _, valid, ready, word = await ctx.tick().sample(*ports)
            found += [word] if valid and ready else []

    async def ask(self, ctx, *, unit) -> None:
        for first, count in TRANSFERS:
            ctx.set(unit.transfer.payload.first, first)
            ctx.set(unit.transfer.payload.count, count)
            ctx.set(unit.transfer.valid, 1)
            await ctx.tick().until(unit.transfer.ready)
            ctx.set(unit.transfer.valid, 0)
        await ctx.tick().until(unit.idle)
        assert ctx.get(unit.response) == 0


def test_words_pass_in_the_order_of_the_bus():
    bench = Bench()
    read: list[int] = []
    written: list[int] = []
    simulator = Simulator(bench.top)
    simulator.add_clock(1e-6)
    for process in (
        partial(bench.send, stream=bench.target.reads),
        partial(bench.send, stream=bench.writer.words),
        partial(bench.receive, stream=bench.reader.words, found=read),
        partial(bench.receive, stream=bench.target.writes, found=written),
        partial(bench.ask, unit=bench.reader),
        partial(bench.ask, unit=bench.writer),
    ):
        simulator.add_testbench(process)
    simulator.run()
    assert read == written == bench.words
