"""The whole engine in Amaranth's simulator against the integer model."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from qcnpe.random_work import bad_commands, with_bad_commands
from qcnpe.random_work import random_streams as any_streams
from qcnpe.spec.commands import ErrorCause, command_fields, decode, encode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams
from tests.qcnpe.rtl.engine_bench import shared_bench
from tests.qcnpe.rtl.oracle import name_of

SIZES = [
    EngineConfig(rows=1, cols=1),
    EngineConfig(rows=2, cols=3),
    EngineConfig(rows=4, cols=4),
]
OTHERS = [
    EngineConfig(rows=4, cols=2, precisions=(16, 4), fifo_depth=2, table_segments=8),
    EngineConfig(rows=5, cols=1, ncu="plain16", precisions=(16,), accumulator_bits=24),
    EngineConfig(rows=3, cols=2, ncu="dsp", precisions=(16, 8, 2)),
    EngineConfig(rows=4, cols=1, ncu="dsp", precisions=(16, 4)),
]

random_streams = partial(any_streams, max_beats=12, table_share=0.1)
"""Short tiles: Amaranth's simulator is slow."""


def assert_same(bench, streams, where):
    """Results and error of an engine are those of the model."""
    outcome = execute(bench.config, streams)
    np.testing.assert_array_equal(bench.run(streams), outcome.results, err_msg=where)
    assert bench.error == outcome.error, where


@pytest.mark.parametrize(("idle", "pause"), [(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)])
@pytest.mark.parametrize("config", SIZES + OTHERS, ids=name_of)
def test_random_tiles(config, idle, pause):
    bench = shared_bench(config, idle=idle, pause=pause, seed=1)
    for seed in range(2):
        assert_same(bench, random_streams(config, 10, seed), f"seed {seed}")


@pytest.mark.parametrize("seed", range(3))
def test_gated_engine_ignores_low_order_bits(seed):
    config = EngineConfig(rows=2, cols=2, ncu="gated", precisions=(16, 8, 4))
    assert_same(shared_bench(config), random_streams(config, 20, seed), f"seed {seed}")


@pytest.mark.parametrize("max_beats", [2, 8, 30])
@pytest.mark.parametrize("config", SIZES + OTHERS, ids=name_of)
def test_cycle_count_is_exact_at_full_rate(config, max_beats):
    bench = shared_bench(config)
    for seed in range(2):
        streams = random_streams(
            config, 20, seed, max_beats=max_beats, table_share=0 if seed % 2 else 0.1
        )
        bench.run(streams)
        assert bench.busy_cycles == count_cycles(config, streams.decode(config)), f"seed {seed}"


@pytest.mark.parametrize(
    ("rows", "cols", "active"), [(3, 1, 1), (1, 5, 5), (6, 2, 2), (4, 8, 1), (12, 2, 1)]
)
def test_cycle_count_of_equal_tiles(rows, cols, active):
    """Long runs in which each condition of admission in turn limits the speed."""
    config = EngineConfig(rows=rows, cols=cols)
    bench = shared_bench(config)
    for beats in (1, 3):
        streams = random_streams(config, 30, beats, max_beats=1, table_share=0)
        fields = command_fields(config)
        full = {"rows": rows, "cols": active, "beats": beats, "pool": 0}
        words = [encode(fields, {**decode(fields, w), **full}) for w in streams.commands.tolist()]
        operands = np.random.default_rng(1).integers(0, 1 << 16, (30 * beats, rows + cols))
        streams = replace(
            streams,
            commands=np.array(words, np.uint64),
            activations=operands[:, :rows].astype(np.uint16),
            weights=operands[:, rows:].astype(np.uint16),
            parameters=np.resize(streams.parameters, 30 * active),
            results=30 * active,
        )
        assert_same(bench, streams, f"{beats} beats")
        assert bench.busy_cycles == count_cycles(config, streams.decode(config)), f"{beats} beats"


def test_every_beat_and_stall_is_an_event():
    config = SIZES[1]
    streams = random_streams(config, 60, 3)
    tiles = streams.tiles(config)
    beats = sum(tile.beats for tile in tiles)
    seen = []
    for idle, pause in ((0, 0), (0.6, 0), (0, 0.9)):
        bench = shared_bench(config, idle=idle, pause=pause)
        bench.run(streams)
        assert bench.events["beat"] == beats
        assert bench.events["tile"] == len(tiles)
        seen.append(bench.events)
    fast, starved, blocked = seen
    assert fast["stalled_weights"] == 0
    assert min(starved["stalled_activations"], starved["stalled_weights"]) > 0
    assert blocked["stalled_results"] > fast["stalled_results"]


def test_precision_register_shows_the_tiles_precisions():
    config = SIZES[1]
    streams = random_streams(config, 20, 1, table_share=0)
    bench = shared_bench(config)
    bench.run(streams)
    asked = {tile.precision for tile in streams.tiles(config)}
    assert asked == set(config.precisions), "the seed must ask for every precision"
    assert bench.precisions == asked | {16}


