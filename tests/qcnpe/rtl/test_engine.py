"""The whole engine in Amaranth's simulator against the integer model."""

import numpy as np
import pytest

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.model import execute
from tests.qcnpe.rtl.engine_bench import EngineBench
from tests.qcnpe.rtl.random_streams import random_streams

SIZES = [(1, 1), (2, 3), (4, 4)]


@pytest.mark.parametrize(("rows", "cols"), SIZES)
@pytest.mark.parametrize(("idle", "pause"), [(0, 0), (0.4, 0), (0, 0.4), (0.3, 0.3)])
def test_random_tiles(rows, cols, idle, pause):
    config = EngineConfig(rows=rows, cols=cols)
    for seed in range(1):
        streams = random_streams(config, 12, seed)
        bench = EngineBench(config, idle=idle, pause=pause, seed=seed)
        np.testing.assert_array_equal(bench.run(streams), execute(config, streams).results)


@pytest.mark.parametrize(("rows", "cols"), SIZES)
@pytest.mark.parametrize("max_beats", [2, 8, 30])
def test_cycle_count_is_exact_at_full_rate(rows, cols, max_beats):
    config = EngineConfig(rows=rows, cols=cols)
    for seed in range(2):
        streams = random_streams(config, 20, seed, max_beats=max_beats, tables=seed % 2 == 0)
        bench = EngineBench(config)
        bench.run(streams)
        assert bench.busy_cycles == count_cycles(config, streams.commands), f"seed {seed}"
