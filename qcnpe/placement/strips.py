"""Strips: tiles of a layer that are computed together when its maps lie in external memory.

A map in external memory has the rows that it would have in the banks. A strip of a layer is its
tiles whose results begin in some lines. Their operands, and their results, lie between two rows of
each map: its window, which is all of the map that the banks hold while the strip is computed.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import LayerProgram, Program, TileGroup
from qcnpe.placement.layout import Spacing, cut_tiles
from qcnpe.spec.memory.image import PlacedMap

_Ints = NDArray[np.intp]

MapKey = tuple[int, int]
"""A map at a width: index of its layer, and the width."""


@dataclass(frozen=True)
class Window:
    """Rows of a map in external memory that are in the banks.

    Attributes
    ----------
    first : row of the map
    rows : how many
    stored : of these, the first ones that earlier strips have stored; none of a map that is read
    """

    first: int
    rows: int
    stored: int = 0


@dataclass(frozen=True, eq=False)
class Strip:
    """Tiles of a layer that are computed together.

    Attributes
    ----------
    tiles : first tile of each group, and the one after the last; both are equal if there is none
    reads, writes : windows of the maps in external memory
    """

    tiles: tuple[tuple[int, int], ...]
    reads: Mapping[MapKey, Window] = field(default_factory=dict)
    writes: Mapping[MapKey, Window] = field(default_factory=dict)

    @property
    def windows(self) -> dict[MapKey, Window]:
        """All windows."""
        return {**self.reads, **self.writes}


def whole_layer(layer: LayerProgram) -> Strip:
    """All tiles of a layer, none of whose maps is in external memory."""
    return Strip(tuple((0, len(group.tiles)) for group in layer.groups))


def tile_order(layer: LayerProgram, strips: Sequence[Strip]) -> _Ints:
    """Tiles in the order of strips, numbered through all groups."""
    starts = np.cumsum([0, *(len(group.tiles) for group in layer.groups)])
    return np.concatenate(
        [
            start + np.arange(first, end)
            for strip in strips
            for start, (first, end) in zip(starts[:-1], strip.tiles, strict=True)
        ]
    )


@dataclass(frozen=True, eq=False)
class _Span:
    """What the tiles of alike groups touch.

    Attributes
    ----------
    lines : (tiles,) line in which the results of each begin, of all samples' lines
    reads, writes : (tiles, 2) first row, and the one after the last, of each map
    """

    lines: _Ints
    reads: Mapping[MapKey, _Ints]
    writes: Mapping[MapKey, _Ints]


class StripCutter:
    """Cuts a layer into strips.

    Parameters
    ----------
    program : of the layer
    spacings, maps : positions of all maps, and each of them at each width
    index : of the layer
    external : maps that lie in external memory, by the index of their layers
    banks : of activations

    Attributes
    ----------
    lines : of results, of all samples
    """

    def __init__(
        self,
        program: Program,
        spacings: Mapping[int, Spacing],
        maps: Mapping[MapKey, PlacedMap],
        index: int,
        external: Set[int],
        banks: int,
    ) -> None:
        self._program, self._spacings, self._maps = program, spacings, maps
        self._index, self._external, self._banks = index, external, banks
        self._layer = program.layers[index]
        self.lines = program.batch * self._layer.layer.wiring.output_shape[1]
        alike: dict[tuple[int, bytes, tuple[int, int]], _Span] = {}
        self._spans = []
        for group in self._layer.groups:
            key = group.precision, group.outputs.tobytes(), self._moved(group)
            if key not in alike:
                alike[key] = self._span(group)
            self._spans.append(alike[key])
        self._distinct = list(alike.values())

    def _moved(self, group: TileGroup) -> tuple[int, int]:
        """Least and most positions by which results of a group's channels are moved."""
        stored, pitch = self._program.maps[self._index], self._spacings[self._index].pitch
        places = [stored.place_of(channel) for channel in group.channels.tolist()]
        moved = [line * pitch + column for line, column in places]
        return min(moved), max(moved)

    def _span(self, group: TileGroup) -> _Span:
        program, wiring = self._program, self._layer.layer.wiring
        used = program.config.window_rows(wiring.window)
        reads: dict[MapKey, _Ints] = {}
        assert self._layer.stored is not None
        for source, reader in zip(wiring.sources, self._layer.stored.readers, strict=True):
            key = source.reads(self._index), group.precision
            if key[0] in self._external:
                spacing = self._spacings[key[0]]
                places = cut_tiles(spacing.read(reader, group.outputs, program.batch), used)
                rows = self._rows(key, places, 0, spacing.reach(reader))
                reads[key] = _joined(reads.get(key, rows), rows)
        own = self._spacings[self._index].stored(group.outputs, wiring.window, program.batch)
        places = cut_tiles(own, used)
        widths = program.maps[self._index].widths if self._index in self._external else ()
        keys = [(self._index, width) for width in widths]
        writes = {key: self._rows(key, places, *self._moved(group)) for key in keys}
        return _Span(self._lines(group, len(places), used), reads, writes)

    def _lines(self, group: TileGroup, tiles: int, used: int) -> _Ints:
        wiring = self._layer.layer.wiring
        _, height, width = wiring.output_shape
        item = np.arange(tiles) * used // wiring.window
        sample, number = np.divmod(item, len(group.outputs))
        return sample * height + group.outputs[number] // width

    def _rows(self, key: MapKey, places: _Ints, before: int, after: int) -> _Ints:
        """(tiles, 2) rows of positions, moved by `before` to `after` positions."""
        map_ = self._maps[key]
        low = np.where(places < 0, places.max(), places).min(axis=1) + before
        high = places.max(axis=1) + after
        rows = np.stack([low // self._banks, high // self._banks + 1], axis=1) * map_.words
        return np.minimum(rows, map_.rows(self._banks))

    def cut(self, lines: int) -> tuple[Strip, ...]:
        """Strips of so many lines of results."""
        starts = np.arange(0, self.lines, lines)
        edges = {
            id(span): np.append(np.searchsorted(span.lines, starts), len(span.lines))
            for span in self._distinct
        }
        used = [
            number
            for number in range(len(starts))
            if any(edge[number] < edge[number + 1] for edge in edges.values())
        ]
        reads = [
            _touched([(span.reads, *edges[id(span)][n : n + 2]) for span in self._distinct])
            for n in used
        ]
        writes = [
            _touched([(span.writes, *edges[id(span)][n : n + 2]) for span in self._distinct])
            for n in used
        ]
        stored = self._stored_windows(writes)
        return tuple(
            Strip(
                tuple(
                    (int(edges[id(span)][n]), int(edges[id(span)][n + 1])) for span in self._spans
                ),
                {key: Window(low, high - low) for key, (low, high) in read.items()},
                written,
            )
            for n, read, written in zip(used, reads, stored, strict=True)
        )

    def _stored_windows(
        self, spans: Sequence[Mapping[MapKey, tuple[int, int]]]
    ) -> list[dict[MapKey, Window]]:
        """Windows of results: all of the map; rows in two of them are loaded again."""
        found = []
        ends = dict.fromkeys(spans[0], 0)
        for number, rows in enumerate(spans):
            windows = {}
            for key, (low, high) in rows.items():
                first, stored = min(low, ends[key]), ends[key]
                is_last = number + 1 == len(spans)
                ends[key] = self._maps[key].rows(self._banks) if is_last else max(high, stored)
                windows[key] = Window(first, ends[key] - first, stored - first)
            found.append(windows)
        return found


def _joined(one: _Ints, other: _Ints) -> _Ints:
    """(tiles, 2) rows that include both."""
    return np.stack(
        [np.minimum(one[:, 0], other[:, 0]), np.maximum(one[:, 1], other[:, 1])], axis=1
    )


def _touched(
    parts: Sequence[tuple[Mapping[MapKey, _Ints], int, int]],
) -> dict[MapKey, tuple[int, int]]:
    """First row, and the one after the last, that some tiles touch in each map.

    Parameters
    ----------
    parts : rows of all tiles, the first tile, and the one after the last
    """
    found: dict[MapKey, tuple[int, int]] = {}
    for rows, first, end in parts:
        if first == end:
            continue
        for key, each in rows.items():
            low, high = int(each[first:end, 0].min()), int(each[first:end, 1].max())
            before = found.get(key, (low, high))
            found[key] = min(low, before[0]), max(high, before[1])
    return found
