"""Places of maps: in the activation banks while there is room, else in external memory."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from qcnpe.compiler import Program
from qcnpe.placement.layout import Spacing, name_of
from qcnpe.placement.strips import MapKey, Strip, StripCutter, whole_layer
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.geometry import NETWORK_INPUT
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.image import PlacedMap

Interval = tuple[int, int]
"""First of something that is taken, and how many."""


@dataclass(frozen=True, eq=False)
class MapPlaces:
    """Where all maps lie.

    Attributes
    ----------
    maps : each at each width; `first` of those in external memory is 0
    kept : maps whose zeros, in margins and fillers, are written once: no other map takes their rows
    external : maps that lie in external memory, by the index of their layers
    strips : of each layer
    rooms : rows of the banks for the window of a map, by the layer that is computed and the map
    """

    maps: Mapping[MapKey, PlacedMap]
    kept: frozenset[MapKey]
    external: frozenset[int]
    strips: tuple[tuple[Strip, ...], ...]
    rooms: Mapping[tuple[int, MapKey], Interval]

    def seen(self, layer: int, key: MapKey, strip: Strip) -> PlacedMap:
        """A map as the tiles of a strip see it: the rows of its window lie where their room is."""
        window = strip.windows.get(key)
        if window is None:
            return self.maps[key]
        return replace(self.maps[key], first=self.rooms[layer, key][0] - window.first)

    def used_rows(self, banks: int) -> int:
        """Rows of the banks that are used."""
        inside = [
            map_.first + map_.rows(banks)
            for (index, _), map_ in self.maps.items()
            if index not in self.external
        ]
        return max([*inside, *(first + rows for first, rows in self.rooms.values())])


def place_maps(
    program: Program, config: MemoryConfig, spacings: Mapping[int, Spacing]
) -> MapPlaces:
    """Places of all maps.

    A map lives from the layer that makes it to the last one that reads it. Where those that live at
    the same time do not fit, one of them is moved to external memory, and then the next one.

    Raises
    ------
    CapacityError
        If a line of a layer's results, and what it is computed from, do not fit.
    """
    placer = _Placer(program, config, spacings)
    external: frozenset[int] = frozenset()
    while True:
        try:
            return placer.place(external)
        except _NoRoomError as error:
            moved = placer.next_external(error.layer, external)
            if moved is None:
                raise
            external |= {moved}


def map_lives(program: Program) -> dict[int, int]:
    """The last layer that reads each map; of the results of the network, one more than it has."""
    ends = {index: index for index in program.maps}
    for reader in range(len(program.layers)):
        for read in program.net.reads(reader):
            ends[read] = reader
    ends[len(program.layers) - 1] = len(program.layers)
    return ends


def live_together(one: int, other: int, ends: Mapping[int, int]) -> bool:
    """Whether two maps live at the same time, see `map_lives`."""
    return ends[one] >= other and ends[other] >= one


def first_fit(size: int, taken: Iterable[Interval]) -> int:
    """The lowest place from which on there is so much room."""
    first = 0
    for start, length in sorted(taken):
        if first + size <= start:
            break
        first = max(first, start + length)
    return first


def has_zeros(spacing: Spacing, placed: PlacedMap) -> bool:
    """Whether a layer's map has margins, or octets that no tile writes."""
    return any(spacing.margins) or _has_fillers(placed)


