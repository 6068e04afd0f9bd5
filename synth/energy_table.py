"""Makes `synth/energy_45nm.json` and `results/energy.json`: the prices of an engine's events.

    python -m synth.energy_table

All cells are simulated at gate level with the delays of each placed cell. Neural compute units
(NCUs) work on operands of a trained network's programs; each sum is compared with the exact one.
The operands contain zero lanes, as they do in a network. The other units are measured in a whole
engine that executes programs with such operands; each result is compared with the RTL's.

Figures of other commands stay in the results; `make synth` runs these commands after this one.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rich.table import Table

from qcnpe.command_line import command
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.documents import write_document
from qcnpe.spec.results import package_versions, read_figures, read_results, results_document
from qcnpe.terminal import Console
from synth.engine_bench import EngineBench
from synth.engine_prices import engine_prices_fj
from synth.flow import own_cells
from synth.gatesim import simulator
from synth.mapping import LibertyCells
from synth.measure import NcuFigures
from synth.memories import memory_prices_pj, read_memories
from synth.ncu_variants import FUSED, GATED, PLAIN, VARIANTS, measure_variants
from synth.overheads import overheads_percent
from synth.stimulus import PERIOD_PS
from synth.traces import TRACE, Trace, load

TABLE = Path(__file__).parent / "energy_45nm.json"
RESULTS = Path(__file__).parents[1] / "results" / "energy.json"
COMMAND = "python -m synth.energy_table"

SEED = 1
"""Of the programs that the units around the NCUs are measured with."""

SPICE_CHECK = Path(__file__).parent / "tech" / "spice_check.json"
"""The library's energies against SPICE, made by `python -m synth.library.spice_check`."""


def prices_pj(
    ncus: Mapping[str, NcuFigures],
    benches: Mapping[str, EngineBench],
    trace: Trace,
    progress: Callable[[str], None],
) -> dict[str, float]:
    """Energy of every event that `EventCounts.events` names, and of the NCUs for comparison.

    Parameters
    ----------
    ncus : figures of single NCUs by kind
    benches : whole engines by the prefix of their prices
    trace : operands
    progress : called with what has been measured
    """
    fused, plain, gated = ncus["fused"], ncus["plain16"], ncus["gated"]
    prices = {
        f"ncu_mac_{width}b": beat.total_fj / FUSED.pairs(width)
        for width, beat in fused.beats.items()
    }
    prices |= {f"gated_mac_{width}b": beat.total_fj for width, beat in gated.beats.items()}
    prices |= {
        "plain16_mac_16b": plain.beats[OPERAND_BITS].total_fj,
        "ncu_zero_beat": fused.zero_beat.total_fj,
        "ncu_idle_cycle": fused.idle.total_fj,
    }
    for kind, found in (("ncu", fused), ("plain16", plain), ("gated", gated)):
        prices |= event_prices(kind, found)
    for kind, found in (("ncu", fused), ("plain16", plain)):
        own = {**event_prices("ncu", found), "ncu_idle_cycle": found.idle.total_fj}
        around = engine_prices_fj(benches[kind], trace, own, seed=SEED)
        prices |= {of_kind(kind, event): price for event, price in around.items()}
        progress(f"the units around the NCUs of {benches[kind].config.title}")
    prices["plain16_idle_cycle"] = plain.idle.total_fj
    pj = {event: energy / 1000 for event, energy in prices.items()}
    return {**pj, **memory_prices_pj(read_memories(), FUSED)}


def of_kind(kind: str, event: str) -> str:
    """Name of the price of an event in the engine of a kind of NCU."""
    return event if kind == "ncu" else f"{kind}_{event.removeprefix('ncu_')}"


def event_prices(kind: str, figures: NcuFigures) -> dict[str, float]:
    """Energies of the events that operands cause in a kind of NCU, in fJ, by name."""
    return {
        f"{kind}_{event}_{width}b": price
        for width, prices in figures.prices.items()
        for event, price in asdict(prices).items()
    }


