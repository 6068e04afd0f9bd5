"""The whole engine in Amaranth's simulator against the integer model."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from qcnpe.random_work import random_streams as any_streams
from qcnpe.spec.commands import ErrorCause, command_fields, decode, encode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.model import execute
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
        assert bench.busy_cycles == count_cycles(config, streams.commands), f"seed {seed}"


@pytest.mark.parametrize(
    ("rows", "cols", "active"), [(3, 1, 1), (1, 5, 5), (6, 2, 2), (4, 8, 1), (12, 2, 1)]
)
def test_cycle_count_of_equal_tiles(rows, cols, active):
    """Long runs in which one account after the other sets the pace."""
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
        assert bench.busy_cycles == count_cycles(config, streams.commands), f"{beats} beats"


def test_every_beat_and_stall_is_an_event():
    config = SIZES[1]
    streams = random_streams(config, 60, 3)
    tiles = [decode(command_fields(config), word) for word in streams.commands.tolist()]
    beats = sum(tile["beats"] for tile in tiles if tile["opcode"] == 1)
    seen = []
    for idle, pause in ((0, 0), (0.6, 0), (0, 0.9)):
        bench = shared_bench(config, idle=idle, pause=pause)
        bench.run(streams)
        assert bench.events["beat"] == beats
        assert bench.events["tile"] == sum(tile["opcode"] == 1 for tile in tiles)
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
    words = streams.commands.tolist()
    asked = {decode(command_fields(config), word)["precision"] for word in words}
    assert asked == set(config.precisions), "the seed must ask for every precision"
    assert bench.precisions == asked | {16}


def with_bad_commands(config, streams, seed):
    """Bad commands between good ones: they take no operands and make no results."""
    rng = np.random.default_rng(seed)
    fields, words = command_fields(config), []
    changes = [{"rows": 0}, {"cols": config.cols + 1}, {"beats": 0}, {"opcode": 5}, {"pool": 3}]
    for word in streams.commands.tolist():
        if rng.random() < 0.4:
            change = changes[rng.integers(len(changes))]
            words.append(encode(fields, {**decode(fields, word), "opcode": 1, **change}))
        words.append(word)
    return replace(streams, commands=np.array(words, np.uint64))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("idle", [0, 0.5])
def test_bad_commands_are_dropped_whole(idle, seed):
    config = SIZES[1]
    bench = shared_bench(config, idle=idle)
    streams = random_streams(config, 12, seed)
    assert_same(bench, with_bad_commands(config, streams, seed), f"seed {seed}")
    assert bench.error != ErrorCause.NONE


def test_error_stays_over_good_work_until_it_is_cleared():
    config = SIZES[1]
    bench = shared_bench(config)
    streams = random_streams(config, 4, 1)
    bad = replace(streams, commands=np.concatenate([np.array([7], np.uint64), streams.commands]))
    np.testing.assert_array_equal(bench.run(bad), execute(config, streams).results)
    bench.run(streams)
    assert bench.error == ErrorCause.OPCODE
    bench.clear_error()
    assert bench.error == ErrorCause.NONE
    assert_same(bench, streams, "after the error")


@pytest.mark.parametrize("seed", range(2))
def test_reset_at_any_time_brings_the_engine_back(seed):
    """In the middle of tiles, drains and table loads; the next run is as from a new engine."""
    config = SIZES[1]
    bench = shared_bench(config, pause=0.2, seed=seed)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        bench.begin(with_bad_commands(config, random_streams(config, 12, seed), seed))
        cycles = int(rng.integers(1, 120))
        bench.wait(cycles)
        bench.reset()
        where = f"seed {seed}, reset after {cycles} cycles"
        assert bench.error == ErrorCause.NONE, where
        assert_same(bench, random_streams(config, 6, seed + 10), where)
