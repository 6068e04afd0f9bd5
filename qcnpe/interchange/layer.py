"""One layer of a `QuantNet` as ONNX operators, in float64, which holds each intermediate exactly.

The neurons of each width are a product of matrices of their own, over operands that `Gather` picks
(onnxruntime has no `Conv` in float64). The samples are the innermost axis: so each product is one
for the whole batch, and `Gather` copies long pieces. All values are integers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import gcd, prod

import numpy as np
from numpy.typing import NDArray

from qcnpe.interchange.graph import Graph
from qcnpe.spec.activation import Function, activate
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.fixed import limits
from qcnpe.spec.geometry import Geometry, Source
from qcnpe.spec.inference import exact_dtype
from qcnpe.spec.qnet import QuantLayer

_INTEGERS = (np.int8, np.int16, np.int32, np.int64)

Copy = Callable[[Source, int], str]
"""Finds the tensor that a source reads at a width."""


@dataclass(frozen=True, eq=False)
class _Part:
    """The neurons of one width.

    Attributes
    ----------
    width : in bits
    channels : those that are calculated: all that have the width at some position
    name : prefix of the names of its tensors
    """

    width: int
    channels: NDArray[np.intp]
    name: str


class LayerWriter:
    """Writes one layer into a graph.

    Parameters
    ----------
    graph : where to
    layer : in integers
    name : prefix of the names of the layer's tensors
    copy : finds what the layer reads
    """

    def __init__(self, graph: Graph, layer: QuantLayer, name: str, copy: Copy) -> None:
        self._graph, self._layer, self._name, self._copy = graph, layer, name, copy
        self._geometry = layer.sources[0].geometry
        self._positions = prod(self._geometry.map_shape)

    def write(self) -> str:
        """Append the layer; returns the name of its results, (channels, ..., samples).

        Raises
        ------
        FormatError
            If float64 does not hold its sums exactly.
        """
        parts = list(self._parts())
        results = [self._results(part) for part in parts]
        chosen = self._choose(parts, results)
        if self._layer.is_monotone:  # else it is done already, before pooling
            return self._activate(chosen, self._name)
        return chosen

    def _parts(self) -> Iterator[_Part]:
        """The layer's widths; channels that a source has in one group stay together."""
        layer, channels = self._layer, self._geometry.channels
        grouped = [one.geometry.groups for one in layer.sources if one.geometry.groups > 1]
        block = channels // gcd(*grouped) if grouped else 1
        for width in np.unique(layer.precision).tolist():
            exact_dtype(layer, width)  # raises
            used = (layer.precision == width).reshape(channels // block, -1).any(axis=1)
            members = np.flatnonzero(np.repeat(used, block))
            yield _Part(width, members, f"{self._name}_{width}bit")

    def _results(self, part: _Part) -> str:
        """(channels, outputs, samples) of one width; before the table if the order is no matter."""
        graph, layer, channels = self._graph, self._layer, part.channels
        factors = np.exp2(-layer.widths[part.width].shift[channels].astype(np.float64))
        biases = layer.bias[channels].astype(np.float64)
        low, high = limits(OPERAND_BITS)
        factor = graph.constant(f"{part.name}_factor", factors[:, None, None])
        bias = graph.constant(f"{part.name}_bias", biases[:, None, None])
        shifted = graph.shift(self._sums(part), factor, f"{part.name}_shifted")
        biased = graph.add("Add", [shifted, bias], f"{part.name}_biased")
        is_relu = layer.code is Function.RELU
        results = graph.clip(biased, 0 if is_relu else low, high, f"{part.name}_saturated")
        if not layer.is_monotone:
            results = self._activate(results, part.name)
        return self._pool(results, part)

    def _sums(self, part: _Part) -> str:
        """(channels, positions, samples) accumulators."""
        weights: dict[Source, NDArray[np.int64]] = {}
        for source, columns in self._layer.wiring.columns():
            own = self._layer.widths[part.width].weights[part.channels, columns].astype(np.int64)
            weights[source] = weights[source] + own if source in weights else own
        products = [
            self._product(part, source, own, f"{part.name}_source{number}")
            for number, (source, own) in enumerate(weights.items())
        ]
        total = products[0]
        for number, product in enumerate(products[1:], 1):
            total = self._graph.add("Add", [total, product], f"{part.name}_sum{number}")
        return total

    def _product(self, part: _Part, source: Source, weights: NDArray[np.int64], name: str) -> str:
        """(channels, positions, samples) sums over one source's operands."""
        graph, geometry = self._graph, source.geometry
        if geometry.groups == 1:
            matrices, groups = weights[None], np.zeros(1, np.intp)
        else:
            depth = geometry.channels // geometry.groups
            groups = np.unique(part.channels // depth)
            matrices = weights.reshape(len(groups), depth, -1)
        operands = self._operands(source, part.width, groups, name)
        columns = graph.reshape(operands, (len(groups), geometry.fan_in), f"{name}_operands")
        unsigned = self._layer.reads_unsigned(part.width)
        graph.annotate(columns, *limits(part.width, unsigned=unsigned))
        matrix = self._weights(matrices, part.width, name)
        product = graph.add("MatMul", [matrix, columns], f"{name}_product")
        bound = self._layer.accumulator_bound(part.width)
        graph.annotate(product, -bound, bound)
        return graph.reshape(product, (len(part.channels), self._positions), f"{name}_sums")

    def _weights(self, weights: NDArray[np.int64], width: int, name: str) -> str:
        """Weights in float64, kept in the file as integers of few bytes."""
        low, high = limits(width)
        if weights.min() < low or weights.max() > high:  # sums of a shortcut's weights
            low, high = int(weights.min()), int(weights.max())
        kind = next(kind for kind in _INTEGERS if _holds(kind, weights))
        stored = self._graph.constant(f"{name}_integers", weights.astype(kind))
        matrix = self._graph.cast(stored, np.float64, f"{name}_weights")
        return self._graph.annotate(matrix, low, high)

    def _operands(self, source: Source, width: int, groups: NDArray[np.intp], name: str) -> str:
        """What the neurons of some groups read, in the order (channel, tap, position, sample)."""
        graph, geometry = self._graph, source.geometry
        read = self._copy(source, width)
        depth, height, breadth = geometry.input_shape
        pixels = height * breadth
        taps = _taps(geometry)
        is_plain = np.array_equal(taps, np.arange(pixels)[None])
        if is_plain and len(groups) == geometry.groups:
            return read
        value = graph.reshape(read, (depth, pixels), f"{name}_maps")
        if len(groups) < geometry.groups:
            members = np.arange(depth).reshape(geometry.groups, -1)[groups].reshape(-1)
            value = graph.gather(value, members, 0, f"{name}_groups")
        if taps.max() == pixels:
            pads = graph.constant("pads_of_one_zero", np.array((0, 0, 0, 0, 1, 0), np.int64))
            value = graph.add("Pad", [value, pads], f"{name}_padded")
        return value if is_plain else graph.gather(value, taps, 1, f"{name}_gathered")

    def _pool(self, results: str, part: _Part) -> str:
        """The maximum of each window, if the layer has any."""
        windows = _windows(self._geometry)
        if np.array_equal(windows, np.arange(self._positions)[None]):
            return results
        found = self._graph.gather(results, windows, 1, f"{part.name}_windows")
        pooled = f"{part.name}_pooled"
        return self._graph.add("ReduceMax", [found], pooled, axes=[1], keepdims=0)

    def _choose(self, parts: list[_Part], results: list[str]) -> str:
        """Of the results of all widths, those that the neurons have."""
        graph, precision = self._graph, self._layer.precision
        if len(parts) == 1:
            return results[0]
        joined = graph.add("Concat", results, f"{self._name}_widths", axis=0)
        rows, start = np.zeros(precision.shape, np.int64), 0
        for part in parts:
            own = np.zeros(len(precision), np.int64)
            own[part.channels] = np.arange(start, start + len(part.channels))
            rows = np.where(precision == part.width, own[:, None], rows)
            start += len(part.channels)
        if (rows == rows[:, :1]).all():
            return graph.gather(joined, rows[:, 0], 0, f"{self._name}_chosen")
        outputs = precision.shape[1]
        flat = graph.reshape(joined, (start * outputs,), f"{self._name}_flat")
        places = rows * outputs + np.arange(outputs)
        return graph.gather(flat, places, 0, f"{self._name}_chosen")

    def _activate(self, pre_activation: str, name: str) -> str:
        """The value of the layer's table, if it has one."""
        graph, layer = self._graph, self._layer
        if layer.table is None:
            return pre_activation
        low, high = limits(OPERAND_BITS)
        values = activate(np.arange(low, high + 1), layer.code, layer.table).astype(np.int16)
        table = graph.constant(f"{self._name}_table", values)
        place = graph.add("Sub", [pre_activation, graph.scalar(low)], f"{name}_from_lowest")
        index = graph.cast(place, np.int32, f"{name}_index")
        found = graph.add("Gather", [table, index], f"{name}_value")
        graph.cast(found, np.float64, f"{name}_activated")
        return graph.annotate(f"{name}_activated", int(values.min()), int(values.max()))


def _holds(kind: type[np.signedinteger], values: NDArray[np.int64]) -> bool:
    """Whether a type of integers has all these values."""
    return bool(np.iinfo(kind).min <= values.min() and values.max() <= np.iinfo(kind).max)


def _taps(geometry: Geometry) -> NDArray[np.int32]:
    """(taps, positions) index of each operand in one channel's map; its size stands for padding."""
    plane = replace(
        geometry,
        input_shape=(1, *geometry.input_shape[1:]),
        channels=1,
        groups=1,
        pool=(1, 1),
        pool_stride=None,
        pool_padding=(0, 0, 0, 0),
    )
    return np.ascontiguousarray(plane.gather[0, :, 0].T)


def _windows(geometry: Geometry) -> NDArray[np.int32]:
    """(window, outputs) position of each value that pooling compares."""
    plane = Geometry(
        input_shape=(1, *geometry.map_shape),
        channels=1,
        pool=geometry.pool,
        pool_stride=geometry.pool_stride,
        pool_padding=geometry.pool_padding,
    )
    return np.ascontiguousarray(plane.gather[0, :, :, 0].T)
