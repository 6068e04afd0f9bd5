"""Measures neural compute units (NCUs): area, path, and energy on operands of real networks."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.ncu import Ncu
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.draws import draw
from qcnpe.spec.fixed import pack, unpack
from synth.flow import map_design
from synth.gatesim import Activity, Circuit
from synth.liberty.cells import CellKind
from synth.mapping import LibertyCells
from synth.ncu_bench import LATENCY, NcuBench
from synth.ncu_prices import NcuPrices, NcuWork, fit_prices, runs_of
from synth.netlist import read_netlist
from synth.stimulus import PERIOD_PS
from synth.structural import StructuralNcu
from synth.timing import path_ns
from synth.traces import Tile, Trace
from synth.units import Units, leaf_rtlil
from synth.wires import FF_PER_UM

CLOCK_TREE = 0.3
"""Energy of the clock tree above its leaves, as a share of the energy of the clock pins."""

CLOCK_BRANCH_UM = 1.74
"""Wire of the clock tree to a unit, in um for each square root of the unit's area in um2.

It toggles in every cycle, also while a gate at the unit's root is closed. The length is that of an
H-tree to the units of a routed array; for a neural compute unit (NCU) it takes 18 fJ.
"""

IDLE_CYCLES = 64

SLOW_PERIOD = 1.1
"""Clock period of an NCU that is slower than the engine's clock, as a multiple of its path."""

STILL_TILES = 16
"""Tiles of the trace, drawn at random, that are also simulated with zero activations."""


@dataclass(frozen=True)
class Energy:
    """Energy of one cycle of a unit, in fJ.

    Attributes
    ----------
    parts : by role: tree, products, masks, accumulator, other registers (an NCU's operands and
        their control), clock, leakage
    """

    parts: Mapping[str, float]

    @property
    def total_fj(self) -> float:
        """The total of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class NcuFigures:
    """Figures of one kind of NCU.

    Attributes
    ----------
    area_um2, path_ns : area and longest path of its netlist
    cells, flipflops : number of cells, and of flip-flops among them
    beats : energy of a cycle by precision, on the trace
    dense : the same without the lanes that are all zeros
    zero_beat : energy of a cycle in which the activations are zero
    idle : energy of a cycle in which nothing is valid
    prices : prices of the events of operands, by precision; only on request
    """

    area_um2: float
    path_ns: float
    cells: int
    flipflops: int
    beats: Mapping[int, Energy]
    dense: Mapping[int, Energy]
    zero_beat: Energy
    idle: Energy
    prices: Mapping[int, NcuPrices]


def map_leaf(leaf: Leaf, cells: LibertyCells) -> Circuit:
    """Map a component and read its netlist back for simulation."""
    rtlil = leaf.rtlil() if isinstance(leaf, StructuralNcu) else leaf_rtlil(leaf)
    return _circuit(Units(rtlil, {leaf.module_name: 1}), leaf.module_name, cells)


def map_module(units: Units, module: str, cells: LibertyCells) -> Circuit:
    """Map one unit of an engine, without its submodules, and read its netlist back."""
    return _circuit(units, module, cells)


def _circuit(units: Units, module: str, cells: LibertyCells) -> Circuit:
    with TemporaryDirectory() as folder:
        netlist = Path(folder, "netlist.v")
        map_design(units.rtlil_of(module), module, cells, netlist, units.keep_apart(module))
        found = read_netlist(netlist.with_suffix(".json"), module, units.others(module))
    return Circuit(found, cells.library, cells.wires)


def make_bench(leaf: Ncu, cells: LibertyCells) -> NcuBench:
    """Map an NCU and make a bench for it, with a slower clock if its path needs that."""
    tree = leaf.tree if isinstance(leaf, StructuralNcu) else None
    circuit = map_leaf(leaf, cells)
    period_ps = max(PERIOD_PS, SLOW_PERIOD * 1000 * path_ns(circuit))
    return NcuBench(circuit, leaf.config, tree, period_ps)


def measure_ncu(
    leaf: Ncu, cells: LibertyCells, trace: Trace, *, priced: bool = False
) -> NcuFigures:
    """Map an NCU and measure it on a trace; every sum is checked.

    With `priced`, also find the prices of the events of operands.
    """
    return measure_bench(make_bench(leaf, cells), cells, trace, priced=priced)


def measure_bench(
    bench: NcuBench, cells: LibertyCells, trace: Trace, *, priced: bool = False
) -> NcuFigures:
    """Measure a mapped NCU on a trace."""
    circuit, config = bench.circuit, bench.config
    tiles = {
        width: [operands(tile, config) for tile in group]
        for width, group in trace.items()
        if width in config.precisions
    }
    beats = {width: beat_energy(bench, group) for width, group in tiles.items()}
    dense = {width: beat_energy(bench, _without_zeros(group)) for width, group in tiles.items()}
    drawn = draw(len(tiles[OPERAND_BITS]), STILL_TILES, seed=0)
    still = [_still(tiles[OPERAND_BITS][index]) for index in drawn]
    idle = cycle_energy(circuit, bench.idle(IDLE_CYCLES), IDLE_CYCLES, bench.period_ps)
    prices = {width: _prices(bench, group, idle) for width, group in tiles.items() if priced}
    return NcuFigures(
        area_um2=float(circuit.areas_um2.sum()),
        path_ns=path_ns(circuit),
        cells=len(circuit.netlist.placed),
        flipflops=sum(cells.is_flipflop(cell.cell) for cell in circuit.netlist.placed),
        beats=beats,
        dense=dense,
        zero_beat=beat_energy(bench, still),
        idle=idle,
        prices=prices,
    )


def _prices(bench: NcuBench, tiles: list[Tile], idle: Energy) -> NcuPrices:
    """Prices of the events of operands; cycles in which the last sum arrives count as idle.

    Half of the operands that they are found with are denser than the trace's, so that they hold for
    other networks, too.
    """
    runs = [*runs_of(tiles), *runs_of(filled(tiles))]
    works = [NcuWork.of(run, bench.config) for run in runs]
    energies = [
        beat_energy(bench, run).total_fj * (work.beats + LATENCY) - LATENCY * idle.total_fj
        for run, work in zip(runs, works, strict=True)
    ]
    return fit_prices(works, energies)


def beat_energy(bench: NcuBench, tiles: list[Tile]) -> Energy:
    """Energy of a beat, including the cycles until the last sum is in the accumulator."""
    cycles = sum(len(tile.weights) for tile in tiles) + LATENCY
    return cycle_energy(bench.circuit, bench.run(tiles), cycles, bench.period_ps)


def mean_energy(energies: Sequence[tuple[Energy, int]]) -> Energy:
    """Mean energy of a cycle over several runs, each given with its cycles."""
    parts: dict[str, float] = defaultdict(float)
    cycles = sum(count for _, count in energies)
    for energy, count in energies:
        for part, value in energy.parts.items():
            parts[part] += value * count / cycles
    return Energy(dict(parts))


def cycle_energy(
    circuit: Circuit, activity: Activity, cycles: int, period_ps: float = PERIOD_PS
) -> Energy:
    """Mean energy of a cycle by role, including leakage and the clock tree."""
    parts: dict[str, float] = defaultdict(float)
    sums = _from_tree(circuit)
    for placed, energy in zip(circuit.netlist.placed, activity.energy_fj, strict=True):
        role = _role(circuit, placed.name, placed.cell)
        data = (placed.pins[pin] for pin in circuit.models[placed.cell].data)
        if role == "registers" and not sums.isdisjoint(data):
            role = "accumulator"
        parts[role] += float(energy) / cycles
    if "clk" in circuit.netlist.ports:
        (clock,) = circuit.netlist.ports["clk"].nets
        rises = activity.toggles[clock] / 2 / cycles
        pins = rises * circuit.annotation.loads_ff[clock] * circuit.supply_v**2
        parts["clock"] += float(pins)
        branch = clock_branch_fj(circuit) if circuit.is_balanced else 0.0
        parts["clock"] += max(CLOCK_TREE * parts["clock"], branch)
    parts["leakage"] = circuit.leakage_nw * period_ps * 1e-6
    return Energy(dict(parts))


def clock_branch_fj(circuit: Circuit) -> float:
    """Energy a cycle of the clock tree to a unit, whether the gate at its root is open or not."""
    length_um = CLOCK_BRANCH_UM * math.sqrt(circuit.areas_um2.sum())
    return FF_PER_UM * length_um * circuit.supply_v**2


def _from_tree(circuit: Circuit) -> set[int]:
    """Nets that a structural NCU's adder tree drives; registers that read them accumulate."""
    return {
        net
        for placed in circuit.netlist.placed
        if _role(circuit, placed.name, placed.cell) == "tree"
        for pin, net in placed.pins.items()
        if pin in circuit.models[placed.cell].outputs
    }


