"""Rows over channels: the same integers, a tile for 16 channels and not for one."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.averages import channels_as_rows
from qcnpe.blocking import block_network, compile_blocked
from qcnpe.compiler import compile_network
from qcnpe.placement.build import place_network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.machine import run_image
from tests.qcnpe.networks import network, random_inputs, random_layer


def with_average(rng, width, *, widths=(16,)):
    """A convolution, the average of its 12 channels of 3 lines, and a dense layer."""
    shape = (12, 3, width)
    layer = random_layer(
        rng, Geometry(input_shape=shape, channels=12, kernel=shape[1:], groups=12), widths=widths
    )
    average = replace(
        layer,
        bias=np.full_like(layer.bias, 7),
        widths={
            each: replace(
                operands,
                weights=np.full_like(operands.weights, 3 if each > 2 else 1),
                shift=np.full_like(operands.shift, 4),
            )
            for each, operands in layer.widths.items()
        },
    )
    before = Geometry(input_shape=(2, 3, width), channels=12, kernel=(3, 3), padding=(1, 1))
    return network(
        random_layer(rng, before, function="relu", widths=widths),
        average,
        random_layer(rng, Geometry.dense(12, 4), widths=widths),
    )


@pytest.mark.parametrize("widths", [(16,), (4,), (16, 8, 4, 2)])
def test_channels_lie_in_rows(widths):
    rng = np.random.default_rng(2)
    net = with_average(rng, 4, widths=widths)
    rows = channels_as_rows(net)
    assert rows.layers[1].wiring.channels == 1
    assert rows.layers[1].wiring.output_shape == (1, 12, 1)
    inputs = random_inputs(rng, net, 2)
    np.testing.assert_array_equal(infer(rows, inputs), infer(net, inputs))
    engine = EngineConfig(rows=4, cols=4)
    image = place_network(net, MemoryConfig.default(engine), 2).image
    np.testing.assert_array_equal(run_image(image, inputs)[0], infer(net, inputs))


def test_channels_of_a_blocked_map_lie_in_rows():
    """Columns of the convolution are channels; the average reads all that were one channel."""
    rng = np.random.default_rng(3)
    net = with_average(rng, 4)
    blocked = block_network(channels_as_rows(net), {-1: 1, 0: 2, 1: 1, 2: 1})
    inputs = random_inputs(rng, net, 3)
    np.testing.assert_array_equal(infer(blocked, inputs), infer(net, inputs))


def test_an_average_takes_a_tile_for_as_many_channels_as_rows():
    net = with_average(np.random.default_rng(2), 16)
    config = EngineConfig(rows=12, cols=4)
    found = compile_blocked(net, MemoryConfig.default(config), 1)
    assert found.layers[1].layer.wiring.channels == 1
    assert len(found.layers[1].groups) == 1
    before = compile_network(net, config, 1, stored=True).layers[1].counts.cycles
    after = found.layers[1].counts.cycles
    assert before >= 12 * 48
    assert after < 48 + 40


@pytest.mark.parametrize("part", ["bias", "weights", "shift"])
def test_channels_that_differ_stay_apart(part):
    net = with_average(np.random.default_rng(2), 4)
    average = net.layers[1]
    array = average.bias if part == "bias" else getattr(average.widths[16], part)
    array[5] += 1
    assert channels_as_rows(net).layers[1] is average
