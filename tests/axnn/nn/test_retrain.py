"""Retraining: what it returns is what it leaves; it never leaves a network worse than it was."""

from dataclasses import replace

import numpy as np
import pytest

from axnn.nn.network import Network
from axnn.nn.retrain import retrain
from axnn.nn.train import validate
from tests.axnn.tiny import PLAN, make_data, make_spec, make_trained

DATA = make_data()


def test_accuracies_before_and_after_are_those_of_the_networks():
    network = Network(make_spec(), seed=0)
    wanted = validate(network, DATA.validation)[1]
    before, after = retrain(network, DATA, PLAN, seed=0)
    assert before == wanted
    assert after == validate(network, DATA.validation)[1]
    assert after > before


def test_retraining_that_improves_nothing_leaves_the_weights():
    network = make_trained(DATA)
    weights = network.state()
    quality = validate(network, DATA.validation)[1]
    harmful = replace(PLAN, epochs=1, learning_rate=5.0)
    assert retrain(network, DATA, harmful, seed=0) == (quality, quality)
    for name, value in network.state().items():
        np.testing.assert_array_equal(value, weights[name])


def test_equal_accuracy_is_decided_by_the_loss():
    network = make_trained(DATA, plan=replace(PLAN, epochs=5))
    loss, quality = validate(network, DATA.validation)
    assert quality == 1.0
    assert retrain(network, DATA, PLAN, seed=0) == (1.0, 1.0)
    assert validate(network, DATA.validation)[0] < loss


@pytest.mark.parametrize("epochs", [1, 3])
def test_every_epoch_is_reported(epochs):
    seen: list[int] = []
    plan = replace(PLAN, epochs=epochs)
    network = Network(make_spec(), seed=0)
    retrain(network, DATA, plan, seed=0, on_epoch=lambda epoch: seen.append(epoch.number))
    assert seen == list(range(epochs))
