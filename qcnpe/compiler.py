"""From a `QuantNet` to a `Program`: the only place where tiles are decided.

A tile is up to `rows` output positions (of samples or pixels) by up to `cols` neurons at one
precision. The neurons of a layer are sorted into groups that share their precision, the block of
inputs that they read and the output positions at which they use it; a group is cut into tiles.

Every tile is streamed anew, so that their order changes nothing in the engine. It decides what the
host reads from its memory: one that keeps the last block of activations and the last block of
weights needs but one new block for most tiles, if each shares one with the tile before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from qcnpe.events import EventCounts, count_events
from qcnpe.spec.commands import (
    MAX_BEATS,
    SHIFT_RANGE,
    TableLoad,
    TileCommand,
    parameter_words,
)
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.fixed import pack
from qcnpe.spec.geometry import NETWORK_INPUT
from qcnpe.spec.memory.maps import (
    OCTET,
    LayerOrder,
    Patch,
    StoredMap,
    block_order,
    channel_slots,
    patch_order,
)
from qcnpe.spec.qnet import Copies, QuantLayer, QuantNet

MAX_TILES = 1 << 21
"""Of a layer in one run: a program lists every tile."""


@dataclass(frozen=True, kw_only=True)
class TileGroup:
    """Tiles of one layer that share weights and precision and differ in their rows.

    Attributes
    ----------
    precision : operand width in bits
    block : block of inputs that its neurons read (`Wiring.groups`), the first one of several
    channels : (cols,) the neurons' channels, one a column
    outputs : (n,) output positions at which these channels have this precision
    operands : (n,) which operands are streamed, indices into those of `Wiring.ungrouped`; the index
        after the last of them is streamed as zero
    words : (beats,) words of the layer's `Words` that are fetched; empty without stored maps
    weights : uint16 (beats, engine columns), packed
    parameters : uint32 (cols,) parameter words
    tiles : commands, all alike but the last, which may have fewer rows
    commands : uint64 (tiles,) their words
    """

    precision: int
    block: int
    channels: NDArray[np.intp]
    outputs: NDArray[np.intp]
    operands: NDArray[np.intp]
    words: NDArray[np.intp]
    weights: NDArray[np.uint16]
    parameters: NDArray[np.uint32]
    tiles: tuple[TileCommand, ...]
    commands: NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class LayerProgram:
    """What the engine does for one layer of a batch.

    Attributes
    ----------
    layer : the layer
    knots : uint32 parameter words that load its table, or None if it needs none
    groups : tiles
    order : (tiles,) in which they are sent, when those of all groups are numbered through
    fetched_words : 16-bit words of operands that a host reads which keeps the last block of each
    copies : narrow copies of the results that later layers read
    counts : events of the whole batch
    stored : how it reads and stores maps on the chip; None if a host makes the streams
    patch : its channels compute the results of a patch, see `patch_order`
    """

    layer: QuantLayer
    knots: NDArray[np.uint32] | None
    groups: tuple[TileGroup, ...]
    order: NDArray[np.intp]
    fetched_words: int
    copies: Copies
    counts: EventCounts
    stored: LayerOrder | None = None
    patch: Patch = (1, 1)

    def arrange_results(self, results: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Flat results (batch, features) in the order of the map that later layers read."""
        lines, columns = self.patch
        if lines * columns == 1:
            return results
        channels, height, width = self.layer.wiring.output_shape
        shape = channels // (lines * columns), height * lines, width * columns
        found = np.empty_like(results)
        found[:, patch_order(shape, self.patch)] = results
        return found

    @property
    def commands(self) -> NDArray[np.uint64]:
        """Command words of the layer, the load of its table first."""
        load = [] if self.knots is None else [np.array([TableLoad().word()], np.uint64)]
        words = np.concatenate([group.commands for group in self.groups])
        return np.concatenate([*load, words[self.order]])


