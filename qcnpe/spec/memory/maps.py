"""Stored maps: in which order the banks hold operands, and how a layer reads them.

A position of a map is one place of its (height, width); it holds a slot for each channel, and for
fillers, `pairs` slots to a word. All widths of a map have the same slots.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.geometry import Geometry, Wiring

OCTET = 8
"""Bits of an octet, the least that a bank writes."""


def block_order(shape: tuple[int, int, int], factor: int) -> NDArray[np.intp]:
    """Index in a flat map of each value of the map whose neighbouring columns are channels.

    Channel c, column x is there channel `c * factor + x % factor`, column `x // factor`.
    """
    return patch_order(shape, (1, factor))


Patch = tuple[int, int]
"""Lines and columns of neighbouring results that a layer computes at one output position."""


def patch_order(shape: tuple[int, int, int], patch: Patch) -> NDArray[np.intp]:
    """Index in a flat map of each result of the layer whose channels compute patches.

    With patches of h lines and w columns, channel c, line y, column x is there channel
    `(c * h + y % h) * w + x % w`, line `y // h`, column `x // w`.
    """
    channels, height, width = shape
    lines, columns = patch
    flat = np.arange(channels * height * width)
    parts = flat.reshape(channels, height // lines, lines, width // columns, columns)
    return parts.transpose(0, 2, 4, 1, 3).ravel()


@dataclass(frozen=True, eq=False)
class StoredMap:
    """The order of a layer's results, or of the network's input, in the banks.

    Attributes
    ----------
    shape : (channels, height, width)
    slots : (channels,) slot of each channel in a position
    widths : operand widths at which it is stored, descending
    line_outputs : if the channels of the layer that makes it lie in lines, and not in slots, its
        results for one channel, which lie side by side; else 0
    patch : the layer that makes it has a channel for each result of a patch, see `patch_order`
    """

    shape: tuple[int, int, int]
    slots: NDArray[np.intp]
    widths: tuple[int, ...]
    line_outputs: int = 0
    patch: Patch = (1, 1)

    @property
    def area(self) -> int:
        """Channels of the layer that makes it for each channel of the map, if it has patches."""
        return self.patch[0] * self.patch[1]

    def words(self, pairs: int) -> int:
        """Words of a position with so many slots in a word."""
        return int(self.slots.max()) // pairs + 1

    def slot_of(self, channels: NDArray[np.intp]) -> NDArray[np.intp]:
        """Slot of channels of the layer that makes it."""
        return np.zeros_like(channels) if self.line_outputs else self.slots[channels // self.area]

    def place_of(self, channel: int) -> tuple[int, int]:
        """Line and column by which the results of a channel of that layer are moved."""
        if self.line_outputs:
            return divmod(channel * self.line_outputs, self.shape[2])
        return divmod(channel % self.area, self.patch[1])

    @property
    def order(self) -> NDArray[np.intp]:
        """(channels,) rank by which the channels of that layer are stored: by place, by slot."""
        if self.line_outputs:
            return np.arange(self.shape[1] * self.shape[2] // self.line_outputs)
        ranks = np.arange(self.area) * (int(self.slots.max()) + 1)
        return (self.slots[:, None] + ranks).ravel()


def channel_slots(
    groups: Sequence[NDArray[np.intp]], channels: int, config: EngineConfig, widths: Sequence[int]
) -> NDArray[np.intp]:
    """Slot of each channel, so that each octet of a word is written by one tile.

    Channels that are in the same groups of tiles are neighbours, and begin at an octet.

    Parameters
    ----------
    groups : channels of each group of tiles
    channels : number of channels
    config : the engine
    widths : at which the map is stored
    """
    members: list[list[int]] = [[] for _ in range(channels)]
    for number, group in enumerate(groups):
        for channel in group.tolist():
            members[channel].append(number)
    atoms: dict[tuple[int, ...], list[int]] = {}
    for channel in sorted(range(channels), key=lambda channel: (members[channel], channel)):
        atoms.setdefault(tuple(members[channel]), []).append(channel)
    packed = [width for width in widths if config.pairs(width) > 1]
    step = max([1, *(OCTET // width for width in packed)])
    slots = np.zeros(channels, np.intp)
    start = 0
    for atom in atoms.values():
        slots[atom] = start + np.arange(len(atom))
        start += -(-len(atom) // step) * step
    return slots


@dataclass(frozen=True, eq=False)
class Words:
    """Words that a layer reads for one of its results, in the order in which they are fetched.

    Attributes
    ----------
    source, tap, word : (n,) number of the source, its tap, and the word of the position
    operands : (n, pairs) operand in each slot, an index into those of `Wiring.ungrouped`; the index
        after the last operand stands for a filler
    """

    source: NDArray[np.intp]
    tap: NDArray[np.intp]
    word: NDArray[np.intp]
    operands: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class MapReader:
    """How one source of a layer reads a stored map.

    Attributes
    ----------
    geometry : of the source, all its channels in one block
    map : what it reads
    where : the layer, for errors
    """

    geometry: Geometry
    map: StoredMap
    where: str

    def __post_init__(self) -> None:
        if not self.is_window and self.geometry.outputs * self.geometry.window > 1:
            raise CapacityError(
                f"{self.where}: reads a map of {self.map.shape} as {self.geometry.input_shape};"
                " only layers with one output position can"
            )

    @property
    def is_window(self) -> bool:
        """Whether it reads a window of the map that moves; else it reads all of it, flattened."""
        return self.geometry.input_shape == self.map.shape

    @cached_property
    def taps(self) -> NDArray[np.intp]:
        """(taps, 2) line and column from the window's corner, or in the map."""
        geometry = self.geometry
        if self.is_window:
            lines = np.repeat(np.arange(geometry.kernel[0]), geometry.kernel[1])
            columns = np.tile(np.arange(geometry.kernel[1]), geometry.kernel[0])
            return np.stack([lines * geometry.dilation[0], columns * geometry.dilation[1]], axis=1)
        _, height, width = self.map.shape
        return np.stack([np.repeat(np.arange(height), width), np.tile(np.arange(width), height)], 1)

    @cached_property
    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Operands that are not padding, in order: number, tap and slot of each."""
        if self.is_window:
            operands = np.arange(self.geometry.fan_in)
            channel, tap = np.divmod(operands, len(self.taps))
        else:
            flat = self.geometry.gather[0, 0, 0]
            operands = np.flatnonzero(flat < self.geometry.inputs)
            channel, tap = np.divmod(flat[operands].astype(np.intp), len(self.taps))
        return operands, tap, self.map.slots[channel]


@dataclass(frozen=True, eq=False)
class LayerOrder:
    """How a layer reads stored maps, and stores its own.

    Attributes
    ----------
    wiring : of the layer
    readers : of its sources
    order : (channels,) rank by which its results are stored, see `StoredMap.order`
    joined : blocks of inputs that a tile reads together
    """

    wiring: Wiring
    readers: tuple[MapReader, ...]
    order: NDArray[np.intp]
    joined: int

    @classmethod
    def of(
        cls, wiring: Wiring, maps: Mapping[int, StoredMap], index: int, where: str, joined: int
    ) -> "LayerOrder":
        """The order of layer `index`, given its map and those of all that it reads.

        Raises
        ------
        CapacityError
            If a source reads a map in another shape.
        """
        readers = tuple(
            MapReader(source.geometry, maps[source.reads(index)], where)
            for source in wiring.ungrouped.sources
        )
        return cls(wiring, readers, maps[index].order, joined)

    def words(self, pairs: int) -> Words:
        """All words that hold operands of the layer."""
        end = self.wiring.ungrouped.fan_in
        source, tap, word, held = [], [], [], []
        start = 0
        for number, reader in enumerate(self.readers):
            operands, taps, slots = reader.places
            keys = taps * reader.map.words(pairs) + slots // pairs
            found, which = np.unique(keys, return_inverse=True)
            filled = np.full((len(found), pairs), end)
            filled[which, slots % pairs] = start + operands
            source.append(np.full(len(found), number))
            tap.append(found // reader.map.words(pairs))
            word.append(found % reader.map.words(pairs))
            held.append(filled)
            start += reader.geometry.fan_in
        return Words(*(np.concatenate(part) for part in (source, tap, word, held)))
