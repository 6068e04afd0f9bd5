"""Bit-true export: a `QuantNet` as a standard ONNX model with the same integers everywhere."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from qcnpe.interchange.graph import IR_VERSION, OPSET, Graph
from qcnpe.interchange.layer import LayerWriter
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.documents import encode_document
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import replace_bytes
from qcnpe.spec.fixed import limits
from qcnpe.spec.geometry import NETWORK_INPUT, Source
from qcnpe.spec.qnet import QuantNet
from qcnpe.tools.extras import require_modules

FORMAT = "qcnpe-bit-true-1"
"""Value of the metadata's entry `format`."""

INPUT, OUTPUT = "inputs", "logits"
"""Names of the model's input and of its output."""


def export_onnx(
    net: QuantNet,
    path: Path | str,
    *,
    input_shape: Sequence[int] | None = None,
    integers: bool = False,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a network as an ONNX model whose results are those of `qcnpe.spec.inference.infer`.

    The model has standard operators only and computes in float64, which holds every intermediate
    result exactly. Its output `logits` is int16 (samples, outputs): the results of the last layer.
    The same network gives the same bytes.

    Parameters
    ----------
    net : the network
    path : the file
    input_shape : of one sample; by default that of the map that the first layer reads, or one axis
    integers : the input `inputs` is int16, as `QuantNet.quantize_inputs` makes it; else it is
        float32, in the units of the training, and the model quantises it
    facts : JSON-compatible facts for the metadata, such as the energy

    Raises
    ------
    ToolMissingError
        If the extra `onnx` is not installed.
    FormatError
        If the sums of a layer do not fit float64, or the shape does not fit the network.
    CapacityError
        If the network is too large for an ONNX file.
    """
    require_modules("onnx")
    replace_bytes(Path(path), _Model(net, input_shape, integers=integers).serialized(facts or {}))


class _Model:
    """A network that becomes a model."""

    def __init__(self, net: QuantNet, input_shape: Sequence[int] | None, *, integers: bool) -> None:
        self._net, self._integers, self._graph = net, integers, Graph()
        self._input_shape = _input_shape(net) if input_shape is None else tuple(input_shape)
        if prod(self._input_shape) != net.inputs:
            raise FormatError(
                f"network {net.name} reads {net.inputs} values, not a sample of {input_shape}"
            )
        self._results = {NETWORK_INPUT: self._add_input()}
        self._copies: dict[tuple[int, int], str] = {}

    def serialized(self, facts: Mapping[str, Any]) -> bytes:
        """The model's file."""
        from onnx import TensorProto, helper

        kind = TensorProto.INT16 if self._integers else TensorProto.FLOAT
        self._add_layers()
        graph = helper.make_graph(
            self._graph.nodes,
            self._net.name or "network",
            [helper.make_tensor_value_info(INPUT, kind, ["samples", *self._input_shape])],
            [
                helper.make_tensor_value_info(
                    OUTPUT, TensorProto.INT16, ["samples", self._net.outputs]
                )
            ],
            self._graph.constants,
        )
        graph.quantization_annotation.extend(self._graph.annotations)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="qcnpe",
        )
        helper.set_model_props(model, metadata_of(self._net, facts))
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def _add_input(self) -> str:
        """(features, samples) of the network's input as 16-bit integers."""
        graph = self._graph
        flat = graph.add("Flatten", [INPUT], f"{INPUT}_flat", axis=1)
        columns = graph.add("Transpose", [flat], f"{INPUT}_columns", perm=[1, 0])
        real = graph.cast(columns, np.float64, f"{INPUT}_float64")
        if self._integers:
            return graph.annotate(real, *limits(OPERAND_BITS))
        factor = graph.scalar(2.0**self._net.input_fraction_bits)
        rounded = graph.shift(real, factor, f"{INPUT}_rounded")
        return graph.clip(rounded, *limits(OPERAND_BITS), f"{INPUT}_16bit")

    def _add_layers(self) -> None:
        for index, layer in enumerate(self._net.layers):

            def copy(source: Source, width: int, reader: int = index) -> str:
                return self._copy(source.reads(reader), width)

            plain = re.sub(r"\W+", "_", layer.name, flags=re.ASCII)
            name = f"layer{index}_{plain}"
            self._results[index] = LayerWriter(self._graph, layer, name, copy).write()
        last = self._results[len(self._net.layers) - 1]
        columns = self._graph.reshape(last, (self._net.outputs,), f"{OUTPUT}_columns")
        rows = self._graph.add("Transpose", [columns], f"{OUTPUT}_float64", perm=[1, 0])
        self._graph.annotate(rows, *limits(OPERAND_BITS))
        self._graph.cast(rows, np.int16, OUTPUT)

    def _copy(self, place: int, width: int) -> str:
        """The copy of a layer's results, or of the input, that neurons of a width read."""
        results, graph = self._results[place], self._graph
        if width == OPERAND_BITS:
            return results
        if (place, width) not in self._copies:
            copies = self._net.copies(place)
            name = f"{results}_as_{width}bit"
            factor = graph.scalar(2.0 ** -copies.shifts[width])
            rounded = graph.shift(results, factor, f"{name}_rounded")
            low, high = limits(width, unsigned=copies.unsigned)
            self._copies[place, width] = graph.clip(rounded, low, high, name)
        return self._copies[place, width]


def _input_shape(net: QuantNet) -> tuple[int, ...]:
    """Shape of one sample, as the first layer sees it."""
    channels, height, width = net.layers[0].sources[0].geometry.input_shape
    return (channels,) if (height, width) == (1, 1) else (channels, height, width)


def metadata_of(net: QuantNet, facts: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of a model: text, or JSON where the value is not text."""
    widths: Counter[int] = Counter()
    for layer in net.layers:
        widths.update(dict(zip(*np.unique(layer.precision, return_counts=True), strict=True)))
    found: dict[str, Any] = {
        "engine": net.engine,
        "input_fraction_bits": net.input_fraction_bits,
        "output_fraction_bits": net.output_fraction_bits,
        "neurons_by_width": {str(width): int(widths[width]) for width in sorted(widths)},
        "notes": net.notes,
        "facts": facts,
    }
    texts = {
        key: encode_document(value, sort_keys=True)
        for key, value in found.items()
        if value not in (None, {})
    }
    return {"format": FORMAT, "name": net.name, **texts}
