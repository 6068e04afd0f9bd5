"""Reports on placements."""

import numpy as np
import pytest

from qcnpe.placement.build import place_network
from qcnpe.placement.report import PlacementReport
from qcnpe.placement.residency import LOADED
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.memory.config import Memory, MemoryConfig
from tests.qcnpe.networks import dense_layer, network, random_layer


def test_the_least_memories_hold_the_network():
    """With fewer rows of any of them, it is loaded in every run, or does not fit."""
    rng = np.random.default_rng(1)
    geometry = Geometry(input_shape=(3, 8, 8), channels=6, kernel=(3, 3))
    net = network(random_layer(rng, geometry, function="tanh"), dense_layer(6 * 36, 10))
    largest = MemoryConfig.largest(EngineConfig(rows=4, cols=4))
    report = PlacementReport.of(place_network(net, largest, 1), net)
    least = report.least_memories
    again = PlacementReport.of(place_network(net, least, 1), net)
    assert again.placement.resident == set(LOADED)
    assert again.cycles == report.cycles
    assert least.depth(Memory.WEIGHTS) >= 6 * 36 * 10 // 4
    activations = least.depth(Memory.ACTIVATIONS) * least.banks
    assert activations >= 3 * 8 * 8 + 6 * 36  # the two maps, at 16 bits
    assert least.total_bits > 16 * (activations + 4 * least.depth(Memory.WEIGHTS))


def test_zeros_of_patches_and_of_beats_are_no_work():
    """A layer of one channel computes patches, whose kernels hold more than its 9 weights."""
    rng = np.random.default_rng(1)
    geometry = Geometry(input_shape=(1, 12, 12), channels=1, kernel=(3, 3))
    layer = random_layer(rng, geometry, precision=np.full((1, 100), 8, np.uint8))
    net = network(layer, dense_layer(100, 3))
    config = MemoryConfig.default(EngineConfig(rows=4, cols=4))
    placement = place_network(net, config, 2)
    _, convolution, dense = PlacementReport.of(placement, net).layers
    done = placement.program.layers[0].counts.ncu_beats
    assert sum(done.values()) > 2 * 100 * 9 / 2
    assert convolution.utilisation * convolution.cycles * 16 == pytest.approx(2 * 100 * 9 / 2)
    assert dense.utilisation * dense.cycles * 16 == pytest.approx(2 * 100 * 3)
