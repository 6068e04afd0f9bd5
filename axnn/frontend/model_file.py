"""Reads ONNX files into plain values, within limits. Nothing of the file is executed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from axnn.errors import ForeignNetworkError
from axnn.frontend.answers import find_answer
from axnn.frontend.graph import Array, Attribute, Graph, Node, shown, text_of
from axnn.frontend.operators.known import refuse_operators
from axnn.frontend.quantiser_nodes import QONNX_DOMAINS
from axnn.frontend.refusal import RefusedNodesError
from axnn.frontend.tensors import TensorReader
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import read_limited
from qcnpe.spec.geometry import MAX_VALUES
from qcnpe.tools.extras import require_modules

LIMIT_BYTES = 300 << 20
"""Largest file, and largest sum of what lies beside it."""

MAX_NODES = 20_000
"""Most nodes, and most constants, of a graph."""

OPSETS = range(6, 29)
"""Versions of ONNX' operators that are read."""

_OWN_DOMAINS = ("", "ai.onnx")
_INPUT_TYPES = (np.float32, np.float64, np.float16)


def read_model(path: Path) -> Graph:
    """The graph in an ONNX file.

    Raises
    ------
    FormatError
        If the file is missing, damaged or too large.
    ForeignNetworkError
        If it has several inputs or answers, or sizes that are not fixed.
    """
    require_modules("onnx")
    content = read_limited(path, LIMIT_BYTES)
    try:
        return _Reader(path, content).graph()
    except (UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise FormatError(f"{path}: damaged ONNX file ({error}); export it again") from error


@dataclass(frozen=True)
class _Input:
    """The input of a graph."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    batch: int | None


class _Reader:
    """Turns one file into a graph."""

    def __init__(self, path: Path, content: bytes) -> None:
        import onnx
        from google.protobuf.message import DecodeError

        self._path, self._onnx = path, onnx
        self._tensors = TensorReader(path, LIMIT_BYTES)
        self._model: Any = onnx.ModelProto()
        try:
            self._model.ParseFromString(content)
        except DecodeError as error:
            raise FormatError(f"{path}: is no ONNX file; give one that ends in .onnx") from error

    def graph(self) -> Graph:
        """The graph, checked."""
        proto, opset = self._model.graph, self._opset()
        if not proto.node or not proto.output:
            raise FormatError(f"{self._path}: holds no network; give an ONNX file that does")
        count = max(len(proto.node), len(proto.initializer), len(proto.input), len(proto.output))
        if count > MAX_NODES:
            raise FormatError(f"{self._path}: has more than {MAX_NODES:,} nodes or constants")
        if proto.sparse_initializer:
            raise FormatError(f"{self._path}: holds sparse constants; export it with dense ones")
        constants = {
            text_of(tensor.name): self._tensors.read(tensor) for tensor in proto.initializer
        }
        nodes = tuple(self._node(node, place) for place, node in enumerate(proto.node))
        self._import_qonnx()
        self._check_schema()
        try:
            entry = self._input(constants)
            outputs = [text_of(output.name) for output in proto.output]
            answer = find_answer(nodes, outputs, self._path)
        except ForeignNetworkError as error:
            if refusals := refuse_operators(nodes):
                raise RefusedNodesError(self._path, refusals, str(error)) from error
            raise
        live = _live(nodes, answer.tensor)
        return Graph(
            path=self._path,
            name=text_of(proto.name),
            opset=opset,
            input=entry.name,
            input_shape=entry.shape,
            input_type=entry.dtype,
            batch=entry.batch,
            output=answer.tensor,
            nodes=tuple(nodes[place] for place in live),
            constants=constants,
            content=self._reduced(live, entry.name, answer.tensor),
            notes=answer.notes,
            classes=answer.classes,
        )

    def _opset(self) -> int:
        versions = [
            entry.version for entry in self._model.opset_import if entry.domain in _OWN_DOMAINS
        ]
        if not versions:
            raise FormatError(f"{self._path}: is no ONNX file; give one that ends in .onnx")
        if versions[0] not in OPSETS:
            raise FormatError(
                f"{self._path}: has operators of version {versions[0]}, not {OPSETS.start} to"
                f" {OPSETS.stop - 1}; export it with one of these"
            )
        return int(versions[0])

    def _import_qonnx(self) -> None:
        """State the version of QONNX' operators, which some of its tools leave out."""
        stated = {entry.domain for entry in self._model.opset_import}
        used = {node.domain for node in self._model.graph.node}
        for domain in QONNX_DOMAINS:
            if domain in used - stated:
                self._model.opset_import.add(domain=domain, version=1)

    def _check_schema(self) -> None:
        """Check names, types of attributes and numbers of inputs, as the operators define them."""
        checker = self._onnx.checker
        try:
            checker.check_model(self._model.SerializeToString())
        except (checker.ValidationError, ValueError) as error:
            first = next(iter(str(error).splitlines()), "")
            raise FormatError(
                f"{self._path}: damaged ONNX file ({first}); export it again"
            ) from error

    def _node(self, proto: Any, place: int) -> Node:
        domain = text_of(proto.domain)
        prefix = "" if domain in _OWN_DOMAINS else f"{domain}."
        outputs = tuple(map(text_of, proto.output))
        return Node(
            name=text_of(proto.name) or f"#{place} making {next(iter(outputs), '')}",
            operator=f"{prefix}{text_of(proto.op_type)}",
            inputs=tuple(map(text_of, proto.input)),
            outputs=outputs,
            attributes={text_of(entry.name): self._attribute(entry) for entry in proto.attribute},
        )

    def _attribute(self, proto: Any) -> Attribute:
        kinds = self._onnx.AttributeProto
        readers: Mapping[int, Callable[[], Attribute]] = {
            kinds.INT: lambda: int(proto.i),
            kinds.FLOAT: lambda: float(proto.f),
            kinds.STRING: lambda: str(proto.s, "utf-8"),
            kinds.INTS: lambda: tuple(proto.ints),
            kinds.FLOATS: lambda: tuple(proto.floats),
            kinds.STRINGS: lambda: tuple(str(text, "utf-8") for text in proto.strings),
            kinds.TENSOR: lambda: self._tensors.read(proto.t),
        }
        return readers[proto.type]() if proto.type in readers else None

    def _input(self, constants: Mapping[str, Array]) -> _Input:
        inputs = {text_of(entry.name): entry for entry in self._model.graph.input}
        inputs = {name: entry for name, entry in inputs.items() if name not in constants}
        if len(inputs) != 1:
            names = ", ".join(map(shown, list(inputs)[:5]))
            raise ForeignNetworkError(
                f"{self._path}: has {len(inputs)} inputs ({names}); networks of one input are read"
            )
        ((name, entry),) = inputs.items()
        where = f"{self._path}: input {shown(name)!r}"
        tensor = entry.type.tensor_type
        types = {
            self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)): np.dtype(dtype)
            for dtype in _INPUT_TYPES
        }
        if tensor.elem_type not in types:
            raise ForeignNetworkError(f"{where} must be of floating-point numbers")
        sizes = _sizes([_size(dimension) for dimension in tensor.shape.dim], where)
        return _Input(name, sizes[1:], types[tensor.elem_type], sizes[0] or None)

    def _reduced(self, live: Sequence[int], entry: str, output: str) -> bytes:
        """A model with the nodes that lead to one tensor, which is its only output."""
        model, source = self._onnx.ModelProto(), self._model
        model.ir_version = source.ir_version
        model.opset_import.extend(source.opset_import)
        model.graph.name = "reduced"
        model.graph.node.extend(source.graph.node[place] for place in live)
        used = {name for node in model.graph.node for name in node.input}
        model.graph.initializer.extend(one for one in source.graph.initializer if one.name in used)
        model.graph.input.extend(one for one in source.graph.input if one.name == entry)
        model.graph.output.add().name = output
        content: bytes = model.SerializeToString()
        return content