def provenance(cells: LibertyCells) -> dict[str, Any]:
    """Sources of the prices: library, trace, operating point."""
    return {
        "status": "measured by gate-level simulation with cell delays, glitches counted; units"
        f" around the NCUs in a whole engine of {FUSED.title}",
        "command": COMMAND,
        "operating_point": f"{1e6 / PERIOD_PS:.0f} MHz, {cells.library.supply_v} V, 25 C, typical",
        "library": cells.name,
        "library_sha256": _digest(*cells.library.paths),
        "trace_sha256": _digest(TRACE),
        "unit": "pJ per event",
        "events": {
            "ncu_beat_*": "a cycle in which a fused NCU works, whatever its operands",
            "ncu_lane_*": "more in such a cycle if its activation lane is not all zeros",
            "ncu_zero_flip_*": "more if that has changed since the cycle before",
            "ncu_product_toggle_*": "more for each bit product that has changed",
            "ncu_tile_*": "a finished sum: the first beat forgets the last one, the row reads it",
            "ncu_mac_*": "mean of all that for a multiply-accumulate on the trace's operands",
            "gated_*, plain16_*": "the same of the other NCUs",
            "ncu_zero_beat": "a cycle of an NCU whose activations are zero",
            "ncu_idle_cycle": "a cycle in which an NCU has nothing to do",
            "ncu_edge_beat": "an operand that an NCU next to a tile takes without needing it",
            "ncu_result": "a sum that an NCU drives on the wires of its row's ORs",
            "plain16_*_*": "the same events in an engine of plain16 NCUs",
            "afu_tile": "what an AFU keeps of a tile",
            "result_table": "more for a result of the table",
            "*_cycle": "clock and leakage of a unit in a cycle of an engine at work: row without"
            " its NCUs, AFU, and result side for each row, queues and skew for each row and"
            " column, sequencer for the engine",
            "*_lane": "more in a cycle with a beat, for each row and column, used or not",
            "*_activation_toggle, *_weight_toggle": "more for each bit of the operands that has"
            " changed since the beat before",
            "*_word_*": "mean of that for 16 bits of the trace's operands",
            "*_sum_toggle": "a bit that differs from that of the sum before in its row: through"
            " the row's ORs, its carries added, shifted to its place; in the AFU",
            "*_sum_*b": "mean of that for a sum of the trace's operands",
            "row_tile": "more for each row of a tile: the first sum after none and the last one",
            "afu_*": "more for an accumulator through the activation function unit, by function",
            "afu_maximum": "a sum that is only compared with that of another row of its window",
            "result_made": "a result, whatever is wanted of it",
            "result_*b": "more for a result or copy of a width: made, queued and collected",
            "*_column, *_tile": "a column of results; a tile",
            "queue_command, queue_parameter": "a word through its queue",
            "afu_knot": "a word of a table into the registers of all AFUs",
            "activation_memory_*, weight_memory_*, parameter_memory_*": "16 bits of an on-chip"
            " memory of an autonomous engine, at its size; CACTI 7, synth/tech/memories.json",
            "memory_leakage_cycle": "leakage of all on-chip memories in a cycle",
            "external_word": "16 bits of external memory; Horowitz, ISSCC 2014",
        },
        "wires": f"{cells.wires.ff_per_um} fF/um, synth/tech/wires.json; clock tree +30 %",
        "versions": package_versions(("amaranth", "numpy", "pyosys")),
    }


def figures(ncus: Mapping[str, NcuFigures], prices: Mapping[str, float]) -> dict[str, float]:
    """The flat figures of `results/energy.json`; energies of NCUs without the units around them."""
    found: dict[str, float] = {}
    for kind, config in (("fused", FUSED), ("gated", GATED)):
        for width, beat in ncus[kind].beats.items():
            pairs = config.pairs(width)
            found[f"{kind}_{width}b_pj_per_mac"] = beat.total_fj / pairs / 1000
            dense = ncus[kind].dense[width].total_fj
            found[f"{kind}_{width}b_dense_pj_per_mac"] = dense / pairs / 1000
    for key, name in (("plain16", "plain16"), ("plain16_default", "default_mul_16b")):
        found[f"{name}_pj_per_mac"] = ncus[key].beats[OPERAND_BITS].total_fj / 1000
        found[f"{name}_dense_pj_per_mac"] = ncus[key].dense[OPERAND_BITS].total_fj / 1000
    for key in ("fused", "plain16", "gated"):
        found[f"{key}_area_um2"] = ncus[key].area_um2
        found[f"{key}_path_ns"] = ncus[key].path_ns
    for part, energy in ncus["fused"].beats[OPERAND_BITS].parts.items():
        found[f"fused_16b_{part}_fj_per_cycle"] = energy
    return {key: _rounded(value) for key, value in (found | event_figures(prices)).items()}


def event_figures(prices: Mapping[str, float]) -> dict[str, float]:
    """Energies in pJ of what happens most often besides multiplications, on the fused engine.

    `result_pj` is a result with a ReLU and one copy of the widest narrow precision, from the
    accumulator to the result stream, without clocks; `tile_end_pj` is what an NCU and its row take
    for a sum, the mean over the precisions.
    """
    narrow, widths = FUSED.narrow_precisions[0], FUSED.precisions
    sums = [prices[f"ncu_tile_{width}b"] + prices[f"row_sum_{width}b"] for width in widths]
    lanes = FUSED.rows + FUSED.cols
    around = FUSED.rows * sum(prices[f"{unit}_cycle"] for unit in ("row", "afu", "result"))
    around += lanes * (prices["queue_cycle"] + prices["skew_cycle"]) + prices["sequencer_cycle"]
    return {
        "ncu_idle_pj": prices["ncu_idle_cycle"],
        "result_pj": prices[f"afu_sum_{narrow}b"]
        + prices["afu_relu"]
        + prices["result_made"]
        + prices[f"result_{narrow}b"]
        + prices["result_column"] / FUSED.rows,
        "tile_end_pj": sum(sums) / len(sums)
        + prices["ncu_result"]
        + prices["row_tile"] / FUSED.cols,
        "units_idle_fj_per_ncu_cycle": 1000 * around / (FUSED.rows * FUSED.cols),
    }


