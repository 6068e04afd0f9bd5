"""Everything of a board but its physical layer: an engine, its operand stores, and the link."""

from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    DomainRenamer,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from qcnpe.rtl.axi import lite_ports
from qcnpe.rtl.component import Component
from qcnpe.rtl.link.deframer import Deframer
from qcnpe.rtl.link.executor import STORES, Executor
from qcnpe.rtl.link.framer import Framer
from qcnpe.rtl.link.gate import Gate
from qcnpe.rtl.link.packets import Packets
from qcnpe.rtl.link.register_access import RegisterAccess
from qcnpe.rtl.link.response_framer import ResponseFramer
from qcnpe.rtl.link.store import OperandStore
from qcnpe.rtl.top import Top
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.frames import LINK_VERSION, Welcome
from qcnpe.spec.link import LinkConfig
from qcnpe.spec.registers import address_bits, registers


class OctetCore(Component):
    """An engine behind two flows of octets, for any physical layer. Wiring only.

    Deframer and gate are in the clock domain `line`, which the parent provides; a greeting resets
    everything else, including the engine.

    Parameters
    ----------
    link : engine and memories

    Ports
    -----
    received : in, 8 bits, an octet from the physical layer
    received_valid : in, 1 bit, high for one cycle with each octet
    sent : out, stream of 8 bits, octets to the physical layer
    busy, error : out, 1 bit each, as in the engine's status register
    """

    def __init__(self, link: LinkConfig) -> None:
        self.link = link
        super().__init__(
            {
                "received": In(8),
                "received_valid": In(1),
                "sent": Out(stream.Signature(8)),
                "busy": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Deframer, gate and packets to the executor, from there to the engine; responses back."""
        m = Module()
        restart = Signal()
        m.domains.sync = ClockDomain("sync", local=True)
        m.d.comb += [
            ClockSignal().eq(ClockSignal("line")),
            ResetSignal().eq(ResetSignal("line") | restart),
        ]
        engine = self._engine()
        # It has a domain `sync` of its own, whose name must differ from this one.
        m.submodules.engine = DomainRenamer("engine")(engine)
        m.d.comb += [
            engine.aclk.eq(ClockSignal()),
            engine.aresetn.eq(~ResetSignal()),
            self.busy.eq(engine.busy),
            self.error.eq(engine.error),
        ]
        gate, packets = self._build_entry(m)
        m.d.comb += restart.eq(gate.restart)
        executor = self._build_execution(m, engine, packets)
        self._build_responses(m, engine, gate, executor)
        return m

    def _engine(self) -> Any:
        """The engine's top."""
        return Top(self.link.engine)

    def _build_entry(self, m: Module) -> tuple[Gate, Packets]:
        """From octets of the line to accepted bodies."""
        line = DomainRenamer("line")
        m.submodules.deframer = line(deframer := Deframer())
        m.submodules.gate = line(gate := Gate())
        m.submodules.packets = packets = Packets(depth=self.link.buffer)
        m.d.comb += [
            deframer.octet.eq(self.received),
            deframer.octet_valid.eq(self.received_valid),
            *(getattr(gate, n).eq(getattr(deframer, n)) for n in ("payload", "valid", "last")),
            gate.good.eq(deframer.good),
            gate.overflow.eq(packets.overflow),
            packets.octet.eq(gate.octet),
            packets.last.eq(gate.octet_last),
            *(getattr(packets, n).eq(getattr(gate, n)) for n in ("write", "commit", "rewind")),
        ]
        return gate, packets

    def _build_execution(self, m: Module, engine: Any, packets: Packets) -> Executor:
        """From bodies to streams, operand stores and registers."""
        config, bits = self.link.engine, address_bits(registers(self.link.engine))
        depth = self.link.store
        m.submodules.executor = executor = Executor(config, address_bits=bits, store_depth=depth)
        connect(m, packets.output, executor.octets)
        for name in ("commands", "parameters"):
            self._feed(m, engine, name, getattr(executor, name))
        for name, lanes in zip(STORES, (config.rows, config.cols), strict=True):
            store = OperandStore(width=OPERAND_BITS * lanes, depth=depth)
            m.submodules[f"{name}_store"] = store
            m.d.comb += [
                store.address.eq(executor.address),
                store.word.eq(executor.word),
                store.count.eq(executor.count),
                store.write.eq(getattr(executor, f"write_{name}")),
                store.start.eq(getattr(executor, f"start_{name}")),
                getattr(executor, f"playing_{name}").eq(store.playing),
            ]
            self._feed(m, engine, name, store.output)
        self._build_access(m, engine, executor, executor.register_start)
        return executor

    def _build_access(self, m: Module, engine: Any, executor: Executor, start: Value) -> None:
        """From the executor to the engine's registers, when `start` is high."""
        bits = len(engine.s_axil_awaddr)
        m.submodules.access = access = RegisterAccess(address_bits=bits)
        m.d.comb += [
            access.address.eq(executor.address),
            access.data.eq(executor.word),
            access.start.eq(start),
            access.write.eq(executor.register_write),
            executor.register_done.eq(access.done),
            executor.register_value.eq(access.value),
        ]
        for name, member in lite_ports("", bits).items():
            ours, its = getattr(access, f"axi{name}"), getattr(engine, f"s_axil{name}")
            m.d.comb += its.eq(ours) if member.flow is In else ours.eq(its)

    def _feed(self, m: Module, engine: Any, name: str, source) -> None:  # type: ignore[no-untyped-def]
        m.d.comb += [
            getattr(engine, f"s_axis_{name}_tdata").eq(source.payload),
            getattr(engine, f"s_axis_{name}_tvalid").eq(source.valid),
            source.ready.eq(getattr(engine, f"s_axis_{name}_tready")),
        ]

    def _build_responses(self, m: Module, engine: Any, gate: Gate, executor: Executor) -> None:
        """From responses and results to the line."""
        link = self.link
        welcome = Welcome(
            version=LINK_VERSION,
            fifo_depth=link.engine.fifo_depth,
            buffer=link.buffer,
            store=link.store if link.memory is None else 0,
        )
        m.submodules.response_framer = responses = ResponseFramer(link.linked, welcome=welcome)
        m.submodules.framer = framer = Framer()
        connect(m, executor.values, responses.values)
        connect(m, responses.frames, framer.frames)
        connect(m, framer.octets, flipped(self.sent))
        m.d.comb += [
            responses.session.eq(gate.session),
            *(
                getattr(responses, n).eq(getattr(gate, n))
                for n in ("refused", "reason", "expected")
            ),
            responses.done.eq(executor.finished | gate.poll),
            responses.worked_off.eq(executor.worked_off),
            responses.error.eq(engine.error),
        ]
        self._build_results(m, engine, responses)

    def _build_results(self, m: Module, engine: Any, responses: ResponseFramer) -> None:
        """From the engine's results to responses."""
        m.d.comb += [
            responses.results.payload.eq(engine.m_axis_results_tdata),
            responses.results.valid.eq(engine.m_axis_results_tvalid),
            engine.m_axis_results_tready.eq(responses.results.ready),
        ]
