"""Positions of maps in the banks: margins of zeros, and pitches at which few lanes collide."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import LayerProgram, Program, TileGroup
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.geometry import NETWORK_INPUT
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.image import PlacedMap
from qcnpe.spec.memory.maps import MapReader, StoredMap

_Ints = NDArray[np.intp]

MOST_WORDS = (1 << 12) - 1
"""Most words of a position: a walk entry has no more room."""

_MOST_EXTRA = 15
"""Most positions that are added to a line."""

_TRIED_TILES = 256
"""Tiles of each reader that a pitch is tried on."""


@dataclass(frozen=True, eq=False)
class Spacing:
    """Positions of a map, whatever its width.

    Attributes
    ----------
    map : what is placed
    margins : (top, left, bottom, right) zeros that readers want
    extra : positions added to a line, and to a sample
    """

    map: StoredMap
    margins: tuple[int, int, int, int]
    extra: tuple[int, int] = (0, 0)

    @property
    def pitch(self) -> int:
        """Positions from line to line; the zeros right of a line are those left of the next."""
        return self.map.shape[2] + max(self.margins[1], self.margins[3]) + self.extra[0]

    @property
    def origin(self) -> int:
        """Position of line 0, column 0."""
        return self.margins[0] * self.pitch + self.margins[1]

    @property
    def sample_step(self) -> int:
        """Positions from sample to sample; the zeros below one are those above the next."""
        lines = self.map.shape[1] + max(self.margins[0], self.margins[2])
        return lines * self.pitch + self.extra[1]

    def positions(self, batch: int) -> int:
        """Positions of all samples, with their margins."""
        _, height, width = self.map.shape
        top, left, bottom, right = self.margins
        last = (top + height + bottom - 1) * self.pitch + left + width + right
        return (batch - 1) * self.sample_step + last

    def at_width(self, width: int, pairs: int, batch: int) -> PlacedMap:
        """The map at a width, from row 0 on."""
        return PlacedMap(
            map=self.map,
            width=width,
            pairs=pairs,
            words=self.map.words(pairs),
            origin=self.origin,
            pitch=self.pitch,
            sample_step=self.sample_step,
            positions=self.positions(batch),
        )

    def read(self, reader: MapReader, outputs: _Ints, batch: int) -> _Ints:
        """(items,) positions of the first tap, for samples, outputs and their windows."""
        starts = np.arange(batch)[:, None, None] * self.sample_step
        if not reader.is_window:
            return (starts + self.origin + np.zeros((1, len(outputs), 1), np.intp)).ravel()
        corners = reader.geometry.corners[outputs]
        places = corners[..., 0] * self.pitch + corners[..., 1]
        return (starts + self.origin + places).ravel()

    def tap_offset(self, reader: MapReader, tap: int) -> int:
        """Positions from the first tap to another one."""
        line, column = reader.taps[tap].tolist()
        return int(line * self.pitch + column)

    def reach(self, reader: MapReader) -> int:
        """Positions from the first tap to the last one."""
        return int((reader.taps @ (self.pitch, 1)).max())

    def stored(self, outputs: _Ints, window: int, batch: int) -> _Ints:
        """(items,) positions of results, for samples, outputs and their windows; -1 if none."""
        lines, columns = self.map.patch
        line, column = np.divmod(outputs, self.map.shape[2] // columns)
        line, column = line * lines, column * columns
        places = np.full((batch, len(outputs), window), -1)
        starts = np.arange(batch)[:, None] * self.sample_step + self.origin
        places[:, :, 0] = starts + line * self.pitch + column
        return places.ravel()


def readers_of(program: Program, index: int) -> Iterator[tuple[LayerProgram, MapReader]]:
    """Every source of a layer that reads a map, and that layer."""
    for reader, layer in enumerate(program.layers):
        assert layer.stored is not None
        for source, found in zip(layer.layer.sources, layer.stored.readers, strict=True):
            if source.reads(reader) == index:
                yield layer, found


def space_maps(program: Program, config: MemoryConfig) -> dict[int, Spacing]:
    """Positions of all maps of a program.

    Raises
    ------
    CapacityError
        If a position has too many words.
    """
    found = {}
    for index, stored in program.maps.items():
        for width in stored.widths:
            words = stored.words(program.config.pairs(width))
            if words > MOST_WORDS:
                raise CapacityError(
                    f"{name_of(program, index)}: {words} words of {width} bits at one position; an"
                    f" autonomous engine holds {MOST_WORDS}"
                )
        spacing = Spacing(stored, _margins(program, index))
        found[index] = _choose_extra(program, config, index, spacing)
    return found


def name_of(program: Program, index: int) -> str:
    """A map's name for errors."""
    if index == NETWORK_INPUT:
        return "the network's input"
    return f"layer {program.layers[index].layer.name}"


