"""Phases: tiles of one layer whose operands and tables are loaded together."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import LayerProgram, Program, TileGroup
from qcnpe.folding import FoldedWeights, Unfolding, fold_groups
from qcnpe.placement.banks import MapPlaces
from qcnpe.placement.lanes import Run, cut_run, find_runs
from qcnpe.placement.layout import Spacing, cut_tiles, passes_of
from qcnpe.placement.strips import MapKey
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.geometry import NETWORK_INPUT
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Tiles
from qcnpe.spec.memory.image import PlacedMap
from qcnpe.spec.memory.maps import StoredMap
from qcnpe.spec.memory.tables import MAX_SOURCES, Lane, Tap, Walk, Write, lane_word

_Ints = NDArray[np.intp]

_NO_WORD = 1 << 16
"""More than any word of a position."""


TABLES: tuple[Memory, ...] = (Memory.PARAMETERS, Memory.LANES, Memory.TAPS, Memory.WRITES)
"""Memories of a phase besides the weights."""


class Table:
    """Entries of one memory of a phase; equal sequences are kept once."""

    def __init__(self) -> None:
        self.entries: list[int] = []
        self._known: dict[Hashable, int] = {}

    def add(self, entries: Sequence[int]) -> int:
        """Address of the first of these entries, from the table's beginning."""
        key = tuple(entries)
        if key not in self._known:
            self._known[key] = len(self.entries)
            self.entries.extend(entries)
        return self._known[key]


Unit = tuple[int, int]
"""Tiles of a strip and a group, by the numbers of both."""


@dataclass(eq=False)
class Part:
    """Tiles of a phase that belong to one strip.

    Attributes
    ----------
    strip : its number
    is_first, is_last : whether these tiles are the first, and the last ones of the strip
    tiles : descriptors; their addresses count from the phase's part of each memory
    """

    strip: int
    is_first: bool
    is_last: bool
    tiles: list[Tiles] = field(default_factory=list)


