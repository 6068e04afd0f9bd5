"""Checks the count model: energy from event counts against gate-level simulation of whole tiles.

    python -m synth.count_model

Tiles of three layers of a network are simulated on the mapped netlists of the fused neural compute
unit (NCU) and, at 16 bits, of the baseline NCU: each NCU of each tile with its own operands. The
tiles are of samples that the trace behind the prices does not contain. The simulated energy is
compared with the prediction from event counts and prices. Neither side includes the rest of an
engine (activation function, queues).

The same simulation gives the energy of the whole array by part, for each cycle of a working NCU.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from rich.table import Table

from qcnpe.command_line import command
from qcnpe.events import count_events
from qcnpe.spec.activation import Function
from qcnpe.spec.commands import TileCommand
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.documents import Natural, Positive
from qcnpe.spec.errors import FormatError
from qcnpe.spec.ncu_kind import NcuKind
from qcnpe.spec.npz import ArrayType, read_npz, write_npz
from qcnpe.spec.results import add_figures
from qcnpe.terminal import Console, Progress
from qcnpe.tools.extras import require_modules
from synth.breakdown import draw
from synth.energy_table import RESULTS, TABLE
from synth.flow import WORKERS, own_cells
from synth.gatesim import simulator
from synth.mapping import LibertyCells
from synth.measure import Energy, beat_energy, make_bench, mean_energy
from synth.ncu_bench import LATENCY, NcuBench
from synth.ncu_prices import NcuPrices, NcuWork
from synth.ncu_variants import FUSED, PLAIN
from synth.structural import StructuralNcu
from synth.traces import ArrayTile, Tile, check_pairs

TILES = Path(__file__).parent / "traces" / "digits_tiles.npz"
"""The committed tiles."""

FIGURE = RESULTS.with_name("array_energy.png")
"""The array's energy by part."""

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

    kind: NcuKind
    precision: int
    name: str
    ncu_beats: float
    simulated: Energy
    predicted_fj: float

    @property
    def simulated_fj(self) -> float:
        """The total simulated energy."""
        return self.simulated.total_fj

    @property
    def error(self) -> float:
        """Signed error of the prediction, as a fraction."""
        return self.predicted_fj / self.simulated_fj - 1

    @property
    def key(self) -> str:
        """Name of the layer in flat figures."""
        kind = "" if self.kind == FUSED.kind else f"{self.kind.name}_"
        return f"{kind}{self.precision}b_{self.name}"


def network_error(layers: Sequence[LayerCheck]) -> float:
    """Signed error of the prediction for a network, with its layers weighted by their work."""
    simulated = sum(layer.ncu_beats * layer.simulated_fj for layer in layers)
    return sum(layer.ncu_beats * layer.predicted_fj for layer in layers) / simulated - 1


@dataclass(frozen=True)
class KindPrices:
    """Prices of one kind of NCU, without the units around it.

    Attributes
    ----------
    config : an engine of that kind
    pj : all prices
    """

    config: EngineConfig
    pj: Mapping[str, float]

    def of(self, precision: int) -> NcuPrices:
        """Prices in fJ of the events of operands."""
        kind = self.config.kind
        names = (field.name for field in fields(NcuPrices))
        return NcuPrices(
            **{name: 1000 * self.pj[f"{kind.price_prefix}_{name}_{precision}b"] for name in names}
        )

    def energy_fj(self, tiles: Sequence[Tile]) -> float:
        """Energy of tiles that follow one another, and of the idle cycles of their last sum."""
        idle = 1000 * self.pj["ncu_idle_cycle"]
        prices = self.of(tiles[0].precision)
        return prices.energy_fj(NcuWork.of(tiles, self.config)) + LATENCY * idle


def compare(
    bench: NcuBench, prices: KindPrices, tile: ArrayTile, every: int = 1
) -> tuple[Energy, float, int]:
    """Energy of a cycle of a tile's NCUs; every `every`-th NCU is simulated.

    Returns
    -------
    simulated, predicted in fJ, cycles
    """
    places = [(row, col) for row in range(tile.rows) for col in range(tile.cols)]
    streams = [tile.ncu(row, col) for row, col in places[::every]]
    cycles = sum(len(stream.weights) for stream in streams) + LATENCY
    return beat_energy(bench, streams), prices.energy_fj(streams) / cycles, cycles


