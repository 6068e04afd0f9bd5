"""Reads files of bit-true models, within limits: damaged and foreign ones are refused in one line.

Nothing is run here. What is read uses only the operators of the export, keeps all data in the file,
and has tensors of known, bounded sizes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from qcnpe.interchange.export import FORMAT, INPUT, OUTPUT
from qcnpe.interchange.graph import OPSET
from qcnpe.spec.documents import decode_document
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import read_limited
from qcnpe.tools.extras import require_modules

LIMIT_BYTES = 1 << 31

MAX_NODES = 100_000
"""Most nodes, and most constants, of a graph."""

MAX_ELEMENTS = 1 << 29
"""Largest sum of the sizes of all tensors that a model makes for one sample."""

MAX_HELD = 1 << 27
"""Most values that a model holds at once for one sample: 1 GiB in float64."""

MAX_WORK = 1 << 36
"""Most multiplications for one sample."""

OPERATORS = frozenset(
    (
        "Add", "Cast", "Clip", "Concat", "Flatten", "Floor", "Gather", "MatMul", "Mul", "Pad",
        "ReduceMax", "Reshape", "Sub", "Transpose",
    )
)  # fmt: skip
"""The operators of the export."""

_REMEDY = "export it again"


@dataclass(frozen=True)
class ModelFile:
    """A bit-true model that has been checked.

    Attributes
    ----------
    path : of the file
    content : its bytes
    input_type : of the input `inputs`: float32, or int16 for integers
    input_shape : of one sample
    outputs : results for one sample
    held : values that it holds at once for one sample
    metadata : its entries
    """

    path: Path
    content: bytes
    input_type: np.dtype[Any]
    input_shape: tuple[int, ...]
    outputs: int
    held: int
    metadata: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> "ModelFile":
        """Read a file.

        Raises
        ------
        FormatError
            If it is missing, damaged, or no bit-true model.
        ToolMissingError
            If the extra `onnx` is not installed.
        """
        require_modules("onnx")
        content = read_limited(path, LIMIT_BYTES)
        try:
            return _Reader(path, content).model_file()
        except (FormatError, MemoryError):
            raise
        # onnx raises a dozen types without a common base, also from its C++ parts
        except Exception as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise FormatError(f"{path}: damaged ONNX file ({first}); {_REMEDY}") from error


def read_facts(path: Path) -> dict[str, Any]:
    """The facts that a model was exported with; errors as those of `ModelFile.read`."""
    text = ModelFile.read(path).metadata.get("facts", "{}")
    return decode_document(text, dict[str, Any], where=f"{path}: facts")


class _Reader:
    """Checks one file."""

    def __init__(self, path: Path, content: bytes) -> None:
        import onnx

        self._path, self._content, self._onnx = path, content, onnx
        self._model = onnx.ModelProto.FromString(content)

    def model_file(self) -> ModelFile:
        """The file, checked."""
        model, onnx = self._model, self._onnx
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        if metadata.get("format") != FORMAT:
            raise FormatError(f"{self._path}: is no bit-true model of `qcnpe export`; give one")
        self._check_graph()
        onnx.checker.check_model(self._content)
        held = self._count_held()
        (entry,), (result,) = model.graph.input, model.graph.output
        return ModelFile(
            path=self._path,
            content=self._content,
            input_type=self._dtype(entry),
            input_shape=self._sizes(entry)[1:],
            outputs=self._sizes(result)[1],
            held=held,
            metadata=metadata,
        )

    def _check_graph(self) -> None:
        """Refuse what the export never writes."""
        model, graph = self._model, self._model.graph
        versions = [(entry.domain, entry.version) for entry in model.opset_import]
        if versions != [("", OPSET)] or model.functions or graph.sparse_initializer:
            self._refuse("uses more than the standard operators")
        if len(graph.node) > MAX_NODES or len(graph.initializer) > MAX_NODES:
            self._refuse(f"has more than {MAX_NODES:,} nodes or constants")
        foreign = {node.op_type for node in graph.node} - OPERATORS
        if foreign or any(node.domain for node in graph.node):
            self._refuse(f"has operators that no export writes ({', '.join(sorted(foreign))})")
        if any(tensor.external_data or tensor.data_location for tensor in self._tensors()):
            self._refuse("keeps data in other files")
        names = [entry.name for entry in graph.input], [entry.name for entry in graph.output]
        if names != ([INPUT], [OUTPUT]):
            self._refuse(f"must have one input, {INPUT}, and one output, {OUTPUT}")

    def _tensors(self) -> Iterator[Any]:
        """All constants, wherever they are."""
        yield from self._model.graph.initializer
        for node in self._model.graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g") or attribute.graphs:
                    self._refuse("has graphs in its nodes")
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors

    def _count_held(self) -> int:
        """Values held at once for one sample; sizes are those of the operators' definitions."""
        single = self._onnx.ModelProto()
        single.CopyFrom(self._model)
        del single.graph.value_info[:]
        for entry in (*single.graph.input, *single.graph.output):
            if not entry.type.tensor_type.shape.dim:
                self._refuse(f"does not say the shape of {entry.name}")
            entry.type.tensor_type.shape.dim[0].dim_value = 1
        inferred = self._onnx.shape_inference.infer_shapes(
            single, check_type=True, strict_mode=True, data_prop=True
        ).graph
        shapes = {
            entry.name: self._sizes(entry)
            for entry in (*inferred.input, *inferred.value_info, *inferred.output)
        }
        constants = {tensor.name: tuple(tensor.dims) for tensor in inferred.initializer}
        made = {name for node in inferred.node for name in node.output}
        if unknown := made - shapes.keys():
            self._refuse(f"has a tensor of unknown size ({min(unknown)})")
        elements = sum(map(prod, shapes.values()))
        if elements > MAX_ELEMENTS:
            self._refuse(f"makes {elements:,} values a sample, more than {MAX_ELEMENTS:,}")
        self._check_work(shapes | constants)
        held = _most_held(inferred.node, {name: prod(shape) for name, shape in shapes.items()})
        if held > MAX_HELD:
            self._refuse(f"holds {held:,} values a sample at once, more than {MAX_HELD:,}")
        return held

    def _check_work(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse products that take for ever."""
        work = sum(
            prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
            for node in self._model.graph.node
            if node.op_type == "MatMul"
        )
        if work > MAX_WORK:
            self._refuse(f"needs {work:,} multiplications a sample, more than {MAX_WORK:,}")

    def _sizes(self, entry: Any) -> tuple[int, ...]:
        """Sizes of a tensor's axes; that of a batch may be free."""
        dimensions = entry.type.tensor_type.shape.dim
        sizes = tuple(int(dimension.dim_value) for dimension in dimensions)
        if not entry.type.tensor_type.HasField("shape") or min(sizes[1:], default=1) < 1:
            self._refuse(f"has a tensor of unknown size ({entry.name})")
        return sizes

    def _dtype(self, entry: Any) -> np.dtype[Any]:
        helper = self._onnx.helper
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type))
        if dtype not in (np.float32, np.int16):
            self._refuse(f"reads {dtype}, not float32 or int16")
        return dtype

    def _refuse(self, reason: str) -> None:
        raise FormatError(f"{self._path}: {reason}; {_REMEDY}")


def _most_held(nodes: Sequence[Any], sizes: Mapping[str, int]) -> int:
    """Most values at once if each tensor is held from its node to the last one that reads it."""
    last = {name: place for place, node in enumerate(nodes) for name in node.input}
    held = most = sizes[INPUT]
    for place, node in enumerate(nodes):
        held += sum(sizes[name] for name in node.output)
        most = max(most, held)
        done = {name for name in (*node.input, *node.output) if last.get(name, place) == place}
        held -= sum(sizes.get(name, 0) for name in done)  # constants are not counted
    return most
