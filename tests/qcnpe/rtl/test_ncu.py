"""The neural compute unit: operand registers, the accumulator, and that nothing else toggles."""

from collections import deque
from collections.abc import Iterator

import pytest

from qcnpe.rtl.layouts import low_segments, mode_bits
from qcnpe.rtl.ncu import Ncu
from qcnpe.spec.config import EngineConfig
from tests.qcnpe import exact
from tests.qcnpe.rtl.oracle import Operation, OracleTest, lane_words, play

HELD = ("zero", "operands", "first", "last", "is_unsigned", "mode", "used")


class NcuOracle:
    """The unit, one cycle at a time, in Python's integers."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.lane = dict.fromkeys(HELD, 0)
        narrow = config.narrow_precisions if config.kind.is_gated else ()
        # The bits that only precisions above this one use, for each flag of `used`.
        self.low_bits = [
            ((1 << (16 - width)) - 1) & ~((1 << (16 - wider)) - 1)
            for wider, width in zip((16, *narrow), narrow, strict=False)
        ]
        self.weight = self.total = self.done = 0
        # A staged unit adds a product one cycle later.
        self.products = deque([(0, 0, 0, 0)] * config.is_staged)
        self.row_valid = self.col_valid = 0

    def outputs(self) -> dict[str, int]:
        """What the unit shows in this cycle."""
        working = self.row_valid & self.col_valid
        known = {
            "east.lane.valid": working,
            "south.valid": working,
            "east.lane.zero": self.lane["zero"],
            "east.lane.operands": self.lane["operands"],
            "east.control.first": self.lane["first"],
            "east.control.last": self.lane["last"],
            "east.control.is_unsigned": self.lane["is_unsigned"],
            "south.operands": self.weight,
            "done": self.done,
            "result": self.total if self.done else 0,
        }
        if mode_bits(self.config):
            known["east.control.mode"] = self.lane["mode"]
        if self.low_bits:
            known["east.control.used"] = self.lane["used"]
        return known

    def step(self, operation: Operation) -> None:
        """The clock's edge: first the accumulator, then what enters."""
        working = self.row_valid & self.col_valid
        product = 0 if self.lane["zero"] else self._product()
        self.products.append((working, self.lane["first"], self.lane["last"], product))
        working, first, last, product = self.products.popleft()
        if working and first:
            self.total = 0
        if working:
            self.total = exact.wrap(self.total + product, self.config.accumulator_bits)
        self.done = working & last
        self.row_valid = operation["west.lane.valid"]
        self.col_valid = operation["north.valid"]
        clocked = self._clocked_low_bits(operation)
        upper = 0xFFFF & ~sum(self.low_bits)
        if self.col_valid:
            bits = upper | (clocked if self.row_valid else 0)
            self.weight = self.weight & ~bits | operation["north.operands"] & bits
        if self.row_valid:
            self._take(operation, upper, clocked)

    def _clocked_low_bits(self, operation: Operation) -> int:
        """All of them in a first beat, after it those that the tile uses."""
        first = operation["west.control.first"]
        flags = (first or self.lane["used"] >> index & 1 for index in range(len(self.low_bits)))
        return sum(mask for mask, flag in zip(self.low_bits, flags, strict=True) if flag)

    def _take(self, operation: Operation, upper: int, clocked: int) -> None:
        self.lane |= {name: operation[f"west.lane.{name}"] for name in ("zero",)}
        bits = 0 if operation["west.lane.zero"] else upper | clocked
        # A first beat clears the low bits, even if it is all zeros.
        bits |= clocked if operation["west.control.first"] else 0
        self.lane["operands"] = self.lane["operands"] & ~bits
        self.lane["operands"] |= operation["west.lane.operands"] & bits
        self.lane |= {name: operation[f"west.control.{name}"] for name in ("first", "last")}
        if operation["west.control.first"]:
            self.lane["is_unsigned"] = operation["west.control.is_unsigned"]
            self.lane["mode"] = operation.get("west.control.mode", 0)
            self.lane["used"] = operation.get("west.control.used", 0)

    def _product(self) -> int:
        width = 16 // self.config.pairs(self.config.precisions[self.lane["mode"]])
        unsigned = bool(self.lane["is_unsigned"])
        return exact.dot(self.lane["operands"], self.weight, width, unsigned=unsigned)


def beat(
    operands: int = 0, weights: int = 0, *, first: bool = False, last: bool = False, **other: int
) -> Operation:
    """A beat of a tile at 16 bits; `other` changes single inputs, with __ for the dot."""
    changes = {name.replace("__", "."): value for name, value in other.items()}
    return {
        "west.lane.valid": 1,
        "west.lane.zero": int(operands == 0),
        "west.lane.operands": operands,
        "west.control.first": int(first),
        "west.control.last": int(last),
        "west.control.is_unsigned": 0,
        "north.valid": 1,
        "north.operands": weights,
        **changes,
    }


