"""The engine behind five streams.

It consists of queues, the sequencer, the array of neural compute units (NCUs), the activation
function units (AFUs) and the collector.
"""

from amaranth.hdl import Const, Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.afu import Afu
from qcnpe.rtl.block_queue import BlockQueue
from qcnpe.rtl.collector import Collector
from qcnpe.rtl.component import Component
from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.interpolator import KnotRegisters
from qcnpe.rtl.layouts import PARAMETER_LAYOUT, command_layout, operand_beat, result_beat
from qcnpe.rtl.ncu_array import NcuArray
from qcnpe.rtl.sequencer import Sequencer, events_layout
from qcnpe.spec.commands import POOLS, ErrorCause
from qcnpe.spec.config import OPERAND_BITS, REGISTER_QUEUE_DEPTH, EngineConfig


class Engine(Component):
    """A QC-NPE, the quality-configurable neuromorphic processing engine. Wiring only.

    Parameters
    ----------
    config : the engine's parameters

    Ports
    -----
    commands : in, stream of `command_layout(config)`, command words
    activations : in, stream of `operand_beat(config.rows)`, one lane for each row
    weights : in, stream of `operand_beat(config.cols)`, one lane for each column
    parameters : in, stream of `PARAMETER_LAYOUT`, one word for each neuron or knot
    results : out, stream of `result_beat(config)`, one beat for each column of a tile
    precision : out, 5 bits, see `PrecisionRegister`
    ceiling : in, 5 bits, see `PrecisionRegister`
    halt, resume : in, 1 bit each, see `Halt`
    halted : out, 1 bit, see `Halt`
    error : out, `ErrorCause`, see `Halt`
    busy : out, 1 bit, see `Sequencer`
    events : out, `events_layout(config)`, see `Sequencer`
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(config))),
                "activations": In(stream.Signature(operand_beat(config.rows))),
                "weights": In(stream.Signature(operand_beat(config.cols))),
                "parameters": In(stream.Signature(PARAMETER_LAYOUT)),
                "results": Out(stream.Signature(result_beat(config))),
                "precision": Out(5),
                "ceiling": In(5, init=OPERAND_BITS),  # type: ignore[call-arg]
                "halt": In(1),
                "resume": In(1),
                "halted": Out(1),
                "error": Out(ErrorCause),
                "busy": Out(1),
                "events": Out(events_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Queues to the sequencer, beats to the array, sums to the AFUs, results to the host."""
        m = Module()
        m.submodules.sequencer = sequencer = Sequencer(self.config)
        m.submodules.array = array = self._make_array()
        m.submodules.collector = collector = Collector(self.config)
        depth = self.config.fifo_depth
        unit = BlockQueue if depth > REGISTER_QUEUE_DEPTH else Fifo
        self._build_queue(m, "command", self.commands, sequencer.commands, unit, depth)
        self._build_queue(m, "activation", self.activations, sequencer.activations, unit, depth)
        self._build_queue(m, "weight", self.weights, sequencer.weights, unit, depth)
        depth = self.config.parameter_depth
        waiting = self._build_queue(
            m, "parameter", self.parameters, sequencer.parameters, Fifo, depth
        )
        m.d.comb += sequencer.parameters_waiting.eq(waiting)
        self._build_array(m, sequencer, array)
        self._build_afus(m, sequencer, array, collector)
        self._build_output(m, sequencer, collector)
        return m

    def _make_array(self) -> NcuArray:
        return NcuArray(self.config)

    def _build_queue(self, m: Module, name: str, source, sink, unit, depth: int):  # type: ignore[no-untyped-def]
        fifo = unit(width=len(source.payload.as_value()), depth=depth)
        m.submodules[f"{name}_queue"] = fifo
        m.d.comb += [
            fifo.i.payload.eq(source.payload),
            fifo.i.valid.eq(source.valid),
            source.ready.eq(fifo.i.ready),
            sink.payload.eq(fifo.o.payload),
            sink.valid.eq(fifo.o.valid),
            fifo.o.ready.eq(sink.ready),
        ]
        return fifo.level

    def _build_array(self, m: Module, sequencer: Sequencer, array: NcuArray) -> None:
        m.d.comb += [
            array.valid.eq(sequencer.beat_valid),
            array.control.eq(sequencer.control),
            array.activations.eq(sequencer.activation_lanes),
            array.weights.eq(sequencer.weight_lanes),
        ]

    def _build_afus(
        self, m: Module, sequencer: Sequencer, array: NcuArray, collector: Collector
    ) -> None:
        neuron, tile = sequencer.neuron, sequencer.finished
        m.submodules.knots = knots = KnotRegisters(self.config)
        m.d.comb += [sequencer.column_read.eq(array.done[0]), knots.write.eq(sequencer.knot)]
        above: Value = Const(0)
        for row in range(self.config.rows):
            m.submodules[f"afu_{row}"] = afu = Afu(self.config)
            m.d.comb += [
                afu.place.eq(row % POOLS[-1]),
                afu.valid.eq(array.done[row]),
                afu.accumulator.eq(array.result[row]),
                afu.above.eq(above),
                afu.neuron.eq(neuron),
                afu.tile.eq(tile),
                afu.knots.eq(knots.knots),
                collector.results[row].eq(afu.result),
                collector.result_valid[row].eq(afu.result_valid),
                collector.copies[row].eq(afu.copies),
            ]
            above, neuron, tile = afu.below, afu.neuron_below, afu.tile_below

    def _build_output(self, m: Module, sequencer: Sequencer, collector: Collector) -> None:
        wiring.connect(m, collector.output, wiring.flipped(self.results))
        m.d.comb += [
            collector.tiles.payload.eq(sequencer.tiles.payload),
            collector.tiles.valid.eq(sequencer.tiles.valid),
            sequencer.tiles.ready.eq(collector.tiles.ready),
            sequencer.column_returned.eq(collector.column_returned),
            sequencer.halt.eq(self.halt),
            sequencer.resume.eq(self.resume),
            sequencer.ceiling.eq(self.ceiling),
            self.precision.eq(sequencer.precision),
            self.halted.eq(sequencer.halted),
            self.error.eq(sequencer.error),
            self.busy.eq(sequencer.busy),
            self.events.eq(sequencer.events),
        ]
