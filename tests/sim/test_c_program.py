"""Programs in C on the emitted Verilog, which other tests have built."""

from pathlib import Path

import numpy as np
import pytest

from qcnpe.placement.build import place_network
from qcnpe.placement.join import join_images
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from sim.c_program import classify
from tests.qcnpe.networks import network, random_inputs, random_layer
from tests.sim.test_autonomous import SMALL

PROGRAM = Path(__file__).parents[2] / "examples" / "bare_metal" / "digits.c"


pytestmark = pytest.mark.xdist_group("autonomous3")


@pytest.fixture(scope="module")
def small():
    """A network and four samples."""
    rng = np.random.default_rng(4)
    widths = SMALL.engine.precisions
    first = random_layer(rng, Geometry.dense(20, 9), function="tanh", widths=widths)
    net = network(first, random_layer(rng, Geometry.dense(9, 5), name="last", widths=widths))
    return net, random_inputs(rng, net, 4)


def test_the_example_gets_the_integer_models_logits(small):
    """Two runs of two samples, of which the first boots."""
    net, inputs = small
    found = classify(PROGRAM, [place_network(net, SMALL, 2).image], inputs)
    expected = infer(net, inputs)
    assert len(np.unique(expected)) > 15
    np.testing.assert_array_equal(found.logits, expected)
    np.testing.assert_array_equal(found.classes, expected.argmax(axis=1))


def test_operating_points_take_turns():
    """Two networks in one file: each is loaded at its first run, and resumed after the other's."""
    rng = np.random.default_rng(4)
    nets = [
        network(random_layer(rng, Geometry.dense(20, 5), widths=(width,)))
        for width in SMALL.engine.precisions[:2]
    ]
    inputs = random_inputs(rng, nets[0], 4)
    images = join_images([place_network(net, SMALL, 1).image for net in nets])
    found = classify(PROGRAM, images, inputs)
    one, two = (infer(net, inputs) for net in nets)
    assert (one != two).any()
    np.testing.assert_array_equal(found.logits[::2], one[::2])
    np.testing.assert_array_equal(found.logits[1::2], two[1::2])


def test_interrupts_stops_and_faults(small):
    """A run after a fault and one after a stop boot; the program checks the causes."""
    net, inputs = small
    program = Path(__file__).with_name("interrupted.c")
    found = classify(program, [place_network(net, SMALL, 4).image], inputs)
    np.testing.assert_array_equal(found.logits, infer(net, inputs))
