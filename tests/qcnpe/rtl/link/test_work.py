"""Executor, register access and response_framer: operations in, frames out."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from qcnpe.rtl.axi import AxiLiteRegisters, lite_ports
from qcnpe.rtl.link.executor import STORES, Executor
from qcnpe.rtl.link.register_access import RegisterAccess
from qcnpe.rtl.link.response_framer import ResponseFramer
from qcnpe.spec.commands import Field
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.frames import Kind, Operation, Refusal, Request, Welcome
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.registers import Access, Register

CONFIG = EngineConfig(rows=2, cols=3, precisions=(16,), ncu="dsp")
TABLE = (
    Register("known", 0x04, Access.READ, (Field("known", 32, ""),)),
    Register("kept", 0x10, Access.READ_WRITE, (Field("kept", 32, ""),)),
)


class Bench:
    """An executor whose stores stream for a given number of cycles after each start."""

    def __init__(
        self, bodies: list[bytes], *, busy_stores: int, config: EngineConfig | MemoryConfig
    ) -> None:
        self.unit = Executor(config, address_bits=6, store_depth=64)
        fed = isinstance(config, MemoryConfig)
        self.streams = ("bus_words",) if fed else ("commands", "parameters")
        self.stores = () if fed else STORES
        self.octets = [(o, n == len(body) - 1) for body in bodies for n, o in enumerate(body)]
        self.playing = dict.fromkeys(STORES, 0)
        self.busy_stores = busy_stores
        self.done: list[tuple] = []
        self.finished = 0
        self.rng = np.random.default_rng(1)

    async def drive(self, ctx) -> None:
        for _ in range(30 * len(self.octets) + 200):
            self.put_in(ctx)
            self.see_streams(ctx)
            for name in self.stores:
                self.see_store(ctx, name)
            self.finished += ctx.get(self.unit.finished)
            if self.octets and ctx.get(self.unit.octets.ready):
                self.octets.pop(0)
            await ctx.tick()
        assert ctx.get(self.unit.worked_off) == self.finished

    def put_in(self, ctx) -> None:
        unit = self.unit
        ctx.set(unit.octets.valid, bool(self.octets))
        if self.octets:
            ctx.set(unit.octets.payload.octet, self.octets[0][0])
            ctx.set(unit.octets.payload.last, self.octets[0][1])
        for name in self.streams:
            ctx.set(getattr(unit, name).ready, int(self.rng.integers(2)))
        for name in self.stores:
            ctx.set(getattr(unit, f"playing_{name}"), self.playing[name] > 0)
        ctx.set(unit.values.ready, 1)
        ctx.set(unit.register_done, ctx.get(unit.register_start))
        ctx.set(unit.register_value, 0xABCD0000 | ctx.get(unit.address))

    def see_streams(self, ctx) -> None:
        unit = self.unit
        for name in self.streams:
            port = getattr(unit, name)
            if ctx.get(port.valid) and ctx.get(port.ready):
                self.done.append((name, ctx.get(port.payload)))
        if ctx.get(unit.register_start) and ctx.get(unit.register_write):
            self.done.append(("write", ctx.get(unit.address), ctx.get(unit.word)))
        if ctx.get(unit.values.valid):
            self.done.append(("value", ctx.get(unit.values.payload)))

    def see_store(self, ctx, name: str) -> None:
        unit = self.unit
        writes = ctx.get(getattr(unit, f"write_{name}"))
        starts = ctx.get(getattr(unit, f"start_{name}"))
        assert not (self.playing[name] and (writes or starts))
        if writes:
            self.done.append((f"write_{name}", ctx.get(unit.address), ctx.get(unit.word)))
        self.playing[name] = max(self.playing[name] - 1, 0)
        if starts:
            self.playing[name] = self.busy_stores
            self.done.append((f"start_{name}", ctx.get(unit.address), ctx.get(unit.count)))


def run_executor(
    bodies: list[bytes],
    *,
    busy_stores: int = 0,
    config: EngineConfig | MemoryConfig = CONFIG,
) -> tuple[list[tuple], int]:
    """Actions of an executor for bodies, and the number of finished ones."""
    bench = Bench(bodies, busy_stores=busy_stores, config=config)
    simulator = Simulator(bench.unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.drive)
    simulator.run()
    return bench.done, bench.finished


@pytest.mark.parametrize("busy", [0, 40])
def test_operations_are_done_in_order(busy):
    requests = [
        Request(Operation.STORE_ACTIVATIONS, 2, 5, bytes(range(8))),
        Request(Operation.COMMANDS, 1, 0, bytes(range(1, 9))),
        Request(Operation.PLAY_ACTIVATIONS, 2, 5),
        Request(Operation.PLAY_WEIGHTS, 7, 1),
        Request(Operation.STORE_WEIGHTS, 1, 9, bytes(range(6))),
        Request(Operation.PARAMETERS, 2, 0, bytes(range(8))),
        Request(Operation.WRITE, 1, 0x10, b"\x01\x02\x03\x04"),
        Request(Operation.READ, 1, 0x14),
    ]
    done, finished = run_executor(
        [
            b"".join(work.encode() for work in requests[:3]),
            b"".join(w.encode() for w in requests[3:]),
        ],
        busy_stores=busy,
    )
    assert done == [
        ("write_activations", 5, 0x03020100),
        ("write_activations", 6, 0x07060504),
        ("commands", 0x0807060504030201),
        ("start_activations", 5, 2),
        ("start_weights", 1, 7),
        ("write_weights", 9, 0x050403020100),
        ("parameters", 0x03020100),
        ("parameters", 0x07060504),
        ("write", 0x10, 0x04030201),
        ("value", 0xABCD0014),
    ]
    assert finished == 2


def test_body_that_ends_within_an_operation_disturbs_nothing_after_it():
    good = Request(Operation.PARAMETERS, 1, 0, b"\x01\0\0\0").encode()
    cut = [
        Request(Operation.PARAMETERS, 2, 0, b"\x01\0\0\0\x02").encode(),
        b"\x02\x01",
        b"\x63" * 5,
        Request(Operation.PARAMETERS, 2).encode(),  # no word at all
        Request(Operation.COMMANDS, 0).encode() + good,  # an operation without words
    ]
    done, finished = run_executor([body for first in cut for body in (first, good)])
    assert done == [("parameters", 1)] * 7
    assert finished == 10


def test_bus_words_of_an_autonomous_engine():
    """Words and runs of zeros in their order; a run of zeros may end a body."""
    words = bytes(range(1, 17))
    requests = [
        Request(Operation.FEED_ZEROS, 3),
        Request(Operation.FEED, 2, 0, words),
        Request(Operation.COMMANDS, 0),  # unknown to such a board
        Request(Operation.WRITE, 1, 0x10, b"\x01\x02\x03\x04"),
        Request(Operation.FEED_ZEROS, 0),
        Request(Operation.FEED_ZEROS, 2),
    ]
    after = [Request(Operation.FEED, 1, 0, words[8:]), Request(Operation.READ, 1, 0x14)]
    done, finished = run_executor(
        [b"".join(work.encode() for work in body) for body in (requests, after)],
        config=MemoryConfig.default(CONFIG),
    )
    assert done == [
        *[("bus_words", 0)] * 3,
        ("bus_words", 0x0807060504030201),
        ("bus_words", 0x100F0E0D0C0B0A09),
        ("write", 0x10, 0x04030201),
        *[("bus_words", 0)] * 2,
        ("bus_words", 0x100F0E0D0C0B0A09),
        ("value", 0xABCD0014),
    ]
    assert finished == 2


def test_registers_are_read_and_written_over_the_bus():
    bits = 5
    top, access, file = Module(), RegisterAccess(address_bits=bits), AxiLiteRegisters(TABLE)
    top.submodules.access, top.submodules.file = access, file
    for name, member in lite_ports("axi", bits).items():
        ours, its = getattr(access, name), getattr(file, name)
        top.d.comb += its.eq(ours) if member.flow.name == "In" else ours.eq(its)
    written = []

    async def use(ctx, address, *, data=None):
        ctx.set(access.address, address)
        ctx.set(access.data, data or 0)
        ctx.set(access.write, data is not None)
        ctx.set(access.start, 1)
        while not ctx.get(access.done):
            if ctx.get(file.written_kept):
                written.append(ctx.get(file.data))
            await ctx.tick()
        value = ctx.get(access.value)
        await ctx.tick()
        ctx.set(access.start, 0)
        return value

    async def drive(ctx):
        ctx.set(file.value_known, 77)
        ctx.set(file.value_kept, 88)
        assert await use(ctx, 0x04) == 77
        await use(ctx, 0x10, data=99)
        assert await use(ctx, 0x10) == 88
        assert await use(ctx, 0x08) == 0

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert written == [99]


WELCOME = Welcome(version=1, fifo_depth=4, buffer=512, store=64)


def report(events: list[dict[str, int]], beats: list[int]) -> list[bytes]:
    """Frames that a response_framer makes of one event a cycle, and of results."""
    response_framer = ResponseFramer(CONFIG, welcome=WELCOME)
    frames, frame = [], bytearray()

    async def drive(ctx):
        ctx.set(response_framer.session, 0x1234)
        ctx.set(response_framer.frames.ready, 1)
        for cycle in range(400):
            event = events[cycle] if cycle < len(events) else {}
            for name in ("refused", "reason", "expected", "done", "worked_off", "error"):
                if name in event or name in ("refused", "done"):
                    ctx.set(getattr(response_framer, name), event.get(name, 0))
            ctx.set(response_framer.results.valid, bool(beats) and cycle > 20)
            ctx.set(response_framer.results.payload, beats[0] if beats else 0)
            if ctx.get(response_framer.results.valid) and ctx.get(response_framer.results.ready):
                beats.pop(0)
            if ctx.get(response_framer.frames.valid):
                frame.append(ctx.get(response_framer.frames.payload.octet))
                if ctx.get(response_framer.frames.payload.last):
                    frames.append(bytes(frame))
                    frame.clear()
            await ctx.tick()

    simulator = Simulator(response_framer)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert not frame
    return frames


def test_reports_the_urgent_first_and_results_in_frames():
    events = [
        {"done": 1, "worked_off": 6, "error": 1},
        {"refused": 1, "reason": Refusal.SEQUENCE, "expected": 9},
    ]
    beats = [0x00020001 + (n << 8) for n in range(10)]
    octets = [beat.to_bytes(4, "little") for beat in beats]
    head = b"\x34\x12"
    assert report(events, list(beats)) == [
        bytes([Kind.WELCOME]) + head + b"\0" + WELCOME.encode(),
        bytes([Kind.REFUSED]) + head + b"\x09" + bytes([Refusal.SEQUENCE]),
        bytes([Kind.DONE]) + head + b"\x06\x01",
        bytes([Kind.RESULTS]) + head + b"\0" + b"".join(octets[:8]),
        bytes([Kind.RESULTS]) + head + b"\x01" + b"".join(octets[8:]),
    ]
