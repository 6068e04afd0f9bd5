"""The queue of a row's results."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.fifo import build_slice
from qcnpe.rtl.layouts import result_lane
from qcnpe.rtl.leaf import Leaf
from qcnpe.rtl.requantize import wanted_layout
from qcnpe.spec.config import EngineConfig


def slices(config: EngineConfig) -> Mapping[str, Sequence[str]]:
    """Fields of a result lane that are queued together: the 16-bit result, and the copies."""
    found = {"result": ["result"]}
    if config.narrow_precisions:
        found["copies"] = [f"copy_{width}" for width in config.narrow_precisions]
    return found


class ResultQueue(Leaf):
    """Holds the wanted fields of a row's results in slices, see `slices`.

    A slice of which nothing is wanted is not clocked. Whoever fills the queue must know that there
    is room, see `Admission`.

    Latency: a result that enters in cycle t can leave in cycle t + 1. Throughput: one a cycle.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    push : in, 1 bit, a result enters in this cycle
    lane : in, `result_lane(config)`, the result; fields that are not wanted are zero
    wanted : in, `wanted_layout(config)`, its wanted fields
    pop : in, 1 bit, the oldest result leaves in this cycle
    oldest_wanted : in, `wanted_layout(config)`, wanted fields of the oldest result
    valid : out, 1 bit, there is a result
    oldest : out, `result_lane(config)`, the oldest result
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__(
            {
                "push": In(1),
                "lane": In(result_lane(config)),
                "wanted": In(wanted_layout(config)),
                "pop": In(1),
                "oldest_wanted": In(wanted_layout(config)),
                "valid": Out(1),
                "oldest": Out(result_lane(config)),
            }
        )

    @property
    def module_name(self) -> str:
        """Name of the Verilog module."""
        widths = "_".join(map(str, self.config.precisions))
        return f"qcnpe_result_queue_{self.config.result_depth}_p{widths}"

    def build(self) -> Module:
        """A counter of results, and the slices."""
        m = Module()
        level = Signal(range(self.config.result_depth + 1))
        with m.If(self.push & ~self.pop):
            m.d.sync += level.eq(level + 1)
        with m.If(self.pop & ~self.push):
            m.d.sync += level.eq(level - 1)
        m.d.comb += self.valid.eq(level != 0)
        for name, fields in slices(self.config).items():
            self._build_slice(m, name, fields)
        return m

    def _build_slice(self, m: Module, name: str, fields: Sequence[str]) -> None:
        """Fields that are stored together."""

        def is_wanted(wanted: Value) -> Value:
            return Cat(wanted[field] for field in fields).any()  # type: ignore[index]

        word = self._build_store(
            m,
            name,
            Cat(self.lane[field] for field in fields),
            self.push & is_wanted(self.wanted),
            self.pop & is_wanted(self.oldest_wanted),
        )
        with m.If(is_wanted(self.oldest_wanted)):
            m.d.comb += Cat(self.oldest[field] for field in fields).eq(word)

    def _build_store(self, m: Module, name: str, word: Value, push: Value, pop: Value) -> Value:
        """Words of a slice; returns the oldest one."""
        return build_slice(m, name, self.config.result_depth, word, push, pop)
