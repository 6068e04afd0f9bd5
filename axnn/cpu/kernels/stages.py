"""Lowers a network and the kinds of its channels to the stages that the kernels compute in order.

There is a buffer between each two layers. It holds the values position by position, with the
channels of a position side by side, surrounded by zeros, which are the padding of the layer that
reads it. Channels of the same kind are neighbours, so that they are computed together.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.chain import chain_of
from axnn.cpu.kinds import Assignment, Kind, is_fused, is_summed, ladder, omitted
from axnn.nn.layers import SourceLayer
from axnn.nn.network import Network
from qcnpe.spec.geometry import Geometry

Int32 = NDArray[np.int32]
Float32 = NDArray[np.float32]

BYTE_LIMIT = 127
BYTE_ZERO = 128
"""A byte holds value / scale + BYTE_ZERO, since the products' second operand is unsigned."""

WORD = 4
"""Bytes whose products are added at once."""


@dataclass(frozen=True, eq=False)
class Buffer:
    """Layout of the values between two layers.

    Attributes
    ----------
    height, width : including the padding
    channels : that are not omitted, rounded up to whole words if they are read as bytes
    top, left : size of the padding
    place : (channels of the layer,) index of each channel within a position; -1 if it is omitted
    scale : of the bytes that int8 products read; 0 if there are none
    """

    height: int
    width: int
    channels: int
    top: int
    left: int
    place: NDArray[np.intp]
    scale: float

    @property
    def rows(self) -> int:
        """Number of values of a sample."""
        return self.height * self.width * self.channels

    def position(self, row: NDArray[np.intp], column: NDArray[np.intp]) -> Int32:
        """Row of the first channel of positions, which are counted including the padding."""
        return ((row * self.width + column) * self.channels).astype(np.int32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Stage:
    """Channels that are computed in the same way.

    Attributes
    ----------
    source, target : numbers of the buffers
    weights : (channels, taps) float32, or int8 for products of bytes
    bias : (channels,) float32
    product_scale : (channels,) float32, scale of the sums of byte products; None for float32
    taps : (taps,) row of each operand, relative to the origin; of every fourth for bytes
    origins : (positions,) row of the origin of each result
    window : (positions in a window,) rows to add to the origin
    pooling : "none", "largest" or "sum"
    function : applied to each sum, or to the largest of a window
    sum_weight, sum_bias, sum_function : applied to the sum of a window's results; without pooling
        by sums, None and "identity"
    first : place of the first channel in the target
    results : (positions,) row of each result's position in the target
    """

    source: int
    target: int
    weights: NDArray[np.float32] | NDArray[np.int8]
    bias: Float32
    product_scale: Float32 | None
    taps: Int32
    origins: Int32
    window: Int32
    pooling: str
    function: str
    sum_weight: Float32 | None
    sum_bias: Float32 | None
    sum_function: str
    first: int
    results: Int32


@dataclass(frozen=True, eq=False)
class KernelProgram:
    """Everything that is computed for a sample.

    Attributes
    ----------
    buffers : the first one holds the inputs, the last one the logits
    stages : in order
    input_rows : (features,) row of each feature in the first buffer
    logit_rows : (classes,) row of each logit in the last
    """

    buffers: tuple[Buffer, ...]
    stages: tuple[Stage, ...]
    input_rows: Int32
    logit_rows: Int32


def lower(network: Network, assignment: Assignment, scales: tuple[float, ...]) -> KernelProgram:
    """The stages that the kernels compute for a network.

    Parameters
    ----------
    network : its lines are already folded into its parameters (`axnn.cpu.choice.model.fold`)
    assignment : the kind of each channel
    scales : of the bytes of each layer's inputs
    """
    heads = [i for i in range(len(chain_of(network))) if not is_fused(network, i)]
    buffers = [_input_buffer(network, assignment, scales[0])]
    stages: list[Stage] = []
    for number, head in enumerate(heads):
        builder = _LayerBuilder(network, assignment, head, number, buffers[-1])
        following = heads[number + 1] if number + 1 < len(heads) else None
        buffers.append(builder.target_buffer(following, scales))
        stages += builder.stages(buffers[-1])
    return KernelProgram(tuple(buffers), tuple(stages), _rows(buffers[0]), _rows(buffers[-1]))


def _reads_bytes(network: Network, assignment: Assignment, index: int | None) -> bool:
    if index is None:
        return False
    kinds = ladder(network, index)
    return any(kinds[level].operands == "int8" for level in np.unique(assignment[index]))


def _input_buffer(network: Network, assignment: Assignment, scale: float) -> Buffer:
    geometry = chain_of(network)[0].geometry
    shape = geometry.input_shape  # that of a dense layer has all features at one position
    used = scale if _reads_bytes(network, assignment, 0) else 0.0
    return _buffer(shape[1:], geometry, np.arange(shape[0]), used)


def _buffer(
    size: tuple[int, int], reader: Geometry | None, place: NDArray[np.intp], scale: float
) -> Buffer:
    """A buffer for maps of this size, with the padding of the layer that reads it."""
    top, left = (0, 0) if reader is None else reader.padding[:2]
    present = int((place >= 0).sum())
    rounded = -(-present // WORD) * WORD if scale else present
    return Buffer(size[0] + 2 * top, size[1] + 2 * left, rounded, top, left, place, scale)


def _rows(buffer: Buffer) -> Int32:
    """Row of each value in (channel, row, column) order."""
    height, width = (buffer.height - 2 * buffer.top, buffer.width - 2 * buffer.left)
    row, column = np.mgrid[:height, :width]
    positions = buffer.position(row.ravel() + buffer.top, column.ravel() + buffer.left)
    return (buffer.place[:, None] + positions).ravel().astype(np.int32)


class _LayerBuilder:
    """Builds the stages of one layer, fused with the sums of its windows if these follow."""

    def __init__(
        self, network: Network, assignment: Assignment, head: int, number: int, source: Buffer
    ) -> None:
        self.layer = chain_of(network)[head]
        self.number = number
        self.source = source
        self.network, self.assignment, self.head = network, assignment, head
        fused = is_summed(network, head)
        self.sums = chain_of(network)[head + 1] if fused else None
        self.geometry = _over_positions(self.layer.geometry, source)
        levels = [assignment[head]] + ([assignment[head + 1]] if fused else [])
        groups = np.arange(self.geometry.channels) // (
            self.geometry.channels // self.geometry.groups
        )
        keys = np.stack([*levels, groups])
        present = np.flatnonzero(~omitted(network, assignment, head))
        self.order = present[np.lexsort(keys[::-1, present])]
        self._keys = keys[:, self.order]

    def target_buffer(self, following: int | None, scales: tuple[float, ...]) -> Buffer:
        """The buffer that the layer fills."""
        last = self.layer if self.sums is None else self.sums
        reader = None
        if following is not None:
            reader = chain_of(self.network)[following].geometry
        used = scales[following] if following is not None else 0.0
        if not _reads_bytes(self.network, self.assignment, following):
            used = 0.0
        padded = reader if reader is not None and not reader.is_dense else None
        place = np.full(last.geometry.channels, -1, np.intp)
        place[self.order] = np.arange(len(self.order))
        return _buffer(last.geometry.output_shape[1:], padded, place, used)

    def stages(self, target: Buffer) -> list[Stage]:
        """One stage for each run of channels of the same kinds."""
        changes = np.flatnonzero((np.diff(self._keys, axis=1) != 0).any(axis=0)) + 1
        ends = [0, *changes.tolist(), len(self.order)]
        return [self._stage(target, first, end) for first, end in pairwise(ends)]

    def _stage(self, target: Buffer, first: int, end: int) -> Stage:
        channels = self.order[first:end]
        kind = ladder(self.network, self.head)[self.assignment[self.head][channels[0]]]
        stage = self._plain(target, channels, kind, first)
        if self.sums is not None:
            stage = self._with_sums(stage, channels, kind)
        return stage if kind.operands == "float32" else _in_bytes(stage, self.source)

    def _plain(self, target: Buffer, channels: NDArray[np.intp], kind: Kind, first: int) -> Stage:
        geometry = self.geometry
        height, width = geometry.output_shape[1:]
        if self.sums is not None:
            height, width = self.sums.geometry.output_shape[1:]
        row, column = (axis.ravel() for axis in np.mgrid[:height, :width])
        pool = geometry.pool if self.sums is None else self.sums.geometry.kernel
        down, right = (s * p for s, p in zip(geometry.stride, pool, strict=True))
        window = self._window(pool if kind.positions == "all" else (1, 1))
        return Stage(
            source=self.number,
            target=self.number + 1,
            weights=self._weights(channels),
            bias=self.layer.bias.value[channels],
            product_scale=None,
            taps=self._taps(channels, geometry.kernel),
            origins=self.source.position(row * down, column * right),
            window=window,
            pooling="none" if len(window) == 1 else "largest",
            function=_function(self.layer, kind),
            sum_weight=None,
            sum_bias=None,
            sum_function="identity",
            first=first,
            results=target.position(row + target.top, column + target.left),
        )

    def _window(self, pool: tuple[int, int]) -> Int32:
        row, column = (axis.ravel() for axis in np.mgrid[: pool[0], : pool[1]])
        down, right = self.geometry.stride
        return self.source.position(row * down, column * right)

    def _inputs(self, channels: NDArray[np.intp]) -> NDArray[np.intp]:
        """Places of the input channels that the channels read."""
        depth = self.geometry.input_shape[0] // self.geometry.groups
        group = self.geometry.group_of(int(channels[0]))
        return self.source.place[group * depth : (group + 1) * depth]

    def _taps(self, channels: NDArray[np.intp], kernel: tuple[int, int]) -> Int32:
        row, column = (axis.ravel() for axis in np.mgrid[: kernel[0], : kernel[1]])
        inputs = self._inputs(channels)
        places = np.sort(inputs[inputs >= 0])
        return (self.source.position(row, column)[:, None] + places).ravel().astype(np.int32)

    def _weights(self, channels: NDArray[np.intp]) -> Float32:
        """(channels, taps) weights in the order of `_taps`."""
        inputs = self._inputs(channels)
        sequence = np.argsort(inputs)[(inputs < 0).sum() :]
        chosen = self.layer.operand_weights()[channels]
        by_input = chosen.reshape(len(channels), len(inputs), -1)[:, sequence]
        return np.ascontiguousarray(by_input.transpose(0, 2, 1).reshape(len(channels), -1))

    def _with_sums(self, stage: Stage, channels: NDArray[np.intp], kind: Kind) -> Stage:
        assert self.sums is not None
        own = self.assignment[self.head + 1][channels[0]]
        function = _function(self.sums, ladder(self.network, self.head + 1)[own])
        weight = self.sums.operand_weights()[channels, 0]
        bias = self.sums.bias.value[channels]
        if kind.function == "linear":
            return self._merged(stage, channels, weight, bias, function)
        return replace(
            stage, pooling="sum", sum_weight=weight, sum_bias=bias, sum_function=function
        )

    def _merged(
        self,
        stage: Stage,
        channels: NDArray[np.intp],
        weight: Float32,
        bias: Float32,
        function: str,
    ) -> Stage:
        """One convolution with a larger kernel: its weights are sums of shifted kernels."""
        assert self.sums is not None
        (height, width), (down, right) = self.geometry.kernel, self.geometry.stride
        rows, columns = self.sums.geometry.kernel
        large = (height + (rows - 1) * down, width + (columns - 1) * right)
        depth = stage.weights.shape[1] // (height * width)
        kernels = np.zeros((len(channels), *large, depth))
        small = stage.weights.reshape(len(channels), height, width, depth)
        for y in range(0, rows * down, down):
            for x in range(0, columns * right, right):
                kernels[:, y : y + height, x : x + width] += small
        kernels *= weight[:, None, None, None]
        return replace(
            stage,
            weights=kernels.reshape(len(channels), -1).astype(np.float32),
            bias=(rows * columns * weight * stage.bias + bias).astype(np.float32),
            taps=self._taps(channels, large),
            window=np.zeros(1, np.int32),
            pooling="none",
            function=function,
        )


def _over_positions(geometry: Geometry, source: Buffer) -> Geometry:
    """A dense layer as a convolution with a kernel as large as the map that it reads."""
    if not geometry.is_dense:
        return geometry
    channels = len(source.place)
    return replace(
        geometry,
        input_shape=(channels, source.height, source.width),
        kernel=(source.height, source.width),
    )


def _function(layer: SourceLayer, kind: Kind) -> str:
    """The function's name for the kernels."""
    if kind.function == "exact":
        return layer.function
    if kind.function == "linear":
        return "identity"
    return "unit_clamp" if layer.function == "sigmoid" else "clamp"


def quantised_weights(weights: Float32) -> tuple[NDArray[np.int8], Float32]:
    """Weights (channels, fan_in) in bytes and the scale of each channel."""
    largest = np.abs(weights).max(axis=1)
    scale = (np.maximum(largest, np.float32(1e-30)) / np.float32(BYTE_LIMIT)).astype(np.float32)
    return np.rint(weights / scale[:, None]).astype(np.int8), scale


def _in_bytes(stage: Stage, source: Buffer) -> Stage:
    """The stage with products of bytes; a tap is a word of four neighbours in the source."""
    rounded, scale = quantised_weights(np.asarray(stage.weights, np.float32))
    positions = np.unique(stage.taps // source.channels)
    spread = np.zeros((len(rounded), len(positions), source.channels), np.int8)
    place = np.searchsorted(positions, stage.taps // source.channels)
    spread[:, place, stage.taps % source.channels] = rounded
    words = positions[:, None] * source.channels + np.arange(0, source.channels, WORD)
    return replace(
        stage,
        weights=spread.reshape(len(rounded), -1),
        product_scale=scale * np.float32(source.scale),
        taps=words.ravel().astype(np.int32),
    )
