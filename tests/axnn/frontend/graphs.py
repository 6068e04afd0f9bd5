"""Small ONNX files made for a test, and samples for them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from axnn.frontend import ImportedNetwork, compare, import_onnx

OPSET = 17


def node(operator, inputs, outputs="y", *, name=None, **attributes):
    """A node; inputs and outputs are names with spaces between them, and `-` is left out."""
    names = [word if word != "-" else "" for word in inputs.split()]
    return helper.make_node(operator, names, outputs.split(), name=name, **attributes)


def make_model(nodes, shape, constants=None, *, batch="n", outputs=("y",), opset=OPSET):
    """A model that reads `x`, samples of a shape, and makes its outputs."""
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in outputs]
    tensors = [
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in (constants or {}).items()
    ]
    graph = helper.make_graph(nodes, "graph", [entry], made, tensors)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def write(folder, model) -> Path:
    """The model in a file."""
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def floats(shape, seed=0):
    """Random numbers in single precision."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def imported(folder, nodes, shape, constants=None, samples=5, **how) -> ImportedNetwork:
    """The network of a model, checked against onnxruntime to the last digits but one."""
    model = make_model(nodes, shape, constants, **how)
    drawn = floats((samples, *shape), seed=1)
    found = import_onnx(write(folder, model), drawn)
    assert compare(found, drawn).relative < 2e-6
    return found


def kinds(found: ImportedNetwork):
    """The kind of each layer."""
    return [layer.kind for layer in found.network.spec.layers]