def resumed(bench, where=""):
    """Resume a halted engine; it must do so, and clear its error."""
    assert bench.halted, where
    bench.request("resume")
    assert not bench.halted, where
    assert bench.error == ErrorCause.NONE, where


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("idle", [0, 0.5])
def test_bad_commands_halt_the_engine_and_leave_nothing_behind(idle, seed):
    """Bad commands and all that follows are discarded with their operands; later work is right."""
    config = SIZES[1]
    bench = shared_bench(config, idle=idle, pause=idle, seed=seed)
    streams = with_bad_commands(
        config, random_streams(config, 12, seed), bad_commands(config, 3, seed), seed
    )
    assert_same(bench, streams, f"seed {seed}")
    assert bench.error != ErrorCause.NONE
    resumed(bench, f"seed {seed}")
    bench.rest()
    after = random_streams(config, 6, seed + 10)
    assert_same(bench, after, f"seed {seed}")
    assert bench.busy_cycles == count_cycles(config, after.decode(config)), f"seed {seed}"


def test_operands_of_a_bad_command_are_not_the_next_tiles():
    """Tiles of ones around a command for a row too many, which comes with its own operands."""
    config = SIZES[1]
    bench = shared_bench(config)
    fields = command_fields(config)
    tile = {"opcode": 1, "precision": 16, "beats": 2, "rows": 2, "cols": 1}
    good, bad = encode(fields, tile), encode(fields, {**tile, "rows": 3})
    lanes = np.array([1, 1, 100, 100, 1, 1], np.uint16)[:, None]
    plain = 16 << 16  # no shift, no bias
    streams = Streams(
        commands=np.array([good, bad, good], np.uint64),
        activations=np.repeat(lanes, 2, axis=1),
        weights=np.repeat(lanes, 3, axis=1),
        parameters=np.array([plain] * 3, np.uint32),
        results=1,
    )
    wanted = bench.run(streams)[:, :2] & 0xFFFF
    assert wanted.tolist() == [[2, 2]]
    assert (bench.halted, bench.error) == (1, ErrorCause.ROWS)
    resumed(bench)
    again = replace(
        streams,
        commands=streams.commands[:1],
        activations=streams.activations[:2],
        weights=streams.weights[:2],
        parameters=streams.parameters[:1],
    )
    assert (bench.run(again)[:, :2] & 0xFFFF).tolist() == [[2, 2]]


def assert_whole_tiles(config, results, streams, where):
    """Results are those of the first few tiles of streams."""
    ends = np.cumsum([0] + [tile.cols for tile in streams.tiles(config)])
    assert len(results) in ends, where
    expected = execute(config, streams).results[: len(results)]
    np.testing.assert_array_equal(results, expected, err_msg=where)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("config", [SIZES[1], OTHERS[2]], ids=name_of)
def test_halt_at_any_time_ends_with_a_whole_tile(config, seed):
    """Within tiles, drains and tables; words that are still sent do not affect later work."""
    rng = np.random.default_rng(seed)
    for attempt in range(4):
        bench = shared_bench(config, idle=0.3 * (attempt % 2), pause=0.3, seed=seed)
        streams = random_streams(config, 12, seed)
        bench.begin(streams)
        cycles = int(rng.integers(1, 120))
        bench.wait(cycles)
        where = f"seed {seed}, halted after {cycles} cycles"
        bench.request("halt")
        assert_whole_tiles(config, bench.settle(), streams, where)
        resumed(bench, where)
        bench.rest()
        after = random_streams(config, 6, seed + 10)
        assert_same(bench, after, where)
        assert bench.busy_cycles == count_cycles(config, after.decode(config)), where


@pytest.mark.parametrize("seed", range(2))
def test_halt_and_resume_in_one_order_is_a_whole_reset(seed):
    """The host has sent no more than the queues hold; results still leave complete."""
    config = SIZES[1]
    bench = shared_bench(config, pause=0.5, seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        streams = random_streams(config, 8, seed)
        bench.begin(streams)
        cycles = int(rng.integers(1, 120))
        bench.wait(cycles)
        bench.forget()
        bench.wait(1)
        bench.request("halt", "resume")
        where = f"seed {seed}, reset after {cycles} cycles"
        assert_whole_tiles(config, bench.settle(), streams, where)
        assert not bench.halted, where
        assert_same(bench, random_streams(config, 6, seed + 10), where)


def test_orders_that_change_nothing():
    """A resume without a halt has no later effect; a second halt cancels a resume."""
    config = SIZES[1]
    bench = shared_bench(config, pause=1)
    streams = random_streams(config, 1, 1)
    bench.request("resume")
    bench.begin(replace(streams, commands=np.append(streams.commands, np.uint64(7))))
    bench.wait(200)
    assert (bench.halted, bench.error) == (1, ErrorCause.OPCODE), "the results wait for their taker"
    bench.request("resume")
    bench.request("halt")
    bench.rest()
    bench.settle(streams.results)
    assert (bench.halted, bench.error) == (1, ErrorCause.OPCODE)
    resumed(bench)


@pytest.mark.parametrize("seed", range(2))
def test_reset_at_any_time_brings_the_engine_back(seed):
    """Within tiles, drains and table loads; the next run is as on a new engine."""
    config = SIZES[1]
    bench = shared_bench(config, pause=0.2, seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        bad = bad_commands(config, 1, seed)
        bench.begin(with_bad_commands(config, random_streams(config, 12, seed), bad, seed))
        cycles = int(rng.integers(1, 120))
        bench.wait(cycles)
        bench.reset()
        where = f"seed {seed}, reset after {cycles} cycles"
        assert bench.error == ErrorCause.NONE, where
        assert_same(bench, random_streams(config, 6, seed + 10), where)
