"""The collector: merges the rows' results into one stream."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.layouts import result_beat
from qcnpe.rtl.requantize import Requantize, copies_layout, wanted_layout
from qcnpe.rtl.result_queue import ResultQueue
from qcnpe.spec.commands import POOLS
from qcnpe.spec.config import OPERAND_BITS, TILES_IN_FLIGHT, EngineConfig


def tile_layout(config: EngineConfig) -> data.StructLayout:
    """What the collector needs to know about a tile."""
    return data.StructLayout(
        {"row_mask": config.rows, "cols": 9, "pool": 2, "wanted": wanted_layout(config)}
    )


class Collector(Component):
    """Makes the wanted copies of each row's results, queues them, and joins the rows.

    Rows finish a column one cycle after another; a beat leaves when all active rows have its
    column, so that a tile of few rows does not wait for the others. The result of a pooling window
    comes from its last row; its lane is that of its first row. Lanes without a result are zero.

    Latency: a column leaves at the earliest in the cycle after the result of its last active row
    came; a cycle later on a staged engine. Throughput: one column a cycle. The rows have no flow
    control; `Admission` guarantees that their queues have room.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    result_valid : in, `config.rows` bits, one for each row: there is a result in this cycle
    results : in, `16 * config.rows` bits, one signed result for each row
    copies : in, `config.rows * copies_layout(config).size` bits, what is wanted of each row
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
                "copies": In(data.ArrayLayout(copies_layout(config), config.rows)),
                "tiles": In(stream.Signature(tile_layout(config))),
                "output": Out(stream.Signature(result_beat(config))),
                "column_returned": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Queues, column counter, lanes."""
        m = Module()
        layout = tile_layout(self.config)
        tile: Any = Signal(layout)
        beat: Any = Signal(result_beat(self.config))
        column = Signal(9)
        moved = Signal()
        m.d.comb += [
            beat.last.eq(column == tile.cols - 1),
            self.column_returned.eq(self.output.valid & self.output.ready),
        ]
        with m.If(moved):
            m.d.sync += column.eq(Mux(beat.last, 0, column + 1))
        known = self._build_tiles(m, tile, moved & beat.last)
        oldest, ready = self._build_queues(m, tile, moved)
        self._build_lanes(m, tile, oldest, beat)
        complete = known & ready
        if self.config.is_staged:
            self._build_stage(m, complete, moved, beat)
        else:
            m.d.comb += [
                self.output.valid.eq(complete),
                self.output.payload.eq(beat),
                moved.eq(self.column_returned),
            ]
        return m

    def _build_tiles(self, m: Module, tile: Any, leaves: Value) -> Value:
        """The queue of tiles; returns whether there is an oldest one, which is `tile`.

        A staged engine keeps the oldest tile in a register, as its queue is a memory, slow to read.
        The tile is there in time: its results come later than a cycle after it.
        """
        depth = TILES_IN_FLIGHT - self.config.is_staged
        m.submodules.tile_queue = queue = Fifo(width=tile.shape().size, depth=depth)
        m.d.comb += [
            queue.i.payload.eq(self.tiles.payload),
            queue.i.valid.eq(self.tiles.valid),
            self.tiles.ready.eq(queue.i.ready),
        ]
        if not self.config.is_staged:
            m.d.comb += [tile.eq(queue.o.payload), queue.o.ready.eq(leaves)]
            return queue.o.valid
        known = Signal(name="tile_known")
        m.d.comb += queue.o.ready.eq(~known | leaves)
        with m.If(queue.o.ready):
            m.d.sync += [known.eq(queue.o.valid), tile.eq(queue.o.payload)]
        return known

    def _build_stage(self, m: Module, complete: Value, moved: Signal, beat: Any) -> None:
        """A pipeline register behind the lanes."""
        payload = Signal.like(beat, reset_less=True, name="kept_beat")
        room = ~self.output.valid | self.output.ready
        m.d.comb += [moved.eq(complete & room), self.output.payload.eq(payload)]
        with m.If(room):
            m.d.sync += [self.output.valid.eq(complete), payload.eq(beat)]

    def _build_queues(self, m: Module, tile: Any, moved: Value) -> tuple[list[Any], Value]:
        """The oldest result of each row, and whether all rows have one that should."""
        oldest, ready = [], []
        for row in range(self.config.rows):
            m.submodules[f"requantize_{row}"] = unit = Requantize(self.config)
            m.submodules[f"queue_{row}"] = queue = ResultQueue(self.config)
            has_result = tile.row_mask[row] & _ends_window(row, tile.pool)
            m.d.comb += [
                unit.result.eq(self.results[row]),
                unit.copies.eq(self.copies[row]),
                queue.lane.eq(unit.lane),
                queue.wanted.eq(self.copies[row].wanted),
                queue.push.eq(self.result_valid[row]),
                queue.oldest_wanted.eq(tile.wanted),
                queue.pop.eq(moved & has_result),
            ]
            oldest.append(queue.oldest)
            ready.append(queue.valid | ~has_result)
        return oldest, Cat(*ready).all()

    def _build_lanes(self, m: Module, tile: Any, oldest: list[Any], beat: Any) -> None:
        """Each window's result in the lane of its first row."""
        for row, lane in enumerate(beat.lanes):
            for pool in range(len(POOLS)):
                last = row + (1 << pool) - 1
                if row % (1 << pool) == 0 and last < self.config.rows:
                    with m.If(tile.row_mask[row] & (tile.pool == pool)):
                        m.d.comb += lane.eq(oldest[last])


def _ends_window(row: int, pool: Value) -> Value:
    """Whether a row is the last of its window; `pool` is the log2 of the window's rows."""
    pools = [number for number in range(len(POOLS)) if (row + 1) % (1 << number) == 0]
    return Cat(pool == number for number in pools).any()
