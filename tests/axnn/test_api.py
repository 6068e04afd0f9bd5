"""Networks in a few lines of Python; the page that shows them is run by `tests/test_readme.py`."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from axnn import api
from axnn.api import EngineConfig, LayerSpec, NetworkSpec, approximate, train
from axnn.approximation.widths import Trial
from axnn.data import Split
from axnn.errors import TrainingError
from tests.axnn.tiny import make_data, make_trained

DATA = make_data()
SPEC = NetworkSpec(
    name="own",
    input_shape=(1, 3, 4),
    layers=(
        LayerSpec(kind="dense", channels=8, function="relu"),
        LayerSpec(kind="dense", channels=3, function="identity"),
    ),
)


def test_a_description_is_trained():
    network = train(SPEC, DATA, seed=1)
    right = network.predict(DATA.validation.inputs).argmax(axis=1) == DATA.validation.labels
    assert right.mean() > 0.9
    same = train(SPEC, DATA, seed=1)
    assert network.digest == same.digest
    with pytest.raises(TrainingError):
        train(NetworkSpec(name="other", input_shape=(2, 3, 4), layers=SPEC.layers), DATA)


def test_a_trained_network_is_approximated_and_stays_as_it_is():
    network, engine = make_trained(DATA), EngineConfig(rows=2, cols=2)
    before = network.digest
    trials: list[Trial] = []
    found = approximate(
        network, DATA, bound_percent=10, epochs=1, engine=engine, on_trial=trials.append
    )
    assert network.digest == before
    assert found.axnn.engine == engine
    assert found.trials == tuple(trials)
    assert found.last_kept.accuracy >= found.trials[0].accuracy - 0.1
    assert min(np.unique(layer.precision).min() for layer in found.axnn.layers) < 16
    assert all(trial.rounds <= 3 for trial in found.trials)
    large = Split(np.zeros((9, 1, 5, 4), np.float32), np.arange(9) % 3)
    with pytest.raises(TrainingError, match=r"tiny reads samples of \(1, 3, 4\), but those of"):
        approximate(network, replace(DATA, train=large, validation=large, test=large))


def test_all_public_names_are_there_and_documented():
    for name in api.__all__:
        assert inspect.getdoc(getattr(api, name)), name
