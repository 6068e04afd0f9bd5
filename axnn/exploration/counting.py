"""Counts and prices a network on many engines.

What operands make an engine do is measured once for each kind of NCU, on the engine that the
network was made for, and scaled to the beats, operand words and sums of every other engine: those
that follow one another in a row or a column are the same on all of them, but where a tile begins.
Everything else is counted exactly for every engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.event_counter import PROGRAM_BATCH
from axnn.exploration.candidates import Candidate, LeftOut
from axnn.flow.energy import program_cost
from qcnpe.activity import network_activity
from qcnpe.area import AreaModel
from qcnpe.compiler import Program, compile_network
from qcnpe.events import EventCounts, OperandActivity
from qcnpe.placement.build import place_network
from qcnpe.placement.energy import side_energy_pj
from qcnpe.placement.report import PlacementReport
from qcnpe.prices import EnergyPrices
from qcnpe.side_area import SideAreaModel
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.ncu_kind import find_kind
from qcnpe.spec.qnet import QuantNet


@dataclass(frozen=True)
class Point:
    """An operating point: a network in integers.

    Attributes
    ----------
    name : of the point
    net : its network
    accuracy : on the validation part
    loss_points : percentage points less than the exact network
    """

    name: str
    net: QuantNet
    accuracy: float
    loss_points: float

    @cached_property
    def widths(self) -> frozenset[int]:
        """Operand widths that its neurons have."""
        return frozenset(
            int(width) for layer in self.net.layers for width in np.unique(layer.precision)
        )

    def missing(self, engine: EngineConfig) -> str:
        """The widths that an engine lacks, in words; nothing if it has all."""
        widths = sorted(self.widths - set(engine.precisions), reverse=True)
        return f"has no operands of {', '.join(map(str, widths))} bits" if widths else ""


@dataclass(frozen=True)
class LayerActivity:
    """What the operands of a layer make one engine do.

    Attributes
    ----------
    operands : by width, what they do
    counts : events of the layer on that engine
    """

    operands: Mapping[int, OperandActivity]
    counts: EventCounts

    def on(self, counts: EventCounts) -> dict[int, OperandActivity]:
        """By width, what they make an engine do on which the layer has other counts."""
        activations = counts.activation_words / max(self.counts.activation_words, 1)
        weights = counts.weight_words / max(self.counts.weight_words, 1)
        found = {}
        for width, beats in counts.ncu_beats.items():
            seen = self.operands[width]
            sums = counts.ncu_tiles[width] / self.counts.ncu_tiles[width]
            found[width] = replace(
                seen.scaled(beats / self.counts.ncu_beats[width]),
                activation_toggles=round(seen.activation_toggles * activations),
                weight_toggles=round(seen.weight_toggles * weights),
                sum_toggles=round(seen.sum_toggles * sums),
            )
        return found


Activity = tuple[LayerActivity, ...]
"""What each layer of a network does on the engine that it was made for."""


@dataclass(frozen=True, eq=False)
class Shared:
    """What the tasks need, all of them.

    Attributes
    ----------
    points : operating points
    activity : of each point, by name and kind of NCU
    prices : of events
    areas : of engines
    side_areas : of memory sides, of engines that have memories; None: they have none
    """

    points: tuple[Point, ...]
    activity: Mapping[tuple[str, str], Activity]
    prices: EnergyPrices
    areas: AreaModel
    side_areas: SideAreaModel | None = None


def with_kind(engine: EngineConfig, ncu: str) -> EngineConfig:
    """The engine with a kind of NCU, and with those of its widths that the kind supports."""
    return replace(engine, ncu=ncu, precisions=find_kind(ncu).choose(engine.precisions))


def measure_activity(
    net: QuantNet, engine: EngineConfig, ncu: str, samples: NDArray[np.floating]
) -> Activity:
    """What a network's operands make NCUs of a kind do, on an engine of the given size."""
    config = with_kind(engine, ncu)
    inputs = net.quantize_inputs(samples)
    seen = network_activity(net, config, inputs, batch=PROGRAM_BATCH)
    counts = _layer_counts(net, config, len(inputs))
    return tuple(LayerActivity(*layer) for layer in zip(seen, counts, strict=True))


def _layer_counts(net: QuantNet, config: EngineConfig, samples: int) -> list[EventCounts]:
    """Events of each layer, for samples in batches of `PROGRAM_BATCH`."""
    total = [EventCounts() for _ in net.layers]
    whole, rest = divmod(samples, PROGRAM_BATCH)
    for batch, times in ((PROGRAM_BATCH, whole), (rest, 1)):
        if batch and times:
            counts = compile_network(net, config, batch).layer_counts
            for _ in range(times):
                total = [before + more for before, more in zip(total, counts, strict=True)]
    return total


@dataclass(frozen=True)
class EngineCount:
    """All operating points on an engine.

    Attributes
    ----------
    candidates : those that run on it
    left_out : those that do not
    """

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]


def count_engines(
    shared: Shared, engines: Sequence[EngineConfig], tell: Callable[[str], None]
) -> tuple[EngineCount, ...]:
    """All operating points on each of some engines."""
    found = []
    for engine in engines:
        found.append(_count_engine(shared, engine))
        tell(engine.title)
    return tuple(found)


def _count_engine(shared: Shared, engine: EngineConfig) -> EngineCount:
    found, left_out = [], []
    for point in shared.points:
        reason = point.missing(engine)
        if not reason:
            try:
                found.append(count(point, engine, shared))
            except CapacityError as error:
                reason = str(error)
        if reason:
            left_out.append(LeftOut(engine.title, point.name, reason))
    return EngineCount(tuple(found), tuple(left_out))


def count(point: Point, engine: EngineConfig, shared: Shared) -> Candidate:
    """An operating point on an engine."""
    program = compile_network(point.net, engine, PROGRAM_BATCH)
    events = _events(program, shared.activity[point.name, engine.ncu])
    cost = program_cost(shared.prices, program, events)
    around = shared.side_areas
    placed = _in_memories(point.net, engine, shared.prices) if around else None
    return Candidate(
        point=point.name,
        rows=engine.rows,
        cols=engine.cols,
        precisions=engine.precisions,
        ncu=engine.ncu,
        energy_pj=cost.energy_pj,
        memory_pj=cost.memory_pj,
        external_pj=cost.external_pj,
        cycles=placed.cycles if placed else cost.cycles,
        memory_bits=placed.memory_bits if placed else None,
        side_pj=placed.side_pj if placed else None,
        side_um2=around.area_um2(engine) if around else None,
        area_um2=shared.areas.area_um2(engine),
        accuracy=point.accuracy,
        loss_points=point.loss_points,
    )


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """A run of one sample on an autonomous engine, see `Candidate`."""

    cycles: float
    memory_bits: int
    side_pj: float | None


def _in_memories(net: QuantNet, engine: EngineConfig, prices: EnergyPrices) -> _Placed:
    """The network in the memories of an autonomous engine.

    Raises
    ------
    CapacityError
        If the network fits no memories.
    """
    placement = place_network(net, MemoryConfig.largest(engine), 1)
    report = PlacementReport.of(placement, net)
    return _Placed(
        cycles=float(report.cycles),
        memory_bits=report.least_memories.total_bits,
        side_pj=side_energy_pj(prices, placement.image, cycles=report.cycles),
    )


def _events(program: Program, activity: Activity) -> list[dict[str, int]]:
    """Events of each layer, with the measured operands scaled to its counts."""
    return [
        counts.events(layer.on(counts))
        for counts, layer in zip(program.layer_counts, activity, strict=True)
    ]
