"""Quantised networks as QONNX' own tools compute them; the models that come with these tools."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from sklearn.datasets import load_digits

from axnn.errors import ForeignNetworkError
from axnn.frontend import Grade, RefusedNodesError, compare, import_onnx
from axnn.frontend.imported import ImportedNetwork
from qcnpe.spec.inference import infer
from tests.axnn.frontend.quantised import NETWORKS

SAMPLES = 100


def computed_by_qonnx(path, samples):
    """Outputs of a file by QONNX' execution, a sample at a time."""
    model = ModelWrapper(str(path)).transform(InferShapes())
    entry, output = model.graph.input[0].name, model.graph.output[0].name
    found = [execute_onnx(model, {entry: sample[None]})[output] for sample in samples]
    return np.concatenate(found)


def integers_of(found: ImportedNetwork, samples):
    """Outputs of the network in the file's integers, as the numbers that they stand for."""
    assert found.quantisation is not None
    net = found.quantisation.net
    assert net is not None
    assert net.output_fraction_bits is not None
    outputs = infer(net, net.quantize_inputs(found.inputs(samples))).astype(np.float64)
    return np.ldexp(outputs, -net.output_fraction_bits)


def test_network_of_brevitas():
    digits = (load_digits().images[:SAMPLES, None] / 16).astype(np.float32)
    path = NETWORKS / "brevitas_half_up.onnx"
    found = import_onnx(path, digits)
    assert np.array_equal(integers_of(found, digits), computed_by_qonnx(path, digits))


def wheel(name):
    """A model that comes with QONNX."""
    spec = find_spec("qonnx")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data" / "onnx" / name


FLOATS = {
    "mnist-conv/model.onnx": (1, 28, 28),
    "residual_block_clean.onnx": (1, 200, 200),
    "bsd300x3-espcn/subpixel/float_model.onnx": (3, 4, 4),
}


@pytest.mark.parametrize("name", FLOATS)
def test_float_models(name):
    samples = np.random.default_rng(0).uniform(0, 1, (4, *FLOATS[name])).astype(np.float32)
    assert compare(import_onnx(wheel(name), samples), samples).relative < 1e-5


QUANTISED = {
    "bsd300x3-espcn/subpixel/quant_model.onnx": ((3, 128, 128), 255),
    "eltwise_chanlast_testcase.onnx": ((3, 224, 224), 1),
}
"""Shape of a sample, and what pixels of 8 bits are divided by."""


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_models(name):
    """Their scales, or the numbers behind their convolutions, are no powers of two."""
    shape, divisor = QUANTISED[name]
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape))
    samples = (pixels / divisor).astype(np.float32)
    found = import_onnx(wheel(name), samples)
    assert found.quantisation is not None
    assert found.quantisation.grade == Grade.FLOAT
    theirs = computed_by_qonnx(wheel(name), samples)
    assert np.abs(found.reference(samples) - theirs).max() < 1e-5


REFUSED = {
    "bsd300x3-espcn/nn_resize/quant_model.onnx": r"\(Resize\)",
    "bsd300x3-espcn/nn_resize/float_model.onnx": r"\(Resize\)",
    "floatquant_exec/qonnx_act_weight_fp8.onnx": r"FloatQuant\): it rounds to floating-point",
    "matmul_update/sdp.onnx": "has 3 inputs",
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_are_refused(name):
    for shape in ((3, 128, 128), (3, 8, 8), (3,), (1, 128)):
        with pytest.raises((RefusedNodesError, ForeignNetworkError), match=REFUSED[name]):
            import_onnx(wheel(name), np.ones((1, *shape), np.float32))
