"""Prices of the events in the units around the neural compute units (NCUs).

A whole engine is simulated at gate level while it executes probes, and the energies of each unit
are fitted by the numbers of events in it. So each price is found where the event happens, with the
loads, the operands and the idle cycles that the unit has in the engine.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qcnpe.activity import stream_activity
from qcnpe.events import OPERAND_UNITS, SUM_UNITS, EventCounts, OperandActivity, count_events
from qcnpe.spec.config import EngineConfig
from synth.engine_bench import EngineBench, EngineRun
from synth.engine_units import UNITS
from synth.ncu_prices import fit_nonnegative
from synth.probes import probes
from synth.traces import Trace

CYCLE = "cycle"
"""Ending of the event of a unit's clock and leakage in a cycle."""

ENGINE_ONLY = ("ncu_edge_beat", "ncu_result")
"""Events in NCUs that do not happen in an NCU on its own."""


def events_of(config: EngineConfig, run: EngineRun) -> dict[str, int]:
    """All events of a run, with those that its operands cause."""
    counts = count_events(config, run.streams.decode(config), cycles=run.cycles)
    return counts.events(stream_activity(config, run.streams))


def in_unit(events: Mapping[str, int], unit: str) -> dict[str, int]:
    """Events that happen in a unit."""
    return {name: count for name, count in events.items() if name.startswith(f"{unit}_")}


def engine_prices_fj(
    bench: EngineBench, trace: Trace, ncu_fj: Mapping[str, float], *, seed: int
) -> dict[str, float]:
    """Prices by event in all units but the NCUs, and of what happens in NCUs only in an engine.

    Events of operands and sums also have a mean price for each word and each sum of a width.

    Parameters
    ----------
    bench : the engine
    trace : operands of the programs with which it is measured
    ncu_fj : prices of the other events in NCUs
    seed : of the programs
    """
    idle_fj, runs = bench.run(probes(bench.config, trace, seed=seed))
    prices = fit_units(bench.config, idle_fj, runs)
    prices |= shared_ncu_fj(bench.config, ncu_fj, runs)
    return prices | mean_prices_fj(bench.config, prices, runs)


def shared_ncu_fj(
    config: EngineConfig, ncu_fj: Mapping[str, float], runs: Sequence[EngineRun]
) -> dict[str, float]:
    """Prices of events in NCUs that happen only in an engine.

    It is what the engine's NCUs take above the events that NCUs on their own have: for operands
    that they take at the edge of a tile without needing them, and for results on the wires of their
    row's ORs.

    Parameters
    ----------
    config : the engine
    ncu_fj : prices of an NCU's other events
    runs : probes
    """
    events = [in_unit(events_of(config, run), "ncu") for run in runs]
    energies = np.array([run.energies_fj["ncu"] for run in runs])
    known = [
        sum(ncu_fj[name] * count for name, count in each.items() if name not in ENGINE_ONLY)
        for each in events
    ]
    counts = np.array([[each[name] for name in ENGINE_ONLY] for each in events], np.float64)
    found = fit_nonnegative(counts, energies - known, energies)
    return dict(zip(ENGINE_ONLY, found.tolist(), strict=True))


def fit_units(
    config: EngineConfig, idle_fj: Mapping[str, float], runs: Sequence[EngineRun]
) -> dict[str, float]:
    """Prices in fJ by event of all units but the NCUs.

    Parameters
    ----------
    config : the engine
    idle_fj : energy of an idle cycle by unit
    runs : probes
    """
    events = [events_of(config, run) for run in runs]
    prices: dict[str, float] = {}
    for unit in UNITS:
        if unit != "ncu":
            energies = np.array([run.energies_fj[unit] for run in runs])
            cycles = runs[0].cycles / events[0][f"{unit}_{CYCLE}"]
            counts = [in_unit(each, unit) for each in events]
            prices |= fit_unit(unit, idle_fj[unit] * cycles, counts, energies)
    return prices


def fit_unit(
    unit: str, least_fj: float, counts: Sequence[Mapping[str, int]], energies: NDArray[np.float64]
) -> dict[str, float]:
    """Prices of a unit's events; a cycle takes at least what it takes in an idle engine."""
    clock = f"{unit}_{CYCLE}"
    names = sorted({name for each in counts for name in each})
    table = np.array([[each.get(name, 0) for name in names] for each in counts], np.float64)
    above = np.maximum(energies - least_fj * table[:, names.index(clock)], 0.0)
    prices = dict(zip(names, fit_nonnegative(table, above, energies).tolist(), strict=True))
    return {**prices, clock: prices[clock] + least_fj}


def mean_prices_fj(
    config: EngineConfig, prices: Mapping[str, float], runs: Sequence[EngineRun]
) -> dict[str, float]:
    """Prices of words and sums of each width, with as many toggles as the probes have.

    Parameters
    ----------
    config : the engine
    prices : of toggles
    runs : probes
    """
    total, seen = EventCounts(), dict[int, OperandActivity]()
    for run in runs:
        total += count_events(config, run.streams.decode(config))
        for width, each in stream_activity(config, run.streams).items():
            seen[width] = seen.get(width, OperandActivity()) + each
    found = {
        f"{unit}_word_{width}b": (
            seen[width].activation_toggles * prices[f"{unit}_activation_toggle"]
            + seen[width].weight_toggles * prices[f"{unit}_weight_toggle"]
        )
        / words
        for unit in OPERAND_UNITS
        for width, words in total.lane_words.items()
    }
    return found | {
        f"{unit}_sum_{width}b": seen[width].sum_toggles / sums * prices[f"{unit}_sum_toggle"]
        for unit in SUM_UNITS
        for width, sums in total.ncu_tiles.items()
    }
