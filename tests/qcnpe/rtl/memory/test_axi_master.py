"""Both halves of the AXI4 manager against a memory that checks AXI4's rules (IHI 0022)."""

import numpy as np
import pytest

from qcnpe.rtl.memory.axi_reader import AxiReader
from qcnpe.rtl.memory.axi_writer import AxiWriter
from qcnpe.rtl.memory.burst_splitter import BurstSplitter
from qcnpe.rtl.memory.bus import Response
from tests.qcnpe.rtl.memory.bench import ReadMemory, Receiver, Sender, WriteMemory, run

BUS = {"data_bits": 64, "address_bits": 20}
TRANSFERS = [(0, 1), (500, 30), (511, 2), (256, 256), (255, 258), (1023, 513), (77, 0)]
"""First bus word and words: within 4 kB, across its boundary, and more than one burst."""


def transfer(first, count):
    return {"first": first, "count": count}


def fewest_bursts(first, count):
    """Blocks of 2 kB that a transfer touches: as many bursts, if they end where blocks do."""
    return len({word // 256 for word in range(first, first + count)})


@pytest.mark.parametrize(("first", "count"), TRANSFERS)
@pytest.mark.parametrize("chance", [1, 0.3])
def test_bursts_cover_the_transfer(first, count, chance):
    unit = BurstSplitter(**BUS)
    taker = Receiver(unit.bursts, rng=np.random.default_rng(1), chance=chance)
    sender = Sender(unit.transfer, [transfer(first, count)])

    def ended(ctx):
        return sum(burst["length"] + 1 for burst in taker.words) >= count and ctx.get(unit.idle)

    run(unit, [sender, taker], ended)
    words = [
        word
        for burst in taker.words
        for word in range(burst["first"], burst["first"] + burst["length"] + 1)
    ]
    assert words == list(range(first, first + count))
    assert len(taker.words) == fewest_bursts(first, count)


def contents(first, count, seed=3):
    words = np.random.default_rng(seed).integers(0, 1 << 63, count)
    return dict(enumerate(words.tolist(), first))


@pytest.mark.parametrize(("first", "count"), TRANSFERS)
@pytest.mark.parametrize("chance", [1, 0.4])
def test_a_transfer_is_read(first, count, chance):
    unit, rng = AxiReader(**BUS), np.random.default_rng(count)
    words = contents(first, count)
    memory = ReadMemory(unit, words, latency=7, rng=rng, chance=chance)
    taker = Receiver(unit.words, rng=rng, chance=chance)
    models = [memory, Sender(unit.transfer, [transfer(first, count)]), taker]
    run(unit, models, lambda ctx: ctx.get(unit.done))
    assert taker.words == list(words.values())


def test_a_read_has_its_latency_once():
    unit = AxiReader(**BUS)
    memory = ReadMemory(unit, contents(100, 1000), latency=30)
    models = [memory, Sender(unit.transfer, [transfer(100, 1000)]), Receiver(unit.words)]
    cycles = run(unit, models, lambda ctx: ctx.get(unit.done))
    assert len(memory.bursts) == 5
    assert cycles <= 1000 + 30 + 6


@pytest.mark.parametrize(("first", "count"), TRANSFERS)
@pytest.mark.parametrize(("chance", "both"), [(1, False), (1, True), (0.4, False)])
def test_a_transfer_is_written(first, count, chance, both):
    unit, rng = AxiWriter(**BUS), np.random.default_rng(count)
    found: dict[int, int] = {}
    memory = WriteMemory(unit, found, latency=7, rng=rng, chance=chance, waits_for_both=both)
    words = contents(first, count)
    sender = Sender(unit.words, words.values(), rng=rng, chance=chance)
    models = [memory, Sender(unit.transfer, [transfer(first, count)]), sender]
    cycles = run(unit, models, lambda ctx: ctx.get(unit.done))
    assert found == words
    assert not sender.words
    if chance == 1:
        assert cycles <= count + 7 + 7


@pytest.mark.parametrize("answer", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize(("place", "chance"), [(0, 0.4), (1, 1), (255, 0.4), (599, 1)])
def test_an_error_ends_a_read(answer, place, chance):
    """No word from the error on is delivered; the next transfer is read as if nothing was."""
    unit, rng = AxiReader(**BUS), np.random.default_rng(place)
    words, other = contents(100, 600), contents(4000, 20)
    later = Response.SLVERR ^ Response.DECERR ^ answer
    answers = {100 + place: answer, 100 + place + 1: later}
    memory = ReadMemory(unit, words | other, answers=answers, latency=9, rng=rng, chance=chance)
    taker = Receiver(unit.words, rng=rng, chance=chance)
    requests = Sender(unit.transfer, [transfer(100, 600)])
    responses = []

    def ended(ctx):
        if ctx.get(unit.done):
            responses.append(ctx.get(unit.response))
            assert not memory.queue
            if len(responses) == 1:
                assert taker.words == list(words.values())[: len(taker.words)]
                assert len(taker.words) <= place
                taker.words.clear()
                requests.words.append(transfer(4000, 20))
        return len(responses) == 2

    run(unit, [memory, requests, taker], ended)
    assert responses == [answer, Response.OKAY]
    assert taker.words == list(other.values())


@pytest.mark.parametrize("answer", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize(("place", "chance"), [(0, 0.4), (1, 1), (255, 0.4), (599, 1)])
def test_an_error_ends_a_write(answer, place, chance):
    unit, rng = AxiWriter(**BUS), np.random.default_rng(place)
    words, other = contents(100, 600), contents(4000, 20)
    found: dict[int, int] = {}
    answers = {100 + place: answer}
    memory = WriteMemory(unit, found, answers=answers, latency=9, rng=rng, chance=chance)
    sender = Sender(unit.words, words.values(), rng=rng, chance=chance)
    requests = Sender(unit.transfer, [transfer(100, 600)])
    responses = []

    def ended(ctx):
        if ctx.get(unit.done):
            responses.append(ctx.get(unit.response))
            assert not memory.open
            assert not memory.data
            if len(responses) == 1:
                sender.words.clear()
                sender.words.extend(other.values())
                sender.offers = False
                requests.words.append(transfer(4000, 20))
        return len(responses) == 2

    run(unit, [memory, requests, sender], ended)
    assert responses == [answer, Response.OKAY]
    assert {word: found[word] for word in other} == other
    assert all(words[word] == value for word, value in found.items() if word in words)


class Abort:
    """Aborts at one cycle."""

    def __init__(self, port, cycle):
        self.port, self.cycle = port, cycle

    def drive(self, ctx):
        ctx.set(self.port, self.cycle == 0)
        self.cycle -= 1

    def observe(self, ctx):
        pass


@pytest.mark.parametrize("cycle", [1, 2, 4, 200])
def test_an_aborted_read_receives_what_it_requested(cycle):
    unit, rng = AxiReader(**BUS), np.random.default_rng(cycle)
    memory = ReadMemory(unit, contents(100, 600), latency=9, rng=rng, chance=0.6)
    models = [memory, Sender(unit.transfer, [transfer(100, 600)]), Abort(unit.abort, cycle)]
    run(unit, models, lambda ctx: ctx.get(unit.done))  # nobody takes a word
    assert not memory.queue
    assert sum(beats for _, beats in memory.bursts) < 600 or cycle > 10


@pytest.mark.parametrize("cycle", [1, 2, 4, 200])
def test_an_aborted_write_sends_what_it_announced(cycle):
    unit, rng = AxiWriter(**BUS), np.random.default_rng(cycle)
    found: dict[int, int] = {}
    memory = WriteMemory(unit, found, latency=9, rng=rng, chance=0.6)
    words = contents(100, 600)
    sender = Sender(unit.words, list(words.values())[:40])  # the rest is never sent
    models = [memory, Sender(unit.transfer, [transfer(100, 600)]), sender]
    models.append(Abort(unit.abort, cycle))
    run(unit, models, lambda ctx: ctx.get(unit.done))
    assert not memory.data
    assert not memory.open
    assert found.items() <= words.items()