def check(
    cells: LibertyCells,
    prices: Mapping[str, float],
    layers: Sequence[LayerTiles],
    every: int = 1,
    console: Console | None = None,
) -> list[LayerCheck]:
    """Simulate each layer's tiles on each kind that supports them; compare with the prediction."""
    work = []
    for config in (FUSED, PLAIN):
        bench, kind = make_bench(StructuralNcu(config), cells), KindPrices(config, prices)
        taken = [layer for layer in layers if layer.precision in config.precisions]
        work += [(bench, kind, layer, tile) for layer in taken for tile in layer.tiles]
    with ThreadPoolExecutor(WORKERS) as pool:
        done = pool.map(lambda entry: compare(entry[0], entry[1], entry[3], every), work)
        quiet = console or Console(quiet=True)
        with Progress(console=quiet) as bars:
            found = list(bars.track(done, len(work), description="simulating tiles"))
    grouped: dict[tuple[NcuKind, int, str], list[tuple[Energy, float, int]]] = defaultdict(list)
    for (_, kind, layer, _), result in zip(work, found, strict=True):
        grouped[kind.config.kind, layer.precision, layer.name].append(result)
    shares = {(layer.precision, layer.name): layer.ncu_beats for layer in layers}
    return [
        LayerCheck(
            kind=key[0],
            precision=key[1],
            name=key[2],
            ncu_beats=shares[key[1:]],
            simulated=mean_energy([(energy, cycles) for energy, _, cycles in results]),
            predicted_fj=float(
                np.average([fj for _, fj, _ in results], weights=[n for *_, n in results])
            ),
        )
        for key, results in grouped.items()
    ]


def by_precision(checks: Sequence[LayerCheck]) -> dict[int, list[LayerCheck]]:
    """The layers at each precision, on the fused NCU."""
    found: dict[int, list[LayerCheck]] = defaultdict(list)
    for layer in checks:
        if layer.kind == FUSED.kind:
            found[layer.precision].append(layer)
    return dict(found)


def figures(checks: Sequence[LayerCheck]) -> dict[str, float]:
    """Flat figures: signed errors of networks and layers, and the largest, as fractions."""
    networks = {width: network_error(layers) for width, layers in by_precision(checks).items()}
    found = {f"count_model_error_{width}b": error for width, error in networks.items()}
    found |= {f"count_model_error_{layer.key}": layer.error for layer in checks}
    found["count_model_network_error_max"] = max(abs(error) for error in networks.values())
    found["count_model_error_max"] = max(abs(layer.error) for layer in checks)
    return {key: round(value, 4) for key, value in found.items()}


def array_fj(
    layers: Sequence[LayerTiles], checks: Sequence[LayerCheck], prices: Mapping[str, float]
) -> dict[str, float]:
    """Energy of the array by part, in fJ for a cycle of a working NCU, at one precision.

    The energy of the NCUs is simulated; that of the other units is counts times prices. Every
    result is counted with a ReLU and one field, of the layer's own width.
    """
    total: dict[str, float] = defaultdict(float)
    work = sum(layer.ncu_beats for layer in layers)
    for layer, checked in zip(layers, checks, strict=True):
        parts = {**checked.simulated.parts, **_around_fj(layer, prices)}
        for part, energy in parts.items():
            total[part] += energy * layer.ncu_beats / work
    return dict(total)


def _around_fj(layer: LayerTiles, prices: Mapping[str, float]) -> dict[str, float]:
    """Energy of the units around the NCUs, in fJ for a cycle of a working NCU."""
    width, first = layer.precision, layer.tiles[0]
    copies = {width: 0} if width < OPERAND_BITS else {}
    command = TileCommand(
        precision=width,
        beats=len(first.weights),
        rows=first.rows,
        cols=first.cols,
        function=Function.RELU,
        copies=copies,
        copies_only=bool(copies),
    )
    counts = count_events(FUSED, [command] * len(layer.tiles))
    found: dict[str, float] = defaultdict(float)
    for event, count in counts.events().items():
        unit, _, what = event.partition("_")
        if unit != "ncu":
            part = "other_units_clock_and_leakage" if what == "cycle" else unit
            found[part] += 1000 * prices[event] * count
    beats = counts.ncu_beats[width]
    return {part: energy / beats for part, energy in found.items()}


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


