"""Energy of a streamed and of an autonomous system: counts that are found in other ways."""

import numpy as np
import pytest

from qcnpe.memory_events import MEMORY_UNITS
from qcnpe.placement.energy import SystemEnergy
from qcnpe.prices import EnergyPrices
from qcnpe.spec.geometry import Geometry
from sim.system_energy import ENGINE, autonomous, streamed
from tests.qcnpe.networks import dense_layer, network, random_layer


@pytest.fixture
def prices():
    return EnergyPrices({**EnergyPrices.load().pj, "external_word": 1.0}, {})


def test_a_streamed_system_moves_each_operand_of_each_tile(prices):
    """40 neurons of 100 inputs on 16 columns: three tiles of 100 beats, with 16 bits each."""
    net = network(dense_layer(100, 40))
    inputs = np.ones((4, 100), np.int16)
    found = streamed(prices, net, inputs)
    activations, weights = 3 * 100 * 4, 100 * 40
    parameters, results = 2 * 40, 4 * 40
    assert found.external_pj == activations + weights + parameters + results
    assert found.memory_pj == 0
    assert found.engine_pj > 0


def test_an_autonomous_system_loads_weights_once(prices):
    """Of ten runs only the first one loads weights; each loads its pictures and stores results."""
    rng = np.random.default_rng(1)
    net = network(random_layer(rng, Geometry.dense(100, 40), widths=(16,)))
    inputs = np.ones((4, 100), np.int16)
    once = autonomous(prices, net, inputs, pictures=4)
    often = autonomous(prices, net, inputs, pictures=40)
    further = (often.external_pj - once.external_pj) / 9
    assert once.external_pj > 100 * 40 + further
    # Rows of all 32 banks are loaded and stored, of which four hold pictures.
    assert 4 * (100 + 40) <= further < 32 * (100 + 40)


def test_the_ratio_is_that_of_all_parts():
    one = SystemEnergy(1.0, dict.fromkeys(MEMORY_UNITS, 1.0), 2.0, 4.0)
    assert one.total_pj == 1 + 7 + 2 + 4
    assert ENGINE.rows == ENGINE.cols == 16
