"""Bit-true models as QONNX' own tools read and execute them."""

import numpy as np
import onnx
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from qcnpe.interchange import export_onnx
from qcnpe.spec.inference import infer
from tests.qcnpe.networks import random_graph, random_inputs


@pytest.fixture(params=range(3))
def exported(request, tmp_path):
    """A network, its model for one sample, the tensors with annotations, and inputs."""
    rng = np.random.default_rng(request.param)
    net = random_graph(rng)
    path = tmp_path / "net.onnx"
    export_onnx(net, path)
    model = onnx.load(path)
    for entry in (*model.graph.input, *model.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_value = 1
    annotated = [entry.tensor_name for entry in model.graph.quantization_annotation]
    wrapped = ModelWrapper(model).transform(InferShapes())
    return net, wrapped, annotated, random_inputs(rng, net, 3)


def test_results_are_those_of_integer_inference(exported):
    net, model, _, codes = exported
    reals = np.ldexp(codes.astype(np.float32), -net.input_fraction_bits).reshape(-1, 1, 2, 4, 3)
    found = [execute_onnx(model, {"inputs": sample})["logits"] for sample in reals]
    assert np.array_equal(np.concatenate(found), infer(net, codes))


def test_types_of_integers_are_read_and_hold_every_value(exported):
    net, model, annotated, codes = exported
    sample = np.ldexp(codes[:1].astype(np.float32), -net.input_fraction_bits)
    values = execute_onnx(
        model, {"inputs": sample.reshape(1, 2, 4, 3)}, return_full_exec_context=True
    )
    kinds = {name: model.get_tensor_datatype(name) for name in annotated}
    assert {kind.bitwidth() for name, kind in kinds.items() if "_as_" in name} >= {2, 4, 8}
    for name, kind in kinds.items():
        assert kind.is_integer(), name
        assert all(kind.allowed(value) for value in np.unique(values[name])), name
