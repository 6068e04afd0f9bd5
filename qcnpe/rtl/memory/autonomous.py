"""The autonomous top: an engine with its memories, behind AXI4 and AXI4-Lite."""

from typing import Any

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    DomainRenamer,
    Module,
    Mux,
    ResetSignal,
    Signal,
)
from amaranth.lib.wiring import In, Out, connect

from qcnpe.rtl.axi import AxiLiteRegisters, lite_ports
from qcnpe.rtl.component import Component
from qcnpe.rtl.control import connect_lite, control_engine, show_constants, show_counters
from qcnpe.rtl.counters import Counters
from qcnpe.rtl.engine import Engine
from qcnpe.rtl.memory.axi_reader import AxiReader
from qcnpe.rtl.memory.axi_writer import AxiWriter
from qcnpe.rtl.memory.bus import Response, read_ports, write_ports
from qcnpe.rtl.memory.interrupt import Interrupt
from qcnpe.rtl.memory.memory_side import MemorySide
from qcnpe.rtl.memory.run_control import RunControl
from qcnpe.spec.commands import ErrorCause
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.descriptors import Base, Fault
from qcnpe.spec.memory.registers import (
    MEMORY_COUNTERS,
    memory_feature_words,
    memory_registers,
)
from qcnpe.spec.registers import COUNTER_BITS, address_bits, counter_names, feature_words

_STREAMS = ("commands", "activations", "weights", "parameters")