MASKS = {"row": {"west.lane.valid": 0}, "column": {"north.valid": 0}}


class TestNcu(OracleTest):
    configs = (
        EngineConfig(),
        EngineConfig(accumulator_bits=24),
        EngineConfig(precisions=(16,)),
        EngineConfig(precisions=(16, 4, 2), accumulator_bits=48),
        EngineConfig(ncu="plain16", precisions=(16,)),
        EngineConfig(ncu="gated", precisions=(16, 8)),
        EngineConfig(ncu="gated", precisions=(16, 12, 7, 2)),
        EngineConfig(ncu="gated", precisions=(16,)),
        EngineConfig(ncu="dsp"),
    )

    def build(self, config):
        return Ncu(config)

    def operations(self, config, rng):
        return list(self.random_beats(config, rng, 400))

    def random_beats(self, config, rng, count) -> Iterator[Operation]:
        """Tiles of a few beats with pauses and masked lanes, at every precision."""
        words = zip(lane_words(rng, count), lane_words(rng, count), strict=True)
        for operands, weights in words:
            operation = beat(operands, weights, first=rng.random() < 0.25, last=rng.random() < 0.25)
            operation["west.control.is_unsigned"] = int(rng.integers(2))
            operation["west.lane.valid"] = int(rng.random() < 0.8)
            operation["north.valid"] = int(rng.random() < 0.8)
            if mode_bits(config):
                operation["west.control.mode"] = int(rng.integers(len(config.precisions)))
            if low_segments(config):
                operation["west.control.used"] = int(rng.integers(1 << len(low_segments(config))))
            yield operation

    def expect(self, config, operations):
        oracle, outputs = NcuOracle(config), []
        for operation in operations:
            outputs.append(oracle.outputs())
            oracle.step(operation)
        return outputs

    def finish(self, operations: list[Operation]) -> int:
        """Result of operations of which the last ends a tile, checked against the oracle."""
        config = self.configs[0]
        played = operations + [beat(west__lane__valid=0, north__valid=0)] * 2
        self.check(config, played)
        known = self.expect(config, played)[-1]
        assert known["done"]
        return known["result"]

    @pytest.mark.parametrize("mask", MASKS)
    def test_masked_unit_keeps_its_accumulator(self, mask):
        """Beats of a masked unit do not change the sum that a later beat shows."""
        passing = [beat(77, 99, first=True, last=True) | MASKS[mask]] * 5
        assert self.finish([beat(3, 5, first=True), *passing, beat(2, 7, last=True)]) == 29

    def test_zero_lanes_leave_the_accumulator_alone(self):
        assert self.finish([beat(3, 5, first=True), beat(0, 99), beat(0, 1, last=True)]) == 15

    def test_first_beat_of_zeros_clears_the_accumulator(self):
        before = beat(3, 5, first=True, last=True)
        assert self.finish([before, beat(0, 9, first=True), beat(2, 2, last=True)]) == 4

    def test_result_is_there_two_cycles_after_the_last_beat(self):
        expected = self.expect(self.configs[0], [beat(3, 5, first=True, last=True)] + [beat()] * 3)
        assert [known["done"] for known in expected] == [0, 0, 1, 0]
        self.check(self.configs[0], [beat(3, 5, first=True, last=True)] + [beat()] * 3)


GATED = EngineConfig(ncu="gated", precisions=(16, 12, 4))
USED = {16: 0b11, 12: 0b10, 4: 0b00}
"""Segments of the low 4 bits and of the next 8, of which narrow tiles leave out some."""


@pytest.mark.parametrize("precision", GATED.precisions)
@pytest.mark.parametrize("zero_first", [False, True])
def test_bits_below_the_precision_are_clocked_in_the_first_beat_alone(precision, zero_first):
    """Beats whose low bits are set, as no sequencer sends them, show which registers take them."""
    wide = beat(0xFFFF, 0xFFFF, first=True, west__control__used=0b11)
    start = 0 if zero_first else 0x8000
    narrow = beat(start, 0x8000, first=True, west__control__used=USED[precision])
    later = beat(0x7FFF, 0x5FFF, west__control__used=USED[precision])
    watched = ["east.lane.operands", "south.operands"]
    *_, cleared, taken = play(Ncu(GATED), [wide, narrow, later, beat()], watched)
    kept = 0xFFFF & ~((1 << (16 - precision)) - 1)
    if not zero_first:
        assert cleared["east.lane.operands"] == 0x8000
    assert cleared["east.lane.operands"] & 0xFFF == 0
    assert cleared["south.operands"] == 0x8000
    assert taken == {"east.lane.operands": 0x7FFF & kept, "south.operands": 0x5FFF & kept}
