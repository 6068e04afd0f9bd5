"""Runs images on an autonomous engine's netlist without its engine and its memories.

The ports of the netlist, and those of the engine and of the memories that it lacks, are driven
cycle by cycle as in a simulation of the RTL; in every cycle all of its outputs must be the RTL's.
"""

import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, ClockSignal, Fragment, Module, Signal, Value
from amaranth.sim import Simulator
from numpy.typing import NDArray

from qcnpe.activity import stream_activity
from qcnpe.events import OperandActivity
from qcnpe.generate import AUTONOMOUS_TOP
from qcnpe.memory_events import MEMORY_UNITS, count_memory_events
from qcnpe.rtl.engine import Engine
from qcnpe.rtl.leaf import Leaf, ModuleLibrary, flat_ports
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.rtl.memory.sram import MacroLibrary, Sram
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Base
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.machine import join_streams, run_image
from synth.assembled import AssembledCircuit
from synth.assembly import Assembly, assemble
from synth.engine_bench import GAP_CYCLES, IDLE_CYCLES, result_words
from synth.errors import SynthesisError
from synth.flow import WORKERS
from synth.gatesim import Activity, Circuit
from synth.mapping import LibertyCells
from synth.measure import map_module
from synth.memories import on_chip, read_memories
from synth.memory_units import memory_unit_of
from synth.netlist import Netlist, Port
from synth.stimulus import PERIOD_PS, RESET_CYCLES, stimulus
from synth.timed_engine import TimedEngine
from synth.timing import path_ns
from synth.units import Units
from synth.wires import FF_PER_UM, OUTSIDE_UM

BUS_LATENCY = 30
"""Cycles after which the external memory answers."""

CELL_SHARE = 0.8
"""Cells cover so much of their rows, as in the routed units."""

MEAN_DISTANCE = 2 / 3
"""Mean distance along two axes of two points of a square of side 1; of n points, a tree between
them is about the root of n - 1 times as long."""

REPEATERS = 0.3
"""Energy of the repeaters of a wire between units, as a share of the wire's."""

_LIMIT_CYCLES = 1 << 16
_CHILD = re.compile(r"^\s*cell \\(\S+) \\(\S+)$", re.MULTILINE)
_PORT = re.compile(r"^  wire (?:width \d+ )?(input|output) \d+ +\\(\S+)$", re.MULTILINE)
_ALIGNMENT = 4096

STREAMS = ("commands", "activations", "weights", "parameters")
"""Of the engine's ports, those that the memory side drives."""

_HOST = "host"


