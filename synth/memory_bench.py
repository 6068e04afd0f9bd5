"""Runs images on an autonomous engine's netlist without its engine and its memories.

The ports of the netlist, and those of the engine and of the memories that it lacks, are driven
cycle by cycle as in a simulation of the RTL; in every cycle all of its outputs must be the RTL's.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from qcnpe.generate import AUTONOMOUS_TOP
from qcnpe.memory_events import MEMORY_UNITS
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.rtl.memory.sram import MacroLibrary
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from synth.assembled import AssembledCircuit
from synth.assembly import Assembly, assemble
from synth.engine_bench import IDLE_CYCLES
from synth.errors import SynthesisError
from synth.flow import WORKERS
from synth.gatesim import Activity, Circuit
from synth.mapping import LibertyCells
from synth.measure import map_module
from synth.memories import on_chip, read_memories
from synth.memory_player import Player, Recording
from synth.memory_runs import ImageInputs, MemoryRun
from synth.memory_units import memory_unit_of
from synth.netlist import Netlist, Port
from synth.stimulus import RESET_CYCLES, stimulus
from synth.units import Units
from synth.wires import FF_PER_UM, OUTSIDE_UM

CELL_SHARE = 0.8
"""Cells cover so much of their rows, as in the routed units."""

MEAN_DISTANCE = 2 / 3
"""Mean distance along two axes of two points of a square of side 1; of n points, a tree between
them is about the root of n - 1 times as long."""

REPEATERS = 0.3
"""Energy of the repeaters of a wire between units, as a share of the wire's."""

_CHILD = re.compile(r"^\s*cell \\(\S+) \\(\S+)$", re.MULTILINE)
_PORT = re.compile(r"^  wire (?:width \d+ )?(input|output) \d+ +\\(\S+)$", re.MULTILINE)

STREAMS = ("commands", "activations", "weights", "parameters")
"""Of the engine's ports, those that the memory side drives."""


