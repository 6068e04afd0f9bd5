"""Networks from ONNX files, and what they compute there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.errors import ForeignNetworkError
from axnn.frontend.draft import is_natural
from axnn.frontend.grading import Quantisation, grade_network
from axnn.frontend.graph import Graph, shown
from axnn.frontend.lowering import ForeignTensor, lower
from axnn.frontend.model_file import read_model
from axnn.frontend.reference import run_reference, run_tensors
from axnn.nn.network import Network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import InputError

_OTHER = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, eq=False)
class ImportedNetwork:
    """A network that has been read from an ONNX file.

    Attributes
    ----------
    network : reads inputs in [-1, 1], and returns the logits
    span : a power of two by which samples are divided to become those inputs; the layers that read
        them have it folded into their weights
    graph : what the file holds
    input_order : (channels, height, width) place of each input among the values of a sample
    output_order : in the shape of the file's output, place of each element among the logits
    tensors : by layer, where there is one, the tensor of the file that holds its results
    quantisation : what is kept of a quantised file's integers; None if the file is not quantised
    """

    network: Network
    span: float
    graph: Graph
    input_order: NDArray[np.int64]
    output_order: NDArray[np.int64]
    tensors: Mapping[int, ForeignTensor]
    quantisation: Quantisation | None

    @property
    def keeps_order(self) -> bool:
        """Whether output k of the network is output k of the file, whose axes may be others."""
        return is_natural(self.output_order)

    @property
    def keeps_input_order(self) -> bool:
        """Whether the network reads the values of a sample in the order of the file's input."""
        return is_natural(self.input_order)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how the file was read, a line each."""
        scaled = f"inputs are divided by {self.span:g}, which the weights make up for"
        moved = "outputs are in the order of channels, rows and columns, which is not the file's"
        return (
            *self.graph.notes,
            *([scaled] if self.span != 1 else []),
            *([] if self.keeps_order else [moved]),
        )

    def inputs(self, samples: ArrayLike) -> NDArray[np.float32]:
        """Samples as the network reads them.

        Parameters
        ----------
        samples : as the file reads them, or (samples, channels, height, width) of the network

        Raises
        ------
        InputError
            If they have another shape, or values that are not finite or larger than the span.
        """
        given = self._as_the_file_reads(samples)
        if not (np.abs(given) <= self.span).all():
            raise InputError(
                f"{self.graph.path}: samples must lie in {-self.span:g}..{self.span:g}, as those it"
                " was imported with; import it with samples that reach as far"
            )
        flat = given.reshape(len(given), -1)[:, self.input_order.reshape(-1)]
        scaled: NDArray[np.float32] = (flat / np.float32(self.span)).astype(np.float32)
        return scaled.reshape(-1, *self.input_order.shape)

    def _as_the_file_reads(self, samples: ArrayLike) -> NDArray[Any]:
        values, foreign = np.asarray(samples), self.graph.input_shape
        if values.dtype.kind not in "iuf" or not len(values):
            raise InputError(f"{self.graph.path}: samples must be numbers, not {values.dtype}")
        if values.shape[1:] == foreign:
            return values
        if values.shape[1:] != self.input_order.shape:
            raise InputError(
                f"{self.graph.path}: samples must be {foreign} or {self.input_order.shape}, not"
                f" {values.shape[1:]}"
            )
        flat = np.empty((len(values), self.input_order.size), values.dtype)
        flat[:, self.input_order.reshape(-1)] = values.reshape(len(values), -1)
        return flat.reshape(-1, *foreign)

    def predict(self, samples: ArrayLike) -> NDArray[np.float32]:
        """Outputs of the network in the file's shape, (samples, ...)."""
        logits = self.network.predict(self.inputs(samples))
        found: NDArray[np.float32] = logits[:, self.output_order.reshape(-1)].astype(np.float32)
        return found.reshape(-1, *self.output_order.shape)

    def reference(self, samples: ArrayLike) -> NDArray[Any]:
        """Outputs of the file in onnxruntime, its optimiser off; see `run_reference`."""
        return run_reference(self.graph, self._as_the_file_reads(samples))

    def reference_layers(self, samples: ArrayLike) -> dict[int, NDArray[Any]]:
        """(samples, results) of the layers that are tensors of the file, in onnxruntime."""
        names = [tensor.name for tensor in self.tensors.values()]
        found = run_tensors(self.graph, self._as_the_file_reads(samples), names)
        layers = {}
        for (index, tensor), values in zip(self.tensors.items(), found, strict=True):
            flat = np.empty((len(values), tensor.order.size), values.dtype)
            if values.size != flat.size:
                raise ForeignNetworkError(
                    f"{self.graph.path}: tensor {shown(tensor.name)} is of another size in"
                    f" onnxruntime: {values.shape}"
                )
            flat[:, tensor.order.reshape(-1)] = values.reshape(len(values), -1)
            layers[index] = flat
        return layers


def import_onnx(
    path: Path | str, samples: ArrayLike, config: EngineConfig | None = None
) -> ImportedNetwork:
    """Read the network in an ONNX file.

    The engine reads inputs in [-1, 1]. So the samples are divided by a power of two that the
    largest of them does not exceed, and the weights that read them are multiplied by it: the
    outputs stay the same.

    Parameters
    ----------
    path : of the file
    samples : real ones, as the file reads them or (samples, channels, height, width), that show
        how large inputs become
    config : engine for a quantised network; by default that of `EngineConfig`, or a gated one with
        the file's widths

    Raises
    ------
    RefusedNodesError
        If nodes cannot run; the message names all of them, with their operators and the reasons.
    ForeignNetworkError
        If the file holds another kind of network.
    FormatError
        If the file is missing, damaged or too large.

    Examples
    --------
    >>> imported = import_onnx("lenet.onnx", samples)  # doctest: +SKIP
    >>> compare(imported, samples).relative  # doctest: +SKIP
    """
    values = np.asarray(samples)
    if values.dtype.kind not in "iuf" or not values.size or not np.isfinite(values).all():
        raise InputError(f"{path}: samples must be finite numbers; leave out what is not")
    largest = float(np.abs(values).max())
    graph = read_model(Path(path))
    span = 2.0 ** max(-_FINEST, ceil(log2(largest))) if largest else 1.0
    lowered = lower(graph, span, values.shape[1:] if values.ndim == 4 else ())
    name = _OTHER.sub("_", Path(path).stem).strip("_").lower() or "imported"
    network = lowered.builder.network(name)
    quantisers = lowered.builder.quantisers
    return ImportedNetwork(
        network=network,
        span=span,
        graph=graph,
        input_order=lowered.input_order,
        output_order=lowered.output_order,
        tensors=lowered.tensors,
        quantisation=grade_network(network, quantisers, config) if quantisers else None,
    )


_FINEST = 100
"""Smallest span, as a power of a half."""
