"""Cycles and traffic of runs, against what the engine alone takes and what must be moved."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.placement.build import place_network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.cycles import count_run
from tests.qcnpe.networks import by_channel, dense_layer, network, random_layer

ENGINE = EngineConfig(rows=4, cols=4)
MEMORIES = MemoryConfig.default(ENGINE)


def strided(banks):
    """A convolution that reads every second column: 4 tiles of 18 beats."""
    geometry = Geometry(input_shape=(2, 9, 9), channels=4, kernel=(3, 3), stride=(2, 2))
    layer = random_layer(
        np.random.default_rng(1), geometry, precision=by_channel([16] * 4, geometry)
    )
    return place_network(network(layer), replace(MEMORIES, banks=banks), 1)


def test_lanes_that_share_a_bank_cost_a_pass():
    """Columns 0, 2, 4, 6 lie in four of eight banks, but in two of four: two cycles a beat."""
    single, double = (count_run(strided(banks).image, first=False) for banks in (8, 4))
    beats = 4 * 2 * 9
    # the input's rows double with half the banks: a bus word has four banks
    assert double.cycles - single.cycles == pytest.approx(beats, abs=4)


@pytest.mark.parametrize("neurons", [4, 8, 12])
def test_a_dense_layer_takes_its_beats_and_a_start(neurons):
    """100 beats for each four neurons, and a bus word for each result; one start, one end."""
    placement = place_network(network(dense_layer(100, neurons)), MEMORIES, 1)
    counted = count_run(placement.image, first=False)
    few = count_run(place_network(network(dense_layer(100, 4)), MEMORIES, 1).image, first=False)
    further = 100 * (neurons // 4 - 1) + neurons - 4
    assert counted.cycles - few.cycles == pytest.approx(further, abs=8)
    assert placement.program.cycles < few.cycles + 100 * (neurons // 4 - 1)


def test_descriptors_in_parts_cost_their_loads():
    """Three times as many neurons as descriptors fit, in parts of 16: each part is read again."""
    net = network(dense_layer(100, 12 * 4))
    whole, parts = (
        count_run(place_network(net, replace(MEMORIES, descriptor_rows=rows), 1).image, first=False)
        for rows in (64, 16)
    )
    assert len(whole.spans) == len(parts.spans) == 2
    assert parts.words_read - whole.words_read >= 12 * 4
    assert whole.cycles < parts.cycles < whole.cycles + 12 * 60


def test_words_of_a_run():
    """100 words of one position in as many rows; two bus words each, for eight banks."""
    placement = place_network(network(dense_layer(100, 6)), MEMORIES, 1)
    again, first = (count_run(placement.image, first=first) for first in (False, True))
    assert again.words_read == 100 * 2
    assert again.words_written == 6
    assert first.words_read == again.words_read + len(placement.image.data) // 8
    assert first.cycles > again.cycles + len(placement.image.data) // 8
