"""What an operating point costs, by layer: energy by unit, cycles, stalls, words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.event_counter import (
    PROGRAM_BATCH,
    EventCounter,
    external_events,
    memory_events,
)
from axnn.approximation.widths import histogram
from axnn.flow.energy import EnergyModel
from axnn.report.runs.systems import SystemCost, system_cost
from qcnpe.compiler import LayerProgram, Program
from qcnpe.placement.build import place_network
from qcnpe.placement.report import LayerReport, PlacementReport
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.qnet import QuantNet

UNITS = {
    "ncu": "NCUs at work",
    "idle": "NCUs idle",
    "row": "rows",
    "skew": "skew",
    "queue": "queues",
    "sequencer": "sequencer",
    "afu": "AFUs",
    "result": "results",
    "memory": "on-chip memories",
}
"""Titles of the units among which energy is divided; memories are not part of the engine."""

BUS_BITS = 64
"""Width of the bus to the external memory."""

_IDLE = "ncu_idle_cycle"


@dataclass(frozen=True, kw_only=True)
class Autonomous:
    """A layer on an autonomous engine, one sample in a run, as its counters count.

    Attributes
    ----------
    cycles : in all
    stalled : of these, cycles in which it waited for loads from the external memory
    busy : of these, cycles in which a full array would do the layer's own multiplications
    words : 16-bit words from and to the external memory
    """

    cycles: int
    stalled: int
    busy: float
    words: int


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """A layer at an operating point, for one sample.

    Attributes
    ----------
    units_pj : energy by unit, of `UNITS`
    cycles : of an engine whose streams run at full rate
    beats : of these, cycles in which operands enter the array
    macs : multiply-accumulates, with the zeros that fill a last beat
    words : 16-bit words that a host moves which keeps the last block of operands
    widths : (width, neurons) of equal neighbours, by channel, then by position
    autonomous : on an autonomous engine; None if the network does not fit its memories
    """

    units_pj: dict[str, float]
    cycles: float
    beats: float
    macs: float
    words: float
    widths: tuple[tuple[int, int], ...]
    autonomous: Autonomous | None


@dataclass(frozen=True, kw_only=True)
class PointCost:
    """An operating point, for one sample.

    Attributes
    ----------
    engine : its title
    peaks : multiply-accumulates in a cycle of the whole array, by width
    energy_pj : of the engine
    memory_pj, external_pj : of on-chip memories and of the external memory, not part of the energy
    cycles : of an engine whose streams run at full rate, in a long batch
    histogram : neurons by width
    layers : in order
    memories : of the autonomous engine: `default` or `largest`; None if the network fits neither
    start : what precedes the layers on an autonomous engine: the input is loaded
    system : energy of an autonomous engine with memories of default sizes
    """

    engine: str
    peaks: dict[str, int]
    energy_pj: float
    memory_pj: float
    external_pj: float
    cycles: float
    histogram: dict[str, int]
    layers: tuple[LayerCost, ...]
    memories: str | None
    start: Autonomous | None
    system: SystemCost


def point_cost(net: QuantNet, energy: EnergyModel, *, exact: bool) -> PointCost:
    """Cost of a network.

    Parameters
    ----------
    net : the network
    energy : prices, the engine, and samples
    exact : on the engine that computes 16 bits only
    """
    config = energy.exact_config if exact else energy.config
    counter = EventCounter(config, energy.samples)
    program, prices = counter.compile(net), energy.prices.for_engine(config)
    placed = _place(net, config)
    start, *places = (
        [None] * (1 + len(net.layers))
        if placed.report is None
        else map(_autonomous, placed.report.layers)
    )
    layers = tuple(
        _layer_cost(replace(program, layers=(layer,)), events, prices, place)
        for layer, events, place in zip(
            program.layers, counter.count_layers(program), places, strict=True
        )
    )
    return PointCost(
        engine=config.title,
        peaks={str(w): config.rows * config.cols * config.pairs(w) for w in config.precisions},
        energy_pj=sum(
            value for layer in layers for unit, value in layer.units_pj.items() if unit != "memory"
        ),
        memory_pj=prices.cost_pj(memory_events(program)) / PROGRAM_BATCH,
        external_pj=prices.cost_pj(external_events(program)) / PROGRAM_BATCH,
        cycles=program.cycles / PROGRAM_BATCH,
        histogram=histogram(tuple(layer.precision for layer in net.layers)),
        layers=layers,
        memories=placed.memories,
        start=start,
        system=_system(net, placed, energy),
    )


def _layer_cost(
    program: Program, events: Mapping[str, int], prices: EnergyPrices, place: Autonomous | None
) -> LayerCost:
    """Cost of a program of one layer."""
    (layer,) = program.layers
    by_unit = _by_unit(events) | {"memory": memory_events(program)}
    return LayerCost(
        units_pj={unit: prices.cost_pj(by_unit[unit]) / PROGRAM_BATCH for unit in UNITS},
        cycles=program.cycles / PROGRAM_BATCH,
        beats=layer.counts.beats / PROGRAM_BATCH,
        macs=sum(layer.counts.macs.values()) / PROGRAM_BATCH,
        words=_words(layer) / PROGRAM_BATCH,
        widths=tuple(_runs(layer.layer.precision)),
        autonomous=place,
    )


def _by_unit(events: Mapping[str, int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {unit: {} for unit in UNITS}
    for name, count in events.items():
        unit = "idle" if name == _IDLE else name.partition("_")[0]
        found[unit][name] = count
    return found


def _words(layer: LayerProgram) -> int:
    counts = layer.counts
    return layer.fetched_words + counts.parameter_words + counts.result_words


def _runs(widths: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Equal neighbours: (width, how many)."""
    flat = widths.reshape(-1)
    edges = np.flatnonzero(np.diff(flat, prepend=flat[0] ^ 1, append=flat[-1] ^ 1))
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield int(flat[start]), end - start


@dataclass(frozen=True)
class _Place:
    """A network on an autonomous engine.

    Attributes
    ----------
    memories : `default` or `largest`; None if the network fits neither
    report : on its placement there
    refused : why default memories do not hold it; empty if they do
    """

    memories: str | None
    report: PlacementReport | None
    refused: str


def _place(net: QuantNet, config: EngineConfig) -> _Place:
    """The network on an autonomous engine: with default memories, or with the largest."""
    sizes = {"default": MemoryConfig.default(config), "largest": MemoryConfig.largest(config)}
    refused = ""
    for name, memories in sizes.items():
        try:
            report = PlacementReport.of(place_network(net, memories, 1), net)
        except CapacityError as error:
            refused = refused or str(error)
        else:
            return _Place(name, report, refused)
    return _Place(None, None, refused)


def _system(net: QuantNet, placed: _Place, energy: EnergyModel) -> SystemCost:
    if placed.report is None or placed.refused:
        return SystemCost(parts_pj={}, note=f"The network does not fit them: {placed.refused}.")
    return system_cost(net, placed.report.placement, energy)


def _autonomous(layer: LayerReport) -> Autonomous:
    return Autonomous(
        cycles=layer.cycles,
        stalled=layer.stalled,
        busy=round(layer.utilisation * layer.cycles, 1),
        words=layer.words_read + layer.words_written,
    )


def words_per_cycle() -> int:
    """16-bit words that the bus to the external memory moves in a cycle."""
    return BUS_BITS // OPERAND_BITS
