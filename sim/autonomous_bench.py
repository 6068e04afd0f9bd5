"""Drives an autonomous engine in cocotb: a manager at its registers, and an external memory."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiResp, AxiSlave
from numpy.typing import NDArray

from qcnpe.random_memory_work import RandomProgram
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.descriptors import Base, Fault
from qcnpe.spec.memory.registers import MEMORY_COUNTERS, memory_registers
from qcnpe.spec.registers import counter_names
from sim.axi_bench import random_pause, set_pauses

CONFIG_VARIABLE = "QCNPE_AUTONOMOUS_CONFIG"
"""Environment variable that holds the parameters as JSON."""

PERIOD_NS = 2
TIMEOUT_CYCLES = 60_000

BASES = {Base.IMAGE: 0x20000, Base.INPUT: 0x60000, Base.OUTPUT: 0x80000}
"""Where programs lie in external memory."""

MEMORY_BYTES = 0xC0000


def environment_of(config: MemoryConfig) -> dict[str, str]:
    """Environment variables that `bench_config` reads in the simulator's process."""
    return {CONFIG_VARIABLE: json.dumps(asdict(config))}


def bench_config() -> MemoryConfig:
    """The autonomous engine that is simulated."""
    values = json.loads(os.environ[CONFIG_VARIABLE])
    engine = values.pop("engine")
    engine["precisions"] = tuple(engine["precisions"])
    return MemoryConfig(engine=EngineConfig(**engine), **values)


class ExternalMemory:
    """What the engine's bus reaches; accesses to some addresses fail.

    Attributes
    ----------
    octets : contents
    failing : addresses of bus words of which every access fails, with their responses
    response : of the access that failed last
    """

    def __init__(self, size: int) -> None:
        self.octets: NDArray[np.uint8] = np.zeros(size, np.uint8)
        self.failing: dict[int, AxiResp] = {}
        self.response = AxiResp.OKAY

    def _check(self, address: int, length: int) -> None:
        outside = address + length > len(self.octets)
        response = AxiResp.DECERR if outside else self.failing.get(address, AxiResp.OKAY)
        if response != AxiResp.OKAY:
            self.response = response
            raise OSError("the access fails")

    async def read(self, address: int, length: int) -> bytes:
        """Octets from an address on."""
        self._check(address, length)
        return self.octets[address : address + length].tobytes()

    async def write(self, address: int, data: bytes) -> None:
        """Replace octets from an address on."""
        self._check(address, len(data))
        self.octets[address : address + len(data)] = np.frombuffer(data, np.uint8)


class Host:
    """Owns clock, reset and the registers' manager.

    Parameters
    ----------
    dut : the top module

    Attributes
    ----------
    config : the autonomous engine
    offsets : address of each register
    """

    def __init__(self, dut: Any) -> None:
        self.dut, self.config = dut, bench_config()
        logging.getLogger("cocotb").setLevel(logging.ERROR)
        Clock(dut.aclk, PERIOD_NS, "ns").start()
        self.offsets = {entry.name: entry.offset for entry in memory_registers(self.config)}
        reset = (dut.aclk, dut.aresetn)
        self.control = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), *reset, False)

    async def reset(self) -> None:
        """Hold the reset for some cycles."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    async def read(self, register: str) -> int:
        """A register's value."""
        found = await self.control.read(self.offsets[register], 4)
        assert found.resp == AxiResp.OKAY, f"{register}: {found.resp!r}"
        return int.from_bytes(found.data, "little")

    async def write(self, register: str, value: int) -> None:
        """Write a register."""
        found = await self.control.write(self.offsets[register], value.to_bytes(4, "little"))
        assert found.resp == AxiResp.OKAY, f"{register}: {found.resp!r}"

    async def counters(self) -> dict[str, int]:
        """All counters; each is read whole."""
        return {
            name: await self.read(f"{name}_low") | await self.read(f"{name}_high") << 32
            for name in (*counter_names(self.config.engine), *MEMORY_COUNTERS)
        }

    async def wait(self, timeout: int = TIMEOUT_CYCLES) -> Fault:
        """Wait for the interrupt, clear it, and return the cause of the run's end.

        Parameters
        ----------
        timeout : cycles to wait
        """
        if not self.dut.irq.value:
            try:
                await with_timeout(RisingEdge(self.dut.irq), timeout * PERIOD_NS, "ns")
            except SimTimeoutError:
                row = await self.read("run_status") >> 1
                raise AssertionError(f"no interrupt at descriptor {row}") from None
        assert await self.read("run_status") & 1 == 0
        cause = Fault(await self.read("fault"))
        causes = await self.read("interrupt")
        assert causes == (1 if cause is Fault.NONE else 2)
        await self.write("interrupt", causes)
        assert await self.read("interrupt") == 0
        assert not self.dut.irq.value
        return cause


class TB(Host):
    """A host, and an external memory whose channels stall and fail on request.

    Parameters
    ----------
    dut : the top module

    Attributes
    ----------
    memory : the external memory
    """

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        reset = (dut.aclk, dut.aresetn)
        self.memory = ExternalMemory(MEMORY_BYTES)
        self.bus = AxiSlave(
            AxiBus.from_prefix(dut, "m_axi"), *reset, self.memory, reset_active_level=False
        )
        for channel, field in (
            (self.bus.read_if.r_channel, "rresp"),
            (self.bus.write_if.b_channel, "bresp"),
        ):
            self._answer_as_memory_does(channel, field)

    def _answer_as_memory_does(self, channel: Any, field: str) -> None:
        """The model answers every failed access with SLVERR; the memory says which error it is."""
        send = channel.send

        async def choose(answer: Any) -> None:
            if getattr(answer, field) == AxiResp.SLVERR:
                setattr(answer, field, self.memory.response)
            await send(answer)

        channel.send = choose

    def rest(self, seed: int | None) -> None:
        """Let every channel of the external memory be idle in random cycles, or in none."""
        for side, names in (("read_if", ("ar", "r")), ("write_if", ("aw", "w", "b"))):
            for number, name in enumerate(names):
                channel = getattr(getattr(self.bus, side), f"{name}_channel")
                set_pauses(channel, None if seed is None else random_pause(seed + number))

    def place(self, program: RandomProgram) -> None:
        """Put a program into external memory, and its output's place to a known state."""
        for base, octets in ((Base.IMAGE, program.image), (Base.INPUT, program.input)):
            self.memory.octets[BASES[base] : BASES[base] + len(octets)] = octets
        self.output(program)[:] = 0xEE

    def output(self, program: RandomProgram) -> NDArray[np.uint8]:
        """What a program has stored."""
        return self.memory.octets[BASES[Base.OUTPUT] :][: program.output_bytes]

    async def start(self, program: RandomProgram, bases: Mapping[Base, int] | None = None) -> None:
        """Write the registers that a run needs; both interrupts are on.

        Parameters
        ----------
        program : that lies in external memory
        bases : addresses that are not where the program lies
        """
        for base, address in {**BASES, **(bases or {})}.items():
            await self.write(f"{base.name.lower()}_low", address)
            await self.write(f"{base.name.lower()}_high", 0)
        await self.write("boot", program.boot_rows)
        await self.write("interrupt_mask", 3)
        await self.write("start", 0)

    async def run(self, program: RandomProgram) -> Fault:
        """Run a program to its end."""
        self.place(program)
        await self.start(program)
        return await self.wait()