def _live(nodes: Sequence[Node], output: str) -> list[int]:
    """Places of the nodes that lead to a tensor, in their order."""
    wanted, found = {output}, []
    for place in range(len(nodes) - 1, -1, -1):
        if not wanted.isdisjoint(nodes[place].outputs):
            wanted.update(name for name in nodes[place].inputs if name)
            found.append(place)
    return found[::-1]


def _size(dimension: Any) -> int | str:
    """A dimension's number, or its name if it has none; some exporters write -1 for none."""
    if dimension.HasField("dim_value") and dimension.dim_value >= 0:
        return int(dimension.dim_value)
    return text_of(dimension.dim_param) or "unnamed"


def _sizes(dimensions: Sequence[int | str], where: str) -> tuple[int, ...]:
    """An input's sizes; the first, that of a batch, is 0 if it is free."""
    if not 2 <= len(dimensions) <= 4:
        raise ForeignNetworkError(
            f"{where} must be (samples, columns), (samples, channels, length) or (samples,"
            f" channels, height, width), not of {len(dimensions)} axes"
        )
    free = [shown(size) for size in dimensions[1:] if isinstance(size, str)]
    if free:
        raise ForeignNetworkError(
            f"{where} has sizes that are not fixed ({', '.join(free)}); export the network with"
            " fixed sizes but for the number of samples"
        )
    sizes = tuple(0 if isinstance(size, str) else size for size in dimensions)
    if sizes[0] < 0 or min(sizes[1:]) < 1 or max(1, sizes[0]) * prod(sizes[1:]) > MAX_VALUES:
        raise ForeignNetworkError(f"{where} must have 1 to {MAX_VALUES:,} values, not {sizes}")
    return sizes