class Autonomous(Component):
    """An engine that fetches its operands itself: wiring, resets and the register file.

    Engine and memory side are in a clock domain `work`, which a fault resets; the bus side and the
    registers are not reset, so that the bus finishes its transfers.

    Parameters
    ----------
    config : the engine and its memories

    Ports
    -----
    aclk : in, 1 bit, clock of everything
    aresetn : in, 1 bit, synchronous reset of everything, active low
    m_axi_* : bus, AXI4 manager, to the external memory
    s_axil_* : bus, AXI4-Lite subordinate, 32 bits of data, see `spec.memory.registers`
    irq : out, 1 bit, interrupt request: a run has ended, see the register `interrupt`
    busy, error : out, 1 bit each, a run has not ended; the last run was ended by a fault
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        self.table = memory_registers(config)
        bus = {"data_bits": config.bus_bits, "address_bits": config.address_bits}
        outputs = {name: Out(1) for name in ("irq", "busy", "error")}
        super().__init__(
            {"aclk": In(1), "aresetn": In(1), **outputs}
            | read_ports("m_axi", **bus)
            | write_ports("m_axi", **bus)
            | lite_ports("s_axil", address_bits(self.table))
        )

    def elaborate(self, platform: object) -> Module:
        """Engine and memory side in one domain; bus and registers in another."""
        m = Module()
        m.domains.sync = ClockDomain("sync", local=True)
        m.domains.work = ClockDomain("work", local=True)
        m.submodules.run_control = run = RunControl()
        m.d.comb += [
            ClockSignal().eq(self.aclk),
            ResetSignal().eq(~self.aresetn),
            ClockSignal("work").eq(self.aclk),
            ResetSignal("work").eq(~self.aresetn | run.ending),
        ]
        engine, side = self._make_engine(), MemorySide(self.config)
        m.submodules.engine = DomainRenamer("work")(engine)
        m.submodules.memory_side = DomainRenamer("work")(side)
        m.submodules.counters = counters = Counters(self.config.engine)
        m.submodules.registers = file = AxiLiteRegisters(self.table)
        connect_lite(m, self, file)
        self._build_streams(m, engine, side)
        reads, writes = self._build_bus(m, run, side)
        control_engine(m, self.config.engine, file, engine, counters.clear)
        m.d.comb += [
            run.engine_halted.eq(engine.halted),
            run.engine_error.eq(engine.error),
            counters.busy.eq(engine.busy),
            counters.events.eq(engine.events),
            counters.precision.eq(engine.precision),
            file.value_precision.eq(engine.precision),
            file.value_status.eq(Cat(engine.busy, file.value_error != ErrorCause.NONE)),
            file.value_error.eq(run.halt_error),
            self.busy.eq(run.running),
            self.error.eq(run.cause != Fault.NONE),
        ]
        words = feature_words(self.config.engine) | memory_feature_words(self.config)
        show_constants(m, file, words)
        self._build_run(m, file, run, side)
        self._build_interrupt(m, file, run)
        self._build_counters(m, file, counters, self._events(run, side, reads, writes))
        return m

    def _make_engine(self) -> Engine:
        return Engine(self.config.engine)

    def _build_streams(self, m: Module, engine: Engine, side: MemorySide) -> None:
        for name in _STREAMS:
            ours, its = getattr(side, name), getattr(engine, name)
            m.d.comb += [
                its.payload.eq(ours.payload),
                its.valid.eq(ours.valid),
                ours.ready.eq(its.ready),
            ]
        connect(m, engine.results, side.results)
        m.d.comb += side.engine_busy.eq(engine.busy)

    def _build_bus(
        self, m: Module, run: RunControl, side: MemorySide
    ) -> tuple[AxiReader, AxiWriter]:
        """Both halves of the manager, which outlive a reset of the memory side."""
        bus = {"data_bits": self.config.bus_bits, "address_bits": self.config.address_bits}
        m.submodules.reader = reader = AxiReader(**bus)
        m.submodules.writer = writer = AxiWriter(**bus)
        for unit, ports in ((reader, read_ports), (writer, write_ports)):
            for name, member in ports("", **bus).items():
                ours, its = getattr(self, f"m_axi{name}"), getattr(unit, f"axi{name}")
                m.d.comb += its.eq(ours) if member.flow is In else ours.eq(its)
            m.d.comb += unit.abort.eq(run.ending)
        m.d.comb += [
            side.read_words.payload.eq(reader.words.payload),
            side.read_words.valid.eq(reader.words.valid),
            reader.words.ready.eq(side.read_words.ready),
            writer.words.payload.eq(side.write_words.payload),
            writer.words.valid.eq(side.write_words.valid),
            side.write_words.ready.eq(writer.words.ready),
            run.read_failed.eq(reader.failed),
            run.write_failed.eq(writer.done & (writer.response != Response.OKAY)),
            run.bus_idle.eq(reader.idle & writer.idle),
            side.write_done.eq(writer.done),
        ]
        for unit, port in ((reader, side.read_transfer), (writer, side.write_transfer)):
            m.d.comb += [
                unit.transfer.payload.eq(port.payload),
                unit.transfer.valid.eq(port.valid & ~run.ending),
                port.ready.eq(unit.transfer.ready),
            ]
        return reader, writer

    def _build_run(
        self, m: Module, file: AxiLiteRegisters, run: RunControl, side: MemorySide
    ) -> None:
        """Base registers, start and stop."""
        low = (self.config.bus_bytes - 1).bit_length()
        for base in Base:
            kept = Signal(len(side.bases[base]), name=f"base_{base.name.lower()}")
            whole = Signal(64, name=f"address_{base.name.lower()}")
            m.d.comb += [whole.eq(kept << low), side.bases[base].eq(kept)]
            for name, place in (("low", 0), ("high", 32)):
                register = f"{base.name.lower()}_{name}"
                m.d.comb += getattr(file, f"value_{register}").eq(whole[place : place + 32])
                inside = slice(max(place, low), min(place + 32, self.config.address_bits))
                if inside.start < inside.stop:
                    with m.If(getattr(file, f"written_{register}")):
                        bits = file.data[inside.start - place : inside.stop - place]
                        m.d.sync += kept[inside.start - low : inside.stop - low].eq(bits)
        boot = Signal(16)
        with m.If(file.written_boot):
            m.d.sync += boot.eq(file.data)
        # A bus of 64 bits may write `boot` and, without strobes, its neighbour `start`.
        row_strobes = self.s_axil_wstrb[: len(side.start_row) // 8]
        m.d.comb += [
            file.value_boot.eq(boot),
            side.boot_rows.eq(boot),
            side.start_row.eq(file.data),
            run.start.eq(file.written_start & row_strobes.any()),
            side.start.eq(run.starts),
            run.stop.eq(file.written_stop & file.data[0]),
            run.done.eq(side.done),
            run.fault.eq(side.fault),
            run.row.eq(side.row),
            file.value_run_status.eq(Cat(run.running, run.last_row)),
            file.value_fault.eq(run.cause),
        ]

    def _build_interrupt(self, m: Module, file: AxiLiteRegisters, run: RunControl) -> None:
        m.submodules.interrupt_causes = causes = Interrupt(width=2)
        mask = Signal(2)
        with m.If(file.written_interrupt_mask):
            m.d.sync += mask.eq(file.data)
        m.d.comb += [
            causes.occurs.eq(Cat(run.ended_well, run.ended_badly)),
            causes.clear.eq(Mux(file.written_interrupt, file.data, 0)),
            causes.mask.eq(mask),
            file.value_interrupt.eq(causes.causes),
            file.value_interrupt_mask.eq(mask),
            self.irq.eq(causes.line),
        ]

    def _events(
        self, run: RunControl, side: MemorySide, reader: AxiReader, writer: AxiWriter
    ) -> dict[str, Any]:
        """What the counters of the memory side count, by name."""
        events = {
            "run_cycles": run.running,
            "words_read": reader.axi_rvalid & reader.axi_rready,
            "words_written": writer.axi_wvalid & writer.axi_wready,
            "stalled_loads": side.waits_for_loads,
            "fetch_passes": side.passes,
        }
        return {name: events[name] for name in MEMORY_COUNTERS}

    def _build_counters(
        self, m: Module, file: AxiLiteRegisters, counters: Counters, events: dict[str, Any]
    ) -> None:
        counts = {
            name: getattr(counters, f"count_{name}") for name in counter_names(self.config.engine)
        }
        for name, event in events.items():
            count = Signal(COUNTER_BITS, name=f"count_{name}")
            m.d.sync += count.eq(Mux(counters.clear, 0, count + event))
            counts[name] = count
        show_counters(m, file, counts)
