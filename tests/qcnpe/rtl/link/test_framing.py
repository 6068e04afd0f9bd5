"""Framer and deframer in hardware against the software's frames."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from qcnpe.rtl.link.deframer import Deframer
from qcnpe.rtl.link.framer import Framer
from qcnpe.spec.frames import Frame

BODIES = [b"\x01", b"\x7e\x7d\x7e", bytes(range(256)), b"\x5e\x5d" * 9]


def make_frames() -> list[Frame]:
    rng = np.random.default_rng(1)
    random = [rng.bytes(int(size)) for size in rng.integers(1, 40, 6)]
    return [Frame(2, 0x7D7E + n, n, body) for n, body in enumerate([*BODIES, *random])]


def plain(frame: Frame) -> bytes:
    return (
        bytes([frame.kind, frame.session & 0xFF, frame.session >> 8, frame.sequence]) + frame.body
    )


def deframe(wire: bytes) -> list[tuple[bytes, int]]:
    """(payload, good) of each frame that the hardware saw the end of."""
    deframer, found, payload = Deframer(), [], bytearray()

    async def drive(ctx):
        for octet in wire:
            ctx.set(deframer.octet, octet)
            ctx.set(deframer.octet_valid, 1)
            _, _, valid, value, last, good = await ctx.tick().sample(
                deframer.valid, deframer.payload, deframer.last, deframer.good
            )
            ctx.set(deframer.octet_valid, 0)
            await ctx.tick()
            if valid:
                payload.append(value)
            if valid and last:
                found.append((bytes(payload), good))
                payload.clear()

    simulator = Simulator(deframer)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return found


def test_deframer_gives_the_frames_back():
    sent = make_frames()
    wire = b"".join(frame.encode() for frame in sent)
    assert deframe(wire) == [(plain(frame), 1) for frame in sent]


@pytest.mark.parametrize("place", [1, 3, 6, -3])
def test_deframer_sees_a_changed_octet_and_takes_the_next_frame(place):
    frame = Frame(2, 0x1111, 1, b"some octets")
    wire = bytearray(frame.encode())
    wire[place] ^= 0x04
    assert [good for _, good in deframe(bytes(wire) + frame.encode())] == [0, 1]


def test_deframer_passes_over_garbage_and_short_runs():
    frame = Frame(2, 0x1111, 1, b"!")
    wire = b"\x33\x7e\x7e\x01\x02\x7e" + frame.encode()
    assert [payload for payload, good in deframe(wire) if good] == [plain(frame)]


@pytest.mark.parametrize("rest", [0, 3])
def test_framer_makes_the_softwares_octets(rest):
    framer, sent, found = Framer(), make_frames()[:6], bytearray()
    octets = [
        (octet, place == len(text) - 1)
        for frame in sent
        for text in [plain(frame)]
        for place, octet in enumerate(text)
    ]

    async def feed(ctx):
        for octet, last in octets:
            ctx.set(framer.frames.payload.octet, octet)
            ctx.set(framer.frames.payload.last, last)
            ctx.set(framer.frames.valid, 1)
            await ctx.tick().until(framer.frames.ready)
        ctx.set(framer.frames.valid, 0)
        await ctx.tick().repeat(80)

    async def take(ctx):
        while True:
            ctx.set(framer.octets.ready, 1)
            _, _, valid, octet = await ctx.tick().sample(framer.octets.valid, framer.octets.payload)
            if valid:
                found.append(octet)
            ctx.set(framer.octets.ready, 0)
            for _ in range(rest):
                await ctx.tick()

    simulator = Simulator(framer)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(take, background=True)
    simulator.run()
    assert bytes(found) == b"".join(frame.encode() for frame in sent)