@dataclass(frozen=True, kw_only=True)
class Program:
    """A network compiled for one engine and one batch size.

    Attributes
    ----------
    config : the engine
    net : the network
    batch : samples that one run takes
    layers : in order
    maps : the order in which results, and the network's input, are stored on the chip, by the index
        of their layer; empty if a host makes the streams
    input_factor : so many neighbouring columns of the input are channels of `net`, see
        `qcnpe.blocking`
    """

    config: EngineConfig
    net: QuantNet
    batch: int
    layers: tuple[LayerProgram, ...]
    maps: Mapping[int, StoredMap] = field(default_factory=dict)
    input_factor: int = 1

    def arrange_inputs(self, inputs: NDArray[np.int16]) -> NDArray[np.int16]:
        """Samples (batch, features) in the order that `net` reads."""
        if self.input_factor == 1:
            return inputs
        channels, height, width = self.maps[NETWORK_INPUT].shape
        shape = channels // self.input_factor, height, width * self.input_factor
        return inputs[:, block_order(shape, self.input_factor)]

    @property
    def layer_counts(self) -> tuple[EventCounts, ...]:
        """Events of each layer, for the whole batch."""
        return tuple(layer.counts for layer in self.layers)

    @cached_property
    def counts(self) -> EventCounts:
        """Events of the whole batch."""
        return sum(self.layer_counts, EventCounts())

    @property
    def cycles(self) -> int:
        """Cycles for the whole batch when every stream runs at full rate."""
        return self.counts.cycles

    @property
    def fetched_words(self) -> int:
        """Words of operands that a host reads which keeps the last block of each kind."""
        return sum(layer.fetched_words for layer in self.layers)


def compile_network(
    net: QuantNet,
    config: EngineConfig,
    batch: int,
    *,
    stored: bool = False,
    patches: Mapping[int, Patch] = MappingProxyType({}),
) -> Program:
    """Compile a network for an engine and a batch.

    Parameters
    ----------
    net : the network
    config : the engine
    batch : samples in one run, at least 1; no layer may need more than `MAX_TILES` tiles
    stored : operands have the order in which an autonomous engine stores them
    patches : of layers whose channels compute the results of patches, by index; only if `stored`

    Raises
    ------
    CapacityError
        If the network does not fit: fan-in, accumulator, precisions, table, pooling window; or if
        the batch is too large.
    """
    if batch < 1:
        raise CapacityError(f"batch must be at least 1, not {batch}")
    for layer in net.layers:
        check_capacity(layer, config)
        _check_batch(layer, config, batch)
    maps = _stored_maps(net, config, patches) if stored else {}
    layers = tuple(
        compile_layer(
            layer,
            net.copies(index),
            config,
            batch,
            _layer_order(layer, maps, index, config) if stored else None,
            patches.get(index, (1, 1)),
        )
        for index, layer in enumerate(net.layers)
    )
    return Program(config=config, net=net, batch=batch, layers=layers, maps=maps)


def _layer_order(
    layer: QuantLayer, maps: Mapping[int, StoredMap], index: int, config: EngineConfig
) -> LayerOrder:
    """How layer `index` reads stored maps, and stores its own."""
    joined = _joined_blocks(layer, config, maps[index].widths, maps[index].area)
    return LayerOrder.of(layer.wiring, maps, index, f"layer {layer.name}", joined)