@dataclass(frozen=True)
class _LayerHeader:
    """The part of a file's header about a layer; `shapes` are (beats, rows, columns) of its tiles.

    `pairs` is missing in files that hold only packed lanes.
    """

    name: str
    ncu_beats: Positive
    precision: Natural
    unsigned: bool
    shapes: tuple[tuple[Natural, Natural, Natural], ...]
    pairs: Natural | None = None

    def __post_init__(self) -> None:
        if not self.shapes or not 2 <= self.precision <= OPERAND_BITS:
            raise FormatError(f"layer {self.name}: needs a tile, of 2..{OPERAND_BITS} bits")
        check_pairs(self.precision, self.lane_pairs)

    @property
    def lane_pairs(self) -> int:
        """Operand pairs in a lane."""
        return OPERAND_BITS // self.precision if self.pairs is None else self.pairs

    @classmethod
    def of(cls, layer: LayerTiles) -> "_LayerHeader":
        shapes = tuple((len(tile.weights), tile.rows, tile.cols) for tile in layer.tiles)
        first = layer.tiles[0]
        return cls(
            layer.name, layer.ncu_beats, layer.precision, first.unsigned, shapes, first.pairs
        )


@dataclass(frozen=True)
class _Header:
    """The header of a file: everything about the tiles except their operands."""

    layers: tuple[_LayerHeader, ...]
    provenance: dict[str, str]

    def arrays(self) -> dict[str, ArrayType]:
        """The operands of all tiles, one after the other."""
        shapes = [shape for layer in self.layers for shape in layer.shapes]
        return {
            "activations": ArrayType(np.uint16, (sum(beats * rows for beats, rows, _ in shapes),)),
            "weights": ArrayType(np.uint16, (sum(beats * cols for beats, _, cols in shapes),)),
        }


def save(layers: Sequence[LayerTiles], path: Path, provenance: Mapping[str, str]) -> None:
    """Write tiles."""
    header = _Header(tuple(_LayerHeader.of(layer) for layer in layers), dict(provenance))
    tiles = [tile for layer in layers for tile in layer.tiles]
    arrays = {
        "activations": np.concatenate([tile.activations.ravel() for tile in tiles]),
        "weights": np.concatenate([tile.weights.ravel() for tile in tiles]),
    }
    write_npz(path, _KIND, header, arrays)


def load(path: Path = TILES) -> list[LayerTiles]:
    """Read tiles.

    Raises
    ------
    FormatError
        If the file is missing, damaged or foreign.
    """
    header, arrays = read_npz(path, _KIND, _Header, _Header.arrays)
    activations, weights = arrays["activations"], arrays["weights"]
    found = []
    for entry in header.layers:
        tiles = []
        for beats, rows, cols in entry.shapes:
            left, activations = np.split(activations, [beats * rows])
            right, weights = np.split(weights, [beats * cols])
            operands = left.reshape(beats, rows), right.reshape(beats, cols)
            tiles.append(ArrayTile(entry.precision, entry.unsigned, entry.lane_pairs, *operands))
        found.append(LayerTiles(entry.name, entry.ncu_beats, tuple(tiles)))
    return found


def head(layers: Sequence[LayerTiles], count: int) -> list[LayerTiles]:
    """The same layers with fewer tiles."""
    return [
        replace(layer, tiles=layer.tiles[:: max(1, len(layer.tiles) // count)]) for layer in layers
    ]


def render(checks: Sequence[LayerCheck]) -> Table:
    """The comparison for the terminal."""
    table = Table(title="fJ for a cycle of a working NCU, whole tiles")
    for header in ("NCU", "bits", "layer", "simulated", "from counts", "error"):
        table.add_column(header, justify="left" if header in ("NCU", "layer") else "right")
    for layer in checks:
        energies = f"{layer.simulated_fj:.0f}", f"{layer.predicted_fj:.0f}"
        place = layer.kind.name, str(layer.precision), layer.name
        table.add_row(*place, *energies, f"{layer.error:+.1%}")
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
    """Check all tiles; write the errors and the array's parts into the results, draw the parts."""
    # Both are needed only after minutes of mapping.
    simulator()
    require_modules("matplotlib")
    console = Console()
    prices = json.loads(TABLE.read_text())["pj"]
    layers = load()
    checks = check(own_cells(), prices, layers, console=console)
    arrays = arrays_fj(layers, checks, prices)
    add_figures(
        RESULTS,
        figures(checks) | array_figures(arrays),
        sources={"count_model_*": COMMAND, "array_*": COMMAND},
    )
    draw(arrays, FIGURE)
    console.print(render(checks), render_arrays(arrays))


if __name__ == "__main__":
    with command("count_model"):
        main()