def kinds_16b(ncus: Mapping[str, NcuFigures]) -> dict[str, dict[str, float]]:
    """Each kind of NCU at 16 bits, without the units around it."""
    return {
        kind: {
            "pj_per_mac": _rounded(ncus[kind].beats[OPERAND_BITS].total_fj / 1000),
            "area_um2": _rounded(ncus[kind].area_um2),
            "path_ns": _rounded(ncus[kind].path_ns),
        }
        for kind in ("plain16", "fused", "gated")
    }


def overhead_figures(kinds: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The overheads over plain16 as flat figures."""
    return {
        f"{kind}_over_plain16_{quantity}_percent": percent
        for kind, of_kind in overheads_percent(kinds).items()
        for quantity, percent in of_kind.items()
    }


def spice_figures() -> dict[str, float]:
    """Largest error of the library's gate-level energy against SPICE, as a fraction."""
    return {"spice_error_max": read_figures(SPICE_CHECK)["spice_error_max"]}


def variant_rows(ncus: Mapping[str, NcuFigures]) -> list[dict[str, Any]]:
    """Area, path and energy at each width, of every variant."""
    return [
        {
            "variant": variant.title,
            "area_um2": round(ncus[variant.key].area_um2, 1),
            "path_ns": round(ncus[variant.key].path_ns, 3),
            "pj_per_beat": {
                width: _rounded(beat.total_fj / 1000)
                for width, beat in ncus[variant.key].beats.items()
            },
            "dense_pj_per_beat": {
                width: _rounded(beat.total_fj / 1000)
                for width, beat in ncus[variant.key].dense.items()
            },
        }
        for variant in VARIANTS
    ]


def render(rows: list[dict[str, Any]]) -> Table:
    """The variants as a table for the terminal."""
    table = Table(title="NCU variants: pJ a cycle on a network's operands (without zero lanes)")
    for header in ("variant", "area, um2", "path, ns", "16 bit", "8 bit", "4 bit", "2 bit"):
        table.add_column(header, justify="left" if header == "variant" else "right")
    for row in rows:
        cells = [
            f"{row['pj_per_beat'][width]:.3f} ({row['dense_pj_per_beat'][width]:.3f})"
            if width in row["pj_per_beat"]
            else ""
            for width in FUSED.precisions
        ]
        table.add_row(row["variant"], f"{row['area_um2']:,.0f}", f"{row['path_ns']:.2f}", *cells)
    return table


def make(progress: Callable[[str], None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The prices and the results, as they are committed.

    Raises
    ------
    LibertyError
        If our own cell library is missing.
    """
    cells = own_cells()
    trace = load()
    ncus = measure_variants(cells, trace, progress)
    benches = {
        kind: EngineBench.make(config, cells)
        for kind, config in (("ncu", FUSED), ("plain16", PLAIN))
    }
    prices = prices_pj(ncus, benches, trace, progress)
    kinds = kinds_16b(ncus)
    table: dict[str, Any] = {
        "pj": {event: _rounded(price) for event, price in prices.items()},
        "ncu_16b": kinds,
        "provenance": provenance(cells),
    }
    found = {
        **figures(ncus, prices),
        **overhead_figures(kinds),
        **spice_figures(),
        "engine_16x16_path_ns": round(benches["ncu"].assembled.path_ns, 3),
    }
    results = results_document(
        COMMAND,
        found,
        seed=SEED,
        versions=table["provenance"]["versions"],
        sources={"spice_error_max": "python -m synth.library.spice_check"},
    )
    return table, {**results, "ladder": variant_rows(ncus)}


def keep_others(results: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """New results with the figures of other commands from the earlier results."""
    sources = {**before.get("sources", {}), **results["sources"]}
    stays = [pattern for pattern in sources if pattern not in results["sources"]]
    others = {
        name: value
        for name, value in before.get("figures", {}).items()
        if any(fnmatchcase(name, pattern) for pattern in stays)
    }
    return {**results, "sources": sources, "figures": {**results["figures"], **others}}


def main() -> None:
    """Write the prices and the results."""
    simulator()  # needed only after minutes of mapping
    console = Console()
    with console.status("mapping NCUs") as status:
        table, results = make(lambda done: status.update(f"measured: {done}"))
    before = read_results(RESULTS) if RESULTS.exists() else {}
    write_document(TABLE, table, indent=1)
    write_document(RESULTS, keep_others(results, before), indent=1)
    console.print(render(results["ladder"]))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


if __name__ == "__main__":
    with command("energy_table"):
        main()