def _stored_maps(
    net: QuantNet, config: EngineConfig, patches: Mapping[int, Patch]
) -> dict[int, StoredMap]:
    """The network's input and the results of each layer, as they are stored."""
    shape = net.input_shape
    widths = net.read_widths(NETWORK_INPUT)
    maps = {NETWORK_INPUT: StoredMap(shape, np.arange(shape[0]), widths)}
    for index, layer in enumerate(net.layers):
        widths = net.read_widths(index) or (OPERAND_BITS,)
        lines = line_map(net, index, layer.wiring.outputs)
        if lines is not None and index not in patches:
            maps[index] = lines
            continue
        patch = patches.get(index, (1, 1))
        area = patch[0] * patch[1]
        joined = _joined_blocks(layer, config, widths, area)
        groups = [
            group.channels[group.channels % area == place] // area
            for group in group_neurons(layer, config.cols, joined, by_operands=True)
            for place in range(area)
        ]
        channels, height, width = layer.wiring.output_shape
        slots = channel_slots(groups, channels // area, config, widths)
        shape = channels // area, height * patch[0], width * patch[1]
        maps[index] = StoredMap(shape, slots, widths, patch=patch)
    return maps


def line_map(net: QuantNet, index: int, outputs: int) -> StoredMap | None:
    """The map of a layer whose channels are read as lines of one channel; None if they are not.

    Parameters
    ----------
    net : the network
    index : of the layer
    outputs : its results for one channel
    """
    shapes = set(net.read_shapes(index))
    if len(shapes) != 1 or net.layers[index].wiring.channels == 1:
        return None
    ((depth, lines, length),) = shapes
    if depth > 1 or lines == 1 or length % outputs:
        return None
    return StoredMap((1, lines, length), np.zeros(1, np.intp), net.read_widths(index), outputs)


def compile_stored_layer(
    net: QuantNet,
    config: EngineConfig,
    batch: int,
    index: int,
    layer: QuantLayer,
    shapes: Mapping[int, tuple[int, int, int]],
    patch: Patch,
) -> LayerProgram:
    """A layer that is to replace layer `index`, for maps stored in these shapes.

    Parameters
    ----------
    net, config, batch : see `compile_network`
    index : of the layer that is replaced
    layer : in its place
    shapes : of all maps that it reads, and of its own
    patch : its channels compute the results of a patch
    """
    maps = {}
    for each, shape in shapes.items():
        widths = net.read_widths(each) or (OPERAND_BITS,)
        lines = None if each < 0 else line_map(net, each, shape[1] * shape[2])
        own = patch if each == index else (1, 1)
        maps[each] = lines or StoredMap(shape, np.arange(shape[0]), widths, patch=own)
    order = _layer_order(layer, maps, index, config)
    return compile_layer(layer, net.copies(index), config, batch, order, patch)


def _joined_blocks(
    layer: QuantLayer, config: EngineConfig, stored: Sequence[int], area: int
) -> int:
    """Blocks of inputs that a tile reads together, where a word holds several of them.

    That takes no more beats than a tile for each of them; and narrow results that share an octet
    must come from one tile.

    Parameters
    ----------
    layer : whose blocks
    config : the engine
    stored : widths at which its results are stored
    area : its channels for each channel of the map that is stored
    """
    wiring = layer.wiring
    per_word = config.pairs(int(layer.precision.max()))
    depth = max(source.geometry.input_shape[0] for source in wiring.ungrouped.sources)
    packed = [width for width in stored if config.pairs(width) > 1]
    per_octet = max([1, *(OCTET // width for width in packed)])
    inputs = max(1, per_word * wiring.groups // depth)
    return max(inputs, per_octet * area * wiring.groups // wiring.channels, 1)


def check_capacity(layer: QuantLayer, config: EngineConfig) -> None:
    """`CapacityError` if the engine cannot compute a layer exactly.

    The accumulator is proven wide enough from the weights themselves: the sum of their magnitudes
    times the largest activation is more than any input can reach. The structural `fused` NCU sums
    products of p bits 16 - p places up (`synth/structural.py`), which its accumulator lacks then.
    """
    where, fan_in = f"layer {layer.name}", layer.wiring.fan_in
    if layer.wiring.window > config.rows:
        raise CapacityError(f"{where}: pooling needs {layer.wiring.window} rows; make rows larger")
    if layer.table is not None and len(layer.table) != config.table_segments + 1:
        raise CapacityError(
            f"{where}: its table has {len(layer.table) - 1} segments, the engine"
            f" {config.table_segments}; set table_segments or quantise again"
        )
    if layer.wiring.window > 1 and not layer.is_monotone:
        raise CapacityError(
            f"{where}: pools a function whose table falls; the engine takes the maximum before the"
            " function"
        )
    for width in sorted(set(np.unique(layer.precision).tolist())):
        if width not in config.precisions:
            shown = ",".join(map(str, config.precisions))
            raise CapacityError(f"{where}: uses {width} bits; the engine has {shown}")
        if config.beats(fan_in, width) > MAX_BEATS:
            raise CapacityError(
                f"{where}: fan-in {fan_in} at {width} bits is over {MAX_BEATS} beats"
            )
        places = _operand_places(config, width)
        most = SHIFT_RANGE[1] - places
        if layer.widths[width].shift.max() > most:
            raise CapacityError(
                f"{where}: a shift at {width} bits is over {most}, the most on ncu {config.ncu};"
                " quantise with fewer fraction bits"
            )
        bound = layer.accumulator_bound(width) << max(places, OPERAND_BITS - width)
        if bound >= 1 << (config.accumulator_bits - 1):
            raise CapacityError(
                f"{where}: fan-in {fan_in} at {width} bits can reach {bound}, more than"
                f" {config.accumulator_bits} bits hold; set accumulator_bits to"
                f" {bound.bit_length() + 1} or lower the precision"
            )


def _check_batch(layer: QuantLayer, config: EngineConfig, batch: int) -> None:
    """Refuse a run whose tiles would take minutes, or all memory, to list."""
    channels, outputs = layer.precision.shape
    columns = -(-channels // config.cols)
    most = MAX_TILES * config.rows // (outputs * layer.wiring.window * columns)
    if batch > most:
        raise CapacityError(
            f"layer {layer.name}: a batch of {batch:,} samples needs more than {MAX_TILES:,} tiles;"
            f" lower the batch to {most:,}"
        )


def _operand_places(config: EngineConfig, width: int) -> int:
    """Places by which a product stands left of the integers' product: `gated` aligns at the top."""
    return 2 * (OPERAND_BITS - width) if config.pairs(width) == 1 else 0


def compile_layer(
    layer: QuantLayer,
    copies: Copies,
    config: EngineConfig,
    batch: int,
    stored: LayerOrder | None = None,
    patch: Patch = (1, 1),
) -> LayerProgram:
    """Compile one layer, of which `check_capacity` has nothing to say.

    Parameters
    ----------
    layer : the layer
    copies : narrow copies of its results that later layers read
    config : the engine
    batch : samples in one run
    stored : how it reads and stores maps; None if a host makes the streams
    patch : its channels compute the results of a patch
    """
    knots = None if layer.table is None else layer.table.astype(np.uint16).astype(np.uint32)
    groups = tuple(
        _build_group(layer, config, batch, neurons, copies, stored)
        for neurons in group_neurons(
            layer,
            config.cols,
            1 if stored is None else stored.joined,
            by_operands=stored is not None,
        )
    )
    order, fetched = _order_tiles(groups)
    if stored is not None:
        order = np.arange(len(order))
    return LayerProgram(
        layer=layer,
        knots=knots,
        groups=groups,
        order=order,
        fetched_words=fetched,
        copies=copies,
        counts=_count(config, knots, groups, order),
        stored=stored,
        patch=patch,
    )


def reorder_tiles(program: Program, orders: Mapping[int, NDArray[np.intp]]) -> Program:
    """The program with the tiles of some layers in another order, by the index of the layer."""
    layers = [
        replace(
            layer,
            order=orders[index],
            counts=_count(program.config, layer.knots, layer.groups, orders[index]),
        )
        if index in orders
        else layer
        for index, layer in enumerate(program.layers)
    ]
    return replace(program, layers=tuple(layers))


def _count(
    config: EngineConfig,
    knots: NDArray[np.uint32] | None,
    groups: Sequence[TileGroup],
    order: NDArray[np.intp],
) -> EventCounts:
    """Events of a layer whose tiles are sent in this order."""
    tiles = [tile for group in groups for tile in group.tiles]
    load = [] if knots is None else [TableLoad()]
    return count_events(config, [*load, *(tiles[index] for index in order.tolist())])


def _order_tiles(groups: tuple[TileGroup, ...]) -> tuple[NDArray[np.intp], int]:
    """The order of a layer's tiles, and the words of operands that are fetched for it.

    Groups that read the same operands form a table, groups by rows of the tiles; it is traversed in
    alternating directions by rows or by columns, whichever fetches fewer words.
    """
    order, fetched, first = [], 0, 0
    for _, members in groupby(groups, _what_is_read):
        panel = list(members)
        rows = np.array([tile.rows for tile in panel[0].tiles])
        cols = np.array([len(group.channels) for group in panel])
        by_weights = _alternating_path(len(cols), len(rows))
        by_activations = _alternating_path(len(rows), len(cols))[:, ::-1]
        costs = [_lanes_fetched(path, cols, rows) for path in (by_weights, by_activations)]
        path = by_weights if costs[0] <= costs[1] else by_activations
        order.append(first + path @ np.array([len(rows), 1]))
        fetched += min(costs) * len(panel[0].weights)
        first += len(path)
    return np.concatenate(order), fetched


def _what_is_read(group: TileGroup) -> tuple[int, int, bytes, bytes]:
    return group.precision, group.block, group.outputs.tobytes(), group.operands.tobytes()


def _alternating_path(outer: int, inner: int) -> NDArray[np.intp]:
    """(outer * inner, 2) places of a table, every second line of it backwards."""
    places = np.tile(np.arange(inner), (outer, 1))
    places[1::2] = places[1::2, ::-1]
    return np.stack([np.repeat(np.arange(outer), inner), places.ravel()], axis=1)


def _lanes_fetched(path: NDArray[np.intp], cols: NDArray[np.intp], rows: NDArray[np.intp]) -> int:
    """Lanes of all blocks that differ from the one before, for (group, rows) along the path."""
    news = np.diff(path, axis=0, prepend=-1) != 0
    return int(cols[path[news[:, 0], 0]].sum() + rows[path[news[:, 1], 1]].sum())


@dataclass(frozen=True)
class Neurons:
    """Neurons that share a group's tiles; see `TileGroup`."""

    precision: int
    block: int
    channels: NDArray[np.intp]
    outputs: NDArray[np.intp]


def group_neurons(
    layer: QuantLayer, cols: int, joined: int = 1, *, by_operands: bool = False
) -> Iterator[Neurons]:
    """Groups of at most `cols` neurons, widest first within a set of outputs.

    Output positions whose channels all have the same precisions are taken together.

    Parameters
    ----------
    layer : whose neurons
    cols : columns of the engine
    joined : neighbouring blocks of inputs that one group may read
    by_operands : neurons that multiply the same operands come together, and not in the order of
        their channels
    """
    groups, per_block = layer.wiring.groups, layer.wiring.channels // layer.wiring.groups
    for block in range(0, groups, joined):
        members = np.arange(block * per_block, min(block + joined, groups) * per_block)
        if by_operands:
            members = members[_order_by_operands(layer, members)]
        patterns, which = np.unique(layer.precision[members], axis=1, return_inverse=True)
        for index in range(patterns.shape[1]):
            outputs = np.flatnonzero(which.ravel() == index)
            for width in sorted(set(patterns[:, index].tolist()), reverse=True):
                channels = members[patterns[:, index] == width]
                for start in range(0, len(channels), cols):
                    yield Neurons(width, block, channels[start : start + cols], outputs)


def _order_by_operands(layer: QuantLayer, members: NDArray[np.intp]) -> NDArray[np.intp]:
    """Order of channels, those whose weights are zero for the same operands together.

    Where most channels have zeros of their own, as by chance, they keep their order; and one that
    multiplies less than others do is one of them.
    """
    used = np.zeros((len(members), layer.wiring.fan_in), bool)
    for operands in layer.widths.values():
        used |= operands.weights[members] != 0
    patterns, which = np.unique(used, axis=0, return_inverse=True)
    if 2 * len(patterns) > len(members):
        return np.arange(len(members))
    lacks = patterns.astype(np.int64) @ ~patterns.T
    holder = np.where(lacks == 0, patterns.sum(axis=1), -1).argmax(axis=1)
    return np.argsort(holder[which.ravel()], kind="stable")


def _build_group(
    layer: QuantLayer,
    config: EngineConfig,
    batch: int,
    neurons: Neurons,
    copies: Copies,
    stored: LayerOrder | None,
) -> TileGroup:
    """Pack a group's weights and write its commands."""
    width, channels = neurons.precision, neurons.channels
    if stored is not None:
        channels = channels[np.argsort(stored.order[channels])]
    operands = layer.widths[width]
    chosen = operands.weights[channels]
    streamed, fetched, values = _order_operands(
        layer, neurons, channels, chosen, config.pairs(width), stored
    )
    packed = pack(values, width, config.pairs(width))
    weights = np.zeros((packed.shape[1], config.cols), np.uint16)
    weights[:, : len(channels)] = packed.T
    shift = operands.shift[channels].astype(np.int64) + _operand_places(config, width)
    window = layer.wiring.window
    full = config.window_rows(window)
    rows = _tile_rows(batch * len(neurons.outputs) * window, full)
    if stored is not None:  # rows without a position are not valid in the lane entries
        rows = [full] * len(rows)
    tiles = {
        count: TileCommand(
            precision=width,
            beats=len(weights),
            rows=count,
            cols=len(channels),
            unsigned=layer.reads_unsigned(width),
            function=layer.code,
            window=window,
            copies=copies.shifts,
            unsigned_copies=copies.unsigned,
            copies_only=copies.only,
        )
        for count in set(rows)
    }
    words = {count: tile.word(config) for count, tile in tiles.items()}
    return TileGroup(
        precision=width,
        block=neurons.block,
        channels=channels,
        outputs=neurons.outputs,
        operands=streamed,
        words=fetched,
        weights=weights,
        parameters=parameter_words(layer.bias[channels], shift),
        tiles=tuple(tiles[count] for count in rows),
        commands=np.array([words[count] for count in rows], np.uint64),
    )


def _order_operands(
    layer: QuantLayer,
    neurons: Neurons,
    channels: NDArray[np.intp],
    weights: NDArray[np.int16],
    pairs: int,
    stored: LayerOrder | None,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int16]]:
    """`TileGroup.operands` and `words`, and the weights by which these operands are multiplied.

    Parameters
    ----------
    layer, neurons : whose operands
    channels : the neurons' channels, one a column
    weights : (cols, fan_in) of the neurons
    pairs : operands in a word
    stored : how the layer reads stored maps, or None
    """
    if stored is None:
        own = layer.wiring.block_operands(neurons.block)
        streamed = _not_zero(np.asarray(weights.any(axis=0)))
        return own[streamed], np.zeros(0, np.intp), weights[:, streamed]
    words = stored.words(pairs)
    spread = np.zeros((len(weights), layer.wiring.ungrouped.fan_in + 1), np.int16)
    blocks = channels * layer.wiring.groups // layer.wiring.channels
    for block in np.unique(blocks).tolist():
        spread[np.ix_(blocks == block, layer.wiring.block_operands(block))] = weights[
            blocks == block
        ]
    values = spread[:, words.operands]
    used: NDArray[np.bool_] = np.asarray(spread.any(axis=0))
    if len(channels) == len(np.unique(blocks)) * layer.wiring.channels // layer.wiring.groups:
        # Whole blocks: what no block multiplies is left out, so that all have the same taps.
        in_block = np.any([each.weights.any(axis=0) for each in layer.widths.values()], axis=0)
        for block in np.unique(blocks).tolist():
            used[layer.wiring.block_operands(block)] = in_block
    fetched = _not_zero(np.asarray(used[words.operands].any(axis=1)))
    kept = values[:, fetched].reshape(len(weights), -1)
    return words.operands[fetched].ravel(), fetched, kept


def _not_zero(used: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Numbers of what is used; the first where nothing is: a tile has a beat at least."""
    found = np.flatnonzero(used)
    return found if len(found) else np.zeros(1, np.intp)


def _tile_rows(rows: int, full: int) -> list[int]:
    """Active rows of each tile, for `rows` rows in all and `full` in a full tile."""
    tiles, rest = divmod(rows, full)
    return [full] * tiles + ([rest] if rest else [])
