"""The collector: merges the rows' results into one stream."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.layouts import result_beat
from qcnpe.rtl.requantize import Requantize, copies_layout
from qcnpe.spec.config import OPERAND_BITS, TILES_IN_FLIGHT, EngineConfig


def tile_layout(config: EngineConfig) -> data.StructLayout:
    """What the collector needs to know about a tile."""
    return data.StructLayout(
        {"row_mask": config.rows, "cols": 9, "pool": 2, "copies": copies_layout(config)}
    )


class Collector(Component):
    """Queues each row's results, takes the maximum over pooling windows, makes narrow copies.

    Rows finish a column one cycle after another; a beat leaves when all active rows have its
    column, so that a tile of few rows does not wait for the others. The lane of a pooling window is
    that of its first row; lanes without a result are zero.

    Latency: a column leaves at the earliest in the cycle after the result of its last active row
    came; `cycles.COLLECTOR_STAGES` cycles later on a staged engine. Throughput: one column a cycle.
    The rows have no flow control; `Admission` guarantees that their queues have room.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    result_valid : in, `config.rows` bits, one for each row: there is a result in this cycle
    results : in, `16 * config.rows` bits, one signed result for each row
    tiles : in, stream of `tile_layout(config)`, one word for each tile, in the order of the results
    output : out, stream of `result_beat(config)`, one beat for each column of results
    column_returned : out, 1 bit, a column leaves in this cycle
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "result_valid": In(config.rows),
                "results": In(data.ArrayLayout(signed(OPERAND_BITS), config.rows)),
                "tiles": In(stream.Signature(tile_layout(config))),
                "output": Out(stream.Signature(result_beat(config))),
                "column_returned": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Queues, column counter, maxima, copies."""
        m = Module()
        layout = tile_layout(self.config)
        m.submodules.tile_queue = queue = Fifo(width=layout.size, depth=TILES_IN_FLIGHT)
        tile: Any = Signal(layout)
        column = Signal(9)
        moved, last = self.column_returned, self.output.payload.last
        if self.config.is_staged:
            moved, last = Signal(name="moved"), Signal(name="moved_last")
        m.d.comb += [
            queue.i.payload.eq(self.tiles.payload),
            queue.i.valid.eq(self.tiles.valid),
            self.tiles.ready.eq(queue.i.ready),
            tile.eq(queue.o.payload),
            last.eq(column == tile.cols - 1),
            self.column_returned.eq(self.output.valid & self.output.ready),
            queue.o.ready.eq(moved & last),
        ]
        with m.If(moved):
            m.d.sync += column.eq(Mux(last, 0, column + 1))
        rows, ready = self._build_queues(m, tile.row_mask, moved)
        complete = queue.o.valid & (ready | ~tile.row_mask).all()
        if self.config.is_staged:
            self._build_stages(m, tile, rows, complete, moved, last)
        else:
            m.d.comb += self.output.valid.eq(complete)
            self._build_lanes(m, tile, _pooled(rows, tile.pool))
        return m

    def _build_stages(
        self,
        m: Module,
        tile: Any,
        rows: list[Value],
        complete: Value,
        moved: Signal,
        last: Signal,
    ) -> None:
        """A pipeline register before the maxima and one behind them."""
        lanes = data.ArrayLayout(signed(OPERAND_BITS), self.config.rows)
        layout = data.StructLayout({"tile": tile_layout(self.config), "last": 1, "lanes": lanes})
        read: Any = Signal(layout, reset_less=True)
        pooled: Any = Signal(layout, reset_less=True)
        read_valid, pooled_valid, room = Signal(), Signal(), Signal()
        m.d.comb += [
            room.eq(~pooled_valid | self.output.ready),
            moved.eq(complete & (~read_valid | room)),
            self.output.valid.eq(pooled_valid),
            self.output.payload.last.eq(pooled.last),
        ]
        with m.If(~read_valid | room):
            m.d.sync += [read_valid.eq(complete), read.tile.eq(tile), read.last.eq(last)]
            m.d.sync += [lane.eq(row) for lane, row in zip(read.lanes, rows, strict=True)]
        with m.If(room):
            maxima = _pooled(list(read.lanes), read.tile.pool)
            m.d.sync += [
                pooled_valid.eq(read_valid),
                pooled.tile.eq(read.tile),
                pooled.last.eq(read.last),
                *(lane.eq(row) for lane, row in zip(pooled.lanes, maxima, strict=True)),
            ]
        self._build_lanes(m, pooled.tile, list(pooled.lanes))

    def _build_queues(self, m: Module, row_mask: Value, moved: Value) -> tuple[list[Value], Value]:
        values, ready = [], []
        for row in range(self.config.rows):
            fifo = Fifo(width=OPERAND_BITS, depth=self.config.result_depth)
            m.submodules[f"queue_{row}"] = fifo
            m.d.comb += [
                fifo.i.payload.eq(self.results[row]),
                fifo.i.valid.eq(self.result_valid[row]),
                fifo.o.ready.eq(moved & row_mask[row]),
            ]
            values.append(fifo.o.payload.as_signed())
            ready.append(fifo.o.valid)
        return values, Cat(*ready)

    def _build_lanes(self, m: Module, tile: Any, pooled: list[Value]) -> None:
        for row, value in enumerate(pooled):
            m.submodules[f"requantize_{row}"] = unit = Requantize(self.config)
            m.d.comb += unit.copies.eq(tile.copies)
            heads_window = ~((tile.pool != 0) & bool(row % 2) | (tile.pool == 2) & bool(row % 4))
            with m.If(tile.row_mask[row] & heads_window):
                m.d.comb += [
                    unit.result.eq(value),
                    self.output.payload.lanes[row].eq(unit.lane),
                ]


def _pooled(rows: list[Value], pool: Value) -> list[Value]:
    """Maximum over the window that begins at each row; `pool` is the log2 of the window's rows."""
    pairs = [_maximum(rows[i], rows[min(i + 1, len(rows) - 1)]) for i in range(len(rows))]
    fours = [_maximum(pairs[i], pairs[min(i + 2, len(rows) - 1)]) for i in range(len(rows))]
    choices = zip(rows, pairs, fours, strict=True)
    return [
        Mux(pool == 2, four, Mux(pool == 1, pair, one)).as_signed() for one, pair, four in choices
    ]


def _maximum(left: Value, right: Value) -> Value:
    return Mux(left > right, left, right).as_signed()
