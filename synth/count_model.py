"""Checks the count model: energy from event counts against gate-level simulation of whole tiles.

    python -m synth.count_model

Tiles of three layers of a network, from samples that the energy table's trace has not seen, pass
the mapped netlist of the fused NCU: each NCU of each tile with its own operands. What the table
predicts for their multiply-accumulates is compared with that. What else an engine does (activation
function, queues) is in neither side.

The same simulation gives the energy of the whole array by part, for a working NCU's cycle.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from qcnpe.spec.archive import read_archive, replace_text, write_archive
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import FormatError
from synth.energy_table import RESULTS, TABLE
from synth.flow import WORKERS, own_cells
from synth.ladder import FUSED
from synth.mapping import LibertyCells
from synth.measure import Energy, beat_energy, map_leaf, mean_energy
from synth.ncu_bench import NcuBench
from synth.structural import StructuralNcu
from synth.traces import ArrayTile

TILES = Path(__file__).parent / "traces" / "digits_tiles.npz"
"""The committed tiles."""

COMMAND = "python -m synth.count_model"

_KIND = "axnn-array-tiles-1"


@dataclass(frozen=True)
class LayerTiles:
    """Whole tiles of one layer at one precision.

    Attributes
    ----------
    name : of the layer
    ncu_beats : cycles in which one NCU works, of the whole layer for a sample
    tiles : some of its tiles
    """

    name: str
    ncu_beats: float
    tiles: tuple[ArrayTile, ...]

    @property
    def precision(self) -> int:
        """Operand width in bits."""
        return self.tiles[0].precision


@dataclass(frozen=True)
class LayerCheck:
    """Energy of a layer's NCU for a cycle in which it works, simulated and predicted."""

    precision: int
    name: str
    ncu_beats: float
    simulated: Energy
    predicted_fj: float

    @property
    def simulated_fj(self) -> float:
        """The whole of what was simulated."""
        return self.simulated.total_fj

    @property
    def error(self) -> float:
        """Signed error of the prediction, as a fraction."""
        return self.predicted_fj / self.simulated_fj - 1


def network_error(layers: Sequence[LayerCheck]) -> float:
    """Signed error of the prediction for all layers of a network, each with its share of work."""
    simulated = sum(layer.ncu_beats * layer.simulated_fj for layer in layers)
    return sum(layer.ncu_beats * layer.predicted_fj for layer in layers) / simulated - 1


def predicted_fj(prices: Mapping[str, float], precision: int) -> float:
    """What the table says of an NCU's working cycle, without the units around the NCU."""
    macs = FUSED.pairs(precision) * prices[f"ncu_mac_{precision}b"]
    return 1000 * (macs - prices["units_idle_ncu_cycle"] - prices["reverse_ncu_cycle"])


def simulate(bench: NcuBench, tile: ArrayTile, every: int = 1) -> tuple[Energy, int]:
    """Energy of a cycle of a tile's NCUs, of which each `every`-th is simulated, and the cycles."""
    places = [(row, col) for row in range(tile.rows) for col in range(tile.cols)]
    streams = [tile.ncu(row, col) for row, col in places[::every]]
    return beat_energy(bench, streams), sum(len(stream.weights) for stream in streams)


def check(
    cells: LibertyCells,
    prices: Mapping[str, float],
    layers: Sequence[LayerTiles],
    every: int = 1,
    console: Console | None = None,
) -> list[LayerCheck]:
    """Simulate every layer's tiles and compare with the table."""
    leaf = StructuralNcu(FUSED)
    bench = NcuBench(map_leaf(leaf, cells), FUSED, leaf.tree.breaks)
    work = [(layer, tile) for layer in layers for tile in layer.tiles]
    with ThreadPoolExecutor(WORKERS) as pool:
        done = pool.map(lambda entry: simulate(bench, entry[1], every), work)
        quiet = console or Console(quiet=True)
        energies = iter(list(track(done, "simulating tiles", len(work), console=quiet)))
    return [
        LayerCheck(
            precision=layer.precision,
            name=layer.name,
            ncu_beats=layer.ncu_beats,
            simulated=mean_energy([next(energies) for _ in layer.tiles]),
            predicted_fj=predicted_fj(prices, layer.precision),
        )
        for layer in layers
    ]


def by_precision(checks: Sequence[LayerCheck]) -> dict[int, list[LayerCheck]]:
    """The layers at each precision."""
    return {
        precision: [layer for layer in checks if layer.precision == precision]
        for precision in FUSED.precisions
    }


def figures(checks: Sequence[LayerCheck]) -> dict[str, float]:
    """Flat figures: signed errors by precision and layer, and the largest, as fractions."""
    networks = {width: network_error(layers) for width, layers in by_precision(checks).items()}
    found = {f"count_model_error_{width}b": error for width, error in networks.items()}
    found |= {f"count_model_error_{c.precision}b_{c.name}": c.error for c in checks}
    found["count_model_error_max"] = max(abs(error) for error in networks.values())
    found["count_model_layer_error_max"] = max(abs(layer.error) for layer in checks)
    return {key: round(value, 4) for key, value in found.items()}


