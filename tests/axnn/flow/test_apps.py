"""The applications' networks have the sizes that the papers give."""

import numpy as np
import pytest

from axnn.data import LOADERS, needs
from axnn.flow.apps import APPS, find_app
from axnn.nn.network import Network
from qcnpe.spec.errors import ConfigError


def sizes(name: str) -> tuple[int, int]:
    """(neurons, parameters) of an application's network."""
    network = Network(find_app(name).network, seed=0)
    neurons = sum(
        layer.geometry.channels * layer.geometry.outputs for layer in network.neuron_layers
    )
    return neurons, sum(parameter.value.size for parameter in network.parameters.values())


def test_lenet_has_the_published_size():
    """S. Venkataramani et al., 2014: 8,010 neurons; 51,946 parameters by LeCun's layer sizes."""
    assert sizes("digits") == (8010, 51946)
    assert sizes("garments") == (8010, 51946)


def test_census_has_the_published_size():
    """12 neurons and 160 weights, besides a bias for each neuron."""
    assert sizes("census") == (12, 160 + 12)


def test_objects_has_three_convolutions_or_more():
    kinds = [layer.kind for layer in find_app("objects").network.layers]
    assert kinds.count("convolution") >= 3


@pytest.mark.parametrize("name", APPS)
def test_every_application_is_complete(name):
    app = find_app(name)
    assert app.name == name
    assert app.data in LOADERS
    assert bool(needs(app.data)) == (name != "digits8x8")
    assert app.approximation.retraining.learning_rate <= app.training.learning_rate
    sample = np.zeros((2, *app.network.input_shape), np.float32)
    logits = Network(app.network, seed=0).predict(sample)
    assert logits.shape == (2, app.network.layers[-1].channels)


def test_unknown_application_is_refused():
    with pytest.raises(ConfigError, match="application must be one of digits8x8, digits, objects"):
        find_app("cats")
