"""A clock, and models of what the memory side's units talk to, one call of each a cycle."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from qcnpe.rtl.memory.bus import Response
from qcnpe.spec.memory.timing import BURST_BEATS

Model = Any
"""Has `drive`, called before the clock's edge to set inputs, and `observe`, called after it."""

BYTES = 8
"""Bytes of the bus's words."""


def run(unit: Any, models: Iterable[Model], until: Callable[[Any], bool], most: int = 3000) -> int:
    """Clock a unit until a condition on its outputs holds; returns the cycles before."""
    models = list(models)
    cycles: list[int] = []

    async def drive(ctx: Any) -> None:
        for cycle in range(most):
            for model in models:
                model.drive(ctx)
            for model in models:
                model.observe(ctx)
            if until(ctx):
                cycles.append(cycle)
                return
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    assert cycles, f"nothing ended within {most} cycles"
    return cycles[0]


class Sender:
    """Sends words on a stream, each offered with a chance and then until it is taken."""

    def __init__(self, port: Any, words: Iterable[Any], *, rng: Any = None, chance: float = 1):
        self.port, self.words, self.rng, self.chance = port, deque(words), rng, chance
        self.offers = False

    def drive(self, ctx: Any) -> None:
        """Offer the next word."""
        if not self.offers:
            self.offers = bool(self.words) and happens(self.rng, self.chance)
        ctx.set(self.port.valid, self.offers)
        if self.offers:
            ctx.set(self.port.payload, self.words[0])

    def observe(self, ctx: Any) -> None:
        """Forget a word that was taken."""
        if self.offers and ctx.get(self.port.ready):
            self.words.popleft()
            self.offers = False


class Receiver:
    """Takes words from a stream, ready with a chance."""

    def __init__(self, port: Any, *, rng: Any = None, chance: float = 1):
        self.port, self.rng, self.chance = port, rng, chance
        self.words: list[Any] = []

    def drive(self, ctx: Any) -> None:
        """Be ready or not."""
        ctx.set(self.port.ready, happens(self.rng, self.chance))

    def observe(self, ctx: Any) -> None:
        """Keep a word that was taken."""
        if ctx.get(self.port.valid) and ctx.get(self.port.ready):
            self.words.append(ctx.get(self.port.payload))


def happens(rng: np.random.Generator | None, chance: float) -> bool:
    """Something that happens with a chance."""
    return chance >= 1 or (rng is not None and bool(rng.random() < chance))


class _Memory:
    """What both halves of an AXI4 memory share: bursts, checked against the protocol's rules.

    Attributes
    ----------
    words : contents by number of the bus word
    answers : response of a bus word, where it is not OKAY
    bursts : (first bus word, beats) of each request that was taken
    """

    letter = ""

    def __init__(
        self,
        unit: Any,
        words: dict[int, int],
        *,
        answers: dict[int, Response] | None = None,
        latency: int = 1,
        rng: np.random.Generator | None = None,
        chance: float = 1,
    ):
        self.unit, self.words, self.answers = unit, words, answers or {}
        self.latency, self.rng, self.chance = latency, rng, chance
        self.cycle = 0
        self.bursts: list[tuple[int, int]] = []
        self.offers = False

    def get(self, ctx: Any, name: str) -> int:
        """An output of the unit on the bus."""
        return int(ctx.get(getattr(self.unit, f"axi_{name}")))

    def set(self, ctx: Any, **values: int) -> None:
        """Inputs of the unit on the bus."""
        for name, value in values.items():
            ctx.set(getattr(self.unit, f"axi_{name}"), value)

    def requested(self, ctx: Any) -> tuple[int, int] | None:
        """A request that is taken in this cycle."""
        channel = f"a{self.letter}"
        if not (self.get(ctx, f"{channel}valid") and self.get(ctx, f"{channel}ready")):
            return None
        address, beats = self.get(ctx, f"{channel}addr"), self.get(ctx, f"{channel}len") + 1
        assert self.get(ctx, f"{channel}burst") == 1
        assert 1 << self.get(ctx, f"{channel}size") == BYTES
        assert address % BYTES == 0
        assert beats <= BURST_BEATS
        assert address // 4096 == (address + BYTES * beats - 1) // 4096
        self.bursts.append((address // BYTES, beats))
        return self.bursts[-1]


class ReadMemory(_Memory):
    """The reading half of a memory that answers each request after a latency."""

    letter = "r"

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.queue: deque[tuple[int, int, bool]] = deque()

    def drive(self, ctx: Any) -> None:
        """Take requests, and answer those that are due."""
        self.set(ctx, arready=happens(self.rng, self.chance))
        due = bool(self.queue) and self.queue[0][0] <= self.cycle
        self.offers = self.offers or (due and happens(self.rng, self.chance))
        self.set(ctx, rvalid=self.offers)
        if self.offers:
            _, word, last = self.queue[0]
            answer = self.answers.get(word, Response.OKAY)
            self.set(ctx, rdata=self.words.get(word, 0), rlast=last, rresp=answer)

    def observe(self, ctx: Any) -> None:
        """Note requests and taken words."""
        if self.offers and self.get(ctx, "rready"):
            self.queue.popleft()
            self.offers = False
        if found := self.requested(ctx):
            first, beats = found
            for beat in range(beats):
                self.queue.append((self.cycle + self.latency, first + beat, beat == beats - 1))
        self.cycle += 1


class WriteMemory(_Memory):
    """The writing half of a memory; it may take a burst's data before its request."""

    letter = "w"

    def __init__(self, *arguments: Any, waits_for_both: bool = False, **options: Any):
        super().__init__(*arguments, **options)
        self.waits_for_both = waits_for_both
        self.open: deque[tuple[int, int]] = deque()
        self.data: deque[tuple[int, int, int]] = deque()
        self.due: deque[tuple[int, Response]] = deque()

    def drive(self, ctx: Any) -> None:
        """Be ready, and answer bursts that are complete."""
        ready = happens(self.rng, self.chance)
        both = self.get(ctx, "awvalid") and self.get(ctx, "wvalid")
        self.set(ctx, awready=ready and (both or not self.waits_for_both))
        self.set(ctx, wready=happens(self.rng, self.chance))
        due = bool(self.due) and self.due[0][0] <= self.cycle
        self.offers = self.offers or (due and happens(self.rng, self.chance))
        self.set(ctx, bvalid=self.offers)
        if self.offers:
            self.set(ctx, bresp=self.due[0][1])

    def observe(self, ctx: Any) -> None:
        """Store complete bursts."""
        if self.offers and self.get(ctx, "bready"):
            self.due.popleft()
            self.offers = False
        if found := self.requested(ctx):
            self.open.append(found)
        if self.get(ctx, "wvalid") and self.get(ctx, "wready"):
            names = ("wdata", "wstrb", "wlast")
            self.data.append(tuple(self.get(ctx, name) for name in names))  # type: ignore[arg-type]
        if self.open and len(self.data) >= self.open[0][1]:
            self._store(*self.open.popleft())
        self.cycle += 1

    def _store(self, first: int, beats: int) -> None:
        answer = Response.OKAY
        for beat in range(beats):
            data, strobes, last = self.data.popleft()
            assert last == (beat == beats - 1)
            assert strobes in (0, (1 << BYTES) - 1)
            answer = answer or self.answers.get(first + beat, Response.OKAY)
            if strobes:
                self.words[first + beat] = data
        self.due.append((self.cycle + self.latency, answer))
