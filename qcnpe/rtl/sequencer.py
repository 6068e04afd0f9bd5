"""The sequencer: executes the commands and feeds beats to the array."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from qcnpe.rtl.admission import Admission
from qcnpe.rtl.afu import NEURON_LAYOUT, results_layout
from qcnpe.rtl.collector import tile_layout
from qcnpe.rtl.component import Component
from qcnpe.rtl.decoder import Decoder
from qcnpe.rtl.delay import delayed
from qcnpe.rtl.halt import Halt
from qcnpe.rtl.interpolator import knot_write_layout
from qcnpe.rtl.layouts import (
    ACTIVATION_LANE,
    PARAMETER_LAYOUT,
    WEIGHT_LANE,
    command_layout,
    control_layout,
    low_segments,
    mode_bits,
    operand_beat,
)
from qcnpe.spec.activation import Function
from qcnpe.spec.commands import ErrorCause, Opcode
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


def events_layout(config: EngineConfig) -> data.StructLayout:
    """What happens in a cycle, for the performance counters.

    `rows` and `cols` are those of the tile in progress; `zeros` has a bit for each row, high if the
    row is active and its lane in this beat is all zeros.
    """
    return data.StructLayout(
        {
            "beat": 1,
            "tile": 1,
            "stalled_activations": 1,
            "stalled_weights": 1,
            "stalled_parameters": 1,
            "stalled_results": 1,
            "stalled_drain": 1,
            "rows": 9,
            "cols": 9,
            "zeros": config.rows,
        }
    )


class Sequencer(Component):
    """Turns commands and operand streams into beats that need no flow control.

    A beat of a tile enters the array when both operands are valid; the last beat also waits for
    `Admission`. A table is loaded when all earlier results have left.

    While the engine is halted (see `Halt`) every stream is taken and discarded; parameter words
    only after those that are reserved for finished tiles have been read.

    Latency: a beat enters the array in the cycle in which its operands are taken. Throughput: one
    beat a cycle, also from one tile to the next.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    commands : in, stream of `command_layout(config)`, command words
    activations : in, stream of `operand_beat(config.rows)`, one lane for each row
    weights : in, stream of `operand_beat(config.cols)`, one lane for each column
    parameters : in, stream of `PARAMETER_LAYOUT`, one word for each neuron or knot
    parameters_waiting : in, `range(config.parameter_depth + 1)`, parameter words in the queue
    beat_valid : out, 1 bit, a beat enters the array in this cycle
    control : out, `control_layout(config)`, control word of the beat
    activation_lanes : out, `config.rows * ACTIVATION_LANE.size` bits, activations of the beat
    weight_lanes : out, `config.cols * WEIGHT_LANE.size` bits, weights of the beat
    column_read : in, 1 bit, row 0 has a completed sum in this cycle
    neuron : out, `NEURON_LAYOUT`, parameters of the neuron of that sum
    finished : out, `results_layout(config)`, what the AFUs need to know about the tile of that sum
    knot : out, `knot_write_layout(config)`, write to the activation table
    tiles : out, stream of `tile_layout(config)`, what the collector needs to know about each tile
    column_returned : in, 1 bit, a column of results leaves the collector
    precision : out, 5 bits, see `PrecisionRegister`
    ceiling : in, 5 bits, see `PrecisionRegister`
    halt, resume : in, 1 bit each, see `Halt`
    halted : out, 1 bit, see `Halt`
    error : out, `ErrorCause`, see `Halt`
    busy : out, 1 bit, there is a command, or results have not left yet; while halted, also any word
        in a queue
    events : out, `events_layout(config)`, what happens in this cycle
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "commands": In(stream.Signature(command_layout(config))),
                "activations": In(stream.Signature(operand_beat(config.rows))),
                "weights": In(stream.Signature(operand_beat(config.cols))),
                "parameters": In(stream.Signature(PARAMETER_LAYOUT)),
                "parameters_waiting": In(range(config.parameter_depth + 1)),
                "beat_valid": Out(1),
                "control": Out(control_layout(config)),
                "activation_lanes": Out(data.ArrayLayout(ACTIVATION_LANE, config.rows)),
                "weight_lanes": Out(data.ArrayLayout(WEIGHT_LANE, config.cols)),
                "column_read": In(1),
                "neuron": Out(NEURON_LAYOUT),
                "finished": Out(results_layout(config)),
                "knot": Out(knot_write_layout(config)),
                "tiles": Out(stream.Signature(tile_layout(config))),
                "column_returned": In(1),
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
        """Decoder, admission control, and the gate that both operand streams pass."""
        m = Module()
        m.submodules.decoder = decoder = Decoder(self.config)
        m.submodules.admission = admission = Admission(self.config)
        connect(m, flipped(self.commands), decoder.commands)
        m.d.comb += [
            decoder.ceiling.eq(self.ceiling),
            self.precision.eq(decoder.precision),
        ]
        self._build_halt(m, decoder, admission)
        finish_tile, finish_table = Signal(), Signal()
        m.d.comb += decoder.finish.eq(finish_tile | finish_table)
        self._build_gate(m, decoder, admission, finish_tile)
        self._build_lanes(m, decoder)
        self._build_admission(m, decoder, admission, finish_tile)
        self._build_parameters(m, decoder, admission, finish_table)
        self._build_finished(m, decoder, finish_tile)
        return m

    def _build_halt(self, m: Module, decoder: Decoder, admission: Admission) -> None:
        """Queued operands make the engine busy only while it is halted, until they are discarded.

        Otherwise operands without a command would keep it busy for ever.
        """
        m.submodules.halt = halt = Halt()
        left = self.activations.valid | self.weights.valid | self.parameters.valid
        m.d.comb += [
            self.busy.eq(
                decoder.active | self.commands.valid | ~admission.drained | self.halted & left
            ),
            halt.cause.eq(decoder.cause),
            halt.halt.eq(self.halt),
            halt.resume.eq(self.resume),
            halt.busy.eq(self.busy),
            decoder.halt.eq(self.halt),
            decoder.halted.eq(halt.halted),
            self.halted.eq(halt.halted),
            self.error.eq(halt.error),
        ]

    def _build_gate(
        self, m: Module, decoder: Decoder, admission: Admission, finish_tile: Signal
    ) -> None:
        tile, last, held = Signal(), Signal(), Signal()
        beat = Signal(16)
        activations, weights = self.activations, self.weights
        m.d.comb += [
            tile.eq(decoder.active & (decoder.command.opcode == Opcode.TILE)),
            last.eq(beat == decoder.command.beats - 1),
            held.eq(
                last
                & ~(admission.drain_ready & admission.results_ready & admission.parameters_ready)
            ),
            self.beat_valid.eq(tile & activations.valid & weights.valid & ~held),
            activations.ready.eq(tile & weights.valid & ~held | self.halted),
            weights.ready.eq(tile & activations.valid & ~held | self.halted),
            finish_tile.eq(self.beat_valid & last),
            self.control.first.eq(beat == 0),
            self.control.last.eq(last),
        ]
        with m.If(self.beat_valid):
            m.d.sync += beat.eq(beat + 1)
        with m.If(finish_tile | self.halted):
            m.d.sync += beat.eq(0)
        waiting = tile & activations.valid & weights.valid & held
        m.d.comb += [
            self.events.beat.eq(self.beat_valid),
            self.events.tile.eq(finish_tile),
            self.events.stalled_activations.eq(tile & ~activations.valid),
            self.events.stalled_weights.eq(tile & activations.valid & ~weights.valid),
            self.events.stalled_drain.eq(waiting & ~admission.drain_ready),
            self.events.stalled_results.eq(
                waiting & admission.drain_ready & ~admission.results_ready
            ),
            self.events.stalled_parameters.eq(
                waiting & admission.drain_ready & admission.results_ready
            ),
        ]

    def _build_lanes(self, m: Module, decoder: Decoder) -> None:
        """Mask the lanes; masked ones are zero, so that nothing in them toggles."""
        zeros = [
            decoder.row_mask[row] & lane.zero for row, lane in enumerate(self.activation_lanes)
        ]
        m.d.comb += [
            self.control.is_unsigned.eq(decoder.command.unsigned),
            self.events.rows.eq(decoder.command.rows),
            self.events.cols.eq(decoder.command.cols),
            self.events.zeros.eq(Cat(*zeros)),
        ]
        if mode_bits(self.config):
            m.d.comb += self.control.mode.eq(decoder.mode)
        if low_segments(self.config):
            used = [decoder.precision > width for width in self.config.narrow_precisions]
            m.d.comb += self.control.used.eq(Cat(*used))
        kept = self._build_kept_bits(m, decoder)
        for row, lane in enumerate(self.activation_lanes):
            operands = self.activations.payload[row] & kept
            m.d.comb += lane.valid.eq(decoder.row_mask[row])
            m.d.comb += lane.zero.eq(operands == 0)
            with m.If(decoder.row_mask[row]):
                m.d.comb += lane.operands.eq(operands)
        for col, lane in enumerate(self.weight_lanes):
            m.d.comb += lane.valid.eq(decoder.col_mask[col])
            with m.If(decoder.col_mask[col]):
                m.d.comb += lane.operands.eq(self.weights.payload[col] & kept)

    def _build_kept_bits(self, m: Module, decoder: Decoder) -> Signal:
        """Mask of the operand bits that a tile uses; on `gated` not those below its precision."""
        kept = Signal(OPERAND_BITS)
        gated = self.config.kind.is_gated
        for place, bit in enumerate(kept):
            used = decoder.precision >= OPERAND_BITS - place if gated else 1
            m.d.comb += bit.eq(used)
        return kept

    def _build_admission(
        self, m: Module, decoder: Decoder, admission: Admission, finish_tile: Signal
    ) -> None:
        command, word = decoder.command, self.tiles.payload
        m.d.comb += [
            admission.cols.eq(command.cols),
            admission.is_table.eq(command.function == Function.TABLE),
            admission.finish.eq(finish_tile),
            admission.column_read.eq(self.column_read),
            admission.column_returned.eq(self.column_returned),
            admission.parameters_waiting.eq(self.parameters_waiting),
            admission.collector_ready.eq(self.tiles.ready),
            self.tiles.valid.eq(finish_tile),
            word.row_mask.eq(decoder.row_mask),
            word.cols.eq(command.cols),
            word.pool.eq(command.pool),
            word.wanted.result.eq(~command.copies_only),
        ]
        for width in self.config.narrow_precisions:
            m.d.comb += word.wanted[f"copy_{width}"].eq(command[f"copy_{width}"])

    def _build_parameters(
        self,
        m: Module,
        decoder: Decoder,
        admission: Admission,
        finish_table: Signal,
    ) -> None:
        """Send parameter words with the columns, one each, or to the activation table."""
        loading = Signal()
        index = Signal.like(self.knot.index, name="knot_index")
        m.d.comb += [
            loading.eq(
                decoder.active & (decoder.command.opcode == Opcode.TABLE) & admission.drained
            ),
            self.parameters.ready.eq(self.column_read | loading | self.halted & admission.read_out),
            self.neuron.bias.eq(self.parameters.payload.bias),
            self.neuron.shift.eq(self.parameters.payload.shift),
            self.knot.enable.eq(loading & self.parameters.valid),
            self.knot.index.eq(index),
            self.knot.value.eq(self.parameters.payload.bias),
            finish_table.eq(self.knot.enable & (index == self.config.table_segments)),
        ]
        with m.If(self.knot.enable):
            m.d.sync += index.eq(index + 1)
        with m.If(finish_table | self.halted):
            m.d.sync += index.eq(0)

    def _build_finished(self, m: Module, decoder: Decoder, finish_tile: Signal) -> None:
        """What the AFUs need to know about a tile, from its first sum on.

        The first sum of a tile is complete two cycles after its last beat (`NcuArray.LATENCY`), or
        four, and the sums of the tile before are then complete.
        """
        command, tile = decoder.command, Signal.like(self.finished, name="next_finished")
        with m.If(finish_tile):
            m.d.sync += [
                tile.function.eq(command.function),
                tile.pool.eq(command.pool),
                tile.copies.is_unsigned.eq(command.unsigned_copies),
                tile.copies.wanted.eq(self.tiles.payload.wanted),
            ]
            for width in self.config.narrow_precisions:
                shift = tile.copies[f"shift_{width}"]
                m.d.sync += shift.eq(command[f"copy_shift_{width}"])
        begins = delayed(m, "finish", finish_tile)
        for stage in range(self.config.array_stages):
            later = Signal.like(tile, name=f"finished_{stage}")
            with m.If(begins):
                m.d.sync += later.eq(tile)
            tile, begins = later, delayed(m, f"finish_{stage}", begins)
        with m.If(self.column_read):
            m.d.sync += self.neuron.first.eq(0)
        with m.If(begins):
            m.d.sync += [self.finished.eq(tile), self.neuron.first.eq(1)]
