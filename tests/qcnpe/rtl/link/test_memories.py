"""Packets, operand stores and block queues against lists."""

import gc
import warnings
from collections import deque

import numpy as np
import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from qcnpe.rtl.block_queue import BlockQueue, FpgaLibrary
from qcnpe.rtl.fifo import Fifo, RegisterQueue
from qcnpe.rtl.leaf import ModuleLibrary
from qcnpe.rtl.link.packets import Packets
from qcnpe.rtl.link.store import OperandStore


def simulate(unit, drive):
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()


def test_packets_give_committed_octets_and_forget_the_others():
    packets, rng = Packets(depth=16), np.random.default_rng(1)
    committed: deque[int] = deque()
    pending: list[int] = []
    taken = []

    async def drive(ctx):
        lost = False
        for _ in range(4000):
            write, end = int(rng.random() < 0.6), rng.random() < 0.15
            octet = int(rng.integers(256))
            ready = int(rng.random() < 0.5)
            ctx.set(packets.octet, octet)
            ctx.set(packets.last, end)
            ctx.set(packets.write, write)
            ctx.set(packets.output.ready, ready)
            overflow = ctx.get(packets.overflow)
            commit = int(end and not overflow and rng.random() < 0.7)
            ctx.set(packets.commit, commit)
            ctx.set(packets.rewind, int(end and not commit))
            valid, payload = ctx.get(packets.output.valid), ctx.get(packets.output.payload.octet)
            if valid and ready:
                taken.append((payload, committed.popleft()))
            if write:
                pending.append(octet)
            lost |= bool(overflow)
            if commit:
                committed.extend(pending)
            if end:
                pending.clear()
            assert len(committed) <= 16
            await ctx.tick()
        assert lost

    simulate(packets, drive)
    assert len(taken) > 500
    assert all(found == expected for found, expected in taken)


@pytest.mark.parametrize("rest", [0.0, 0.6])
def test_store_plays_what_was_written_again_and_again(rest):
    store, rng = OperandStore(width=32, depth=16), np.random.default_rng(2)
    words = rng.integers(1 << 32, size=16).tolist()

    async def drive(ctx):
        for address, word in enumerate(words):
            ctx.set(store.address, address)
            ctx.set(store.word, word)
            ctx.set(store.write, 1)
            await ctx.tick()
        ctx.set(store.write, 0)
        for first, count in ((0, 16), (3, 1), (3, 5), (12, 8)):
            ctx.set(store.address, first)
            ctx.set(store.count, count)
            ctx.set(store.start, 1)
            await ctx.tick()
            ctx.set(store.start, 0)
            found, cycles = [], 0
            while ctx.get(store.playing):
                ready = int(rng.random() >= rest)
                ctx.set(store.output.ready, ready)
                if ready and ctx.get(store.output.valid):
                    found.append(ctx.get(store.output.payload))
                cycles += 1
                await ctx.tick()
            assert found == [words[(first + n) % 16] for n in range(count)]
            assert rest or cycles == count + 1

    simulate(store, drive)


@pytest.mark.parametrize("depth", [2, 4, 14])
def test_block_queue_does_in_every_cycle_what_the_queue_does(depth):
    """The engine's cycles are counted with the one and run with the other."""
    rng = np.random.default_rng(3)
    moves = [(int(rng.integers(1 << 9)), *rng.integers(2, size=2).tolist()) for _ in range(600)]
    seen: list[list[tuple]] = []
    for queue in (Fifo(width=9, depth=depth), BlockQueue(width=9, depth=depth)):
        found: list[tuple] = []

        async def drive(ctx, queue=queue, found=found):
            for word, valid, ready in moves:
                ctx.set(queue.i.payload, word)
                ctx.set(queue.i.valid, valid)
                ctx.set(queue.o.ready, ready)
                shown = ctx.get(queue.o.payload) if ctx.get(queue.o.valid) else None
                found.append((ctx.get(queue.i.ready), shown, ctx.get(queue.level)))
                await ctx.tick()

        simulate(queue, drive)
        seen.append(found)
    assert seen[0] == seen[1]


def test_library_of_an_fpga_places_block_queues():
    library = FpgaLibrary()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            # As in a design: the leaf is elaborated, and the library places it.
            Fragment.get(Fifo(width=8, depth=4), library)
        gc.collect()
    assert list(library.modules) == ["qcnpe_block_queue_8x4"]
    assert said == []  # for one, that something was created and never used


def test_a_register_queue_is_the_same_queue_on_an_fpga():
    library, plain = FpgaLibrary(), ModuleLibrary()
    for into in (library, plain):
        Fragment.get(RegisterQueue(width=8, depth=4), into)
    assert library.modules == plain.modules
    assert "qcnpe_fifo_8x4" in library.modules