def array_fj(
    layers: Sequence[LayerTiles], checks: Sequence[LayerCheck], prices: Mapping[str, float]
) -> dict[str, float]:
    """Energy of the array by part, in fJ for a cycle of a working NCU, at one precision.

    NCUs as simulated; clock and leakage of all other units; words through queues, results of the
    activation function and narrow copies as the table prices them. Every result is counted with a
    ReLU and, below 16 bits, one narrow copy.
    """
    total: dict[str, float] = defaultdict(float)
    work = sum(layer.ncu_beats for layer in layers)
    for layer, checked in zip(layers, checks, strict=True):
        beats, rows, cols = (
            layer.tiles[0].weights.shape[0],
            layer.tiles[0].rows,
            layer.tiles[0].cols,
        )
        result_words = -(-FUSED.result_lane_bits // OPERAND_BITS)
        words = 1 / rows + 1 / cols + 2 / (rows * beats) + result_words / beats
        copy = prices["requantize"] if layer.precision < OPERAND_BITS else 0.0
        parts = {
            **checked.simulated.parts,
            "fifo": 1000 * words * prices["fifo_word"],
            "afu_with_requantize": 1000 * (prices["afu_relu"] + copy) / beats,
            "reverse": 1000 * prices["reverse_ncu_cycle"],
            "other_units_clock_and_leakage": 1000 * prices["units_idle_ncu_cycle"],
        }
        for part, energy in parts.items():
            total[part] += energy * layer.ncu_beats / work
    return dict(total)


def arrays_fj(
    layers: Sequence[LayerTiles], checks: Sequence[LayerCheck], prices: Mapping[str, float]
) -> dict[int, dict[str, float]]:
    """The array's parts at each precision."""
    return {
        width: array_fj([layer for layer in layers if layer.precision == width], checked, prices)
        for width, checked in by_precision(checks).items()
    }


def array_figures(arrays: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """The parts as flat figures."""
    return {
        f"array_{width}b_{part}_fj_per_ncu_cycle": round(energy, 2)
        for width, parts in arrays.items()
        for part, energy in parts.items()
    }


def save(layers: Sequence[LayerTiles], path: Path, provenance: Mapping[str, str]) -> None:
    """Write tiles."""
    header = {
        "layers": [
            {
                "name": layer.name,
                "ncu_beats": layer.ncu_beats,
                "precision": layer.precision,
                "unsigned": layer.tiles[0].unsigned,
                "shapes": [[len(tile.weights), tile.rows, tile.cols] for tile in layer.tiles],
            }
            for layer in layers
        ],
        "provenance": dict(provenance),
    }
    tiles = [tile for layer in layers for tile in layer.tiles]
    arrays = {
        "activations": np.concatenate([tile.activations.ravel() for tile in tiles]),
        "weights": np.concatenate([tile.weights.ravel() for tile in tiles]),
    }
    write_archive(path, _KIND, header, arrays)


def load(path: Path = TILES) -> list[LayerTiles]:
    """Read tiles.

    Raises
    ------
    FormatError
        If the file is missing, damaged or foreign.
    """
    header, arrays = read_archive(path, _KIND)
    try:
        return _layers(header, arrays["activations"], arrays["weights"])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: no tiles of an array ({error}); make it again") from error


def _layers(header: Mapping[str, Any], activations: Any, weights: Any) -> list[LayerTiles]:
    found = []
    for entry in header["layers"]:
        tiles = []
        for beats, rows, cols in entry["shapes"]:
            left, activations = np.split(activations, [beats * rows])
            right, weights = np.split(weights, [beats * cols])
            tiles.append(
                ArrayTile(
                    entry["precision"],
                    entry["unsigned"],
                    left.reshape(beats, rows),
                    right.reshape(beats, cols),
                )
            )
        found.append(LayerTiles(entry["name"], entry["ncu_beats"], tuple(tiles)))
    return found


def head(layers: Sequence[LayerTiles], count: int) -> list[LayerTiles]:
    """The same layers with fewer tiles."""
    return [
        replace(layer, tiles=layer.tiles[:: max(1, len(layer.tiles) // count)]) for layer in layers
    ]


def render(checks: Sequence[LayerCheck]) -> Table:
    """The comparison for the terminal."""
    table = Table(title="fJ for a cycle of a working NCU, whole tiles")
    for header in ("bits", "layer", "simulated", "from counts", "error"):
        table.add_column(header, justify="left" if header == "layer" else "right")
    for precision, layers in by_precision(checks).items():
        for layer in layers:
            energies = f"{layer.simulated_fj:.0f}", f"{layer.predicted_fj:.0f}"
            table.add_row(str(precision), layer.name, *energies, f"{layer.error:+.1%}")
        table.add_row(str(precision), "network", "", "", f"{network_error(layers):+.1%}")
    return table


def render_arrays(arrays: Mapping[int, Mapping[str, float]]) -> Table:
    """The array's parts for the terminal."""
    title = "fJ for a cycle of a working NCU, whole array"
    table = Table(title=title, show_footer=True)
    table.add_column("part", "total")
    for width, parts in arrays.items():
        table.add_column(f"{width} bit", f"{sum(parts.values()):.0f}", justify="right")
    for part in next(iter(arrays.values())):
        energies = (f"{parts[part]:.1f}" for parts in arrays.values())
        table.add_row(part.replace("_", " "), *energies)
    return table


def main() -> None:
    """Check all tiles; put the errors into the results."""
    console = Console()
    prices = json.loads(TABLE.read_text())["pj"]
    layers = load()
    checks = check(own_cells(), prices, layers, console=console)
    results = json.loads(RESULTS.read_text())
    results["sources"] |= {"count_model_*": COMMAND, "array_*": COMMAND}
    arrays = arrays_fj(layers, checks, prices)
    results["figures"] |= figures(checks) | array_figures(arrays)
    replace_text(RESULTS, json.dumps(results, indent=1) + "\n")
    console.print(render(checks), render_arrays(arrays))


if __name__ == "__main__":
    main()
