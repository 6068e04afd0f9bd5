"""The UART's two halves: bit by bit, connected to each other, and at slightly wrong rates."""

import pytest
from amaranth.sim import Simulator

from qcnpe.rtl.link.rate import phase_step
from qcnpe.rtl.link.receiver import Receiver
from qcnpe.rtl.link.transmitter import Transmitter
from qcnpe.spec.errors import ConfigError

OCTETS = [0x00, 0xFF, 0x55, 0xAA, 0x7E, 0x01, 0x80]


def wave(octets: list[int], clocks_per_bit: float) -> list[int]:
    """The line in each clock cycle, for a sender with its own rate."""
    bits = [bit for octet in octets for bit in [0, *(octet >> n & 1 for n in range(8)), 1]]
    return [bits[int(clock / clocks_per_bit)] for clock in range(int(len(bits) * clocks_per_bit))]


def receive(line: list[int], *, clocks_per_bit: int) -> list[int]:
    receiver = Receiver(clock_hz=clocks_per_bit * 1e5, baud=100_000)
    found = []

    async def drive(ctx):
        ctx.set(receiver.line, 1)
        await ctx.tick().repeat(20)
        for level in [*line, *[1] * 40]:
            ctx.set(receiver.line, level)
            _, _, valid, octet = await ctx.tick().sample(receiver.valid, receiver.octet)
            if valid:
                found.append(octet)

    simulator = Simulator(receiver)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    return found


@pytest.mark.parametrize("clocks", [4, 7, 16])
def test_octets_back_to_back(clocks):
    assert receive(wave(OCTETS, clocks), clocks_per_bit=clocks) == OCTETS


@pytest.mark.parametrize("error", [-0.02, 0.02])
def test_rate_may_be_two_percent_off(error):
    assert receive(wave(OCTETS, 16 * (1 + error)), clocks_per_bit=16) == OCTETS


def test_octet_without_stop_bit_is_dropped_and_the_next_one_taken():
    broken = wave([0x55], 8)[: 9 * 8] + [0] * 24 + [1] * 16
    assert receive([*broken, *wave([0x33], 8)], clocks_per_bit=8) == [0x33]


def test_short_dip_is_no_start_bit():
    assert receive([0, 0, *[1] * 30, *wave([0x33], 8)], clocks_per_bit=8) == [0x33]


@pytest.mark.parametrize("clocks", [4, 5.5])
def test_transmitter_sends_what_a_receiver_reads(clocks):
    sender = Transmitter(clock_hz=clocks * 1e5, baud=100_000)
    levels = []

    async def drive(ctx):
        for octet in OCTETS:
            ctx.set(sender.octets.payload, octet)
            ctx.set(sender.octets.valid, 1)
            ready = 0
            while not ready:
                _, _, ready, level = await ctx.tick().sample(sender.octets.ready, sender.line)
                levels.append(level)
        ctx.set(sender.octets.valid, 0)
        for _ in range(80):
            _, _, level = await ctx.tick().sample(sender.line)
            levels.append(level)

    simulator = Simulator(sender)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert decode(levels, clocks) == OCTETS


def decode(levels: list[int], clocks: float) -> list[int]:
    found, place = [], 0
    while 0 in levels[place:]:
        start = levels.index(0, place)
        bits = [levels[int(start + (n + 0.5) * clocks)] for n in range(1, 9)]
        found.append(sum(bit << n for n, bit in enumerate(bits)))
        place = int(start + 9.5 * clocks)
    return found


def test_rate_must_leave_clocks_for_a_bit():
    with pytest.raises(ConfigError, match=r"^baud must be 1\.\.3000000 at 12 MHz, not 4000000$"):
        phase_step(clock_hz=12e6, baud=4_000_000)
