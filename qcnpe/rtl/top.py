"""The top level: the engine behind AXI4-Stream and AXI4-Lite."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, ResetSignal
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.axi import AxiLiteRegisters, lite_ports, stream_ports
from qcnpe.rtl.component import Component
from qcnpe.rtl.control import connect_lite, control_engine, show_constants, show_counters
from qcnpe.rtl.counters import Counters
from qcnpe.rtl.engine import Engine
from qcnpe.spec.commands import COMMAND_BITS, PARAMETER_BITS, ErrorCause
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.registers import address_bits, counter_names, feature_words, registers

_STREAMS = ("commands", "activations", "weights", "parameters")


class Top(Component):
    """A QC-NPE on AXI: wiring, the reset and the contents of the register file.

    Only `aresetn` resets; the control register halts and resumes the engine, see `Halt`.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    aclk : in, 1 bit, clock of everything
    aresetn : in, 1 bit, synchronous reset of everything, active low
    s_axis_commands_* : bus, AXI4-Stream receiver, 64 bits of data, a command word
    s_axis_activations_* : bus, AXI4-Stream receiver, 16 bits of data for each row
    s_axis_weights_* : bus, AXI4-Stream receiver, 16 bits of data for each column
    s_axis_parameters_* : bus, AXI4-Stream receiver, 32 bits of data, a parameter word
    m_axis_results_* : bus, AXI4-Stream transmitter, `result_lane_bits` bits of data for each row,
        one beat for each column, `tlast` at the end of a tile
    s_axil_* : bus, AXI4-Lite subordinate, 32 bits of data, see `spec.registers`
    busy, error : out, 1 bit each, as in the status register, for an interrupt
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.table = registers(config)
        bits = {
            "commands": COMMAND_BITS,
            "activations": OPERAND_BITS * config.rows,
            "weights": OPERAND_BITS * config.cols,
            "parameters": PARAMETER_BITS,
        }
        ports = {"aclk": In(1), "aresetn": In(1), "busy": Out(1), "error": Out(1)}
        for name in _STREAMS:
            ports |= stream_ports(f"s_axis_{name}", bits[name], In)
        lanes = config.result_lane_bits * config.rows
        ports |= stream_ports("m_axis_results", lanes, Out, last=True)
        super().__init__(ports | lite_ports("s_axil", address_bits(self.table)))

    def elaborate(self, platform: object) -> Module:
        """Engine, counters and register file in one clock domain."""
        m = Module()
        m.domains.sync = ClockDomain("sync", local=True)
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.engine = engine = Engine(self.config)
        m.submodules.counters = counters = Counters(self.config)
        m.submodules.registers = file = AxiLiteRegisters(self.table)
        self._build_streams(m, engine)
        connect_lite(m, self, file)
        m.d.comb += [
            counters.busy.eq(engine.busy),
            counters.events.eq(engine.events),
            counters.precision.eq(engine.precision),
            self.busy.eq(engine.busy),
            self.error.eq(engine.error != ErrorCause.NONE),
        ]
        control_engine(m, self.config, file, engine, counters.clear)
        show_constants(m, file, feature_words(self.config))
        m.d.comb += [
            file.value_status.eq(Cat(engine.busy, self.error, engine.halted)),
            file.value_precision.eq(engine.precision),
            file.value_error.eq(engine.error),
        ]
        names = counter_names(self.config)
        show_counters(m, file, {name: getattr(counters, f"count_{name}") for name in names})
        return m

    def _build_streams(self, m: Module, engine: Engine) -> None:
        for name in _STREAMS:
            port, prefix = getattr(engine, name), f"s_axis_{name}"
            m.d.comb += [
                port.payload.eq(getattr(self, f"{prefix}_tdata")),
                port.valid.eq(getattr(self, f"{prefix}_tvalid")),
                getattr(self, f"{prefix}_tready").eq(port.ready),
            ]
        m.d.comb += [
            self.m_axis_results_tdata.eq(engine.results.payload.lanes),
            self.m_axis_results_tlast.eq(engine.results.payload.last),
            self.m_axis_results_tvalid.eq(engine.results.valid),
            engine.results.ready.eq(self.m_axis_results_tready),
        ]
