"""The driver on the reference model."""

import numpy as np
import pytest

from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from tests.qcnpe.networks import network, random_inputs, random_layer

CONFIG = EngineConfig(rows=5, cols=3)


@pytest.fixture
def net():
    rng = np.random.default_rng(1)
    conv = Geometry(input_shape=(1, 7, 7), channels=4, kernel=(3, 3), stride=(1, 1), pool=(1, 2))
    return network(
        random_layer(rng, conv, name="conv", function="sigmoid"),
        random_layer(rng, Geometry.dense(40, 9), name="dense", input_unsigned=True),
    )


@pytest.mark.parametrize("batch", [1, 4, 7])
def test_outputs_are_those_of_the_network(net, batch):
    inputs = random_inputs(np.random.default_rng(batch), net, batch)
    transport = ModelTransport(CONFIG)
    program = compile_network(net, CONFIG, batch)
    names: list[str] = []
    outputs = Driver(transport).run(program, inputs, progress=names.append)
    np.testing.assert_array_equal(outputs, infer(net, inputs))
    assert names == ["conv", "dense"]
    assert transport.cycles == program.cycles


def test_wrong_batch_is_refused(net):
    program = compile_network(net, CONFIG, 4)
    with pytest.raises(FormatError, match=r"program reads \(4, 49\) inputs, not \(3, 49\)"):
        Driver(ModelTransport(CONFIG)).run(program, np.zeros((3, 49), np.int16))


def test_program_of_another_engine_is_refused(net):
    program = compile_network(net, CONFIG, 1)
    with pytest.raises(FormatError, match="compile it for this one"):
        Driver(ModelTransport(EngineConfig())).run(program, np.zeros((1, 49), np.int16))
