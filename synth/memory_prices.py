"""Makes the prices of the units around an autonomous engine's engine.

    python -m synth.memory_prices
    python -m synth.memory_prices --array 4x4

The netlist of all units but the engine runs the probes at gate level, with delays and glitches, and
the energy of each unit is fitted by the events in it. The prices are compared with simulated runs
of a trained network that they were not fitted to. This is done for arrays of several sizes; for
others prices are interpolated. They are in `synth/memory_side_45nm.json`, and for 4x4 in
`synth/memory_side_4x4_45nm.json`, beside those of the engine; the errors are in
`results/energy.json`.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from qcnpe.command_line import command
from qcnpe.memory_events import MEMORY_UNITS, OPERAND_UNITS
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.results import add_figures, package_versions
from qcnpe.terminal import Console
from synth.energy_table import RESULTS
from synth.engine_prices import fit_unit, in_unit
from synth.flow import own_cells
from synth.gatesim import simulator
from synth.memories import memory_prices_pj, read_memories
from synth.memory_bench import CELL_SHARE, REPEATERS, MemoryBench
from synth.memory_player import BUS_LATENCY
from synth.memory_probes import checks, probes
from synth.memory_runs import MemoryRun
from synth.ncu_variants import FUSED
from synth.stimulus import PERIOD_PS

COMMAND = "python -m synth.memory_prices"
SEED = 1
"""Of the probes."""

ARRAY, OTHER_ARRAYS = (16, 16), ((8, 8), (4, 4))
"""Rows and columns of the engine, and those of others with prices of their own."""

CHECKED_ARRAYS = ((16, 4), (4, 16), (8, 4))
"""Arrays for which prices are interpolated and compared with simulation."""

WIDTHS = (16, 8, 4, 2)


def fit_memory_units(idle_fj: Mapping[str, float], runs: Sequence[MemoryRun]) -> dict[str, float]:
    """Prices in fJ by event of all units around the engine.

    Parameters
    ----------
    idle_fj : energy of an idle cycle by unit
    runs : probes
    """
    prices: dict[str, float] = {}
    events = [run.events() for run in runs]
    for unit in MEMORY_UNITS:
        energies = np.array([run.energies_fj[unit] for run in runs])
        counts = [in_unit(each, unit) for each in events]
        prices |= fit_unit(unit, idle_fj[unit], counts, energies)
    return prices | mean_prices_fj(prices, runs)


def mean_prices_fj(prices: Mapping[str, float], runs: Sequence[MemoryRun]) -> dict[str, float]:
    """Prices of operands' words of each width, whose bits change as the probes' do.

    Parameters
    ----------
    prices : of bits that change
    runs : probes
    """
    words, energies = Counter[str](), defaultdict[str, float](float)
    for run in runs:
        (width,) = run.activity  # a probe has one
        own = run.events()
        for unit in OPERAND_UNITS:
            name = f"{unit}_word_{width}b"
            words[name] += run.events(with_operands=False)[name]
            energies[name] += sum(
                prices[f"{unit}_{kind}_toggle"] * own[f"{unit}_{kind}_toggle"]
                for kind in ("activation", "weight")
            )
    return {name: energies[name] / count for name, count in words.items()}


def predict_fj(prices_fj: Mapping[str, float], events: Mapping[str, int]) -> dict[str, float]:
    """Energy by unit: counts times prices."""
    return {
        unit: sum(prices_fj[name] * count for name, count in in_unit(events, unit).items())
        for unit in MEMORY_UNITS
    }


def errors(
    prices_fj: Mapping[str, float], runs: Sequence[MemoryRun], array: str = ""
) -> dict[str, float]:
    """Signed errors of the prices as fractions: of networks, and of each unit in them.

    Parameters
    ----------
    prices_fj : by event
    runs : of the networks
    array : what the keys say of the size, such as `_4x4`
    """
    flat: dict[str, float] = {}
    for name in dict.fromkeys(run.name for run in runs):
        simulated, predicted = Counter[str](), Counter[str]()
        for run in runs:
            if run.name == name:
                simulated.update(run.energies_fj)
                predicted.update(predict_fj(prices_fj, run.events()))
        key = f"memory_check_error{array}_{name}b"
        flat[key] = predicted.total() / simulated.total() - 1
        for unit in MEMORY_UNITS:
            flat[f"{key}_{unit}"] = predicted[unit] / simulated[unit] - 1
    networks = [abs(flat[f"memory_check_error{array}_{width}b"]) for width in WIDTHS]
    return {
        name: round(value, 4)
        for name, value in {f"memory_check_error{array}_max": max(networks), **flat}.items()
    }


def render(prices_fj: Mapping[str, float], runs: Sequence[MemoryRun]) -> Table:
    """Simulated energies by unit, and by how much the prices miss them."""
    table = Table(title="pJ in a cycle, simulated (error of counts times prices)")
    for header in ("run", "cycles", *MEMORY_UNITS, "all"):
        table.add_column(header, justify="left" if header == "run" else "right")
    for run in runs:
        predicted = predict_fj(prices_fj, run.events())
        pairs = [(run.energies_fj[unit], predicted[unit]) for unit in MEMORY_UNITS]
        pairs.append((sum(run.energies_fj.values()), sum(predicted.values())))
        cells = (f"{is_ / run.cycles / 1000:.2f} ({found / is_ - 1:+.0%})" for is_, found in pairs)
        table.add_row(run.name, f"{run.cycles:,}", *cells)
    return table


def document_of(prices_fj: Mapping[str, float], bench: MemoryBench) -> dict[str, Any]:
    """The prices as they are committed; those of tables are of the memory of parameters."""
    pj = {name: float(f"{fj / 1000:.4g}") for name, fj in sorted(prices_fj.items())}
    memories = memory_prices_pj(read_memories(), FUSED)
    for way in ("read", "write"):
        pj[f"table_memory_{way}"] = float(f"{memories[f'parameter_memory_{way}']:.4g}")
    return {
        "pj": pj,
        "provenance": {
            "status": "measured by gate-level simulation with cell delays, glitches counted, on a"
            " netlist of all units around the engine; every output to bus, memories and array"
            " compared with the RTL's in every cycle",
            "command": COMMAND,
            "engine": f"{bench.config.engine.rows}x{bench.config.engine.cols}, memories of default"
            f" sizes, {bench.config.bus_bits}-bit AXI, a latency of {BUS_LATENCY} cycles",
            "operating_point": f"{1e6 / PERIOD_PS:.0f} MHz; the simulation has a period of"
            f" {bench.assembled.path_ns:.2f} ns, its longest path without buffers",
            "wires": "inside units by fan-out, synth/tech/wires.json; between units trees between"
            f" random points of a square, of cells that fill {CELL_SHARE:.0%} of it, for nets to"
            " memories and engine with the area of all memories; repeaters"
            f" +{REPEATERS:.0%}; clock tree +30 %",
            "table_memory_*": "16 bits of the memories of lanes, taps, writes and descriptors:"
            " priced as the memory of parameters",
            "seed": str(SEED),
            "versions": package_versions(("amaranth", "numpy", "pyosys")),
        },
    }


def run_programs(
    config: MemoryConfig, console: Console
) -> tuple[MemoryBench, Mapping[str, float], list[MemoryRun], list[MemoryRun]]:
    """The bench, energy in fJ of an idle cycle by unit, runs of probes, and of the check."""
    engine = config.engine
    with console.status(f"mapping and simulating the units around {engine.title}"):
        bench = MemoryBench.make(config, own_cells())
        given, checked = probes(config, seed=SEED), checks(config, WIDTHS)
        idle_fj, runs = bench.run([*given, *checked])
    names = {program.name for program in checked}
    fitted = [run for run in runs if run.name not in names]
    return bench, idle_fj, fitted, [run for run in runs if run.name in names]


def measure(rows: int, cols: int, console: Console) -> None:
    """Measure, check, write prices and errors of an array; of one that is not square, errors."""
    config = MemoryConfig.default(EngineConfig(rows=rows, cols=cols))
    bench, idle_fj, fitted, others = run_programs(config, console)
    array = "" if (rows, cols) == ARRAY else f"_{rows}x{cols}"
    figures = {}
    if (rows, cols) in CHECKED_ARRAYS:
        own = EnergyPrices.load().for_engine(config.engine).pj
        prices = {event: 1000 * price for event, price in own.items()}
    else:
        prices = fit_memory_units(idle_fj, fitted)
        path = Path(__file__).parent / f"memory_side{array}_45nm.json"
        write_document(path, document_of(prices, bench), indent=1)
    if (rows, cols) == ARRAY:
        figures = {f"memory_idle_{u}_pj": float(f"{fj / 1000:.4g}") for u, fj in idle_fj.items()}
        figures["memory_path_ns"] = round(bench.assembled.path_ns, 2)
    console.print(render(prices, [*fitted, *others]))
    sources = dict.fromkeys(("memory_check_*", "memory_idle_*", "memory_path_ns"), COMMAND)
    add_figures(RESULTS, figures | errors(prices, others, array), sources=sources)


def main() -> None:
    """Read the arguments; measure one array, or all."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    arrays = {f"{rows}x{cols}": (rows, cols) for rows, cols in (ARRAY, *OTHER_ARRAYS)}
    arrays |= {f"{rows}x{cols}": (rows, cols) for rows, cols in CHECKED_ARRAYS}
    parser.add_argument("--array", choices=arrays, help="only this one; by default all")
    only = parser.parse_args().array
    simulator()  # needed only after the mapping
    for name in arrays if only is None else (only,):
        measure(*arrays[name], Console())


if __name__ == "__main__":
    with command("memory_prices"):
        main()
