"""Repeats words."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component


def repeat_layout(width: int, *, step: int = 0) -> data.StructLayout:
    """A word that is given `tiles * repeat` times; `step`, if any, is added in each repetition."""
    layout = {"word": width, "tiles": 16, "repeat": 16}
    return data.StructLayout(layout | ({"step": step} if step else {}))


class Repeater(Component):
    """Gives a word once for each tile.

    Latency: one cycle. Throughput: one word a cycle, without a gap between two jobs.

    Parameters
    ----------
    width : bits of a word
    step : bits of what is added to it after each `tiles` words

    Ports
    -----
    jobs : in, stream of `repeat_layout(width, step=step)`, words, and how often they are given
    words : out, stream of `width` bits, each word as often as its job says
    idle : out, 1 bit, there is no job
    """

    def __init__(self, *, width: int, step: int = 0) -> None:
        self.step = step
        super().__init__(
            {
                "jobs": In(stream.Signature(repeat_layout(width, step=step))),
                "words": Out(stream.Signature(width)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Two nested counters."""
        m = Module()
        job: Any = Signal.like(self.jobs.payload, name="job")
        tiles = Signal(16)
        last = (tiles == 1) & (job.repeat == 1)
        m.d.comb += [
            self.words.payload.eq(job.word),
            self.idle.eq(~self.words.valid),
            self.jobs.ready.eq(~self.words.valid | (self.words.ready & last)),
        ]
        with m.If(self.words.valid & self.words.ready):
            m.d.sync += tiles.eq(tiles - 1)
            with m.If(tiles == 1):
                m.d.sync += [tiles.eq(job.tiles), job.repeat.eq(job.repeat - 1)]
                if self.step:
                    m.d.sync += job.word.eq(job.word + job.step)
            with m.If(last):
                m.d.sync += self.words.valid.eq(0)
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [
                job.eq(self.jobs.payload),
                tiles.eq(self.jobs.payload.tiles),
                self.words.valid.eq(1),
            ]
        return m
