"""Cycle counts by hand; equality with the engine's own counter is tested on the engine."""

import numpy as np
import pytest

from qcnpe.rtl.afu import Afu
from qcnpe.rtl.ncu_array import NcuArray
from qcnpe.spec.activation import Function
from qcnpe.spec.commands import TableLoad, TileCommand
from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig
from qcnpe.spec.cycles import AFU_LATENCY, ARRAY_LATENCY, TABLE_LATENCY, count_cycles

LATENCY = ARRAY_LATENCY + AFU_LATENCY + 1


def test_latencies_are_those_of_the_components():
    assert ARRAY_LATENCY == NcuArray.LATENCY
    assert AFU_LATENCY == Afu.LATENCY
    assert TABLE_LATENCY == Afu.TABLE_LATENCY


def tiles(count, beats, rows, cols, function=Function.RELU):
    """Equal tiles."""
    tile = TileCommand(precision=16, beats=beats, rows=rows, cols=cols, function=function)
    return [tile] * count


def test_no_commands_take_no_cycles():
    assert count_cycles(EngineConfig(), []) == 0


@pytest.mark.parametrize("beats", [8, 100, 65535])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (16, 16), (3, 7)])
def test_one_tile(beats, rows, cols):
    """The beats (or the entry of parameters), the way to the last row, the output, the columns."""
    count = count_cycles(EngineConfig(), tiles(1, beats, rows, cols))
    assert count == max(beats, cols - 1) + (rows - 1) + LATENCY + cols


def test_staged_engines_take_four_cycles_more_on_the_way_and_lose_no_throughput():
    """A register behind the products, the ORs, the AFUs, and the results' queues."""
    staged, plain = EngineConfig(ncu="dsp"), EngineConfig(ncu="fused")
    for count, beats in ((1, 100), (50, 16), (50, 40)):
        commands = tiles(count, beats, 16, 16)
        assert count_cycles(staged, commands) == count_cycles(plain, commands) + 4
    narrow = EngineConfig(ncu="dsp", precisions=(16,))
    alone = tiles(1, 100, 16, 16)
    assert count_cycles(narrow, alone) == count_cycles(plain, tiles(1, 100, 16, 16))


@pytest.mark.parametrize("count", [5, 50])
@pytest.mark.parametrize("beats", [16, 20, 40])
def test_tiles_follow_without_a_bubble(count, beats):
    """Once K is as long as the drain, only the beats count."""
    config = EngineConfig()
    one = count_cycles(config, tiles(1, beats, 16, 16))
    assert count_cycles(config, tiles(count, beats, 16, 16)) == one + (count - 1) * beats


@pytest.mark.parametrize("beats", [1, 2, 15])
def test_tiles_shorter_than_their_drain_take_the_drain(beats):
    config = EngineConfig()
    long_run, longer = (count_cycles(config, tiles(count, beats, 16, 16)) for count in (100, 200))
    assert longer - long_run == 100 * 16


def test_drain_needs_as_many_cycles_as_the_tile_has_columns():
    config = EngineConfig()
    long_run, longer = (count_cycles(config, tiles(n, 1, 16, 4)) for n in (100, 200))
    assert longer - long_run == 100 * 4


@pytest.mark.parametrize("beats", [1, 18, 19, 30])
def test_a_tile_with_a_table_is_followed_by_three_cycles_without_a_sum(beats):
    """Its results take three cycles longer, and those of the next tile must not overtake them."""
    config = EngineConfig()
    counts = [count_cycles(config, tiles(n, beats, 16, 16, Function.TABLE)) for n in (1, 100, 200)]
    assert counts[2] - counts[1] == 100 * max(16 + 3, beats)
    assert counts[0] == count_cycles(config, tiles(1, beats, 16, 16)) + 3


@pytest.mark.parametrize("ncu", ["fused", "dsp"])
@pytest.mark.parametrize(("rows", "cols"), [(16, 16), (4, 4), (3, 7)])
def test_no_tile_waits_for_room_at_full_rate(rows, cols, ncu, monkeypatch):
    """The results' queues are as deep as that needs, and not deeper."""
    config, rng = EngineConfig(rows=rows, cols=cols, ncu=ncu), np.random.default_rng(1)
    runs = []
    for _ in range(20):
        sizes = zip(*(rng.integers(1, (5, rows + 1, cols + 1), (60, 3)).T.tolist()), strict=True)
        runs.append([tile for size in sizes for tile in tiles(1, *size)])
    found, depth = [], config.result_depth
    for tried in (depth - 1, depth, 10_000):
        monkeypatch.setattr(EngineConfig, "result_depth", tried)
        found.append([count_cycles(config, run) for run in runs])
    assert found[1] == found[2]
    assert sum(found[0]) > sum(found[1])


def test_table_waits_for_the_results_and_takes_a_cycle_a_knot():
    config = EngineConfig()
    table, tile = [TableLoad()], tiles(1, 100, 16, 16)
    apart = count_cycles(config, tile)
    assert count_cycles(config, [*tile, *table]) == apart + 33
    # The tile's own command cycle is hidden behind the last knot.
    assert count_cycles(config, [*tile, *table, *tile]) == 2 * apart - 1 + 33


@pytest.mark.parametrize(("rows", "cols"), [(16, 1), (16, 2), (64, 1), (64, 4)])
def test_short_tiles_on_tall_arrays_wait_for_those_in_flight(rows, cols):
    """At most eight tiles are in flight, each on its way to the last row and to the output."""
    config = EngineConfig(rows=rows, cols=16)
    counts = [count_cycles(config, tiles(n, cols, rows, cols)) for n in (400, 800)]
    away = (rows - 1) + LATENCY + cols
    assert TILES_IN_FLIGHT * cols < away, "the tiles are not short enough"
    assert counts[1] - counts[0] == 400 * away // TILES_IN_FLIGHT
