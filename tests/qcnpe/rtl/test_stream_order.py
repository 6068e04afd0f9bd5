"""Hosts that send one stream after the other, as `spec.stream_guide` allows."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.random_work import random_streams
from qcnpe.rtl.block_queue import BlockQueue
from qcnpe.spec.config import REGISTER_QUEUE_DEPTH, EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.model import execute
from qcnpe.spec.stream_guide import stream_guide
from tests.qcnpe.rtl.engine_bench import shared_bench
from tests.qcnpe.rtl.test_fifo import TestFifo as QueueTest

SHORT = EngineConfig(rows=2, cols=3)
DEEP = replace(SHORT, fifo_depth=64)
BEATS = 40


def one_tile(config):
    return random_streams(config, 1, 3, max_beats=BEATS, shortest=BEATS, table_share=0)


def send_activations_first(config):
    """The bench, the streams, and how many activations were not taken before the first weight."""
    bench, streams = shared_bench(config), one_tile(config)
    bench.begin(replace(streams, weights=streams.weights[:0]))
    bench.wait(4 * BEATS)
    return bench, streams, bench.unsent("activations")


def test_activations_before_weights_stop_a_short_queue():
    """Four are in the queue, one waits before it."""
    _, _, left = send_activations_first(SHORT)
    assert left == BEATS - SHORT.fifo_depth - 1
    assert f"at least every {SHORT.fifo_depth} beats" in stream_guide(SHORT)


def test_a_queue_as_long_as_the_tile_takes_them_in_any_order():
    bench, streams, left = send_activations_first(DEEP)
    assert left == 0
    later = replace(
        streams,
        commands=streams.commands[:0],
        activations=streams.activations[:0],
        parameters=streams.parameters[:0],
    )
    np.testing.assert_array_equal(bench.run(later), execute(DEEP, streams).results)


@pytest.mark.parametrize("config", [SHORT, DEEP], ids=["registers", "memory"])
def test_the_queues_length_changes_no_cycle(config):
    bench, streams = shared_bench(config), random_streams(config, 15, 5, max_beats=8)
    np.testing.assert_array_equal(bench.run(streams), execute(config, streams).results)
    assert bench.busy_cycles == count_cycles(SHORT, streams.decode(SHORT))


class TestBlockQueue(QueueTest):
    """A queue in a memory behaves as one of registers."""

    configs = tuple(EngineConfig(fifo_depth=depth) for depth in (2, 4, 2 * REGISTER_QUEUE_DEPTH))
    seeds = (1, 2, 3)

    def build(self, config):
        return BlockQueue(width=self.width, depth=self.depth(config))
