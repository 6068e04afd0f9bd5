"""The collector: columns in order, windows' results in lanes, wanted copies, backpressure."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from qcnpe.rtl.collector import Collector, tile_layout
from qcnpe.rtl.layouts import result_beat
from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig
from tests.qcnpe import exact
from tests.qcnpe.rtl.oracle import name_of, resolve, signed_values

CONFIGS = [
    EngineConfig(rows=1, cols=1),
    EngineConfig(rows=4, cols=3),
    EngineConfig(rows=6, cols=2, precisions=(16, 4)),
    EngineConfig(rows=3, cols=2, precisions=(16,)),
    EngineConfig(rows=6, cols=2, ncu="dsp"),
]


class Tile:
    """A tile of random results, and the expected beats."""

    def __init__(self, config, rng):
        self.config = config
        self.pool = int(rng.choice([p for p in range(3) if config.rows >= 1 << p]))
        self.rows = int(rng.integers(1, (config.rows >> self.pool) + 1)) << self.pool
        self.cols = int(rng.integers(1, config.cols + 1))
        self.unsigned = int(rng.integers(2))
        self.shifts = {width: int(rng.integers(16)) for width in config.narrow_precisions}
        self.wanted = {width: int(rng.integers(2)) for width in config.narrow_precisions}
        self.results_wanted = int(rng.integers(2))
        self.values = [signed_values(rng, 16, self.cols) for _ in range(self.rows)]

    def wanted_fields(self):
        """A flag for each field of a lane."""
        copies = {f"copy_{width}": wanted for width, wanted in self.wanted.items()}
        return {"result": self.results_wanted, **copies}

    def word(self):
        """What the sequencer says of it."""
        members = {"row_mask": 2**self.rows - 1, "cols": self.cols, "pool": self.pool}
        return {**members, "wanted": self.wanted_fields()}

    def copies(self):
        """What the rows' activation function units say of it."""
        shifts = {f"shift_{width}": shift for width, shift in self.shifts.items()}
        return {"wanted": self.wanted_fields(), "is_unsigned": self.unsigned, **shifts}

    def beats(self):
        """(lanes, last) of each column."""
        window = 1 << self.pool
        beats = []
        for col in range(self.cols):
            column = [values[col] for values in self.values]
            lanes = [0] * self.config.rows
            for row in range(0, self.rows, window):
                lanes[row] = self.lane(column[row + window - 1])
            beats.append((lanes, int(col == self.cols - 1)))
        return beats

    def lane(self, value):
        """The result and the wanted copies, from the lowest bit on."""
        lane, place = value % 2**16 * self.results_wanted, 16
        for width, shift in self.shifts.items():
            if self.wanted[width]:
                copy = exact.copy(value, shift, width, unsigned=bool(self.unsigned))
                lane += copy % 2**width << place
            place += width
        return lane


class CollectorBench:
    """Sends tiles as the array does, row r delayed by r cycles, and takes the beats.

    As `Admission` does, it sends no tile that the queues have no room for.
    """

    def __init__(self, config, tiles, *, pause, seed):
        self.unit, self.tiles, self.pause = Collector(config), tiles, pause
        self.config, self.chance = config, np.random.default_rng(seed)
        self.beats = []
        self.first_beat = None

    def run(self):
        """(lanes, last) of each beat."""
        simulator = Simulator(self.unit)
        simulator.add_clock(1e-6)
        simulator.add_process(self.drive)
        expected = sum(tile.cols for tile in self.tiles)
        for _ in range(200_000):
            if len(self.beats) == expected:
                return self.beats
            simulator.advance()
        raise AssertionError(f"{len(self.beats)} of {expected} beats")

    async def drive(self, ctx):
        waiting, taken = list(self.tiles), 0
        due: dict[int, dict[int, int]] = {}
        bits = self.config.result_lane_bits
        output = self.unit.output
        watched = (output.valid, output.ready, resolve(self.unit, "output.payload"))
        cycle = busy_until = 0
        while True:
            room = self.config.result_depth - (taken - len(self.beats))
            queued = len(self.tiles) - len(waiting) - sum(last for _, last in self.beats)
            may_send = cycle >= busy_until and queued < TILES_IN_FLIGHT
            if waiting and may_send and room >= waiting[0].cols:
                tile = waiting.pop(0)
                taken += tile.cols
                busy_until = cycle + tile.cols
                self.schedule(due, cycle, tile)
                ctx.set(self.unit.tiles.payload, tile.word())
                ctx.set(self.unit.tiles.valid, 1)
            else:
                ctx.set(self.unit.tiles.valid, 0)
            self.send(ctx, due.pop(cycle, {}))
            ctx.set(output.ready, int(self.chance.random() >= self.pause))
            _, _, valid, ready, word = await ctx.tick().sample(*watched)
            if valid and self.first_beat is None:
                self.first_beat = cycle
            if valid and ready:
                lanes = [word >> row * bits & ((1 << bits) - 1) for row in range(self.config.rows)]
                self.beats.append((lanes, word >> bits * self.config.rows))
            cycle += 1

    def schedule(self, due, cycle, tile):
        """Row r shows column c four cycles and r + c more after the tile's last beat.

        Of the rows of a window only the last one shows any.
        """
        for row, values in enumerate(tile.values):
            if (row + 1) % (1 << tile.pool) == 0:
                for col, value in enumerate(values):
                    due.setdefault(cycle + 4 + row + col, {})[row] = (value, tile.copies())

    def send(self, ctx, results):
        ctx.set(self.unit.result_valid, sum(1 << row for row in results))
        for row, (value, copies) in results.items():
            ctx.set(self.unit.results[row], value)
            ctx.set(self.unit.copies[row], copies)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("pause", [0, 0.6])
@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_random_tiles(config, pause, seed):
    rng = np.random.default_rng(seed)
    tiles = [Tile(config, rng) for _ in range(12)]
    bench = CollectorBench(config, tiles, pause=pause, seed=seed)
    assert bench.run() == [beat for tile in tiles for beat in tile.beats()], f"seed {seed}"


@pytest.mark.parametrize("ncu", ["fused", "dsp"])
@pytest.mark.parametrize("rows", [1, 4])
def test_a_column_leaves_in_the_cycle_after_its_last_row(rows, ncu):
    """Or, on a staged engine, a register later."""
    config = EngineConfig(rows=4, cols=1, ncu=ncu)
    tile = Tile(config, np.random.default_rng(1))
    tile.rows, tile.pool, tile.values = rows, 0, [[row] for row in range(rows)]
    bench = CollectorBench(config, [tile], pause=0, seed=1)
    bench.run()
    assert bench.first_beat == 4 + rows - 1 + 1 + (1 if ncu == "dsp" else 0)


def test_layouts_have_no_gaps():
    config = CONFIGS[1]
    assert result_beat(config).size == config.rows * config.result_lane_bits + 1
    assert tile_layout(config).size == config.rows + 9 + 2 + 1 + 3
