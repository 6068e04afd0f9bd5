"""Columns over output positions: neighbouring results become channels of a layer, or of its map.

A layer of few channels leaves columns of the array idle, and a narrow map of few channels leaves
words half empty. A map (channels, height, width) is therefore also one of (channels * f, height,
width / f), whose channel c * f + d holds the columns x with x % f = d. A layer that makes such a
map has f neurons for each channel, whose kernels are the channel's, shifted in a larger window, and
zero elsewhere; that adds nothing to a sum, so that all integers stay what they were.

A layer whose map stays as it is can do the same for patches of lines and columns: it has a neuron
for each result of a patch, and the write-back stores each where it belongs. Layers around it do not
see that.

The compiler sees a network like any other. Only the order of its inputs, and that of the results of
layers with patches, differs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import gcd
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from qcnpe.averages import channels_as_rows
from qcnpe.compiler import Program, compile_network, compile_stored_layer, line_map
from qcnpe.folding import fold_groups
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import CapacityError, FormatError
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry, Source
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.maps import Patch, block_order, patch_order
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands

POWERS = (2, 4, 8)
"""Factors that are tried; of a map of fewer columns, their number, too."""

MOST_CHANNELS = 512
"""Most channels of a blocked map."""

PATCH_SIDES = (1, 2, 3, 4, 5, 6, 7, 8)
"""Lines and columns of patches that are tried."""

_TRIED_PATCHES = 3
"""Patches of a layer that are compiled, those of the lowest estimates."""

Factors = Mapping[int, int]
"""How many neighbouring columns become channels, by index of the layer or `NETWORK_INPUT`."""

Patches = Mapping[int, Patch]
"""Patches of layers, by index; layers without a patch are left out."""

_NO_PATCH = (1, 1)

_Shape = tuple[int, int, int]


def compile_blocked(net: QuantNet, config: MemoryConfig, batch: int) -> Program:
    """As `compile_network` for an autonomous engine; columns over positions, rows over channels.

    Parameters
    ----------
    net, batch : see `compile_network`
    config : the engine and its memories

    Raises
    ------
    CapacityError
        If the network does not fit the engine.
    """
    net = channels_as_rows(net)
    plain = compile_network(net, config.engine, batch, stored=True)
    factors, patches = choose_factors(net, config, batch)
    if set(factors.values()) == {1} and not patches:
        return plain
    blocked = block_network(net, factors, patches)
    program = compile_network(blocked, config.engine, batch, stored=True, patches=patches)
    return replace(program, input_factor=factors[NETWORK_INPUT])


def _shape_of(net: QuantNet, index: int) -> _Shape:
    return net.input_shape if index == NETWORK_INPUT else net.layers[index].wiring.output_shape


def block_network(
    net: QuantNet, factors: Factors, patches: Patches = MappingProxyType({})
) -> QuantNet:
    """The network in which maps have more channels and fewer columns; its inputs are in that order.

    Parameters
    ----------
    net : the network
    factors : for the input and each layer; 1 for the last one
    patches : of layers whose factor is 1
    """
    layers = tuple(
        _block_layer(net, index, layer, factors, patches.get(index, _NO_PATCH))
        for index, layer in enumerate(net.layers)
    )
    return replace(net, layers=layers)


def _block_layer(
    net: QuantNet, index: int, layer: QuantLayer, factors: Factors, patch: Patch
) -> QuantLayer:
    made = (1, factors[index]) if patch == _NO_PATCH else patch
    area = made[0] * made[1]
    read = [source.reads(index) for source in layer.sources]
    if area == 1 and all(factors[each] == 1 for each in read):
        return layer
    blocks = [
        _SourceBlock.of(source.geometry, _shape_of(net, each), factors[each], made)
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
            block_weights(each.weights), np.repeat(each.shift, area), each.input_shifts
        )
        for width, each in layer.widths.items()
    }
    order = patch_order(layer.wiring.output_shape, made)
    precision = layer.precision.ravel()[order].reshape(layer.wiring.channels * area, -1)
    return replace(
        layer,
        sources=sources,
        bias=np.repeat(layer.bias, area),
        precision=precision,
        widths=widths,
    )


@dataclass(frozen=True, eq=False)
class _Axis:
    """Lines, or columns, of a source in terms of blocks of them.

    Attributes
    ----------
    size : of the map that is read, in blocks
    kernel, stride, dilation, before, after : as in a geometry, before and after being padding
    places : (made, kernel before) block and place in it that each element of the kernel reads for
        each result of a block, counted from the first block of the kernel; -1 where that is never
        in the map
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    places: NDArray[np.intp]

    @classmethod
    def of(cls, geometry: Geometry, axis: int, read: int, made: int) -> "_Axis":
        """The axis of a source that reads blocks of `read` places, and makes blocks of `made`."""
        size, kernel = geometry.input_shape[1 + axis], geometry.kernel[axis]
        stride, dilation = geometry.stride[axis], geometry.dilation[axis]
        before, after = geometry.padding[axis], geometry.padding[2 + axis]
        if read == made == 1:
            places = np.arange(kernel)[None]
            return cls(size, kernel, stride, dilation, before, after, places)
        starts = np.arange(made)[:, None] * stride
        offsets = starts + np.arange(kernel) * dilation - before
        results = geometry.output_shape[1 + axis] // made
        corners = np.arange(results)[:, None, None] * stride * made
        inside = ((offsets + corners >= 0) & (offsets + corners < size)).any(axis=0)
        blocks = offsets // read
        first, last = min(0, int(blocks[inside].min(initial=0))), int(blocks[inside].max(initial=0))
        step = max(1, stride * made // read)
        span = last - first + 1
        rest = max(0, (results - 1) * step + span + first - size // read)
        places = np.where(inside, offsets - first * read, -1)
        return cls(size // read, span, step, 1, -first, rest, places)


@dataclass(frozen=True, eq=False)
class _SourceBlock:
    """A source of a layer in terms of blocked maps.

    Attributes
    ----------
    before : its geometry
    geometry : the same on blocked maps
    shape : of the map that is read, before
    read : columns that become channels of the map that is read
    made : lines and columns that become channels of the layer
    axes : lines and columns; none if the map is read flat
    """

    before: Geometry
    geometry: Geometry
    shape: _Shape
    read: int
    made: Patch
    axes: tuple[_Axis, ...]

    @classmethod
    def of(cls, geometry: Geometry, shape: _Shape, read: int, made: Patch) -> "_SourceBlock":
        """The blocked source; `_fits` says whether there is one."""
        if geometry.input_shape != shape:  # dense, on a map that is flattened
            return cls(geometry, geometry, shape, read, made, ())
        lines, columns = _Axis.of(geometry, 0, 1, made[0]), _Axis.of(geometry, 1, read, made[1])
        blocked = replace(
            geometry,
            input_shape=(shape[0] * read, lines.size, columns.size),
            channels=geometry.channels * made[0] * made[1],
            kernel=(lines.kernel, columns.kernel),
            stride=(lines.stride, columns.stride),
            padding=(lines.before, columns.before, lines.after, columns.after),
            dilation=(lines.dilation, columns.dilation),
        )
        return cls(geometry, blocked, shape, read, made, (lines, columns))

    def weights(self, weights: NDArray[np.int16]) -> NDArray[np.int16]:
        """(channels * made, fan_in) weights of the blocked source from those of the source."""
        geometry = self.before
        if not self.axes:
            shape = self.shape if geometry.is_dense else (1, *self.shape[1:])
            return weights[:, block_order(shape, self.read)]
        lines, columns = self.axes
        channels, depth = len(weights), geometry.input_shape[0] // geometry.groups
        kernel = weights.reshape(channels, depth, *geometry.kernel)
        size = self.geometry.kernel
        found = np.zeros((channels, *self.made, depth, self.read, *size), np.int16)
        for (row, i), line in np.ndenumerate(lines.places):
            for (column, j), place in np.ndenumerate(columns.places):
                if line >= 0 and place >= 0:
                    block, part = divmod(int(place), self.read)
                    found[:, row, column, :, part, line, block] = kernel[:, :, i, j]
        return found.reshape(channels * self.made[0] * self.made[1], -1)


def _fits(geometry: Geometry, shape: _Shape, read: int, made: Patch) -> bool:
    """Whether a source can read a map of which `read` columns are channels, and make `made`."""
    if read == 1 and made == _NO_PATCH:
        return True
    if geometry.input_shape != shape:
        lines = geometry.input_shape == (1, shape[0], shape[1] * shape[2])
        return made == _NO_PATCH and (geometry.is_dense or lines)
    _, height, width = geometry.output_shape
    pools = geometry.pool[1] > 1 or geometry.pool_stride is not None or any(geometry.pool_padding)
    pools = pools or (geometry.pool[0] > 1 and made[0] > 1)
    if pools or shape[2] % read or height % made[0] or width % made[1]:
        return False
    if width > made[1] and geometry.stride[1] * made[1] % read:
        return False
    blocked = _SourceBlock.of(geometry, shape, read, made).geometry
    return blocked.output_shape[1:] == (height // made[0], width // made[1])


@dataclass(frozen=True)
class _Cost:
    """What a layer takes, see `_count`, and the patch by which it takes so little."""

    cycles: int
    patch: Patch


def choose_factors(
    net: QuantNet, config: MemoryConfig, batch: int
) -> tuple[dict[int, int], dict[int, Patch]]:
    """Factors and patches of the fewest cycles: layer by layer for all factors of maps in use."""
    last_reader = {each: index for index in range(len(net.layers)) for each in net.reads(index)}
    states: dict[tuple[int, ...], tuple[int, dict[int, int], dict[int, Patch]]] = {}
    for factor in _candidates(net, config.engine, NETWORK_INPUT):
        words = _input_words(net, config, batch, factor)
        states[(factor,)] = words, {NETWORK_INPUT: factor}, {}
    known: dict[tuple[int, ...], _Cost | None] = {}
    for index in range(len(net.layers)):
        found: dict[tuple[int, ...], tuple[int, dict[int, int], dict[int, Patch]]] = {}
        for cycles, chosen, patches in states.values():
            for factor in _candidates(net, config.engine, index):
                choice = {**chosen, index: factor}
                key = index, factor, *(choice[each] for each in net.reads(index))
                if key not in known:
                    known[key] = _cost(net, config, batch, index, choice)
                cost = known[key]
                if cost is None:
                    continue
                alive = tuple(
                    choice[each] for each in choice if last_reader.get(each, index) > index
                )
                if alive not in found or cycles + cost.cycles < found[alive][0]:
                    patch = {} if cost.patch == _NO_PATCH else {index: cost.patch}
                    found[alive] = cycles + cost.cycles, choice, patches | patch
        states = found
    _, factors, patches = min(states.values(), key=lambda state: state[0])
    return factors, patches


def _input_words(net: QuantNet, config: MemoryConfig, batch: int, factor: int) -> int:
    """Bus words of the network's input, which is loaded in each run."""
    channels, height, width = net.input_shape
    places = batch * height * width // factor
    words = sum(
        places * -(-channels * factor // config.engine.pairs(each))
        for each in net.read_widths(NETWORK_INPUT)
    )
    return -(-words * OPERAND_BITS // config.bus_bits)


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


def _cost(
    net: QuantNet, config: MemoryConfig, batch: int, index: int, factors: Factors
) -> _Cost | None:
    """The least cost of a layer, or None if it cannot be computed with these factors."""
    found = [
        _Cost(cycles, patch)
        for patch in _patches(net, config, batch, index, factors)
        if (cycles := _count(net, config, batch, index, factors, patch)) is not None
    ]
    return min(found, key=lambda cost: cost.cycles, default=None)


def _patches(
    net: QuantNet, config: MemoryConfig, batch: int, index: int, factors: Factors
) -> list[Patch]:
    """Patches of a layer that may be worth while, and none."""
    layer = net.layers[index]
    wiring = layer.wiring
    most = config.engine.cols * wiring.groups // wiring.channels
    is_last = index == len(net.layers) - 1
    if factors[index] > 1 or most < 2 or is_last or line_map(net, index, wiring.outputs):
        return [_NO_PATCH]
    sizes = [
        (lines, columns)
        for lines in PATCH_SIDES
        for columns in PATCH_SIDES
        if 1 < lines * columns <= most
        and all(
            _fits(source.geometry, _shape_of(net, each), factors[each], (lines, columns))
            for source, each in zip(layer.sources, net.reads(index), strict=True)
        )
    ]
    sizes.sort(key=lambda patch: _estimate(layer, config, batch, patch))
    return [_NO_PATCH, *sizes[:_TRIED_PATCHES]]


def _estimate(layer: QuantLayer, config: MemoryConfig, batch: int, patch: Patch) -> int:
    """About as many cycles as a layer with patches takes, see `_count`."""
    wiring, engine = layer.wiring, config.engine
    area = patch[0] * patch[1]
    beats = cycles = 0
    for source in layer.sources:
        geometry = source.geometry
        axes = [_Axis.of(geometry, axis, 1, patch[axis]) for axis in (0, 1)]
        used = [len(np.unique(axis.places[axis.places >= 0])) for axis in axes]
        own = geometry.input_shape[0] // geometry.groups * used[0] * used[1]
        beats += own
        lanes = geometry.output_shape[2] // patch[1]
        cycles += own * _least_passes(axes[1].stride, lanes, config)
    tiles = -(-batch * wiring.outputs // area // engine.rows)
    columns = min(area * (wiring.channels // wiring.groups), engine.cols)
    words = beats * -(-columns * OPERAND_BITS // config.bus_bits)
    if wiring.channels == wiring.groups:  # a kernel for each block of columns: it can be folded
        words = -(-wiring.fan_in * OPERAND_BITS // config.bus_bits)
    return (tiles * max(cycles, columns) + words) * -(-wiring.channels * area // columns)


def _count(
    net: QuantNet, config: MemoryConfig, batch: int, index: int, factors: Factors, patch: Patch
) -> int | None:
    """Cycles of a layer, and bus words of its weights; None if it cannot be computed like this.

    A word counts as a cycle: where weights are streamed, or used once, it takes one.
    """
    layer = net.layers[index]
    made = (1, factors[index]) if patch == _NO_PATCH else patch
    for source in layer.sources:
        read = source.reads(index)
        if not _fits(source.geometry, _shape_of(net, read), factors[read], made):
            return None
    try:
        blocked = _block_layer(net, index, layer, factors, patch)
    except FormatError:  # more operands than a layer may have
        return None
    shapes = {}
    for each in (*net.reads(index), index):
        channels, height, width = _shape_of(net, each)
        shapes[each] = channels * factors[each], height, width // factors[each]
    try:
        found = compile_stored_layer(net, config.engine, batch, index, blocked, shapes, patch)
    except CapacityError:
        return None
    passes = 1
    for source in blocked.sources:
        geometry = source.geometry
        step = geometry.stride[1] * (geometry.pool_stride or geometry.pool)[1]
        passes = max(passes, _least_passes(step, geometry.output_shape[2], config))
    weights = fold_groups(found.groups, config.engine)
    words = sum(each.words(config.bus_bits) for each in weights)
    beats = sum(len(group.weights) * len(group.tiles) for group in found.groups)
    return found.counts.cycles + (passes - 1) * beats + words


def _least_passes(step: int, lanes: int, config: MemoryConfig) -> int:
    """Passes of a beat whose lanes are so many positions apart; at most a line of lanes."""
    used = min(lanes, config.engine.rows)
    return -(-used * gcd(step, config.banks) // config.banks)
