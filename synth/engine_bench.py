"""Runs streams on a whole engine at gate level, checks every result and gives energies by unit.

The engine's ports are driven cycle by cycle as in a simulation of its RTL, in which every stream is
always valid and results are always taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator
from numpy.typing import NDArray

from qcnpe.generate import TOP
from qcnpe.rtl.leaf import flat_ports
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams
from synth.assembled import AssembledCircuit
from synth.assembly import Assembly, assemble
from synth.engine_units import UNITS, unit_of
from synth.engine_wires import lengths_um
from synth.errors import SynthesisError
from synth.floorplan import Floorplan
from synth.flow import WORKERS
from synth.gatesim import Circuit
from synth.mapping import LibertyCells
from synth.measure import map_module
from synth.stimulus import PERIOD_PS, RESET_CYCLES, stimulus
from synth.structural_engine import structural_units
from synth.timed_engine import TimedEngine

IDLE_CYCLES = 32
"""Cycles after the reset in which nothing is sent."""

GAP_CYCLES = 2
"""Cycles after the last result of a run, in which the engine becomes idle."""

_LIMIT_CYCLES = 1 << 16
"""Cycles after which a run is taken to hang."""


@dataclass(frozen=True)
class Recording:
    """Runs of an engine's RTL one after another, each from an idle engine to an idle engine.

    Attributes
    ----------
    inputs : values of the input ports in each cycle
    has_results : whether results leave in each cycle
    begins : first cycle of each run; `IDLE_CYCLES` cycles precede the first one
    """

    inputs: list[Mapping[str, int]]
    has_results: list[bool]
    begins: list[int]


def record(config: EngineConfig, runs: Sequence[Streams]) -> Recording:
    """Run streams on the timing of an engine's RTL, in Amaranth's simulator."""
    engine = TimedEngine(config)
    simulator = Simulator(engine)
    inputs = {name: s for name, way, s in flat_ports(engine.signature, engine) if way == "in"}
    made = Recording([], [], [])

    async def testbench(ctx):  # type: ignore[no-untyped-def]
        async def cycle(ready=()):  # type: ignore[no-untyped-def]
            made.inputs.append({name: int(ctx.get(signal)) for name, signal in inputs.items()})
            _, _, valid, *taken = await ctx.tick().sample(engine.results.valid, *ready)
            made.has_results.append(bool(valid))
            return taken

        ctx.set(engine.results.ready, 1)
        for _ in range(IDLE_CYCLES):
            await cycle()
        for streams in runs:
            made.begins.append(len(made.inputs))
            await _send(ctx, engine, streams, made, cycle)
            for _ in range(GAP_CYCLES):
                await cycle()

    simulator.add_clock(PERIOD_PS * 1e-12)
    simulator.add_testbench(testbench)
    simulator.run()
    return made


async def _send(ctx, engine, streams, made, cycle):  # type: ignore[no-untyped-def]
    """Send the words of all streams as the engine takes them, until all results have left."""
    words = {
        "commands": streams.commands.tolist(),
        "activations": _joined(streams.activations),
        "weights": _joined(streams.weights),
        "parameters": streams.parameters.tolist(),
    }
    ports = {name: getattr(engine, name) for name in words}
    begin, places = len(made.inputs), dict.fromkeys(words, 0)
    returned = 0
    while returned < streams.results or any(places[name] < len(words[name]) for name in ports):
        for name, port in ports.items():
            left = places[name] < len(words[name])
            ctx.set(port.valid, left)
            if left:
                ctx.set(Value.cast(port.payload), words[name][places[name]])
        taken = await cycle([port.ready for port in ports.values()])
        for name, took in zip(ports, taken, strict=True):
            places[name] += took and places[name] < len(words[name])
        returned += made.has_results[-1]
        if len(made.inputs) - begin > _LIMIT_CYCLES:
            raise SynthesisError("the engine's RTL returns too few results")
    for port in ports.values():
        ctx.set(port.valid, 0)


def _joined(lanes: NDArray[np.uint16]) -> list[int]:
    """Each beat's lanes as one word."""
    return [
        sum(lane << OPERAND_BITS * place for place, lane in enumerate(beat))
        for beat in lanes.tolist()
    ]


def _joined_runs(runs: Sequence[Streams]) -> Streams:
    """All runs as one: a table stays loaded."""
    return Streams(
        commands=np.concatenate([streams.commands for streams in runs]),
        activations=np.concatenate([streams.activations for streams in runs]),
        weights=np.concatenate([streams.weights for streams in runs]),
        parameters=np.concatenate([streams.parameters for streams in runs]),
        results=sum(streams.results for streams in runs),
    )


