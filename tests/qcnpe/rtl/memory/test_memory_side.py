"""The memory side against the reference model: every stream, and what is stored in the end."""

from typing import Any

import numpy as np
import pytest

from qcnpe.random_memory_work import random_program
from qcnpe.rtl.memory.memory_side import MemorySide
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.descriptors import Base, Fault
from qcnpe.spec.memory.machine import Machine
from qcnpe.spec.model import execute
from tests.qcnpe.rtl.memory.bench import Receiver, Sender, happens, run

CONFIGS = {
    "1x1": MemoryConfig(
        engine=EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,)),
        banks=8,
        activation_rows=4096,
        weight_rows=100,
        bus_bits=128,
    ),
    "2x2": MemoryConfig(
        engine=EngineConfig(rows=2, cols=2), banks=2, activation_rows=4096, weight_rows=100
    ),
    "3x2": MemoryConfig(
        engine=EngineConfig(rows=3, cols=2, precisions=(16, 8, 4)),
        banks=8,
        activation_rows=5000,
        weight_rows=100,
    ),
}


class Transfers:
    """Both halves of the bus, and external memory by base register; words come in bursts."""

    def __init__(self, side, external, places, rng, chance):
        self.side, self.external, self.places = side, external, places
        self.rng, self.chance = rng, chance
        self.reads, self.left = [], 0
        self.write: Any = None
        self.bus_bytes = side.config.bus_bytes
        self.offers = self.takes = self.written = False

    def drive(self, ctx):
        side = self.side
        ctx.set(side.read_transfer.ready, 1)
        self.offers = bool(self.reads) and (self.offers or happens(self.rng, self.chance))
        ctx.set(side.read_words.valid, self.offers)
        if self.offers:
            ctx.set(side.read_words.payload, self.reads[0])
        ctx.set(side.write_transfer.ready, self.write is None)
        self.takes = self.left > 0 and happens(self.rng, self.chance)
        ctx.set(side.write_words.ready, self.takes)
        ctx.set(side.write_done, self.written)

    def observe(self, ctx):
        side = self.side
        if self.offers and ctx.get(side.read_words.ready):
            self.reads.pop(0)
            self.offers = False
        if ctx.get(side.read_transfer.valid):
            transfer = ctx.get(side.read_transfer.payload)
            memory, first = self.find(transfer["first"])
            count = transfer["count"]
            words = memory[first : first + count * self.bus_bytes].reshape(count, -1)
            self.reads += [int.from_bytes(word.tobytes(), "little") for word in words]
        if self.written:
            self.write, self.written = None, False
        if self.write is None and ctx.get(side.write_transfer.valid):
            transfer = ctx.get(side.write_transfer.payload)
            self.write, self.left = self.find(transfer["first"]), transfer["count"]
        elif self.takes and ctx.get(side.write_words.valid):
            memory, place = self.write
            word = ctx.get(side.write_words.payload).to_bytes(self.bus_bytes, "little")
            memory[place : place + self.bus_bytes] = np.frombuffer(word, np.uint8)
            self.write, self.left = (memory, place + self.bus_bytes), self.left - 1
            self.written = self.left == 0

    def find(self, word):
        """The memory that holds a bus word, and its place there."""
        base = max((base for base in Base if self.places[base] <= word), key=self.places.get)
        return self.external[base], (word - self.places[base]) * self.bus_bytes


class Engine:
    """The engine's streams; the results of a tile come some cycles after its parameters."""

    def __init__(self, side, streams, rng, chance):
        config = side.config.engine
        self.side = side
        names = ("commands", "activations", "weights", "parameters")
        self.takers = {
            name: Receiver(getattr(side, name), rng=rng, chance=chance) for name in names
        }
        results = execute(config, streams).results
        lasts = np.cumsum([tile.cols for tile in streams.tiles(config)]) - 1
        beats = [
            {
                "lanes": [lane_values(config, lane) for lane in beat.tolist()],
                "last": int(number in set(lasts.tolist())),
            }
            for number, beat in enumerate(results)
        ]
        self.needs = np.repeat(
            np.cumsum([tile.beats for tile in streams.tiles(config)]),
            [tile.cols for tile in streams.tiles(config)],
        ).tolist()
        self.results = Sender(side.results, beats, rng=rng, chance=chance)
        self.total = len(beats)
        counts = [getattr(each, "cols", 0) for each in streams.decode(config)]
        self.asked = [0, *np.cumsum(counts).tolist()]

    def drive(self, ctx):
        for taker in self.takers.values():
            taker.drive(ctx)
        sent = self.total - len(self.results.words)
        ready = sent < self.total and self.needs[sent] <= len(self.takers["weights"].words)
        if ready:
            self.results.drive(ctx)
        else:
            ctx.set(self.side.results.valid, 0)
            self.results.offers = False
        asked = self.asked[len(self.takers["commands"].words)]
        ctx.set(self.side.engine_busy, sent < asked)

    def observe(self, ctx):
        for taker in self.takers.values():
            taker.observe(ctx)
        self.results.observe(ctx)


def lane_values(config, lane):
    """Fields of a result lane."""
    values, place = {}, 0
    for name, width in [("result", 16)] + [(f"copy_{w}", w) for w in config.narrow_precisions]:
        field = lane >> place & ((1 << width) - 1)
        values[name] = field - (field >> 15 << 16) if name == "result" else field
        place += width
    fill = config.result_lane_bits - place
    return values | ({"reserved": 0} if fill else {})


@pytest.mark.parametrize(("name", "chance"), [("1x1", 0.5), ("2x2", 1), ("3x2", 1)])
def test_streams_and_stores_are_those_of_the_reference(name, chance):
    config = CONFIGS[name]
    program, rng = random_program(config, 1, jobs=2), np.random.default_rng(1)
    machine = Machine(config)
    output = np.zeros(program.output_bytes, np.uint8)
    machine.external = {Base.IMAGE: program.image, Base.INPUT: program.input, Base.OUTPUT: output}
    machine.run(boot_rows=program.boot_rows)
    streams = machine.joined_streams()

    side = MemorySide(config)
    found = np.zeros_like(output)
    external = {Base.IMAGE: program.image, Base.INPUT: program.input, Base.OUTPUT: found}
    places = {Base.IMAGE: 16, Base.INPUT: 1 << 14, Base.OUTPUT: 1 << 15}
    engine = Engine(side, streams, rng, chance)
    transfers = Transfers(side, external, places, rng, chance)
    cycle = 0

    def ended(ctx):
        nonlocal cycle
        if cycle == 0:
            ctx.set(side.bases, [places[base] for base in Base])
            ctx.set(side.boot_rows, program.boot_rows)
        ctx.set(side.start, cycle == 1)
        cycle += 1
        assert ctx.get(side.fault) == Fault.NONE, f"descriptor {ctx.get(side.row)}"
        return ctx.get(side.done)

    run(side, [engine, transfers], ended, most=20000)
    assert engine.takers["commands"].words == streams.commands.tolist()
    assert engine.takers["parameters"].words == streams.parameters.tolist()
    for lanes in ("activations", "weights"):
        words = [[int(lane) for lane in beat] for beat in engine.takers[lanes].words]
        np.testing.assert_array_equal(words, getattr(streams, lanes))
    np.testing.assert_array_equal(found, output)