def _margins(program: Program, index: int) -> tuple[int, int, int, int]:
    margins = np.zeros(4, np.intp)
    for _, reader in readers_of(program, index):
        if reader.is_window:
            margins = np.maximum(margins, reader.geometry.padding)
    top, left, bottom, right = margins.tolist()
    return top, left, bottom, right


def _choose_extra(program: Program, config: MemoryConfig, index: int, spacing: Spacing) -> Spacing:
    """The pitches of the fewest passes: first that of lines, then that of samples."""
    best, lowest = spacing, _count_passes(program, config, index, spacing)
    for axis, most in ((0, _MOST_EXTRA), (1, config.banks - 1)):
        start = best
        for extra in range(1, most + 1):
            if lowest == 0:
                return best
            steps = list(start.extra)
            steps[axis] = extra
            candidate = replace(start, extra=(steps[0], steps[1]))
            if (passes := _count_passes(program, config, index, candidate)) < lowest:
                best, lowest = candidate, passes
    return best


def _count_passes(program: Program, config: MemoryConfig, index: int, spacing: Spacing) -> int:
    """Cycles that conflicts cost, on a part of the tiles; writes may take as long as the beats."""
    total = 0
    for layer, reader in readers_of(program, index):
        for group in _distinct_outputs(layer):
            places = spacing.read(reader, group.outputs, program.batch)
            beats = len(group.weights)
            total += int((_passes(program, config, layer, places) - 1).sum()) * beats
    if index != NETWORK_INPUT:
        layer = program.layers[index]
        for group in _distinct_outputs(layer):
            window = layer.layer.wiring.window
            places = spacing.stored(group.outputs, window, program.batch)
            columns, beats = len(group.channels), len(group.weights)
            writes = _passes(program, config, layer, places) * columns
            total += int(np.maximum(writes - max(beats, columns), 0).sum())
    return total


def _distinct_outputs(layer: LayerProgram) -> list[TileGroup]:
    """One group for each set of outputs."""
    return list({group.outputs.tobytes(): group for group in layer.groups}.values())


def _passes(program: Program, config: MemoryConfig, layer: LayerProgram, places: _Ints) -> _Ints:
    used = program.config.window_rows(layer.layer.wiring.window)
    tiles = cut_tiles(places, used)[:_TRIED_TILES]
    return pass_counts(tiles, config.banks)


def cut_tiles(places: _Ints, used: int) -> _Ints:
    """(tiles, used) positions of each tile's rows; -1 where a row has none."""
    tiles = -(-len(places) // used)
    found = np.full(tiles * used, -1)
    found[: len(places)] = places
    return found.reshape(tiles, used)


def pass_counts(tiles: _Ints, banks: int) -> _Ints:
    """(tiles,) passes of each tile: most positions of it that share a bank."""
    count, span = len(tiles), int(tiles.max()) + 1
    keys = np.arange(count)[:, None] * span + tiles
    tile, position = np.divmod(np.unique(keys[tiles >= 0]), span)
    found = np.bincount(tile * banks + position % banks, minlength=count * banks)
    return found.reshape(count, banks).max(axis=1)


def passes_of(tiles: _Ints, banks: int) -> _Ints:
    """(tiles, rows) pass in which each row's position is used; those of one position share it."""
    bank = tiles % banks
    passes = np.zeros(tiles.shape, np.intp)
    for row in range(1, tiles.shape[1]):
        before = (bank[:, :row] == bank[:, row, None]) & (tiles[:, :row] >= 0)
        same = before & (tiles[:, :row] == tiles[:, row, None])
        highest = np.where(before, passes[:, :row], -1).max(axis=1)
        shared = np.where(same, passes[:, :row], -1).max(axis=1)
        passes[:, row] = np.where(shared >= 0, shared, highest + 1)
    return np.where(tiles >= 0, passes, 0)