@dataclass(eq=False)
class Phase:
    """What is loaded together, and the tiles that use it.

    Attributes
    ----------
    layer : index of the layer
    weights : uint16 (beats, engine columns) of each group; those of equal groups once
    tables : entries by memory
    knots : address of the activation function's table among the parameters, or None
    parts : tiles, strip by strip
    input_rows : for the first tiles, rows of the network's input that they, and those before
        them, read; by the width of the map
    """

    layer: int
    weights: list[NDArray[np.uint16]] = field(default_factory=list)
    tables: Mapping[Memory, Table] = field(
        default_factory=lambda: {memory: Table() for memory in TABLES}
    )
    knots: int | None = None
    parts: list[Part] = field(default_factory=list)
    input_rows: list[dict[int, int]] = field(default_factory=list)
    _known_weights: dict[bytes, int] = field(default_factory=dict)

    @property
    def tiles(self) -> list[Tiles]:
        """Descriptors of all parts."""
        return [tiles for part in self.parts for tiles in part.tiles]

    def add_weights(self, block: NDArray[np.uint16]) -> int:
        """Row of the first beat of a group's weights."""
        key = block.tobytes()
        if key not in self._known_weights:
            self._known_weights[key] = sum(len(block) for block in self.weights)
            self.weights.append(block)
        return self._known_weights[key]

    def rows(self, memory: Memory, config: MemoryConfig) -> int:
        """Rows of a memory that it takes."""
        if memory is Memory.WEIGHTS:
            return sum(len(block) for block in self.weights)
        return -(-len(self.tables[memory].entries) // config.entries(memory))

    def columns(self) -> int:
        """Columns of the array that have weights."""
        used = [int(np.flatnonzero(block.any(axis=0)).max(initial=0)) for block in self.weights]
        return max(used, default=0) + 1


_PERIODS = 8
"""Values of a descriptor's `parameter_period`."""

_LANES_SHARE = 16
"""One of so many parts of the lane entries may be spent on joining the groups of a layer."""

_Offset = tuple[int, int]
"""Bank and row."""


def _offset(map_: PlacedMap, positions: int, banks: int) -> _Offset:
    """An offset in positions of a map."""
    return positions % banks, positions // banks * map_.words


def _share_parameters(parameters: Sequence[list[int]]) -> tuple[int, Sequence[list[int]]]:
    """`parameter_period` of tiles with these parameters, and those that come again left out."""
    cols = len(parameters[0])
    for code in range(1, _PERIODS):
        period = 1 << code >> 1
        if period < cols and all(each == (each[:period] * cols)[:cols] for each in parameters):
            return code, [each[:period] for each in parameters]
    return 0, parameters


@dataclass(frozen=True, eq=False, kw_only=True)
class _GroupTiles:
    """The tiles of a group.

    Attributes
    ----------
    commands : of each tile
    reads, stores : maps
    places : (tiles, rows) positions of each source, and of the results
    runs, entries : see `find_runs`
    taps, writes : words of these tables
    words, store_words : first word of a position of each source, and of each map of the results
    moved : positions from the first channel's results to those of the group
    weights : (rows, columns) as they are stored
    parameters : words
    """

    commands: tuple[int, ...]
    reads: tuple[PlacedMap, ...]
    stores: tuple[PlacedMap, ...]
    places: list[_Ints]
    runs: list[Run]
    entries: list[int]
    taps: list[int]
    words: list[int]
    writes: list[int]
    moved: int
    store_words: list[int]
    weights: NDArray[np.uint16]
    parameters: list[int]

    def starts(self, run: Run, banks: int) -> list[_Offset]:
        """Offsets of all walks in the first tiles of a run."""
        positions = [*run.starts[:-1], *[run.starts[-1] + self.moved] * len(self.stores)]
        found = []
        for map_, position, word in zip(
            (*self.reads, *self.stores), positions, (*self.words, *self.store_words), strict=True
        ):
            bank, row = _offset(map_, position, banks)
            found.append((bank, row + word))
        return found

    def is_like(self, other: "_GroupTiles") -> bool:
        """Whether tiles differ in nothing but weights, parameters and walks."""
        names = ("commands", "reads", "stores", "taps", "writes")
        return (
            all(getattr(self, name) == getattr(other, name) for name in names)
            and self.weights.shape == other.weights.shape
            and len(set(self.commands)) == 1
            and all(map(np.array_equal, self.places, other.places))
        )


@dataclass(eq=False)
class _Chain:
    """Groups of which each follows from the one before by the same steps of all walks."""

    members: list[_GroupTiles]
    steps: list[_Offset] | None = None

    def steps_to(self, following: _GroupTiles, banks: int) -> list[_Offset] | None:
        """Steps from the last group to another one; None if that does not continue the chain."""
        last = self.members[-1]
        if not last.is_like(following):
            return None
        zeros = (0,) * len(last.places)
        start = Run(0, 1, 1, 0, zeros, zeros)
        found = []
        for here, there, map_ in zip(
            last.starts(start, banks),
            following.starts(start, banks),
            (*last.reads, *last.stores),
            strict=True,
        ):
            bank = (there[0] - here[0]) % banks
            row = there[1] - here[1] - (map_.words if here[0] + bank >= banks else 0)
            if row < 0:
                return None
            found.append((bank, row))
        return found if self.steps in (None, found) else None


@dataclass(frozen=True, eq=False)
class PhaseBuilder:
    """Makes the phases of a layer.

    Attributes
    ----------
    program, config : the network, and the memories
    spacings : positions of each map
    places : where all maps lie, and the strips of each layer
    input_pieces : in so many pieces the first layer's first tiles are computed, so that they need
        not wait for all of the input
    known_passes : what has been found for the positions of tiles
    known_weights : the same for the weights of layers
    known_maps : the same for maps, by layer, strip and map
    """

    program: Program
    config: MemoryConfig
    spacings: Mapping[int, Spacing]
    places: MapPlaces
    input_pieces: int = 1
    known_passes: dict[Hashable, list[list[int]]] = field(default_factory=dict)
    known_weights: dict[int, dict[int, FoldedWeights]] = field(default_factory=dict)
    known_maps: dict[tuple[int, int, MapKey], PlacedMap] = field(default_factory=dict)

    def units(self, index: int) -> list[Unit]:
        """Everything that layer `index` computes, in order."""
        strips, groups = self.places.strips[index], self.program.layers[index].groups
        return [(strip, group) for strip in range(len(strips)) for group in range(len(groups))]

    def build(self, index: int, units: Sequence[Unit]) -> Phase:
        """The phase of some units of layer `index`; those that come first load its table."""
        layer = self.program.layers[index]
        if len(layer.layer.sources) > MAX_SOURCES:
            raise CapacityError(
                f"layer {layer.layer.name}: reads {len(layer.layer.sources)} sources; an autonomous"
                f" engine reads {MAX_SOURCES} at most"
            )
        phase = Phase(index)
        if layer.knots is not None and units[0] == (0, 0):
            phase.knots = phase.tables[Memory.PARAMETERS].add(layer.knots.tolist())
        for strip, members in groupby(units, lambda unit: unit[0]):
            groups = [group for _, group in members]
            part = Part(strip, groups[0] == 0, groups[-1] == len(layer.groups) - 1)
            phase.parts.append(part)
            self._add_part(phase, part, groups)
        return phase

    def _add_part(self, phase: Phase, part: Part, groups: Sequence[int]) -> None:
        """Descriptors of a strip's tiles of some groups."""
        tiles = self.places.strips[phase.layer][part.strip].tiles
        used = [number for number in groups if tiles[number][0] < tiles[number][1]]
        described = [self._describe(phase, part.strip, number) for number in used]
        for joined in self._chains(described):
            if phase.layer > 0 and self._pays(joined):
                part.tiles.append(self._chain_tiles(phase, joined))
            else:
                for each in joined.members:
                    part.tiles += self._group_tiles(phase, each)

    def _map(self, index: int, strip: int, key: MapKey) -> PlacedMap:
        """A map as a strip of layer `index` sees it; always the same object."""
        if (index, strip, key) not in self.known_maps:
            seen = self.places.seen(index, key, self.places.strips[index][strip])
            self.known_maps[index, strip, key] = seen
        return self.known_maps[index, strip, key]

    def _describe(self, phase: Phase, strip: int, number: int) -> _GroupTiles:
        """What the tiles of a group in a strip read and write."""
        index = phase.layer
        layer = self.program.layers[index]
        group, (start, end) = layer.groups[number], self.places.strips[index][strip].tiles[number]
        reads, read_places = self._reads(layer, index, group, strip)
        used = self.config.engine.window_rows(layer.layer.wiring.window)
        window, batch = layer.layer.wiring.window, self.program.batch
        own = self.spacings[index].stored(group.outputs, window, batch)
        places = [cut_tiles(each, used)[start:end] for each in (*read_places, own)]
        runs, entries = find_runs(places)
        if index == 0 and (strip, number) == (0, 0):
            runs = [*cut_run(runs[0], self.input_pieces), *runs[1:]]
            phase.input_rows = self._input_rows(layer, group, reads, places, runs)
        weights = self._folded(index)[id(group)]
        taps, words = self._taps(layer, index, group, weights.unfolding)
        writes, moved, firsts = self._writes(index, group)
        widths = self.program.maps[index].widths
        return _GroupTiles(
            commands=tuple(group.commands[start:end].tolist()),
            reads=tuple(reads),
            stores=tuple(self._map(index, strip, (index, width)) for width in widths),
            places=places,
            runs=runs,
            entries=entries,
            taps=taps,
            words=words,
            writes=writes,
            moved=moved,
            store_words=firsts,
            weights=weights.rows,
            parameters=group.parameters.tolist(),
        )

    def _folded(self, index: int) -> dict[int, FoldedWeights]:
        """Weights of the groups of a layer as they are stored, by identity."""
        if index not in self.known_weights:
            groups = self.program.layers[index].groups
            folded = fold_groups(groups, self.config.engine)
            self.known_weights[index] = {
                id(group): weights for group, weights in zip(groups, folded, strict=True)
            }
        return self.known_weights[index]

    def _chains(self, described: Sequence[_GroupTiles]) -> list[_Chain]:
        """Neighbouring groups whose tiles differ by what a descriptor adds in its repetitions."""
        found: list[_Chain] = []
        for each in described:
            steps = found[-1].steps_to(each, self.config.banks) if found else None
            if steps is None:
                found.append(_Chain([each]))
            else:
                found[-1].members.append(each)
                found[-1].steps = steps
        return found

    def _pays(self, joined: _Chain) -> bool:
        """Whether one descriptor, with a lane entry for each tile, takes fewer words than many."""
        first, config = joined.members[0], self.config
        if len(joined.members) == 1:
            return False
        walks = len(first.reads) + len(first.stores)
        entries = (len(first.places[0]) - len(first.entries)) * walks
        each = config.row_words(Memory.DESCRIPTORS) + walks
        saved = (len(joined.members) * len(first.runs) - 1) * each
        few = entries <= config.lane_rows // _LANES_SHARE
        return few and entries * config.row_words(Memory.LANES) < saved

    def _chain_tiles(self, phase: Phase, joined: _Chain) -> Tiles:
        """One descriptor for all groups of a chain, each of which is a repetition."""
        first = joined.members[0]
        count = len(first.places[0])
        zeros = (0,) * len(first.places)
        run = Run(0, count, len(joined.members), 0, zeros, zeros)
        weights = np.stack([each.weights for each in joined.members])
        period, parameters = _share_parameters([each.parameters for each in joined.members])
        weights_differ = bool((weights != weights[:1]).any())
        parameters_differ = any(each != parameters[0] for each in parameters)
        if not weights_differ:
            weights = weights[:1]
        tiles = self._tiles(
            phase,
            first,
            list(range(count)),
            weights.reshape(-1, weights.shape[2]),
            parameters=[*chain.from_iterable(parameters)] if parameters_differ else parameters[0],
            period=period,
        )
        return replace(
            self._run_tiles(phase, first, run, tiles, joined.steps),
            weight_step=weights.shape[1] if weights_differ else 0,
            parameters_go_on=parameters_differ,
        )

    def _group_tiles(self, phase: Phase, group: _GroupTiles) -> list[Tiles]:
        """Descriptors of the tiles of one group."""
        period, (parameters,) = _share_parameters([group.parameters])
        tiles = self._tiles(
            phase, group, group.entries, group.weights, parameters=parameters, period=period
        )
        return [self._run_tiles(phase, group, run, tiles) for run in group.runs]

    def _tiles(
        self,
        phase: Phase,
        group: _GroupTiles,
        entries: list[int],
        weights: NDArray[np.uint16],
        *,
        parameters: list[int],
        period: int,
    ) -> Tiles:
        """A descriptor of one tile, and the tables that it uses, but for the walks."""
        tables, stores = phase.tables, group.stores
        return Tiles(
            sources=len(group.reads),
            maps=len(stores),
            tiles=1,
            repeat=1,
            command=group.commands[0],
            weights=phase.add_weights(weights),
            parameters=tables[Memory.PARAMETERS].add(parameters),
            parameter_period=period,
            lanes=self._add_lanes(phase, group.reads, group.places[:-1], entries),
            walks=0,
            taps=tables[Memory.TAPS].add(group.taps),
            store_lanes=self._add_lanes(phase, stores, [group.places[-1]] * len(stores), entries),
            store_walks=0,
            writes=tables[Memory.WRITES].add(group.writes),
        )

    def _run_tiles(
        self,
        phase: Phase,
        group: _GroupTiles,
        run: Run,
        tiles: Tiles,
        steps: Sequence[_Offset] | None = None,
    ) -> Tiles:
        """The descriptor of a run.

        Parameters
        ----------
        phase : whose walks it uses
        group : of the first tile
        run : tiles and repetitions
        tiles : what all runs of the group share
        steps : of the walks, if they are not those of the run
        """
        starts = group.starts(run, self.config.banks)
        maps = (*group.reads, *group.stores)
        if steps is None:
            positions = (*run.steps[:-1], *run.steps[-1:] * len(group.stores))
            steps = [
                _offset(map_, step, self.config.banks)
                for map_, step in zip(maps, positions, strict=True)
            ]
        walks = [
            Walk(*start, *step, map_.words).word()
            for start, step, map_ in zip(starts, steps, maps, strict=True)
        ]
        reads = len(group.reads)
        return replace(
            tiles,
            tiles=run.tiles,
            repeat=run.repeat,
            lanes=tiles.lanes + run.entry * reads,
            store_lanes=tiles.store_lanes + run.entry * len(group.stores),
            walks=phase.tables[Memory.TAPS].add(walks[:reads]),
            store_walks=phase.tables[Memory.WRITES].add(walks[reads:]),
        )

    def _input_rows(
        self,
        layer: LayerProgram,
        group: TileGroup,
        maps: Sequence[PlacedMap],
        places: Sequence[_Ints],
        runs: Sequence[Run],
    ) -> list[dict[int, int]]:
        """`Phase.input_rows` of the first group of the first layer."""
        assert layer.stored is not None
        found = []
        for run in runs:
            last = run.first + run.tiles * run.repeat
            rows: dict[int, int] = {}
            for map_, each, reader in zip(maps, places[:-1], layer.stored.readers, strict=True):
                reach = int(each[:last].max()) + self.spacings[NETWORK_INPUT].reach(reader)
                needed = (reach // self.config.banks + 1) * map_.words
                needed = min(needed, map_.rows(self.config.banks))
                rows[group.precision] = max(rows.get(group.precision, 0), needed)
            found.append(rows)
        return found

    def _reads(
        self, layer: LayerProgram, index: int, group: TileGroup, strip: int
    ) -> tuple[list[PlacedMap], list[_Ints]]:
        """The map of each source, and the positions of the first tap in it."""
        assert layer.stored is not None
        maps, places = [], []
        for source, reader in zip(layer.layer.sources, layer.stored.readers, strict=True):
            read = source.reads(index)
            maps.append(self._map(index, strip, (read, group.precision)))
            places.append(self.spacings[read].read(reader, group.outputs, self.program.batch))
        return maps, places

    def _add_lanes(
        self, phase: Phase, maps: Sequence[PlacedMap], places: Sequence[_Ints], entries: list[int]
    ) -> int:
        """Lane entries of tiles, those of all maps of a tile one after another."""
        words = []
        passes = [self._passes(each[entries]) for each in places]
        for number, tile in enumerate(entries):
            for map_, each, own in zip(maps, places, passes, strict=True):
                words.append(self._lane_word(map_, each[tile].tolist(), own[number]))
        return phase.tables[Memory.LANES].add(words)

    def _passes(self, places: _Ints) -> list[list[int]]:
        key = places.shape, places.tobytes()
        if key not in self.known_passes:
            self.known_passes[key] = passes_of(places, self.config.banks).tolist()
        return self.known_passes[key]

    def _lane_word(self, map_: PlacedMap, positions: list[int], passes: list[int]) -> int:
        banks = self.config.banks
        lanes = [
            Lane(number, position % banks, map_.first + position // banks * map_.words)
            if position >= 0
            else None
            for position, number in zip(positions, passes, strict=True)
        ]
        return lane_word(self.config, lanes)

    def _taps(
        self, layer: LayerProgram, index: int, group: TileGroup, unfolding: Unfolding | None
    ) -> tuple[list[int], list[int]]:
        """Taps of a group, and the first word of a position that each source reads.

        Words that follow one another in a position are one tap, if they unfold weights in the same
        way. Taps count from the first word, so that blocks of channels that are read in the same
        way have the same taps.
        """
        assert layer.stored is not None
        words = layer.stored.words(self.config.engine.pairs(group.precision))
        source, tap, word = (part[group.words] for part in (words.source, words.tap, words.word))
        joined = (np.diff(source) == 0) & (np.diff(tap) == 0) & (np.diff(word) == 1)
        if unfolding is not None:
            joined &= ~np.array(unfolding.ends[:-1], bool)
            for each in (unfolding.places, unfolding.turns):
                joined &= np.diff(each) == 0
        starts = np.flatnonzero(np.concatenate([[True], ~joined]))
        counts = np.diff(np.append(starts, len(word)))
        firsts = [
            int(word[source == number].min(initial=_NO_WORD)) % _NO_WORD
            for number in range(len(layer.layer.sources))
        ]
        found = []
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            number = int(source[start])
            read = layer.layer.sources[number].reads(index)
            map_ = self.places.maps[read, group.precision]
            reader = layer.stored.readers[number]
            offset = self.spacings[read].tap_offset(reader, int(tap[start]))
            bank, row = _offset(map_, offset, self.config.banks)
            last = start + count == len(word)
            row += int(word[start]) - firsts[number]
            entry = Tap(number, bank, row, count, last)
            if unfolding is not None:
                entry = replace(
                    entry,
                    places=unfolding.places[start],
                    turn=unfolding.turns[start],
                    spread=unfolding.spread,
                    next=unfolding.ends[start + count - 1],
                )
            found.append(entry.word())
        return found, firsts

    def _writes(self, index: int, group: TileGroup) -> tuple[list[int], int, list[int]]:
        """Writes of a group's columns, and where they begin: a position, and a word in each map.

        An octet is written with the last of its columns. Writes count from the first column, so
        that groups of other channels have the same writes.
        """
        stored = self.program.maps[index]
        slots = stored.slot_of(group.channels)
        first, *_ = moved = [self._moved(index, channel) for channel in group.channels.tolist()]
        firsts = [int(slots.min()) // self.config.engine.pairs(width) for width in stored.widths]
        found: list[Write] = []
        for column in range(len(slots)):
            for number, width in enumerate(stored.widths):
                write = self._write(stored, slots, moved, column, number, width)
                bank, row = _offset(
                    self.places.maps[index, width], moved[column] - first, self.config.banks
                )
                found.append(
                    replace(
                        write,
                        bank=bank,
                        row=write.row + row - firsts[number],
                        pop=number + 1 == len(stored.widths),
                    )
                )
        found[-1] = replace(found[-1], last=True)
        return [write.word() for write in found], first, firsts

    def _moved(self, index: int, channel: int) -> int:
        """Positions from the first channel's results to those of a channel."""
        stored = self.program.maps[index]
        line, column = stored.place_of(channel)
        return line * self.spacings[index].pitch + column

    def _write(
        self,
        stored: StoredMap,
        slots: _Ints,
        moved: list[int],
        column: int,
        number: int,
        width: int,
    ) -> Write:
        """The write of a column at one width."""
        engine = self.config.engine
        pairs = engine.pairs(width)
        word, slot = divmod(int(slots[column]), pairs)
        place = slot * width if pairs > 1 else OPERAND_BITS - width
        here = (slots // pairs == word) & (np.array(moved) == moved[column])
        is_done = stored.line_outputs > 0 or column == np.flatnonzero(here)[-1]
        octets = 0
        if is_done:
            fields = np.unique(slots[here] % pairs)
            octets = 3 if pairs == 1 else sum({1 << int(field) * width // 8 for field in fields})
        return Write(
            map=number,
            width=engine.precisions.index(width),
            place=place,
            bytes=octets,
            bank=0,
            row=word,
            pop=False,
            last=False,
        )
