"""Columns over output positions: neighbouring columns of a map become channels of it.

A layer of few channels leaves columns of the array idle, and a narrow map of few channels leaves
words half empty. A map (channels, height, width) is therefore also one of (channels * f, height,
width / f), whose channel c * f + d holds the columns x with x % f = d. A layer that makes such a
map has f neurons for each channel, whose kernels are the channel's, shifted in a larger window, and
zero elsewhere; that adds nothing to a sum, so that all integers stay what they were.

The compiler sees a network like any other. Only the order of its inputs differs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qcnpe.averages import channels_as_rows
from qcnpe.compiler import Program, compile_network, count_stored_cycles
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError, FormatError
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry, Source
from qcnpe.spec.memory.maps import block_order
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands

POWERS = (2, 4, 8)
"""Factors that are tried; of a map of fewer columns, their number, too."""

MOST_CHANNELS = 512
"""Most channels of a blocked map."""

Factors = Mapping[int, int]
"""How many neighbouring columns become channels, by index of the layer or `NETWORK_INPUT`."""

_Shape = tuple[int, int, int]


def compile_blocked(net: QuantNet, config: EngineConfig, batch: int) -> Program:
    """As `compile_network` for an autonomous engine; columns over positions, rows over channels.

    Parameters
    ----------
    net, config, batch : see `compile_network`

    Raises
    ------
    CapacityError
        If the network does not fit the engine.
    """
    net = channels_as_rows(net)
    plain = compile_network(net, config, batch, stored=True)
    factors = choose_factors(net, config, batch)
    if set(factors.values()) == {1}:
        return plain
    blocked = block_network(net, factors)
    program = compile_network(blocked, config, batch, stored=True)
    if program.cycles >= plain.cycles:
        return plain
    return replace(program, input_factor=factors[NETWORK_INPUT])


def _shape_of(net: QuantNet, index: int) -> _Shape:
    return net.input_shape if index == NETWORK_INPUT else net.layers[index].wiring.output_shape


def block_network(net: QuantNet, factors: Factors) -> QuantNet:
    """The network in which maps have more channels and fewer columns; its inputs are in that order.

    Parameters
    ----------
    net : the network
    factors : for the input and each layer; 1 for the last one
    """
    layers = tuple(
        _block_layer(net, index, layer, factors) for index, layer in enumerate(net.layers)
    )
    return replace(net, layers=layers)


def _block_layer(net: QuantNet, index: int, layer: QuantLayer, factors: Factors) -> QuantLayer:
    factor = factors[index]
    read = [source.reads(index) for source in layer.sources]
    if factor == 1 and all(factors[each] == 1 for each in read):
        return layer
    blocks = [
        _SourceBlock.of(source.geometry, _shape_of(net, each), factors[each], factor)
        for source, each in zip(layer.sources, read, strict=True)
    ]
    sources = tuple(
        Source(block.geometry, source.layer)
        for source, block in zip(layer.sources, blocks, strict=True)
    )
    columns = [place for _, place in layer.wiring.columns()]

    def block_weights(weights: NDArray[np.int16]) -> NDArray[np.int16]:
        parts = zip(blocks, columns, strict=True)
        return np.concatenate([block.weights(weights[:, place]) for block, place in parts], axis=1)

    widths = {
        width: WidthOperands(
            block_weights(each.weights), np.repeat(each.shift, factor), each.input_shifts
        )
        for width, each in layer.widths.items()
    }
    order = block_order(layer.wiring.output_shape, factor)
    precision = layer.precision.ravel()[order].reshape(layer.wiring.channels * factor, -1)
    return replace(
        layer,
        sources=sources,
        bias=np.repeat(layer.bias, factor),
        precision=precision,
        widths=widths,
    )


@dataclass(frozen=True, eq=False)
class _SourceBlock:
    """A source of a layer in terms of blocked maps.

    Attributes
    ----------
    before : its geometry
    geometry : the same on blocked maps
    shape : of the map that is read, before
    read, made : columns that become channels of the map that is read, and of the one that is made
    first : block of columns that the first kernel column reads, counted from the output's block
    """

    before: Geometry
    geometry: Geometry
    shape: _Shape
    read: int
    made: int
    first: int

    @classmethod
    def of(cls, geometry: Geometry, shape: _Shape, read: int, made: int) -> "_SourceBlock":
        """The blocked source; `_fits` says whether there is one."""
        if geometry.input_shape != shape:  # dense, on a map that is flattened
            return cls(geometry, geometry, shape, read, made, 0)
        offsets = _offsets(geometry, made) // read
        first, last = min(0, int(offsets.min())), int(offsets.max())
        depth, height, width = shape
        blocks = geometry.output_shape[2] // made
        step = max(1, geometry.stride[1] * made // read)
        size = last - first + 1
        right = max(0, (blocks - 1) * step + size + first - width // read)
        top, _, bottom, _ = geometry.padding
        blocked = replace(
            geometry,
            input_shape=(depth * read, height, width // read),
            channels=geometry.channels * made,
            kernel=(geometry.kernel[0], size),
            stride=(geometry.stride[0], step),
            padding=(top, -first, bottom, right),
            dilation=(geometry.dilation[0], 1),
        )
        return cls(geometry, blocked, shape, read, made, first)

    def weights(self, weights: NDArray[np.int16]) -> NDArray[np.int16]:
        """(channels * made, fan_in) weights of the blocked source from those of the source."""
        geometry = self.before
        if geometry.input_shape != self.shape:
            shape = self.shape if geometry.is_dense else (1, *self.shape[1:])
            return weights[:, block_order(shape, self.read)]
        channels, depth = len(weights), geometry.input_shape[0] // geometry.groups
        kernel = weights.reshape(channels, depth, *geometry.kernel)
        size = self.geometry.kernel
        found = np.zeros((channels, self.made, depth, self.read, *size), np.int16)
        offsets = _offsets(geometry, self.made)
        for made in range(self.made):
            for column in range(geometry.kernel[1]):
                block, place = divmod(int(offsets[made, column]), self.read)
                found[:, made, :, place, :, block - self.first] = kernel[:, :, :, column]
        return found.reshape(channels * self.made, -1)


def _offsets(geometry: Geometry, made: int) -> NDArray[np.intp]:
    """(made, kernel columns) column that is read, counted from that of the output block."""
    outputs = np.arange(made)[:, None] * geometry.stride[1]
    return outputs + np.arange(geometry.kernel[1]) * geometry.dilation[1] - geometry.padding[1]


def _fits(geometry: Geometry, shape: _Shape, read: int, made: int) -> bool:
    """Whether a source can read a map of which `read` columns are channels, and make `made`."""
    if read == made == 1:
        return True
    if geometry.input_shape != shape:
        lines = geometry.input_shape == (1, shape[0], shape[1] * shape[2])
        return made == 1 and (geometry.is_dense or lines)
    pools = geometry.pool[1] > 1 or geometry.pool_stride is not None or any(geometry.pool_padding)
    if pools or shape[2] % read or geometry.output_shape[2] % made:
        return False
    if geometry.output_shape[2] > made and geometry.stride[1] * made % read:
        return False
    blocked = _SourceBlock.of(geometry, shape, read, made).geometry
    return blocked.output_shape[2] == geometry.output_shape[2] // made


def choose_factors(net: QuantNet, config: EngineConfig, batch: int) -> dict[int, int]:
    """The factors of the fewest cycles, found layer by layer for all factors of the maps in use."""
    last_reader = {each: index for index in range(len(net.layers)) for each in net.reads(index)}
    states: dict[tuple[int, ...], tuple[int, dict[int, int]]] = {}
    for factor in _candidates(net, config, NETWORK_INPUT):
        states[(factor,)] = 0, {NETWORK_INPUT: factor}
    known: dict[tuple[int, ...], int | None] = {}
    for index in range(len(net.layers)):
        found: dict[tuple[int, ...], tuple[int, dict[int, int]]] = {}
        for cycles, chosen in states.values():
            for factor in _candidates(net, config, index):
                choice = {**chosen, index: factor}
                key = index, factor, *(choice[each] for each in net.reads(index))
                if key not in known:
                    known[key] = _cycles(net, config, batch, index, choice)
                cost = known[key]
                if cost is None:
                    continue
                alive = tuple(
                    choice[each] for each in choice if last_reader.get(each, index) > index
                )
                if alive not in found or cycles + cost < found[alive][0]:
                    found[alive] = cycles + cost, choice
        states = found
    return min(states.values(), key=lambda state: state[0])[1]


def _candidates(net: QuantNet, config: EngineConfig, index: int) -> Iterator[int]:
    """Factors of a map that may be worth while: they fill columns, or a word."""
    yield 1
    if index == len(net.layers) - 1:
        return
    channels, _, width = _shape_of(net, index)
    most = MOST_CHANNELS // channels if _leaves_columns(net, config, index) else 1
    if index == NETWORK_INPUT:
        most = max(config.pairs(each) for each in net.read_widths(index))
    for factor in sorted({*POWERS, width} if width <= POWERS[-1] else POWERS):
        if 1 < factor <= most and width % factor == 0:
            yield factor


def _leaves_columns(net: QuantNet, config: EngineConfig, index: int) -> bool:
    """Whether a layer, or one that reads it, has fewer channels in a block than columns."""
    layers = [net.layers[index]] if index != NETWORK_INPUT else []
    layers += [layer for reader, layer in enumerate(net.layers) if index in net.reads(reader)]
    wirings = [layer.wiring for layer in layers]
    return any(wiring.channels // wiring.groups < config.cols for wiring in wirings)


def _cycles(
    net: QuantNet, config: EngineConfig, batch: int, index: int, factors: Factors
) -> int | None:
    """Cycles of a layer, or None if it cannot be computed with these factors."""
    layer = net.layers[index]
    for source in layer.sources:
        read = source.reads(index)
        shape = _shape_of(net, read)
        if not _fits(source.geometry, shape, factors[read], factors[index]):
            return None
    try:
        blocked = _block_layer(net, index, layer, factors)
    except FormatError:  # more operands than a layer may have
        return None
    shapes = {}
    for each in (*net.reads(index), index):
        channels, height, width = _shape_of(net, each)
        shapes[each] = channels * factors[each], height, width // factors[each]
    try:
        return count_stored_cycles(net, config, batch, index, blocked, shapes)
    except CapacityError:
        return None
