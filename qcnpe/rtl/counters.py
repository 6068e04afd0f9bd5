"""The performance counters."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.delay import delayed
from qcnpe.rtl.sequencer import events_layout
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.registers import COUNTER_BITS, counter_names


class Counters(Component):
    """Counts the events that the sequencer reports.

    Latency: an event is counted in the second cycle after it, since the number of multiplications
    of a beat takes a multiplication itself; on a staged engine in the fourth.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    busy : in, 1 bit, see `Sequencer`
    events : in, `events_layout(config)`, see `Sequencer`
    precision : in, 5 bits, see `Sequencer`
    clear : in, 1 bit, set all counters to zero
    count_NAME : out, `COUNTER_BITS` bits, for each of `registers.counter_names`
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        ports = {
            "busy": In(1),
            "events": In(events_layout(config)),
            "precision": In(5),
            "clear": In(1),
        }
        counts = {f"count_{name}": Out(COUNTER_BITS) for name in counter_names(config)}
        super().__init__(ports | counts)

    def elaborate(self, platform: object) -> Module:
        """A register for the events, then the counters."""
        m = Module()
        events, busy, precision = self.events, self.busy, self.precision
        if self.config.is_staged:
            # Operands leave an FPGA's memory late in the cycle, and the zero check follows.
            events, busy = delayed(m, "events", events), delayed(m, "busy", busy)
            precision = delayed(m, "precision", precision)
        zero_rows = Signal(range(self.config.rows + 1))
        m.d.sync += zero_rows.eq(sum(events.zeros))
        events, busy = delayed(m, "counted", events), delayed(m, "counted_busy", busy)
        precision = delayed(m, "counted_precision", precision)
        for name, increment in self._increments(m, events, zero_rows, busy, precision).items():
            if self.config.is_staged:
                increment = delayed(m, f"increment_{name}", increment)
            counter = getattr(self, f"count_{name}")
            m.d.sync += counter.eq(Mux(self.clear, 0, counter + increment))
        return m

    def _increments(
        self, m: Module, events: Any, zero_rows: Signal, busy: Signal, precision: Signal
    ) -> dict[str, Value]:
        beat = events.beat
        most = self.config.rows * self.config.cols * self.config.pairs(self.config.precisions[-1])
        skipped = Signal(range(most + 1))
        with m.Switch(precision):
            for width in self.config.precisions:
                with m.Case(width):
                    m.d.comb += skipped.eq(zero_rows * events.cols * self.config.pairs(width))
        increments: dict[str, Value] = {
            "cycles": Const(1),
            "busy_cycles": busy,
            "tiles": events.tile,
            "beats": beat,
            "stalled_activations": events.stalled_activations,
            "stalled_weights": events.stalled_weights,
            "stalled_parameters": events.stalled_parameters,
            "stalled_results": events.stalled_results,
            "stalled_drain": events.stalled_drain,
            "zero_skipped_macs": Mux(beat, skipped, 0),
        }
        for width in self.config.precisions:
            done = events.rows * events.cols * self.config.pairs(width)
            increments[f"macs_{width}b"] = Mux(beat & (precision == width), done, 0)
        return {name: increments[name] for name in counter_names(self.config)}