@dataclass(frozen=True)
class MemoryBench:
    """The mapped units around an engine.

    Attributes
    ----------
    config : the memories
    assembled : their netlist, with energies by unit
    beyond_um : by net, length of the wires between units
    """

    config: MemoryConfig
    assembled: AssembledCircuit
    beyond_um: Mapping[int, float]

    @classmethod
    def make(cls, config: MemoryConfig, cells: LibertyCells) -> "MemoryBench":
        """Map every unit once and put them together; engine and memories stay apart."""
        units, boundary = _units(config)
        mapped = [unit for unit in units.places if unit not in boundary]
        with ThreadPoolExecutor(WORKERS) as pool:
            found = pool.map(lambda unit: map_module(units, unit, cells).netlist, mapped)
            netlists = dict(zip(mapped, found, strict=True))
        inner = (each for netlist in netlists.values() for each in netlist.instances)
        netlists |= {
            each.unit: _empty(each.unit, each.pins, boundary[each.unit])
            for each in inner
            if each.unit in boundary
        }
        assembly = _with_boundary(assemble(netlists, AUTONOMOUS_TOP), boundary)
        models = cells.library.models(sorted({cell.cell for cell in assembly.netlist.placed}))
        by_unit = assembly.unit_loads_ff(models, cells.wires)
        loads = assembly.loads_ff(by_unit)
        beyond = _beyond_um(assembly, cells, frozenset(boundary))
        for net in beyond:
            loads[net] += cells.wires.capacitance_ff(OUTSIDE_UM) + cells.wires.outside_ff
        circuit = Circuit(assembly.netlist, cells.library, cells.wires, loads)
        (clock,) = assembly.netlist.ports["clk"].nets
        clocks_ff = {
            place.unit: sum(
                by_unit[place.unit].get(own, 0.0) for own, net in place.nets.items() if net == clock
            )
            for place in assembly.places
        }
        return cls(
            config,
            AssembledCircuit(assembly, circuit, clocks_ff, MEMORY_UNITS, memory_unit_of),
            beyond,
        )

    @property
    def circuit(self) -> Circuit:
        """The netlist with delays and energies."""
        return self.assembled.circuit

    def run(self, programs: Sequence[ImageInputs]) -> tuple[Mapping[str, float], list[MemoryRun]]:
        """Run programs, each from an idle engine to an idle engine.

        Returns
        -------
        energies in fJ by unit of an idle cycle, and the runs

        Raises
        ------
        SynthesisError
            If an output of the netlist is not the RTL's.
        """
        made = Player(self.config).record(programs)
        netlist = self.circuit.netlist
        known = made.inputs[0].keys() | made.outputs[0].keys() | {"clk"}
        if unknown := [
            name
            for name, port in netlist.ports.items()
            if port.direction == "input" and name not in known
        ]:
            raise SynthesisError(f"{netlist.name}: the RTL has no port {unknown[0]} to record")
        watched = [name for name in made.outputs[0] if name in netlist.ports]
        nets = tuple(chain.from_iterable(netlist.ports[name].nets for name in watched))
        period_ps = self.assembled.period_ps
        begin = RESET_CYCLES * period_ps
        ends = begin + period_ps * np.arange(1, len(made.inputs) + 1) - 1
        drive = stimulus(netlist, made.inputs, period_ps)
        edges = [0, IDLE_CYCLES, *chain.from_iterable(made.spans)]
        begins = [begin + period_ps * cycle for cycle in edges]
        parts = self.circuit.run_parts(drive, ends.tolist(), nets, begins)
        self._check(made, watched, parts[0].samples)
        runs = []
        of_runs = [
            (program, number, activity)
            for program in programs
            for number, activity in enumerate(program.activities())
        ]
        for (program, number, activity), (start, end), part in zip(
            of_runs, made.spans, parts[2::2], strict=True
        ):
            cycles = end - start
            energies = self._energies_fj(part, cycles)
            runs.append(MemoryRun(program, number, activity, cycles, energies))
        idle = self._energies_fj(parts[0], IDLE_CYCLES)
        return {unit: fj / IDLE_CYCLES for unit, fj in idle.items()}, runs

    def _check(self, made: Recording, watched: Sequence[str], samples: NDArray[np.uint8]) -> None:
        start = 0
        for name in watched:
            width = len(self.circuit.netlist.ports[name].nets)
            bits = samples[:, start : start + width]
            start += width
            wanted = _bits([cycle[name] for cycle in made.outputs], width)
            wrong = np.flatnonzero((bits != wanted).any(axis=1))
            if len(wrong):
                raise SynthesisError(
                    f"{self.circuit.netlist.name}: in cycle {wrong[0]} {name} is not the RTL's; the"
                    f" longest path takes {self.assembled.path_ns:.2f} ns"
                )

    def _energies_fj(self, activity: Activity, cycles: int) -> dict[str, float]:
        """Energy of each unit, with the wires to other units that it drives."""
        found = self.assembled.energies_fj(activity, cycles)
        swing_fj = self.circuit.supply_v**2 / 2 * (1 + REPEATERS)
        for net, (unit, capacitance_ff) in self._driven.items():
            found[unit] += float(activity.toggles[net]) * capacitance_ff * swing_fj
        return found

    @cached_property
    def _driven(self) -> dict[int, tuple[str, float]]:
        """By net between units: the unit that drives it, and its wires beyond the first ones."""
        circuit = self.circuit
        placed = iter(circuit.netlist.placed)
        drivers: dict[int, str] = {}
        for place in self.assembled.assembly.places:
            unit = memory_unit_of(place.path)
            for _ in self.assembled.assembly.units[place.unit].placed:
                cell = next(placed)
                for output in circuit.models[cell.cell].outputs:
                    if output in cell.pins:
                        drivers[cell.pins[output]] = unit

        return {
            net: (drivers.get(net, "banks"), FF_PER_UM * max(0.0, um - OUTSIDE_UM))
            for net, um in self.beyond_um.items()
        }


def _units(config: MemoryConfig) -> tuple[Units, dict[str, dict[str, str]]]:
    """All units, and the directions of the ports of those that are not mapped."""
    library, body = MacroLibrary(), Autonomous(config)
    top = library.convert(body, AUTONOMOUS_TOP, body)
    rtlil = "".join((*library.modules.values(), top))
    whole = Units(rtlil, {})
    side = f"{AUTONOMOUS_TOP}.memory_side"
    engine = f"{AUTONOMOUS_TOP}.engine"
    places = Counter({AUTONOMOUS_TOP: 1})
    for parent in (AUTONOMOUS_TOP, side):
        (own,) = (
            text
            for text in re.split(r"(?<=^end\n)", whole.rtlil_of(parent), flags=re.MULTILINE)
            if f"module \\{parent}\n" in text
        )
        places.update(kind for kind, _ in _CHILD.findall(own))
    memories = [name for name in library.modules if name.startswith("qcnpe_sram_")]
    places.update(memories)
    boundary = {name: _directions(whole.rtlil, name) for name in (engine, *memories)}
    return Units(rtlil, places), boundary