@dataclass(frozen=True, eq=False)
class ImageInputs:
    """An image, and the inputs of its runs: of the first one, after the boot, and of further ones.

    Attributes
    ----------
    name : of the program
    image : of a network
    inputs : int16 (samples, features), a multiple of the image's batch
    """

    name: str
    image: Image
    inputs: NDArray[np.int16]

    def activities(self) -> list[dict[int, OperandActivity]]:
        """What the operands of each run do, by precision."""
        engine = self.image.config.engine
        batches = np.split(self.inputs, len(self.inputs) // self.image.batch)
        found, before = [], 0
        for runs in range(1, len(batches) + 1):
            _, machine = run_image(self.image, np.concatenate(batches[:runs]))
            streams = machine.streams[before:]
            found.append(stream_activity(engine, join_streams(streams)))
            before += len(streams)
        return found


@dataclass(frozen=True, eq=False)
class MemoryRun:
    """What a run took.

    Attributes
    ----------
    program : what was run
    number : of the run; run 0 boots
    activity : what its operands did, by precision
    cycles : from the start until the interrupt and the gap after it
    energies_fj : by unit
    """

    program: ImageInputs
    number: int
    activity: Mapping[int, OperandActivity]
    cycles: int
    energies_fj: Mapping[str, float]

    @property
    def name(self) -> str:
        """Name of the program."""
        return self.program.name

    def events(self, *, with_operands: bool = True) -> Mapping[str, int]:
        """Events of the run; those of operands by bits that change, or by words."""
        return count_memory_events(
            self.program.image,
            first=self.number == 0,
            cycles=self.cycles,
            activity=self.activity if with_operands else None,
        )


class _PlayedEngine(Engine):
    """An engine with the timing of `TimedEngine`, whose results are given."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.word = Signal(len(self.results.payload.as_value()))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.timed = timed = TimedEngine(self.config)
        for name, way, signal in flat_ports(self.signature, self):
            its = _flat(timed)[name]
            if name == "results__payload":
                m.d.comb += signal.eq(self.word)
            else:
                m.d.comb += its.eq(signal) if way == "in" else signal.eq(its)
        return m


def _flat(component: Any) -> dict[str, Any]:
    return {name: signal for name, _, signal in flat_ports(component.signature, component)}


class _PlayedAutonomous(Autonomous):
    """An autonomous engine around a played one."""

    def _make_engine(self) -> Engine:
        self.engine = _PlayedEngine(self.config.engine)
        return self.engine


class _Observer(ModuleLibrary):
    """Simulates all leaves, and keeps the memories, in the order of the netlist's names."""

    def __init__(self) -> None:
        super().__init__()
        self.memories: list[Sram] = []

    def place(self, leaf: Leaf) -> Any:
        """The body itself."""
        if isinstance(leaf, Sram):
            self.memories.append(leaf)
        return leaf.build()


def _memory_names(config: MemoryConfig) -> list[str]:
    """Paths of all memories' instances, in the order in which they are elaborated."""
    rows = [memory for memory in Memory if memory is not Memory.ACTIVATIONS]
    kinds = [(memory.name.lower(), memory) for memory in rows] + [("store_lanes", Memory.LANES)]
    return [f"banks.bank_{number}.sram" for number in range(config.banks)] + [
        f"{name}.word_{number}"
        for name, memory in kinds
        for number in range(config.row_words(memory))
    ]


@dataclass
class Recording:
    """Values of all ports of the netlist in each cycle.

    Attributes
    ----------
    inputs, outputs : of the netlist, by name; those of the engine and of memories begin with a path
    spans : first cycle of each run, and the one after its last
    """

    inputs: list[dict[str, int]] = field(default_factory=list)
    outputs: list[dict[str, int]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)


class _External:
    """An ideal external memory: answers after a latency, then a bus word a cycle."""

    def __init__(self, bus_bytes: int) -> None:
        self.bus_bytes = bus_bytes
        self.octets = np.zeros(0, np.uint8)
        self._reads: deque[tuple[int, int, bool]] = deque()
        self._writes: deque[int] = deque()
        self._answers: deque[int] = deque()

    def next(self, now: int, seen: Mapping[str, int]) -> dict[str, int]:
        """Inputs of the engine in the next cycle, given its outputs in this one."""
        if seen["m_axi_arvalid"]:
            last = seen["m_axi_arlen"]
            for beat in range(last + 1):
                place = seen["m_axi_araddr"] + beat * self.bus_bytes
                self._reads.append((now + BUS_LATENCY, place, beat == last))
        found = {"m_axi_rvalid": 0, "m_axi_bvalid": 0}
        if self._rvalid(seen) and self._reads and self._reads[0][0] <= now:
            _, place, last_beat = self._reads.popleft()
            word = self.octets[place : place + self.bus_bytes].tobytes()
            found |= {
                "m_axi_rvalid": 1,
                "m_axi_rdata": int.from_bytes(word, "little"),
                "m_axi_rlast": int(last_beat),
            }
        elif not self._rvalid(seen):
            found.pop("m_axi_rvalid")
        if seen["m_axi_wvalid"] and seen["m_axi_wlast"]:
            self._answers.append(now + BUS_LATENCY)
        if self._answers and self._answers[0] <= now:
            self._answers.popleft()
            found["m_axi_bvalid"] = 1
        return found

    @staticmethod
    def _rvalid(seen: Mapping[str, int]) -> bool:
        """Whether the channel of read data is free for a new word."""
        return bool(not seen["m_axi_rvalid"] or seen["m_axi_rready"])


class Player:
    """Drives the RTL of an autonomous engine and records its ports.

    Parameters
    ----------
    config : the engine and its memories
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        self.top = _PlayedAutonomous(config)
        observer = _Observer()
        whole = Module()
        whole.submodules.top = self.top
        whole.domains += ClockDomain(_HOST, reset_less=True)
        whole.d.comb += self.top.aclk.eq(ClockSignal(_HOST))  # its own domains are local
        fragment = Fragment.get(whole, observer)
        names = _memory_names(config)
        if len(names) != len(observer.memories):
            raise SynthesisError("the memories of an autonomous engine have changed their names")
        self.inputs, self.outputs = self._ports(dict(zip(names, observer.memories, strict=True)))
        self.simulator = Simulator(fragment)
        self.made = Recording()
        self._words: deque[int] = deque()
        self.external = _External(config.bus_bytes)

    def _ports(self, memories: Mapping[str, Sram]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Ports that drive the netlist, and those that it drives."""
        inputs: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        for name, way, signal in flat_ports(self.top.signature, self.top):
            (inputs if way == "in" else outputs)[name] = signal
        parts = {"engine": self.top.engine, **memories}
        for path, part in parts.items():
            for name, way, signal in flat_ports(part.signature, part):
                (outputs if way == "in" else inputs)[f"{path}.{name}"] = signal
        del inputs["aclk"]
        return inputs, outputs

    def record(self, programs: Sequence[ImageInputs]) -> Recording:
        """Run all programs one after another."""

        async def testbench(ctx: Any) -> None:
            self.ctx = ctx
            ctx.set(self.top.aresetn, 0)
            await ctx.tick(_HOST).repeat(RESET_CYCLES)
            ctx.set(self.top.aresetn, 1)
            for name in ("m_axi_arready", "m_axi_awready", "m_axi_wready", "s_axil_bready"):
                ctx.set(getattr(self.top, name), 1)
            for _ in range(IDLE_CYCLES):
                await self._cycle()
            for program in programs:
                await self._run(program)

        self.simulator.add_clock(PERIOD_PS * 1e-12, domain=_HOST)
        self.simulator.add_testbench(testbench)
        self.simulator.run()
        return self.made

    async def _cycle(self) -> dict[str, int]:
        """Record a cycle, and prepare the bus's inputs of the next one."""
        ctx = self.ctx
        given = {name: int(ctx.get(Value.cast(s))) for name, s in self.inputs.items()}
        seen = {name: int(ctx.get(Value.cast(s))) for name, s in self.outputs.items()}
        self.made.inputs.append(given)
        self.made.outputs.append(seen)
        changes = self.external.next(len(self.made.inputs), {**given, **seen})
        took = given["engine.results__valid"] and seen["engine.results__ready"]
        await ctx.tick(_HOST)
        if took and self._words:
            self._words.popleft()
        if self._words:
            ctx.set(self.top.engine.word, self._words[0])
        for name, value in changes.items():
            ctx.set(self.inputs[name], value)
        return seen

    async def _write(self, name: str, value: int) -> None:
        """Write a register, with address and data in one cycle."""
        ctx, top = self.ctx, self.top
        (register,) = (each for each in top.table if each.name == name)
        for channel, data in (("aw", register.offset), ("w", value)):
            ctx.set(getattr(top, f"s_axil_{channel}valid"), 1)
            ctx.set(getattr(top, f"s_axil_{channel}{'addr' if channel == 'aw' else 'data'}"), data)
        ctx.set(top.s_axil_wstrb, 15)
        waiting = {"aw", "w"}
        while waiting:
            seen = await self._cycle()
            for channel in sorted(waiting):
                if seen[f"s_axil_{channel}ready"]:
                    ctx.set(getattr(top, f"s_axil_{channel}valid"), 0)
                    waiting.remove(channel)

    async def _run(self, program: ImageInputs) -> None:
        """Load an image and run all its batches."""
        image = program.image
        _, machine = run_image(image, program.inputs)
        self._words = deque(result_words(self.config.engine, machine.joined_streams()))
        self.ctx.set(self.top.engine.word, self._words[0])
        places, end = {}, 0
        for name, size in (
            ("image", len(image.data)),
            ("input", image.input_bytes),
            ("output", image.output_bytes),
        ):
            places[name] = end
            end += -(-size // _ALIGNMENT) * _ALIGNMENT
        self.external.octets = np.zeros(end, np.uint8)
        self.external.octets[: len(image.data)] = image.data
        for base in Base:
            await self._write(f"{base.name.lower()}_low", places[base.name.lower()])
        await self._write("interrupt_mask", 3)
        for number, first in enumerate(range(0, len(program.inputs), image.batch)):
            packed = image.pack_inputs(program.inputs[first : first + image.batch])
            self.external.octets[places["input"] :][: len(packed)] = packed
            await self._write("boot", image.again_boot_rows if number else image.boot_rows)
            begin = len(self.made.inputs)
            await self._write("start", image.again if number else image.start)
            await self._until_interrupt(begin)
            self.made.spans.append((begin, len(self.made.inputs)))
            await self._write("interrupt", 3)
        if self._words:
            raise SynthesisError("the engine's RTL returns too few results")

    async def _until_interrupt(self, begin: int) -> None:
        seen = await self._cycle()
        while not seen["irq"]:
            seen = await self._cycle()
            if seen["error"] or len(self.made.inputs) - begin > _LIMIT_CYCLES:
                raise SynthesisError("a run of the engine's RTL does not end well")
        for _ in range(GAP_CYCLES):
            await self._cycle()


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

    @cached_property
    def period_ps(self) -> float:
        """Clock of the simulation, slower than that of the prices if the longest path is longer."""
        return max(PERIOD_PS, 1000 * path_ns(self.circuit))

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
        begin = RESET_CYCLES * self.period_ps
        ends = begin + self.period_ps * np.arange(1, len(made.inputs) + 1) - 1
        drive = stimulus(netlist, made.inputs, self.period_ps)
        edges = [0, IDLE_CYCLES, *chain.from_iterable(made.spans)]
        begins = [begin + self.period_ps * cycle for cycle in edges]
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
                    f" longest path takes {self.period_ps / 1000:.2f} ns"
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
