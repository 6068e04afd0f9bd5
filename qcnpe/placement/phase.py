"""Phases: tiles of one layer whose operands and tables are loaded together."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import LayerProgram, Program, TileGroup
from qcnpe.placement.lanes import Run, cut_run, find_runs
from qcnpe.placement.layout import Spacing, cut_tiles, passes_of
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


@dataclass(eq=False)
class Phase:
    """What is loaded together, and the tiles that use it.

    Attributes
    ----------
    layer : index of the layer
    weights : uint16 (beats, engine columns) of each group; those of equal groups once
    tables : entries by memory
    knots : address of the activation function's table among the parameters, or None
    tiles : descriptors; their addresses count from the phase's part of each memory
    input_rows : for the first of these, rows of the network's input that they, and those before
        them, read; by the width of the map
    """

    layer: int
    weights: list[NDArray[np.uint16]] = field(default_factory=list)
    tables: Mapping[Memory, Table] = field(
        default_factory=lambda: {memory: Table() for memory in TABLES}
    )
    knots: int | None = None
    tiles: list[Tiles] = field(default_factory=list)
    input_rows: list[dict[int, int]] = field(default_factory=list)
    _known_weights: dict[bytes, int] = field(default_factory=dict)

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


@dataclass(frozen=True, eq=False)
class PhaseBuilder:
    """Makes the phases of a layer.

    Attributes
    ----------
    program, config : the network, and the memories
    spacings : positions of each map
    placed : each map at each width, by (layer, width)
    input_pieces : in so many pieces the first layer's first tiles are computed, so that they need
        not wait for all of the input
    known_passes : what has been found for the positions of tiles
    """

    program: Program
    config: MemoryConfig
    spacings: Mapping[int, Spacing]
    placed: Mapping[tuple[int, int], PlacedMap]
    input_pieces: int = 1
    known_passes: dict[Hashable, list[list[int]]] = field(default_factory=dict)

    def build(self, index: int, groups: Sequence[TileGroup]) -> Phase:
        """The phase of some groups of layer `index`; those that come first load its table."""
        layer = self.program.layers[index]
        if len(layer.layer.sources) > MAX_SOURCES:
            raise CapacityError(
                f"layer {layer.layer.name}: reads {len(layer.layer.sources)} sources; an autonomous"
                f" engine reads {MAX_SOURCES} at most"
            )
        phase = Phase(index)
        if layer.knots is not None and groups[0] is layer.groups[0]:
            phase.knots = phase.tables[Memory.PARAMETERS].add(layer.knots.tolist())
        for group in groups:
            self._add_group(phase, layer, group)
        return phase

    def _add_group(self, phase: Phase, layer: LayerProgram, group: TileGroup) -> None:
        index = phase.layer
        reads = self._reads(layer, index, group)
        stores = [self.placed[index, width] for width in self.program.maps[index].widths]
        used = self.config.engine.window_rows(layer.layer.wiring.window)
        window, batch = layer.layer.wiring.window, self.program.batch
        own = self.spacings[index].stored(group.outputs, window, batch)
        places = [cut_tiles(each, used) for _, each in reads] + [cut_tiles(own, used)]
        runs, entries = find_runs(places)
        if index == 0 and not phase.tiles and group is layer.groups[0]:
            runs = [*cut_run(runs[0], self.input_pieces), *runs[1:]]
            phase.input_rows = self._input_rows(
                layer, group, [each for each, _ in reads], places, runs
            )
        lanes = self._add_lanes(phase, [map_ for map_, _ in reads], places[:-1], entries)
        store_lanes = self._add_lanes(phase, stores, [places[-1]] * len(stores), entries)
        found, words = self._taps(layer, index, group)
        taps = phase.tables[Memory.TAPS].add(found)
        weights = phase.add_weights(group.weights)
        listed, moved, firsts = self._writes(index, group)
        writes = phase.tables[Memory.WRITES].add(listed)
        parameters = phase.tables[Memory.PARAMETERS].add(group.parameters.tolist())
        for run in runs:
            walks = self._walks([map_ for map_, _ in reads], run.starts[:-1], run.steps[:-1], words)
            maps = len(stores)
            starts = [run.starts[-1] + moved] * maps
            store_walks = self._walks(stores, starts, run.steps[-1:] * maps, firsts)
            phase.tiles.append(
                Tiles(
                    sources=len(reads),
                    maps=len(stores),
                    tiles=run.tiles,
                    repeat=run.repeat,
                    command=int(group.commands[run.first]),
                    weights=weights,
                    parameters=parameters,
                    lanes=lanes + run.entry * len(reads),
                    walks=phase.tables[Memory.TAPS].add(walks),
                    taps=taps,
                    store_lanes=store_lanes + run.entry * len(stores),
                    store_walks=phase.tables[Memory.WRITES].add(store_walks),
                    writes=writes,
                )
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
                reach = int(each[:last].max()) + max(
                    self.spacings[NETWORK_INPUT].tap_offset(reader, tap)
                    for tap in range(len(reader.taps))
                )
                needed = (reach // self.config.banks + 1) * map_.words
                needed = min(needed, map_.rows(self.config.banks))
                rows[group.precision] = max(rows.get(group.precision, 0), needed)
            found.append(rows)
        return found

    def _reads(
        self, layer: LayerProgram, index: int, group: TileGroup
    ) -> list[tuple[PlacedMap, _Ints]]:
        """The map of each source, and the positions of the first tap in it."""
        assert layer.stored is not None
        found = []
        for source, reader in zip(layer.layer.sources, layer.stored.readers, strict=True):
            read = source.reads(index)
            places = self.spacings[read].read(reader, group.outputs, self.program.batch)
            found.append((self.placed[read, group.precision], places))
        return found

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

    def _offset(self, map_: PlacedMap, positions: int) -> tuple[int, int]:
        """Bank and row of an offset in positions."""
        return positions % self.config.banks, positions // self.config.banks * map_.words

    def _walks(
        self,
        maps: Sequence[PlacedMap],
        starts: Sequence[int],
        steps: Sequence[int],
        words: Sequence[int],
    ) -> list[int]:
        """Walk entries, of starts and steps in positions, and words added to the starts."""
        found = []
        for map_, start, step, word in zip(maps, starts, steps, words, strict=True):
            bank, row = self._offset(map_, start)
            found.append(Walk(bank, row + word, *self._offset(map_, step), map_.words).word())
        return found

    def _taps(
        self, layer: LayerProgram, index: int, group: TileGroup
    ) -> tuple[list[int], list[int]]:
        """Taps of a group, and the first word of a position that each source reads.

        Words that follow one another in a position are one tap. Taps count from the first word, so
        that blocks of channels that are read in the same way have the same taps.
        """
        assert layer.stored is not None
        words = layer.stored.words(self.config.engine.pairs(group.precision))
        source, tap, word = (part[group.words] for part in (words.source, words.tap, words.word))
        joined = (np.diff(source) == 0) & (np.diff(tap) == 0) & (np.diff(word) == 1)
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
            map_ = self.placed[read, group.precision]
            reader = layer.stored.readers[number]
            offset = self.spacings[read].tap_offset(reader, int(tap[start]))
            bank, row = self._offset(map_, offset)
            last = start + count == len(word)
            row += int(word[start]) - firsts[number]
            found.append(Tap(number, bank, row, count, last).word())
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
                bank, row = self._offset(self.placed[index, width], moved[column] - first)
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