def _directions(rtlil: str, module: str) -> dict[str, str]:
    """Direction of each port of a module, without clock and reset."""
    body = rtlil.partition(f"module \\{module}\n")[2].partition("\nend\n")[0]
    clocks = ("clk", "rst", "work_clk", "work_rst")
    return {name: way for way, name in _PORT.findall(body) if name not in clocks}


def _empty(unit: str, pins: Mapping[str, Sequence[int]], ways: Mapping[str, str]) -> Netlist:
    """A unit of ports only."""
    ports, net = {}, 2
    for name, nets in pins.items():
        ports[name] = Port(ways.get(name, "input"), tuple(range(net, net + len(nets))))
        net += len(nets)
    return Netlist(unit, (), ports, {})


def _with_boundary(assembly: Assembly, boundary: Mapping[str, Mapping[str, str]]) -> Assembly:
    """The ports of what is not mapped become ports of the whole; the clock is `clk`."""
    netlist = assembly.netlist
    ports = {("clk" if name == "aclk" else name): port for name, port in netlist.ports.items()}
    for place in assembly.places:
        if place.path == ("memory_side",):  # inside the engine, its streams have other names
            for name, port in assembly.units[place.unit].ports.items():
                if port.direction == "output" and name.partition("__")[0] in STREAMS:
                    nets = tuple(place.nets[net] for net in port.nets)
                    ports[f"engine.{name}"] = Port("output", nets)
        if place.unit not in boundary:
            continue
        path = _plain(".".join(place.path))
        for name, port in assembly.units[place.unit].ports.items():
            if name in boundary[place.unit]:
                way = {"input": "output", "output": "input"}[port.direction]
                nets = tuple(place.nets[net] for net in port.nets)
                ports[f"{path}.{name}"] = Port(way, nets)
    return replace(assembly, netlist=replace(netlist, ports=ports))


def _plain(path: str) -> str:
    return re.sub(r"\$\d+", "", path).removeprefix("memory_side.")


def _beyond_um(
    assembly: Assembly, cells: LibertyCells, boundary: frozenset[str]
) -> dict[int, float]:
    """Length of the wires of every net that leaves a unit, by a statistical model.

    The units lie anywhere in a square, and a net is a tree between its units; the square of a net
    to a memory or to the engine holds all memories, too.
    """
    cells_um2 = sum(cells.area_um2(cell.cell) for cell in assembly.netlist.placed) / CELL_SHARE
    table = read_memories()
    memories_um2 = sum(
        count * table.sram_of(size, bits).area_um2
        for size, bits, count in on_chip(EngineConfig()).values()
    )
    ends, outer = Counter[int](), set[int]()
    clocks = {net for name in ("clk", "aresetn") for net in assembly.netlist.ports[name].nets}
    for place in assembly.places:
        if place.path in ((), ("memory_side",)):
            continue
        nets = {
            place.nets[net]
            for port in assembly.units[place.unit].ports.values()
            for net in port.nets
        }
        ends.update(nets)
        if place.unit in boundary:
            outer |= nets
    found = {}
    for net, count in ends.items():
        if net > 1 and net not in clocks and count > 1:
            side_um = np.sqrt(cells_um2 + (memories_um2 if net in outer else 0.0))
            found[net] = float(MEAN_DISTANCE * side_um * np.sqrt(count - 1))
    return found


def _bits(values: Sequence[int], width: int) -> NDArray[np.uint8]:
    """(cycles, width) bits of words, lowest first."""
    octets = -(-width // 8)
    data = b"".join(value.to_bytes(octets, "little") for value in values)
    raw = np.frombuffer(data, np.uint8).reshape(len(values), octets)
    return np.unpackbits(raw, axis=1, bitorder="little")[:, :width]
