"""Cycle counts by hand; equality with the engine's own counter is tested on the engine."""

import pytest

from qcnpe.rtl.afu import Afu
from qcnpe.rtl.ncu_array import NcuArray
from qcnpe.spec.commands import TableLoad, TileCommand
from qcnpe.spec.config import TILES_IN_FLIGHT, EngineConfig
from qcnpe.spec.cycles import AFU_LATENCY, ARRAY_LATENCY, count_cycles

LATENCY = ARRAY_LATENCY + AFU_LATENCY + 1


def test_latencies_are_those_of_the_components():
    assert ARRAY_LATENCY == NcuArray.LATENCY
    assert AFU_LATENCY == Afu.LATENCY


def tiles(count, beats, rows, cols):
    """Equal tiles."""
    return [TileCommand(precision=16, beats=beats, rows=rows, cols=cols)] * count


def test_no_commands_take_no_cycles():
    assert count_cycles(EngineConfig(), []) == 0


@pytest.mark.parametrize("beats", [8, 100, 65535])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (16, 16), (3, 7)])
def test_one_tile(beats, rows, cols):
    """The beats (or the entry of parameters), the way to the last row, the output, the columns."""
    count = count_cycles(EngineConfig(), tiles(1, beats, rows, cols))
    assert count == max(beats, cols - 1) + (rows - 1) + LATENCY + cols


def test_staged_engines_take_four_cycles_more_on_the_way_and_lose_no_throughput():
    """A register behind the products, two behind the results' queues."""
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