def _has_fillers(placed: PlacedMap) -> bool:
    """Whether there are octets of its words that hold no channel."""
    if placed.pairs == 1:
        return False
    octets = np.unique(placed.map.slots * placed.width // 8)
    return len(octets) < 2 * placed.words


class _NoRoomError(CapacityError):
    """Maps do not fit the banks while a layer is computed."""

    def __init__(self, layer: int, message: str) -> None:
        super().__init__(message)
        self.layer = layer


class _Placer:
    """Places maps, given those that are in external memory."""

    def __init__(
        self, program: Program, config: MemoryConfig, spacings: Mapping[int, Spacing]
    ) -> None:
        self._program, self._config, self._spacings = program, config, spacings
        self._ends = map_lives(program)
        self._wanted = {
            (index, width): spacings[index].at_width(
                width, program.config.pairs(width), program.batch
            )
            for index in sorted(program.maps)
            for width in program.maps[index].widths
        }

    def place(self, external: frozenset[int]) -> MapPlaces:
        """All maps, as many with their zeros kept as there is room for."""
        kept = [] if external else self._with_zeros()
        while True:
            try:
                maps = self._fit(frozenset(kept), external)
                break
            except _NoRoomError:
                if not kept:
                    raise
                kept.pop()
        strips: list[tuple[Strip, ...]] = []
        rooms: dict[tuple[int, MapKey], Interval] = {}
        for index, layer in enumerate(self._program.layers):
            if external.isdisjoint({index, *self._program.net.reads(index)}):
                strips.append((whole_layer(layer),))
                continue
            found, own = self._cut(index, external, maps)
            strips.append(found)
            rooms |= {(index, key): room for key, room in own.items()}
        return MapPlaces(maps, frozenset(kept), external, tuple(strips), rooms)

    def next_external(self, layer: int, external: Set[int]) -> int | None:
        """The map to move to external memory when `layer` has no room; None if there is none.

        The network's input and its results are moved first, since they pass the bus anyway; then
        the largest one.
        """
        ends = NETWORK_INPUT, len(self._program.layers) - 1
        alive = [
            index
            for index, end in self._ends.items()
            if index <= layer <= end and index not in external
        ]
        return max(alive, key=lambda index: (index in ends, self._rows(index)), default=None)

    def _rows(self, index: int) -> int:
        """Rows of a map at all widths."""
        widths = self._program.maps[index].widths
        return sum(self._wanted[index, width].rows(self._config.banks) for width in widths)

    def _with_zeros(self) -> list[MapKey]:
        """Maps that have zeros, the smallest first."""
        found = [
            key
            for key, map_ in self._wanted.items()
            if key[0] != NETWORK_INPUT and has_zeros(self._spacings[key[0]], map_)
        ]
        return sorted(found, key=lambda key: self._wanted[key].rows(self._config.banks))

    def _fit(self, kept: Set[MapKey], external: Set[int]) -> dict[MapKey, PlacedMap]:
        """First fit of each map among those that it must not overwrite, in the order of the layers.

        These are maps that live at the same time, and those that are kept; but equal maps that are
        kept have their zeros in the same places.
        """
        wanted, banks = self._wanted, self._config.banks
        found = {key: map_ for key, map_ in wanted.items() if key[0] in external}
        placed: dict[MapKey, PlacedMap] = {}
        inside = [key for key in wanted if key not in found]
        for key in sorted(inside, key=lambda key: (key not in kept, key[0])):
            apart = [
                each
                for other, each in placed.items()
                if live_together(key[0], other[0], self._ends)
                or (other in kept and not (key in kept and _are_alike(wanted[key], each)))
            ]
            rows = wanted[key].rows(banks)
            first = first_fit(rows, ((each.first, each.rows(banks)) for each in apart))
            if first + rows > self._config.activation_rows:
                raise _NoRoomError(
                    key[0],
                    f"{name_of(self._program, key[0])}: its map at {key[1]} bits needs rows up to"
                    f" {first + rows} of the activation banks, which have"
                    f" {self._config.activation_rows}; set activation_rows, or lower the batch",
                )
            placed[key] = replace(wanted[key], first=first)
        return found | placed

    def _cut(
        self, index: int, external: Set[int], maps: Mapping[MapKey, PlacedMap]
    ) -> tuple[tuple[Strip, ...], dict[MapKey, Interval]]:
        """The fewest strips of a layer whose windows fit beside other maps, and their rooms."""
        banks = self._config.banks
        cutter = StripCutter(self._program, self._spacings, maps, index, external, banks)
        taken = [
            (map_.first, map_.rows(banks))
            for (each, _), map_ in maps.items()
            if each not in external and each <= index <= self._ends[each]
        ]
        low, high = 0, cutter.lines
        while low < high:
            middle = -(-(low + high) // 2)
            if self._rooms(cutter.cut(middle), taken) is None:
                high = middle - 1
            else:
                low = middle
        if not low:
            raise self._too_large(index, cutter.cut(1), taken)
        strips = cutter.cut(-(-cutter.lines // -(-cutter.lines // low)))
        rooms = self._rooms(strips, taken)
        if rooms is None:
            strips = cutter.cut(low)
            rooms = self._rooms(strips, taken)
        assert rooms is not None
        return strips, rooms

    def _rooms(
        self, strips: Sequence[Strip], taken: Sequence[Interval]
    ) -> dict[MapKey, Interval] | None:
        """Rooms that hold the windows of each strip beside rows that are taken, if they fit."""
        sizes = _room_sizes(strips)
        found: dict[MapKey, Interval] = {}
        for key in sorted(sizes, key=lambda key: (-sizes[key], key)):
            first = first_fit(sizes[key], [*taken, *found.values()])
            if first + sizes[key] > self._config.activation_rows:
                return None
            found[key] = first, sizes[key]
        return found

    def _too_large(
        self, index: int, strips: Sequence[Strip], taken: Sequence[Interval]
    ) -> _NoRoomError:
        rows = sum(_room_sizes(strips).values()) + sum(rows for _, rows in taken)
        return _NoRoomError(
            index,
            f"{name_of(self._program, index)}: a line of its results, and what that is computed"
            f" from, need {rows} rows of the activation banks, which have"
            f" {self._config.activation_rows}; set activation_rows, or lower the batch",
        )


def _room_sizes(strips: Sequence[Strip]) -> dict[MapKey, int]:
    """Rows of the largest window of each map."""
    found: dict[MapKey, int] = {}
    for strip in strips:
        for key, window in strip.windows.items():
            found[key] = max(found.get(key, 0), window.rows)
    return found


def _are_alike(one: PlacedMap, other: PlacedMap) -> bool:
    """Whether the values of two maps lie in the same octets from their first rows on."""
    same = ("width", "pairs", "words", "origin", "pitch", "sample_step", "positions")
    return (
        all(getattr(one, name) == getattr(other, name) for name in same)
        and one.map.shape == other.map.shape
        and np.array_equal(one.map.slots, other.map.slots)
    )