def result_words(config: EngineConfig, streams: Streams) -> Iterator[int]:
    """Words of the result stream, as the model of the engine computes them."""
    lanes = iter(execute(config, streams).results.tolist())
    for tile in streams.tiles(config):
        for column in range(tile.cols):
            beat = [*next(lanes), int(column == tile.cols - 1)]
            yield sum(lane << config.result_lane_bits * row for row, lane in enumerate(beat))


@dataclass(frozen=True)
class EngineRun:
    """What a run took.

    Attributes
    ----------
    streams : what was executed
    cycles : from the first word until the engine is idle
    energies_fj : by unit
    """

    streams: Streams
    cycles: int
    energies_fj: Mapping[str, float]


@dataclass(frozen=True)
class EngineBench:
    """A mapped engine.

    Attributes
    ----------
    config : the engine
    assembled : its netlist, with energies by unit
    """

    config: EngineConfig
    assembled: AssembledCircuit

    @classmethod
    def make(cls, config: EngineConfig, cells: LibertyCells) -> "EngineBench":
        """Map every unit of an engine once and put them together."""
        units = structural_units(config)
        with ThreadPoolExecutor(WORKERS) as pool:
            mapped = pool.map(lambda unit: map_module(units, unit, cells).netlist, units.places)
            netlists = dict(zip(units.places, mapped, strict=True))
        assembly = assemble(netlists, TOP)
        models = cells.library.models(sorted({cell.cell for cell in assembly.netlist.placed}))
        by_unit = assembly.unit_loads_ff(models, cells.wires)
        loads = assembly.loads_ff(by_unit)
        floorplan = Floorplan.of(config, cells.wires)
        for net, length in lengths_um(assembly, floorplan, models).items():
            loads[net] += cells.wires.capacitance_ff(length)
        circuit = Circuit(assembly.netlist, cells.library, cells.wires, loads)
        clocks_ff = {
            name: sum(by_unit[name][net] for net in netlist.ports["clk"].nets)
            for name, netlist in assembly.units.items()
            if "clk" in netlist.ports
        }
        return cls(config, AssembledCircuit(assembly, circuit, clocks_ff, UNITS, unit_of))

    @property
    def assembly(self) -> Assembly:
        """The netlist."""
        return self.assembled.assembly

    @property
    def circuit(self) -> Circuit:
        """The netlist with delays and energies."""
        return self.assembled.circuit

    def run(self, runs: Sequence[Streams]) -> tuple[Mapping[str, float], list[EngineRun]]:
        """Run streams of good commands, each from an idle engine to an idle engine.

        Returns
        -------
        energies in fJ by unit of an idle cycle, and the runs

        Raises
        ------
        SynthesisError
            If the netlist returns a wrong result.
        """
        recording = record(self.config, runs)
        period_ps = self.assembled.period_ps
        cycles, begin = len(recording.inputs), RESET_CYCLES * period_ps
        ports = self.circuit.netlist.ports
        watched = (*ports["results__valid"].nets, *ports["results__payload"].nets)
        ends = begin + period_ps * np.arange(1, cycles + 1) - 1
        drive = stimulus(self.circuit.netlist, recording.inputs, period_ps)
        begins = [begin, *(begin + period_ps * cycle for cycle in recording.begins)]
        idle, *parts = self.circuit.run_parts(drive, ends.tolist(), watched, begins)
        self._check(recording, runs, idle.samples)
        idle_fj = self.assembled.energies_fj(idle, IDLE_CYCLES)
        lengths = np.diff([*recording.begins, cycles]).tolist()
        return {unit: fj / IDLE_CYCLES for unit, fj in idle_fj.items()}, [
            EngineRun(streams, length, self.assembled.energies_fj(part, length))
            for streams, part, length in zip(runs, parts, lengths, strict=True)
        ]

    def _check(
        self, recording: Recording, runs: Sequence[Streams], samples: NDArray[np.uint8]
    ) -> None:
        """Compare the cycles of results with the RTL's, and the results with the model's."""
        wanted = result_words(self.config, _joined_runs(runs))
        for cycle, (has_result, sample) in enumerate(
            zip(recording.has_results, samples, strict=True)
        ):
            found = int("".join(map(str, sample[:0:-1].tolist())), 2) if sample[0] else None
            word = next(wanted) if has_result else None
            if found != word:
                raise SynthesisError(
                    f"{self.circuit.netlist.name}: the netlist returns {found} in cycle {cycle},"
                    f" not {word}; its longest path takes {self.assembled.path_ns:.2f} ns"
                )
