"""Simulates the RTL of an autonomous engine, and records the ports of its memory side.

Results of the engine are given, not computed: what is recorded are units around it.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from amaranth.hdl import ClockDomain, ClockSignal, Fragment, Module, Signal, Value
from amaranth.sim import Simulator

from qcnpe.rtl.engine import Engine
from qcnpe.rtl.leaf import Leaf, ModuleLibrary, flat_ports
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.rtl.memory.sram import Sram
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Base
from qcnpe.spec.memory.machine import run_image
from synth.engine_bench import GAP_CYCLES, IDLE_CYCLES, result_words
from synth.errors import SynthesisError
from synth.memory_runs import ImageInputs
from synth.stimulus import PERIOD_PS, RESET_CYCLES
from synth.timed_engine import TimedEngine

BUS_LATENCY = 30
"""Cycles after which the external memory answers."""

_LIMIT_CYCLES = 1 << 16
_ALIGNMENT = 4096
_HOST = "host"


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
