"""Places and routes mapped units, and makes of them the file of wire lengths."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ToolError
from synth.errors import SynthesisError
from synth.layout.design import UTILISATION, Design
from synth.layout.placement import MOVES, place
from synth.layout.routing import Routing, route
from synth.mapping import LibertyCells
from synth.measure import make_bench, operands
from synth.ncu_bench import NcuBench
from synth.ncu_variants import FUSED, GATED, PLAIN
from synth.netlist import Netlist
from synth.structural import StructuralNcu
from synth.traces import Trace
from synth.wires import FanoutLengths, RoutedUnit, WiresFile, sinks

COMMAND = "make layout"
UNITS: Mapping[str, EngineConfig] = {"fused": FUSED, "plain16": PLAIN, "gated": GATED}
"""Engines whose NCUs are placed and routed."""

ATTEMPTS = 6
"""Seeds that are tried until all nets are routed."""

_FIRST_SINKS = (1, 2, 3, 5, 9, 17, 33)
"""First number of sinks of each entry of the table by fan-out."""


@dataclass(frozen=True)
class LaidOut:
    """A placed and routed unit.

    Attributes
    ----------
    routing : its wires
    seed : of its placement
    """

    routing: Routing
    seed: int

    @property
    def um_per_net(self) -> float:
        """Mean length of a net with at least two ends."""
        nets = self.routing.design.nets
        return sum(self.routing.length_um(net) for net in nets) / len(nets)

    @property
    def unit(self) -> RoutedUnit:
        """Lengths for `synth.wires`."""
        design = self.routing.design
        count = design.netlist.net_count
        return RoutedUnit(
            netlist_sha256=design.netlist.sha256,
            width_um=round(design.width_um, 3),
            height_um=round(design.height_um, 3),
            um=tuple(round(self.routing.length_um(net), 2) for net in range(count)),
        )


def ncu_bench(config: EngineConfig, cells: LibertyCells) -> NcuBench:
    """The mapped NCU of an engine."""
    return make_bench(StructuralNcu(config), cells)


def net_toggles(bench: NcuBench, trace: Trace) -> dict[int, float]:
    """Toggles of each net in a cycle, the mean over the precisions, on the trace's operands."""
    config = bench.config
    widths = [width for width in trace if width in config.precisions]
    found: Counter[int] = Counter()
    for width in widths:
        tiles = [operands(tile, config) for tile in trace[width]]
        cycles = sum(len(tile.weights) for tile in tiles)
        for net, toggles in enumerate(bench.run(tiles).toggles.tolist()):
            found[net] += toggles / cycles / len(widths)
    return dict(found)


def lay_out(
    name: str,
    netlist: Netlist,
    cells: LibertyCells,
    moves: int = MOVES,
    seed: int = 1,
    toggles: Mapping[int, float] | None = None,
) -> LaidOut:
    """Place and route a unit, beginning with a seed; with the next ones, until no net fails.

    If the toggles of its nets are known, nets count by them in the placement.

    Raises
    ------
    SynthesisError
        If nets still fail after `ATTEMPTS` seeds.
    ToolError
        If a tool is missing, or the router stops with every seed.
    """
    design = Design.of(name, netlist, cells.library, toggles=toggles)
    why = ""
    for number in range(seed, seed + ATTEMPTS):
        placement = place(design, number, moves)
        try:
            routing = route(placement)
        except ToolError as error:
            why = str(error)
            continue
        if not (failed := routing.failed_nets):
            return LaidOut(routing, number)
        why = f"{len(failed)} nets fail"
    raise SynthesisError(f"{name}: not routed with {ATTEMPTS} seeds: {why}; lower the utilisation")


def lay_out_ncu(
    name: str, bench: NcuBench, cells: LibertyCells, trace: Trace, seed: int = 1
) -> LaidOut:
    """Place and route an NCU with its toggles on a trace."""
    toggles = net_toggles(bench, trace)
    return lay_out(name, bench.circuit.netlist, cells, seed=seed, toggles=toggles)


def by_fanout(routings: Sequence[Routing]) -> FanoutLengths:
    """Mean lengths of the nets of routed units by their sinks."""
    found = [
        (count, routing.length_um(net))
        for routing in routings
        for net, count in sinks(routing.design.netlist).items()
    ]
    ends = (*_FIRST_SINKS[1:], max(count for count, _ in found) + 1)
    counts, lengths = [], []
    for first, end in zip(_FIRST_SINKS, ends, strict=True):
        group = [entry for entry in found if first <= entry[0] < end]
        if group:
            counts.append(round(sum(count for count, _ in group) / len(group), 2))
            lengths.append(round(sum(um for _, um in group) / len(group), 2))
    return FanoutLengths(tuple(counts), tuple(lengths))


def wires_file(laid_out: Mapping[str, LaidOut]) -> WiresFile:
    """Lengths of all units."""
    return WiresFile(
        by_fanout=by_fanout([unit.routing for unit in laid_out.values()]),
        units={name: unit.unit for name, unit in laid_out.items()},
        provenance={
            "command": COMMAND,
            "placement": f"simulated annealing, {MOVES:,} moves, cells cover {UTILISATION:.0%},"
            " wires weighted by their toggles",
            "routing": f"coriolis-eda {version('coriolis-eda')}, metal 2 to 5",
            "seeds": ", ".join(f"{name} {unit.seed}" for name, unit in laid_out.items()),
            "unit": "um",
        },
    )


def fanout_errors(table: FanoutLengths, laid_out: Mapping[str, LaidOut]) -> dict[str, float]:
    """For each unit, by how much the table by fan-out misses the total length of its wires."""
    errors = {}
    for name, unit in laid_out.items():
        netlist = unit.routing.design.netlist
        routed = sum(unit.routing.length_um(net) for net in sinks(netlist))
        errors[name] = sum(map(table.length_um, sinks(netlist).values())) / routed - 1
    return errors
