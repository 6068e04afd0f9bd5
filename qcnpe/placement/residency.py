"""What stays in the memories of weights and tables from run to run, and what every run loads."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qcnpe.placement.layout import name_of
from qcnpe.placement.phase import TABLES, Phase, PhaseBuilder, Unit
from qcnpe.spec.commands import PARAMETER_BITS
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.memory.config import ENTRY_BITS, Memory, MemoryConfig

LOADED = (Memory.WEIGHTS, *TABLES)
"""Memories that phases use."""

_SHARES = (2, 4, 8)
"""Parts of the weight memory that a phase may have at most if not all weights stay loaded. Short
phases leave more of it to weights that stay."""

_PHASE_CYCLES = 100
"""About as many cycles as a phase costs besides its beats: the array is drained and filled."""


@dataclass(frozen=True, eq=False)
class Content:
    """What a phase has in one memory.

    Attributes
    ----------
    octets : uint8 (rows, octets) in external memory, in whole bus words
    """

    octets: NDArray[np.uint8]

    @classmethod
    def of(cls, phase: Phase, memory: Memory, config: MemoryConfig) -> "Content":
        """The content of a phase."""
        rows = phase.rows(memory, config)
        if memory is Memory.WEIGHTS:
            return cls(_weight_rows(phase, rows, config))
        width = config.row_words(memory) * config.bus_bytes
        entry = {Memory.PARAMETERS: PARAMETER_BITS, Memory.LANES: width * 8}.get(memory, ENTRY_BITS)
        entries = phase.tables[memory].entries
        octets = b"".join(word.to_bytes(entry // 8, "little") for word in entries)
        padded = octets.ljust(rows * width, b"\0")
        return cls(np.frombuffer(padded, np.uint8).reshape(rows, width))

    @property
    def rows(self) -> int:
        """Rows of the memory."""
        return len(self.octets)

    @cached_property
    def key(self) -> bytes:
        """Equal for equal contents."""
        return self.octets.tobytes()


def _weight_rows(phase: Phase, rows: int, config: MemoryConfig) -> NDArray[np.uint8]:
    """Weights of the columns that have any."""
    width = -(-phase.columns() * OPERAND_BITS // config.bus_bits) * config.bus_bytes
    found = np.zeros((rows, width), np.uint8)
    if rows:
        block = np.concatenate(phase.weights).astype("<u2").view(np.uint8)
        used = min(width, block.shape[1])
        found[:, :used] = block[:, :used]
    return found


@dataclass(frozen=True, eq=False)
class MemoryPlan:
    """Where phases lie in one memory.

    Attributes
    ----------
    contents : of each phase
    firsts : first row of each phase
    once : phases that only the first run loads; those of equal contents share one
    always : phases that every run loads
    """

    contents: tuple[Content, ...]
    firsts: tuple[int, ...]
    once: tuple[int, ...]
    always: tuple[int, ...]

    @property
    def octets(self) -> int:
        """Octets that every run loads."""
        return sum(self.contents[phase].octets.size for phase in self.always)

    def stays(self, phase: int) -> bool:
        """Whether all that a phase has there stays loaded."""
        key = self.contents[phase].key
        return not self.contents[phase].rows or any(
            self.contents[each].key == key for each in self.once
        )


def plan_memory(contents: Sequence[Content], depth: int) -> MemoryPlan | None:
    """Contents that stay loaded, by the octets that this saves in a run; the others alternate.

    They share two parts of the memory: while a phase is computed from one of them, the next one is
    loaded into the other.

    Parameters
    ----------
    contents : of each phase, in order
    depth : rows of the memory

    Returns
    -------
    None if they do not fit.
    """
    saved: dict[bytes, int] = {}
    for each in contents:
        if each.rows:
            saved[each.key] = saved.get(each.key, 0) + each.octets.size
    plan = _plan(contents, set(saved))
    if _rows(plan) <= depth:
        return plan
    stays: set[bytes] = set()
    for key in sorted(saved, key=lambda key: -saved[key]):
        if _rows(_plan(contents, stays | {key})) <= depth:
            stays.add(key)
    plan = _plan(contents, stays)
    return plan if _rows(plan) <= depth else None


def _rows(plan: MemoryPlan) -> int:
    """Rows that are used."""
    return max(
        (first + each.rows for first, each in zip(plan.firsts, plan.contents, strict=True)),
        default=0,
    )


def _plan(contents: Sequence[Content], stays: Set[bytes]) -> MemoryPlan:
    """What stays lies in front, then two parts for the others."""
    firsts: dict[bytes, int] = {}
    once, end = [], 0
    for phase, each in enumerate(contents):
        if each.key in stays and each.key not in firsts:
            firsts[each.key] = end
            once.append(phase)
            end += each.rows
    halves: list[int | None] = []
    always, half, last = [], 1, None
    for phase, each in enumerate(contents):
        if each.key in stays or not each.rows:
            halves.append(None)
            continue
        if each.key != last:
            half, last = 1 - half, each.key
            always.append(phase)
        halves.append(half)
    chosen = zip(contents, halves, strict=True)
    second = end + max((each.rows for each, half in chosen if half == 0), default=0)
    return MemoryPlan(
        tuple(contents),
        tuple(
            firsts.get(each.key, 0) if half is None else (end, second)[half]
            for each, half in zip(contents, halves, strict=True)
        ),
        tuple(once),
        tuple(always),
    )


@dataclass(frozen=True, eq=False)
class Residency:
    """Phases of a program, and where they lie.

    Attributes
    ----------
    phases : in order
    plans : by memory
    """

    phases: tuple[Phase, ...]
    plans: Mapping[Memory, MemoryPlan]

    @property
    def resident(self) -> frozenset[Memory]:
        """Memories that hold all phases at once."""
        return frozenset(memory for memory, plan in self.plans.items() if not plan.always)

    def cycles(self, config: MemoryConfig) -> int:
        """About as many cycles as loads, and the ends of phases, take in a run."""
        words = sum(plan.octets for plan in self.plans.values()) // config.bus_bytes
        return words + _PHASE_CYCLES * len(self.phases)


def cut_phases(builder: PhaseBuilder) -> Residency:
    """A phase for each layer; more where a memory that does not hold all cannot hold two.

    Raises
    ------
    CapacityError
        If a memory is too small for the tiles of one group, and those of the next one.
    """
    cutter = _Cutter(builder)
    streamed: Set[Memory] = frozenset()
    while True:
        phases = cutter.cut({memory: builder.config.depth(memory) // 2 for memory in streamed})
        plans = {memory: cutter.plan(phases, memory) for memory in LOADED}
        more = {memory for memory, plan in plans.items() if plan is None or plan.always}
        if more <= streamed:
            break
        streamed |= more
    found = [cutter.residency(phases)]
    if Memory.WEIGHTS in streamed:
        found += cutter.shorter(streamed)
    return min(found, key=lambda each: each.cycles(builder.config))


class _Cutter:
    """Cuts layers into phases that are as short as asked for."""

    def __init__(self, builder: PhaseBuilder) -> None:
        self._builder, self._config = builder, builder.config
        self._known: dict[tuple[int, Unit, Unit], Phase] = {}
        self._contents: dict[tuple[int, Memory], Content] = {}

    def _build(self, index: int, units: Sequence[Unit]) -> Phase:
        key = index, units[0], units[-1]
        if key not in self._known:
            self._known[key] = self._builder.build(index, units)
        return self._known[key]

    def cut(self, limits: Mapping[Memory, int]) -> list[Phase]:
        """Phases of at most so many rows of each memory, if their groups are no longer."""
        return [
            phase
            for index in range(len(self._builder.program.layers))
            for phase in self._split(index, self._builder.units(index), limits)
        ]

    def _split(
        self, index: int, units: Sequence[Unit], limits: Mapping[Memory, int]
    ) -> Iterator[Phase]:
        """Halves of a layer's strips, then of the groups of a strip."""
        phase = self._build(index, units)
        is_large = any(phase.rows(memory, self._config) > rows for memory, rows in limits.items())
        if not is_large or len(units) == 1:
            yield phase
            return
        strips = sorted({strip for strip, _ in units})
        middle = len(units) // 2
        if len(strips) > 1:
            middle = next(
                number
                for number, (strip, _) in enumerate(units)
                if strip == strips[len(strips) // 2]
            )
        for half in (units[:middle], units[middle:]):
            yield from self._split(index, half, limits)

    def plan(self, phases: Sequence[Phase], memory: Memory) -> MemoryPlan | None:
        """Where phases lie in a memory; None if they do not fit."""
        for phase in phases:
            if (id(phase), memory) not in self._contents:
                found = Content.of(phase, memory, self._config)
                self._contents[id(phase), memory] = found
        contents = [self._contents[id(phase), memory] for phase in phases]
        return plan_memory(contents, self._config.depth(memory))

    def residency(self, phases: Sequence[Phase]) -> Residency:
        """Where phases lie in all memories."""
        plans = {}
        for memory in LOADED:
            plan = self.plan(phases, memory)
            if plan is None:
                raise self._too_small(phases, memory)
            plans[memory] = plan
        return Residency(tuple(phases), plans)

    def shorter(self, streamed: Set[Memory]) -> Iterator[Residency]:
        """The same with shorter phases."""
        for share in _SHARES[1:]:
            limits = {memory: self._config.depth(memory) // 2 for memory in streamed}
            limits[Memory.WEIGHTS] = self._config.depth(Memory.WEIGHTS) // share
            try:
                yield self.residency(self.cut(limits))
            except CapacityError:
                return

    def _too_small(self, phases: Sequence[Phase], memory: Memory) -> CapacityError:
        phase = max(phases, key=lambda phase: phase.rows(memory, self._config))
        rows, depth = phase.rows(memory, self._config), self._config.depth(memory)
        return CapacityError(
            f"{name_of(self._builder.program, phase.layer)}: {rows} rows of"
            f" {memory.name.lower()} do not fit twice into a memory of {depth}; make it larger"
        )
