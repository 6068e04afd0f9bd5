"""One layer of a `QuantNet` as ONNX operators, in float64, which holds each intermediate exactly.

The neurons of each width are a product of matrices of their own, over operands that `Gather` picks
(onnxruntime has no `Conv` in float64). Results are integers, (samples, channels) or (samples,
channels, positions...).
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
        """Append the layer; returns the name of its results.

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
        """Pooled results of one width; before the table if the order does not matter."""
        graph, layer, channels = self._graph, self._layer, part.channels
        factor = np.exp2(-layer.widths[part.width].shift[channels].astype(np.float64))
        bias = layer.bias[channels].astype(np.float64)
        low, high = limits(OPERAND_BITS)
        factors = self._by_channel(f"{part.name}_factor", factor)
        biases = self._by_channel(f"{part.name}_bias", bias)
        shifted = graph.shift(self._sums(part), factors, f"{part.name}_shifted")
        moved = graph.add("Add", [shifted, biases], f"{part.name}_biased")
        is_relu = layer.code is Function.RELU
        results = graph.clip(moved, 0 if is_relu else low, high, f"{part.name}_saturated")
        if not layer.is_monotone:
            results = self._activate(results, part.name)
        return self._pool(results, part)

    def _by_channel(self, name: str, values: NDArray[np.float64]) -> str:
        """A constant with a value for each channel of the sums."""
        return self._graph.constant(name, values if self._positions == 1 else values[:, None])

    def _sums(self, part: _Part) -> str:
        """(samples, channels) or (samples, channels, positions) accumulators."""
        weights: dict[Source, NDArray[np.int64]] = {}
        for source, columns in self._layer.wiring.columns():
            own = self._layer.widths[part.width].weights[part.channels, columns].astype(np.int64)
            weights[source] = weights[source] + own if source in weights else own
        products = [
            self._product(part, source, own, f"{part.name}_{number}")
            for number, (source, own) in enumerate(weights.items())
        ]
        return products[0] if len(products) == 1 else self._graph.total(products, part.name)

    def _product(self, part: _Part, source: Source, weights: NDArray[np.int64], name: str) -> str:
        """The sums over the operands of one source."""
        graph, geometry, positions = self._graph, source.geometry, self._positions
        if geometry.groups > 1:
            return self._grouped_product(part, source, weights, name)
        operands = self._operands(source, part.width, None, name)
        if positions == 1:
            flat = graph.reshape(operands, (geometry.fan_in,), f"{name}_operands")
            return graph.add("MatMul", [flat, self._matrix(weights.T, name)], f"{name}_sums")
        columns = graph.reshape(operands, (geometry.fan_in, positions), f"{name}_operands")
        return graph.add("MatMul", [self._matrix(weights, name), columns], f"{name}_sums")

    def _grouped_product(
        self, part: _Part, source: Source, weights: NDArray[np.int64], name: str
    ) -> str:
        """As `_product`, for channels in groups: a product for each group that is needed."""
        graph, geometry = self._graph, source.geometry
        depth = geometry.channels // geometry.groups
        groups = np.unique(part.channels // depth)
        operands = self._operands(source, part.width, groups, name)
        shape = (len(groups), geometry.fan_in, self._positions)
        columns = graph.reshape(operands, shape, f"{name}_operands")
        matrices = self._matrix(weights.reshape(len(groups), depth, -1), name)
        sums = graph.add("MatMul", [matrices, columns], f"{name}_group_sums")
        last = () if self._positions == 1 else (self._positions,)
        return graph.reshape(sums, (len(part.channels), *last), f"{name}_sums")

    def _matrix(self, weights: NDArray[np.int64], name: str) -> str:
        """Weights, which are kept in the file in as few bytes as they need."""
        kind = next(kind for kind in _INTEGERS if _holds(kind, weights))
        stored = self._graph.constant(f"{name}_integers", weights.astype(kind))
        return self._graph.cast(stored, np.float64, f"{name}_weights")

    def _operands(
        self, source: Source, width: int, groups: NDArray[np.intp] | None, name: str
    ) -> str:
        """What the neurons of some groups, or all, read, in the order (channel, tap, position)."""
        graph, geometry = self._graph, source.geometry
        read = self._copy(source, width)
        depth, height, breadth = geometry.input_shape
        pixels = height * breadth
        taps = _taps(geometry)
        whole = groups is None or len(groups) == geometry.groups
        plain = np.array_equal(taps, np.arange(pixels)[None])
        if whole and plain:
            return read
        value = graph.reshape(read, (depth, pixels), f"{name}_maps")
        if groups is not None and not whole:
            members = np.arange(depth).reshape(geometry.groups, -1)[groups].reshape(-1)
            value = graph.gather(value, members, 1, f"{name}_groups")
        if taps.max() == pixels:
            pads = graph.constant("pad_with_one_zero", np.array((0, 0, 0, 0, 0, 1), np.int64))
            value = graph.add("Pad", [value, pads], f"{name}_padded")
        return value if plain else graph.gather(value, taps, 2, f"{name}_gathered")

    def _pool(self, results: str, part: _Part) -> str:
        """The maximum of each window, if the layer has any."""
        geometry = self._geometry
        if (geometry.pool, geometry.pool_stride) == ((1, 1), None):
            return results
        shape = (len(part.channels), *geometry.map_shape)
        return self._graph.add(
            "MaxPool",
            [self._graph.reshape(results, shape, f"{part.name}_maps")],
            f"{part.name}_pooled",
            kernel_shape=geometry.pool,
            strides=geometry.pool_stride or geometry.pool,
            pads=geometry.pool_padding,
        )

    def _choose(self, parts: list[_Part], results: list[str]) -> str:
        """Of the results of all widths, those that the neurons have."""
        graph, precision = self._graph, self._layer.precision
        if len(parts) == 1:
            return results[0]
        places = np.zeros(precision.shape, np.int64)
        start = 0
        for part in parts:
            own = np.zeros(len(precision), np.int64)
            own[part.channels] = np.arange(start, start + len(part.channels))
            places = np.where(precision == part.width, own[:, None], places)
            start += len(part.channels)
        if (precision == precision[:, :1]).all():
            joined = graph.add("Concat", results, f"{self._name}_widths", axis=1)
            return graph.gather(joined, places[:, 0], 1, f"{self._name}_chosen")
        outputs = precision.shape[1]
        flat = [
            graph.reshape(result, (len(part.channels) * outputs,), f"{part.name}_flat")
            for part, result in zip(parts, results, strict=True)
        ]
        joined = graph.add("Concat", flat, f"{self._name}_widths", axis=1)
        index = (places * outputs + np.arange(outputs)).reshape(-1)
        return graph.gather(joined, index, 1, f"{self._name}_chosen")

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
        return graph.cast(found, np.float64, f"{name}_activated")


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
