"""The same networks in other tools, for comparison: PyTorch and ONNX Runtime.

Only comparisons need them (extra `speed`). A network is exported to ONNX Runtime as an ONNX graph
of the operators for which it has its fastest kernels.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.chain import chain_of
from axnn.cpu.kinds import sums_windows
from axnn.errors import RunError
from axnn.nn.layers import SourceLayer
from axnn.nn.network import Network
from qcnpe.spec.files import replace_file

Classify = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps inputs (samples, channels, height, width) to logits (samples, classes)."""

_OPSET = 17
_CALIBRATION_BATCH = 64
_FUNCTIONS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def missing_peers() -> list[str]:
    """Packages that a comparison needs but that are not installed."""
    from importlib.util import find_spec

    return [name for name in ("onnx", "onnxruntime", "torch") if find_spec(name) is None]


def check_peers() -> None:
    """Raise `RunError` unless all peers are installed."""
    if missing := missing_peers():
        raise RunError(f"a comparison needs {', '.join(missing)}: pip install 'axnn[cpu,speed]'")


class _Graph:
    """Builder of an ONNX graph that is a chain of nodes."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.last = "inputs"

    def add(self, operator: str, *operands: NDArray[Any], **attributes: Any) -> None:
        """Append an operator that reads the previous result and these constants."""
        from onnx import helper, numpy_helper

        names = [f"operand{len(self.constants) + number}" for number in range(len(operands))]
        for name, operand in zip(names, operands, strict=True):
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(operand), name))
        result = f"result{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [self.last, *names], [result], **attributes))
        self.last = result


def export_onnx(network: Network, path: Path) -> None:
    """Write a network as an ONNX file, for any number of samples; its output is the logits."""
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    flat = False
    for layer in chain_of(network):
        if layer.geometry.is_dense and not flat:
            graph.add("Flatten", axis=1)
            flat = True
        _add_layer(graph, layer)
    inputs = helper.make_tensor_value_info(
        "inputs", TensorProto.FLOAT, ["samples", *network.spec.input_shape]
    )
    classes = chain_of(network)[-1].geometry.channels
    logits = helper.make_tensor_value_info(graph.last, TensorProto.FLOAT, ["samples", classes])
    body = helper.make_graph(graph.nodes, network.spec.name, [inputs], [logits], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    replace_file(path, lambda temporary: onnx.save(model, temporary))


def _add_layer(graph: _Graph, layer: SourceLayer) -> None:
    geometry, bias = layer.geometry, layer.bias.value
    if geometry.is_dense:
        graph.add("Gemm", layer.weights.value, bias, transB=1)
    elif sums_windows(layer):
        graph.add("AveragePool", kernel_shape=geometry.kernel, strides=geometry.stride)
        weight = layer.operand_weights().sum(axis=1)
        graph.add("Mul", weight[:, None, None])
        graph.add("Add", bias[:, None, None])
    else:
        graph.add(
            "Conv", _kernels(layer), bias, strides=geometry.stride, group=geometry.groups,
            pads=list(geometry.padding),
        )  # fmt: skip
        if geometry.window > 1:  # before the function, which is monotone: fewer values
            graph.add("MaxPool", kernel_shape=geometry.pool, strides=geometry.pool)
    if layer.function != "identity":
        graph.add(_FUNCTIONS[layer.function])


def _kernels(layer: SourceLayer) -> NDArray[np.float32]:
    geometry = layer.geometry
    depth = geometry.input_shape[0] // geometry.groups
    return layer.weights.value.reshape(geometry.channels, depth, *geometry.kernel)


def quantise_onnx(source: Path, target: Path, samples: NDArray[np.float32]) -> None:
    """Quantise an ONNX file to int8 by ONNX Runtime's static quantisation on these samples."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        """Yields the samples in batches."""

        def __init__(self) -> None:
            self._batches: Iterator[NDArray[np.float32]] = iter(
                np.array_split(samples, max(1, len(samples) // _CALIBRATION_BATCH))
            )

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            """The next batch."""
            batch = next(self._batches, None)
            return None if batch is None else {"inputs": batch}

    def fill(temporary: Path) -> None:
        quantize_static(source, temporary, Reader(), quant_format=QuantFormat.QDQ, per_channel=True)

    replace_file(target, fill)


def onnxruntime_session(path: Path, threads: int) -> Classify:
    """ONNX Runtime on the processor, with all of its optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, {"inputs": inputs})[0]


def torch_module(network: Network, threads: int) -> Classify:
    """PyTorch in eager mode, without gradients."""
    import torch

    steps = [_torch_layer(layer) for layer in chain_of(network)]

    def classify(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            values = torch.from_numpy(inputs)
            for step in steps:
                values = step(values)
            return values.numpy()

    return classify


def _torch_layer(layer: SourceLayer) -> Callable[[Any], Any]:
    import torch
    from torch.nn import functional

    geometry = layer.geometry
    functions: dict[str, Callable[[Any], Any]] = {
        "identity": lambda values: values,
        "relu": torch.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
    }
    function = functions[layer.function]
    bias = torch.from_numpy(layer.bias.value.copy())
    if geometry.is_dense:
        matrix = torch.from_numpy(layer.weights.value.copy())
        return lambda values: function(functional.linear(values.flatten(1), matrix, bias))
    if sums_windows(layer):
        weight = torch.from_numpy(layer.operand_weights().sum(axis=1)[:, None, None])
        column = bias[:, None, None]
        return lambda values: function(
            torch.addcmul(column, functional.avg_pool2d(values, geometry.kernel), weight)
        )
    kernels = torch.from_numpy(_kernels(layer).copy())

    def convolve(values: Any) -> Any:
        found = functional.conv2d(
            values, kernels, bias, geometry.stride, geometry.padding[:2], groups=geometry.groups
        )
        if geometry.window > 1:
            found = functional.max_pool2d(found, geometry.pool)
        return function(found)

    return convolve
