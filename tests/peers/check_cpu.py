"""The networks in PyTorch and ONNX Runtime give the same results, so that times are comparable."""

import numpy as np
import pytest

from axnn.cpu.benchmark.peers import export_onnx, onnxruntime_session, quantise_onnx, torch_module
from tests.axnn.cpu.tiny_nets import make_network, pooled, random_inputs, summed

SPECS = {"summed": summed(), "pooled": pooled(), "sigmoid": summed("sigmoid")}


@pytest.mark.parametrize("name", SPECS)
def test_peers_compute_the_same_logits(name, tmp_path):
    network = make_network(SPECS[name])
    inputs = random_inputs(network, 33)
    wanted = network.predict(inputs)
    export_onnx(network, tmp_path / "network.onnx")
    for classify in (onnxruntime_session(tmp_path / "network.onnx", 1), torch_module(network, 1)):
        np.testing.assert_allclose(classify(inputs), wanted, atol=1e-5)


def test_int8_is_close(tmp_path):
    network = make_network(summed())
    inputs = random_inputs(network, 64)
    export_onnx(network, tmp_path / "network.onnx")
    quantise_onnx(tmp_path / "network.onnx", tmp_path / "int8.onnx", inputs)
    found = onnxruntime_session(tmp_path / "int8.onnx", 1)(inputs)
    wanted = network.predict(inputs)
    assert not np.array_equal(found, wanted)
    assert np.abs(found - wanted).max() < 0.3 * np.abs(wanted).max()
