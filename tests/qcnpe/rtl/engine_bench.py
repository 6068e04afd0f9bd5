"""Drives the engine's streams in Amaranth's simulator."""

import random
from collections.abc import Sequence

import numpy as np
from amaranth.sim import Simulator

from qcnpe.rtl.engine import Engine
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.streams import Streams


class EngineBench:
    """Feeds streams to an engine and collects its results.

    `idle` and `pause` are the chances that a source or the sink rests in a cycle.
    """

    def __init__(
        self, config: EngineConfig, *, idle: float = 0.0, pause: float = 0.0, seed: int = 0
    ):
        self.config = config
        self.engine = Engine(config)
        self.idle, self.pause = idle, pause
        self.seed = seed
        self.lanes: list[list[int]] = []
        self.busy_cycles = 0
        self.error = 0

    def run(self, streams: Streams, *, timeout: int = 100_000) -> np.ndarray:
        """Result lanes (beats, rows)."""
        simulator = Simulator(self.engine)
        simulator.add_clock(1e-6)
        for port, words in self._words(streams).items():
            simulator.add_testbench(
                self._source(getattr(self.engine, port), words), background=True
            )
        simulator.add_testbench(self._count, background=True)
        simulator.add_testbench(self._sink(streams.results, timeout))
        simulator.run()
        return np.array(self.lanes, np.uint64).reshape(-1, self.config.rows)

    def _words(self, streams: Streams) -> dict[str, list[int]]:
        return {
            "commands": streams.commands.tolist(),
            "activations": [join(beat, 16) for beat in streams.activations.tolist()],
            "weights": [join(beat, 16) for beat in streams.weights.tolist()],
            "parameters": streams.parameters.tolist(),
        }

    def _source(self, port, words: Sequence[int]):
        chance = random.Random(f"{self.seed} {len(words)}")

        async def drive(ctx):
            for word in words:
                while chance.random() < self.idle:
                    await ctx.tick()
                ctx.set(
                    port.payload.as_value() if hasattr(port.payload, "as_value") else port.payload,
                    word,
                )
                ctx.set(port.valid, 1)
                await ctx.tick().until(port.ready)
                ctx.set(port.valid, 0)

        return drive

    def _sink(self, beats: int, timeout: int):
        chance = random.Random(f"{self.seed} sink")
        results = self.engine.results
        bits = self.config.result_lane_bits

        async def collect(ctx):
            for _ in range(timeout):
                if len(self.lanes) == beats:
                    break
                ctx.set(results.ready, chance.random() >= self.pause)
                _, _, valid, ready, lanes = await ctx.tick().sample(
                    results.valid, results.ready, results.payload.lanes.as_value()
                )
                if valid and ready:
                    self.lanes.append(split(lanes, bits, self.config.rows))
            assert len(self.lanes) == beats, (
                f"{len(self.lanes)} of {beats} beats (seed {self.seed})"
            )
            ctx.set(results.ready, 0)
            for _ in range(8):
                await ctx.tick()
            assert not ctx.get(results.valid), f"more than {beats} beats (seed {self.seed})"
            self.error = ctx.get(self.engine.error)

        return collect

    async def _count(self, ctx):
        async for _, _, busy in ctx.tick().sample(self.engine.busy):
            self.busy_cycles += busy


def join(lanes: Sequence[int], bits: int) -> int:
    """One word of many lanes, the first lowest."""
    return sum(lane << (index * bits) for index, lane in enumerate(lanes))


def split(word: int, bits: int, lanes: int) -> list[int]:
    """Inverse of `join`."""
    return [(word >> (index * bits)) & ((1 << bits) - 1) for index in range(lanes)]
