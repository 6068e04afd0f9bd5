"""Everything of a board with an autonomous engine but its physical layer."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, connect

from qcnpe.rtl.link.bus_target import BusTarget
from qcnpe.rtl.link.core import OctetCore
from qcnpe.rtl.link.executor import Executor
from qcnpe.rtl.link.packets import Packets
from qcnpe.rtl.link.response_framer import ResponseFramer
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.rtl.memory.bus import read_ports, write_ports
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.memory.config import MemoryConfig


class AutonomousCore(OctetCore):
    """An autonomous engine behind two flows of octets, for any physical layer. Wiring only.

    The host at the other end is the engine's external memory. What a network needs in every run
    stays in the engine's memories, so that a further run moves its input and its results only. A
    register is written when no run is active: the host sends starts and inputs ahead.

    Parameters
    ----------
    link : engine and memories; it has a `memory`

    Ports
    -----
    received : in, 8 bits, an octet from the physical layer
    received_valid : in, 1 bit, high for one cycle with each octet
    sent : out, stream of 8 bits, octets to the physical layer
    busy : out, 1 bit, a run has not ended
    error : out, 1 bit, the last run was ended by a fault
    """

    @property
    def memory(self) -> MemoryConfig:
        """The engine's memories."""
        if self.link.memory is None:
            raise ConfigError("link must have a memory, that of an autonomous engine")
        return self.link.memory

    def _engine(self) -> Any:
        return Autonomous(self.memory)

    def _build_execution(self, m: Module, engine: Any, packets: Packets) -> Executor:
        """From bodies to the bus and to registers."""
        bits = len(engine.s_axil_awaddr)
        m.submodules.executor = executor = Executor(self.memory, address_bits=bits)
        m.submodules.target = self._target = target = BusTarget(self.memory)
        connect(m, packets.output, executor.octets)
        connect(m, executor.bus_words, target.reads)
        waits = executor.register_write & engine.busy
        self._build_access(m, engine, executor, executor.register_start & ~waits)
        bus = {"data_bits": self.memory.bus_bits, "address_bits": self.memory.address_bits}
        for name, member in (read_ports("", **bus) | write_ports("", **bus)).items():
            ours, its = getattr(target, f"axi{name}"), getattr(engine, f"m_axi{name}")
            m.d.comb += its.eq(ours) if member.flow is In else ours.eq(its)
        return executor

    def _build_results(self, m: Module, engine: Any, responses: ResponseFramer) -> None:
        connect(m, self._target.writes, responses.results)
