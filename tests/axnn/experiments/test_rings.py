"""Rings by hand, and the edge experiment on samples whose centre alone says the class."""

from dataclasses import replace

import numpy as np
import pytest

from axnn.data import Classes, Split
from axnn.experiments.documents import ORDERS
from axnn.experiments.rings import edge_experiment, lower_positions, ring_means, ring_of
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.nn.train import TrainingPlan, train
from axnn.quantisation.quantize import uniform_precision
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.geometry import Geometry
from tests.axnn.tiny import ENGINE, make_data

MAP = Geometry(input_shape=(1, 4, 5), channels=2)


def test_rings_of_a_small_map():
    expected = [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    assert ring_of(MAP).reshape(4, 5).tolist() == expected
    assert ring_of(Geometry.dense(3, 4)).tolist() == [0]


def test_ring_means_are_over_all_channels():
    scores = np.stack([ring_of(MAP) * 10.0, ring_of(MAP) * 20.0 + 2])
    assert ring_means(scores, MAP).tolist() == [1, 16]


@pytest.mark.parametrize(("order", "lowered"), [("edges", {0}), ("centre", {1})])
def test_the_named_positions_go_first(order, lowered):
    precision = (np.full((2, 20), 16, np.uint8), np.full((3, 1), 16, np.uint8))
    geometries = [MAP, Geometry.dense(40, 3)]
    found = lower_positions(precision, geometries, order=order, share=0.3, width=2, seed=0)
    assert set(ring_of(MAP)[found[0][0] == 2].tolist()) == lowered
    assert (found[0] == 2).sum() == 2 * 6
    assert np.array_equal(found[0][0], found[0][1])
    assert (found[1] == 16).all()
    everything = lower_positions(precision, geometries, order=order, share=1, width=2, seed=0)
    assert (everything[0] == 2).all()
    assert (precision[0] == 16).all()


def test_impossible_orders_and_shares_are_refused():
    precision = (np.full((2, 20), 16, np.uint8),)
    with pytest.raises(ConfigError, match="order must be one of edges, centre, random"):
        lower_positions(precision, [MAP], order="left", share=0.5, width=2, seed=0)
    with pytest.raises(ConfigError, match=r"share must be 0\.\.1, not 1\.5"):
        lower_positions(precision, [MAP], order="edges", share=1.5, width=2, seed=0)


def test_lowering_the_centre_costs_more_where_only_the_centre_matters():
    rng = np.random.default_rng(0)
    inputs = rng.random((400, 1, 6, 6)).astype(np.float32)
    labels = (inputs[:, 0, 2:4, 2:4].sum(axis=(1, 2)) > 2).astype(np.int64)
    split = Split(inputs, labels)
    data = replace(
        make_data(), classes=Classes.numbered(2), train=split, validation=split, test=split
    )
    spec = NetworkSpec(
        name="map",
        input_shape=(1, 6, 6),
        layers=(
            LayerSpec(kind="convolution", channels=3, function="identity"),
            LayerSpec(kind="dense", channels=2, function="identity"),
        ),
    )
    network = Network(spec, seed=0)
    train(network, data, TrainingPlan(epochs=30, batch=16, learning_rate=0.05), seed=0)
    told: list[int] = []
    found = edge_experiment(
        network,
        split,
        split,
        ENGINE,
        width=2,
        shares=(0.0, 0.4, 1.0),
        seed=0,
        progress=told.append,
    )
    assert list(found) == list(ORDERS)
    assert told == list(range(1, 10))
    for accuracies in found.values():
        assert accuracies[0] == found["edges"][0]
        assert accuracies[-1] == found["edges"][-1]
    assert found["edges"][1] == pytest.approx(found["edges"][0], abs=0.02)
    assert found["centre"][1] < found["edges"][1] - 0.05
    assert uniform_precision(network, 16)[0].shape == (3, 36)