def _role(circuit: Circuit, name: str, cell: str) -> str:
    kind = circuit.models[cell].kind
    if kind is CellKind.CLOCK_GATE:
        return "clock"
    if kind is not CellKind.LOGIC:
        return "registers"
    role = name.rpartition(".")[2].partition("_")[0]
    return {
        "add": "tree",
        "inv": "tree",
        "feedback": "tree",
        "product": "products",
        "mask": "masks",
    }.get(role, "other")


def operands(tile: Tile, config: EngineConfig) -> Tile:
    """A tile's operands in the lanes of the engine's kind, for a tile of any kind."""
    width, pairs = tile.precision, config.pairs(tile.precision)
    if pairs == tile.pairs:
        return tile
    left = unpack(tile.activations, width, tile.pairs, unsigned=tile.unsigned)
    right = unpack(tile.weights, width, tile.pairs)
    if tile.pairs == 1:  # a single operand is at the top of its lane
        left, right = left >> (OPERAND_BITS - width), right >> (OPERAND_BITS - width)
    return replace(
        tile, pairs=pairs, activations=pack(left, width, pairs), weights=pack(right, width, pairs)
    )


def _without_zeros(tiles: list[Tile]) -> list[Tile]:
    found = []
    for tile in tiles:
        work = tile.activations != 0
        if work.any():
            found.append(
                replace(tile, activations=tile.activations[work], weights=tile.weights[work])
            )
    return found


def filled(tiles: Sequence[Tile]) -> list[Tile]:
    """Tiles as long as these, whose operands without zero lanes take the place of all."""
    lengths = [len(tile.weights) for tile in tiles if tile.activations.any()]
    return [
        replace(
            tile,
            activations=np.resize(tile.activations, length),
            weights=np.resize(tile.weights, length),
        )
        for tile, length in zip(_without_zeros(list(tiles)), lengths, strict=True)
    ]


def _still(tile: Tile) -> Tile:
    return replace(tile, activations=np.zeros_like(tile.activations))
