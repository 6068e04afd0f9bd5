"""The program of the bare-metal example on the emitted Verilog, which other tests have built."""

from pathlib import Path

import numpy as np
import pytest

from qcnpe.placement.build import place_network
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from sim.c_program import classify
from tests.qcnpe.networks import network, random_inputs, random_layer
from tests.sim.test_autonomous import SMALL

PROGRAM = Path(__file__).parents[2] / "examples" / "bare_metal" / "digits.c"


@pytest.mark.xdist_group("autonomous3")
def test_a_program_in_c_gets_the_integer_models_logits():
    """Two runs of two samples, of which the first boots."""
    rng = np.random.default_rng(4)
    widths = SMALL.engine.precisions
    first = random_layer(rng, Geometry.dense(20, 9), function="tanh", widths=widths)
    net = network(first, random_layer(rng, Geometry.dense(9, 5), name="last", widths=widths))
    inputs = random_inputs(rng, net, 4)
    found = classify(PROGRAM, place_network(net, SMALL, 2).image, inputs)
    expected = infer(net, inputs)
    assert len(np.unique(expected)) > 15
    np.testing.assert_array_equal(found.logits, expected)
    np.testing.assert_array_equal(found.classes, expected.argmax(axis=1))
