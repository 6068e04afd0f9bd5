"""Drives the engine's streams in Amaranth's simulator."""

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from numpy.typing import NDArray

from qcnpe.rtl.engine import Engine
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.streams import Streams
from tests.qcnpe.rtl.oracle import resolve

SOURCES = ("commands", "activations", "weights", "parameters")
TAIL = 8
"""Cycles after the last result in which no other result may come."""


class EngineBench:
    """Feeds streams to an engine and collects its results.

    One engine is elaborated and compiled once; every `run` begins where the one before ended, in an
    idle or a halted engine.

    Parameters
    ----------
    config : the engine

    Attributes
    ----------
    busy_cycles, error, halted, precisions : of the last run
    events : how often each event was seen in the last run
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.rest()
        self.engine = Engine(config)
        top = Module()
        self.domain: Any = ClockDomain("sync")
        top.domains.sync = self.domain
        top.submodules.engine = self.engine
        self.simulator = Simulator(top)
        self.simulator.add_clock(1e-6)
        self.simulator.add_process(self._drive)
        self._queues: dict[str, list[int]] = {name: [] for name in SOURCES}
        self.cycles = self.busy_cycles = self.error = self.halted = 0
        self.precisions: set[int] = set()
        self.events: dict[str, int] = {}
        self.lanes: list[list[int]] = []
        self._held: dict[str, int] = {}
        self._controls: dict[str, int] = {}
        self._busy = 0

    def rest(self, *, idle: float = 0.0, pause: float = 0.0, seed: int = 0) -> None:
        """Set the probability that a source, or the sink, is idle in a cycle, and its seed."""
        self.idle, self.pause, self.seed = idle, pause, seed
        self._chance = random.Random(seed)

    def run(self, streams: Streams, *, timeout: int = 20_000) -> NDArray[np.uint64]:
        """Result lanes (beats, rows)."""
        self.begin(streams)
        results = self.settle(streams.results, timeout=timeout)
        assert len(results) == streams.results, f"{self._where()} of {streams.results}"
        return results

    def settle(self, least: int = 0, *, timeout: int = 20_000) -> NDArray[np.uint64]:
        """Result lanes (beats, rows) when all is sent, `least` beats have come, and it is idle."""
        while len(self.lanes) < least or self._busy or any(self._queues.values()):
            self.wait(1)
            assert self.cycles < timeout, f"{self._where()} of {least}"
        self.wait(TAIL)
        return np.array(self.lanes, np.uint64).reshape(-1, self.config.rows)

    def begin(self, streams: Streams) -> None:
        """Put words into the sources and clear all counts."""
        self._queues = _words(streams)
        self.cycles = self.busy_cycles = 0
        self.precisions, self.events, self.lanes, self._busy = set(), {}, [], 1

    def unsent(self, source: str) -> int:
        """Words that a source has not begun to offer."""
        return len(self._queues[source])

    def wait(self, cycles: int) -> None:
        """Let the engine run."""
        end = self.cycles + cycles
        while self.cycles < end:
            self.simulator.advance()

    def reset(self) -> None:
        """Hold the engine's reset for a cycle; the sources forget their words."""
        self.forget()
        self.request("reset")

    def forget(self) -> None:
        """Discard the words of the sources."""
        self._queues = {name: [] for name in SOURCES}
        self._held = {}

    def request(self, *names: str) -> None:
        """Hold "reset", "halt" or "resume" for a cycle, and wait until it has done its work."""
        self._controls = dict.fromkeys(names, 1)
        self.wait(1)
        self._controls = {}
        self.wait(4)

    def _where(self) -> str:
        return f"seed {self.seed}, cycle {self.cycles}: {len(self.lanes)} beats"

    async def _drive(self, ctx: Any) -> None:
        """One pass for each cycle: the values of each port determine the next ones."""
        engine = self.engine
        ports = {name: getattr(engine, name) for name in SOURCES}
        payloads = {name: resolve(port, "payload") for name, port in ports.items()}
        watched = [port.ready for port in ports.values()] + [
            engine.results.valid,
            engine.results.ready,
            engine.busy,
            engine.error,
            engine.halted,
            engine.precision,
            resolve(engine, "results.payload.lanes"),
            resolve(engine, "events"),
        ]
        while True:
            for name, port in ports.items():
                self._offer(ctx, name, port, payloads[name])
            ctx.set(engine.results.ready, self._chance.random() >= self.pause)
            ctx.set(self.domain.rst, self._controls.get("reset", 0))
            ctx.set(engine.halt, self._controls.get("halt", 0))
            ctx.set(engine.resume, self._controls.get("resume", 0))
            _, _, *seen = await ctx.tick().sample(*watched)
            for name, ready in zip(SOURCES, seen, strict=False):
                if ready:
                    self._held.pop(name, None)
            self._note(*seen[len(SOURCES) :])

    def _offer(self, ctx: Any, name: str, port: Any, payload: Any) -> None:
        """A word stays until it is taken; a new one follows unless the source is idle."""
        if name not in self._held:
            if self._queues[name] and self._chance.random() >= self.idle:
                self._held[name] = self._queues[name].pop()
                ctx.set(payload, self._held[name])
                ctx.set(port.valid, 1)
            else:
                ctx.set(port.valid, 0)

    def _note(
        self,
        valid: int,
        ready: int,
        busy: int,
        error: int,
        halted: int,
        precision: int,
        lanes: int,
        events: int,
    ) -> None:
        self.cycles += 1
        self.busy_cycles += busy
        self._busy = busy or bool(self._held)
        self.error, self.halted = error, halted
        self.precisions.add(precision)
        if events:
            for place, name in enumerate(self.engine.events.shape().members):
                self.events[name] = self.events.get(name, 0) + (events >> place & 1)
        if valid and ready:
            self.lanes.append(split(lanes, self.config.result_lane_bits, self.config.rows))


@cache
def _shared(config: EngineConfig) -> EngineBench:
    return EngineBench(config)


def shared_bench(
    config: EngineConfig, *, idle: float = 0.0, pause: float = 0.0, seed: int = 0
) -> EngineBench:
    """A bench with a freshly reset engine; equal engines are compiled only once."""
    bench = _shared(config)
    bench.reset()
    bench.rest(idle=idle, pause=pause, seed=seed)
    return bench


def _words(streams: Streams) -> dict[str, list[int]]:
    """Words of each source, the last one first."""
    return {
        "commands": streams.commands.tolist()[::-1],
        "activations": [join(beat, 16) for beat in streams.activations.tolist()][::-1],
        "weights": [join(beat, 16) for beat in streams.weights.tolist()][::-1],
        "parameters": streams.parameters.tolist()[::-1],
    }


def join(lanes: Sequence[int], bits: int) -> int:
    """One word of many lanes, the first lowest."""
    return sum(lane << (index * bits) for index, lane in enumerate(lanes))


def split(word: int, bits: int, lanes: int) -> list[int]:
    """Inverse of `join`."""
    return [(word >> (index * bits)) & ((1 << bits) - 1) for index in range(lanes)]
