"""Images of networks: what is resident, what is loaded by phase, and the list of descriptors."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qcnpe.blocking import compile_blocked
from qcnpe.compiler import Program, TileGroup
from qcnpe.placement.layout import Spacing, name_of, space_maps
from qcnpe.placement.parts import cut_descriptors
from qcnpe.placement.phase import TABLES, Phase, PhaseBuilder
from qcnpe.spec.commands import PARAMETER_BITS
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.geometry import NETWORK_INPUT
from qcnpe.spec.memory.config import ENTRY_BITS, Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import (
    DESCRIPTOR_BYTES,
    Base,
    Descriptor,
    End,
    Fill,
    Load,
    Store,
    Tiles,
    Wait,
)
from qcnpe.spec.memory.descriptors import Table as TableDescriptor
from qcnpe.spec.memory.image import Image, MapTransfer, PlacedMap
from qcnpe.spec.qnet import QuantNet

_Bytes = NDArray[np.uint8]

_MOST_PIECES = 8
"""Most pieces in which the network's input is loaded."""

_PIECE_WORDS = 128
"""Least bus words of a piece."""

LOADED = (Memory.WEIGHTS, *TABLES)
"""Memories that phases use."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A program with the places of everything.

    Attributes
    ----------
    program, config : the network, and the memories
    placed : each map at each width, by (layer, width)
    phases : in order
    resident : memories that hold all phases at once
    kept : maps whose zeros, in margins and fillers, are written once: no other map takes their rows
    image : what external memory holds
    """

    program: Program
    config: MemoryConfig
    placed: Mapping[tuple[int, int], PlacedMap]
    phases: tuple[Phase, ...]
    resident: frozenset[Memory]
    kept: frozenset[tuple[int, int]]
    image: Image


def place_network(net: QuantNet, config: MemoryConfig, batch: int) -> Placement:
    """Compile a network for an autonomous engine.

    Parameters
    ----------
    net : the network
    config : the engine and its memories
    batch : samples in one run

    Raises
    ------
    CapacityError
        If the network does not fit the engine, or its memories.
    """
    program = compile_blocked(net, config, batch)
    spacings = space_maps(program, config)
    placed, kept = _place_maps(program, config, spacings)
    builder = PhaseBuilder(
        program, config, spacings, placed, _input_pieces(program, config, placed)
    )
    phases, resident = _cut_phases(builder)
    writer = _ImageWriter(builder, phases, resident, kept)
    return Placement(program, config, placed, phases, resident, kept, writer.write())


def _input_pieces(
    program: Program, config: MemoryConfig, placed: Mapping[tuple[int, int], PlacedMap]
) -> int:
    """Pieces of the input that are loaded one by one: a few, each of which is worth a wait."""
    maps = (placed[NETWORK_INPUT, width] for width in program.maps[NETWORK_INPUT].widths)
    rows = sum(each.rows(config.banks) for each in maps)
    words = rows * config.row_words(Memory.ACTIVATIONS)
    return min(_MOST_PIECES, max(1, words // _PIECE_WORDS))


_Key = tuple[int, int]
"""A map at a width: index of its layer, and the width."""


def _place_maps(
    program: Program, config: MemoryConfig, spacings: Mapping[int, Spacing]
) -> tuple[dict[_Key, PlacedMap], frozenset[_Key]]:
    """Places of all maps, and those whose zeros are kept: as many as there is room for.

    A map lives from the layer that makes it to the last one that reads it.
    """
    wanted = {
        (index, width): spacings[index].at_width(width, program.config.pairs(width), program.batch)
        for index in sorted(program.maps)
        for width in program.maps[index].widths
    }
    ends = {index: index for index in program.maps}
    for reader in range(len(program.layers)):
        for read in program.net.reads(reader):
            ends[read] = reader
    ends[len(program.layers) - 1] = len(program.layers)
    kept = sorted(
        (
            key
            for key in wanted
            if key[0] != NETWORK_INPUT and _has_zeros(spacings[key[0]], wanted[key])
        ),
        key=lambda key: wanted[key].rows(config.banks),
    )
    while True:
        try:
            return _fit_maps(program, config, wanted, ends, frozenset(kept)), frozenset(kept)
        except CapacityError:
            if not kept:
                raise
            kept.pop()


def _has_zeros(spacing: Spacing, placed: PlacedMap) -> bool:
    """Whether a layer's map has margins, or octets that no tile writes."""
    return any(spacing.margins) or _has_fillers(placed)


def _fit_maps(
    program: Program,
    config: MemoryConfig,
    wanted: Mapping[_Key, PlacedMap],
    ends: Mapping[int, int],
    kept: Set[_Key],
) -> dict[_Key, PlacedMap]:
    """First fit of each map among those that it must not overwrite, in the order of the layers.

    These are maps that live at the same time, and those that are kept; but equal maps that are
    kept have their zeros in the same places.
    """
    found: dict[_Key, PlacedMap] = {}
    for key in sorted(wanted, key=lambda key: (key not in kept, key[0])):
        apart = [
            each
            for other, each in found.items()
            if _live_together(key[0], other[0], ends)
            or (other in kept and not (key in kept and _are_alike(wanted[key], each)))
        ]
        rows = wanted[key].rows(config.banks)
        first = _first_fit(rows, apart, config.banks)
        if first + rows > config.activation_rows:
            raise CapacityError(
                f"{name_of(program, key[0])}: its map at {key[1]} bits needs rows up to"
                f" {first + rows} of the activation banks, which have"
                f" {config.activation_rows}; set activation_rows, or lower the batch"
            )
        found[key] = replace(wanted[key], first=first)
    return found


def _live_together(one: int, other: int, ends: Mapping[int, int]) -> bool:
    return ends[one] >= other and ends[other] >= one


def _are_alike(one: PlacedMap, other: PlacedMap) -> bool:
    """Whether the values of two maps lie in the same octets from their first rows on."""
    same = ("width", "pairs", "words", "origin", "pitch", "sample_step", "positions")
    return (
        all(getattr(one, name) == getattr(other, name) for name in same)
        and one.map.shape == other.map.shape
        and np.array_equal(one.map.slots, other.map.slots)
    )


def _first_fit(rows: int, alive: Sequence[PlacedMap], banks: int) -> int:
    """The lowest row from which on so many rows are free."""
    first = 0
    for each in sorted(alive, key=lambda each: each.first):
        if first + rows <= each.first:
            break
        first = max(first, each.first + each.rows(banks))
    return first


def _cut_phases(builder: PhaseBuilder) -> tuple[tuple[Phase, ...], frozenset[Memory]]:
    """A phase for each layer; more where a memory that is not resident cannot hold two."""
    config, layers = builder.config, builder.program.layers
    whole = [builder.build(index, layer.groups) for index, layer in enumerate(layers)]
    resident = frozenset(LOADED)
    while True:
        found = [
            part
            for phase in whole
            for part in _split(builder, phase, layers[phase.layer].groups, resident)
        ]
        too_small = {
            memory
            for memory in resident
            if sum(phase.rows(memory, config) for phase in found) > config.depth(memory)
        }
        if not too_small:
            return tuple(found), resident
        resident -= too_small


def _split(
    builder: PhaseBuilder, phase: Phase, groups: Sequence[TileGroup], resident: frozenset[Memory]
) -> list[Phase]:
    """The phase, or parts of it of which two fit each memory that is not resident."""
    large = [
        memory
        for memory in LOADED
        if memory not in resident
        and phase.rows(memory, builder.config) > builder.config.depth(memory) // 2
    ]
    if not large:
        return [phase]
    if len(groups) == 1:
        raise _too_small(builder, phase, large[0])
    middle = len(groups) // 2
    return [
        part
        for half in (groups[:middle], groups[middle:])
        for part in _split(builder, builder.build(phase.layer, half), half, resident)
    ]


def _too_small(builder: PhaseBuilder, phase: Phase, memory: Memory) -> CapacityError:
    rows = phase.rows(memory, builder.config)
    depth = builder.config.depth(memory)
    return CapacityError(
        f"{name_of(builder.program, phase.layer)}: {rows} rows of {memory.name.lower()} do not fit"
        f" twice into a memory of {depth}; make it larger"
    )


class _ImageWriter:
    """Writes descriptors and contents one after another."""

    def __init__(
        self,
        builder: PhaseBuilder,
        phases: tuple[Phase, ...],
        resident: frozenset[Memory],
        kept: frozenset[_Key],
    ) -> None:
        self.builder, self.config = builder, builder.config
        self.program = builder.program
        self.phases, self.resident, self.kept = phases, resident, kept
        self._parts: list[_Bytes] = []
        self._size = 0
        self._bases = self._place_phases()

    def write(self) -> Image:
        """The image."""
        setup = self._setup()
        inputs, input_bytes = self._inputs()
        output = self._output()
        pieces = self._input_loads(inputs)
        run: list[Descriptor] = [*pieces[0], *self._loads(0)]
        for number in range(len(self.phases)):
            run += self._phase(number, pieces[1:] if number == 0 else [])
        store = Store(
            row=output.map.first,
            rows=output.map.rows(self.config.banks),
            words=output.bank_words,
            base=Base.OUTPUT,
            offset=0,
        )
        found = cut_descriptors(setup, [*run, store, End()], self.config)
        return Image(
            config=self.config,
            data=self._data(found.descriptors),
            boot_rows=found.boot_rows,
            again=found.again,
            again_boot_rows=found.again_boot_rows,
            batch=self.program.batch,
            inputs=inputs,
            input_factor=self.program.input_factor,
            output=output,
            input_bytes=input_bytes,
            output_bytes=store.rows * store.words * self.config.bus_bytes,
        )

    def _place_phases(self) -> list[dict[Memory, int]]:
        """First row of each phase in each memory: one after another, or in alternating halves."""
        ends = dict.fromkeys(LOADED, 0)
        found = []
        for number, phase in enumerate(self.phases):
            bases = {}
            for memory in LOADED:
                if memory in self.resident:
                    bases[memory] = ends[memory]
                    ends[memory] += phase.rows(memory, self.config)
                else:
                    bases[memory] = number % 2 * (self.config.depth(memory) // 2)
            found.append(bases)
        return found

    def _setup(self) -> list[Descriptor]:
        """Loads of what is resident, and zeros that are kept; rows side by side are one load."""
        found: list[Load] = []
        for memory in LOADED:
            if memory not in self.resident:
                continue
            for number, phase in enumerate(self.phases):
                if not phase.rows(memory, self.config):
                    continue
                load = self._load(number, memory)
                last = found[-1] if found else None
                if last and (last.memory, last.words) == (memory, load.words):
                    found[-1] = replace(last, rows=last.rows + load.rows)
                else:
                    found.append(load)
        layers = range(len(self.program.layers))
        return [*found, *(fill for layer in layers for fill in self._fills(layer, kept=True))]

    def _loads(self, number: int) -> list[Descriptor]:
        """Loads of a phase's memories that are not resident."""
        phase = self.phases[number]
        return [
            self._load(number, memory)
            for memory in LOADED
            if memory not in self.resident and phase.rows(memory, self.config)
        ]

    def _load(self, number: int, memory: Memory) -> Load:
        content = phase_content(self.phases[number], memory, self.config)
        return Load(
            memory=memory,
            row=self._bases[number][memory],
            rows=len(content),
            words=content.shape[1] // self.config.bus_bytes,
            base=Base.IMAGE,
            offset=self._append(content),
        )

    def _append(self, content: _Bytes) -> int:
        offset = self._size
        self._parts.append(content.ravel())
        self._size += content.size
        return offset

    def _data(self, descriptors: Sequence[Descriptor]) -> _Bytes:
        """Descriptors, then the contents, whose offsets counted from the end of the former."""
        head = len(descriptors) * DESCRIPTOR_BYTES
        words = [
            replace(each, offset=each.offset + head).word()
            if isinstance(each, Load)
            and each.base == Base.IMAGE
            and each.memory != Memory.DESCRIPTORS
            else each.word()
            for each in descriptors
        ]
        octets = b"".join(word.to_bytes(DESCRIPTOR_BYTES, "little") for word in words)
        return np.concatenate([np.frombuffer(octets, np.uint8), *self._parts])

    def _inputs(self) -> tuple[tuple[MapTransfer, ...], int]:
        copies = self.program.net.copies(NETWORK_INPUT)
        words = self.config.row_words(Memory.ACTIVATIONS)
        found, offset = [], 0
        for width in self.program.maps[NETWORK_INPUT].widths:
            placed = self.builder.placed[NETWORK_INPUT, width]
            found.append(
                MapTransfer(
                    map=placed,
                    offset=offset,
                    bank_words=words,
                    shift=copies.shifts.get(width, 0),
                    unsigned=copies.unsigned and width < OPERAND_BITS,
                )
            )
            offset += placed.rows(self.config.banks) * words * self.config.bus_bytes
        return tuple(found), offset

    def _input_loads(self, inputs: Sequence[MapTransfer]) -> list[list[Descriptor]]:
        """Loads of the input before each of the first tiles; with the last ones, all that is left.

        The inputs that the first layer does not read at once come with the last tiles, too.
        """
        steps = self.phases[0].input_rows
        found: list[list[Descriptor]] = []
        loaded = {each.map.width: 0 for each in inputs}
        for number, step in enumerate(steps):
            loads: list[Descriptor] = []
            for each in inputs:
                rows = each.map.rows(self.config.banks)
                end = rows if number + 1 == len(steps) else step.get(each.map.width, 0)
                start = loaded[each.map.width]
                if end > start:
                    loads.append(self._load_input(each, start, end))
                    loaded[each.map.width] = end
            found.append(loads)
        return found

    def _load_input(self, each: MapTransfer, start: int, end: int) -> Load:
        """Rows `start` to `end` - 1 of a map of the input."""
        row_bytes = each.bank_words * self.config.bus_bytes
        return Load(
            memory=Memory.ACTIVATIONS,
            row=each.map.first + start,
            rows=end - start,
            words=each.bank_words,
            base=Base.INPUT,
            offset=each.offset + start * row_bytes,
        )

    def _output(self) -> MapTransfer:
        """The last map; of its rows only the banks that have positions are stored."""
        placed = self.builder.placed[len(self.program.layers) - 1, OPERAND_BITS]
        used = min(placed.positions, self.config.banks) * OPERAND_BITS
        return MapTransfer(map=placed, offset=0, bank_words=-(-used // self.config.bus_bits))

    def _phase(self, number: int, inputs: Sequence[list[Descriptor]]) -> list[Descriptor]:
        """Wait for the phase before, load the next one, compute.

        Parameters
        ----------
        number : of the phase
        inputs : loads of the network's input that all but the first of its tiles wait for
        """
        phase = self.phases[number]
        found: list[Descriptor] = [Wait(loads=True, tiles=True)]
        if number == 0 or self.phases[number - 1].layer != phase.layer:
            found += self._fills(phase.layer, kept=False)
        bases = self._bases[number]
        entries = {memory: bases[memory] * self.config.entries(memory) for memory in LOADED}
        if phase.knots is not None:
            found.append(TableDescriptor(parameters=entries[Memory.PARAMETERS] + phase.knots))
        ahead = [*inputs, self._loads(number + 1) if number + 1 < len(self.phases) else []]
        for index, tiles in enumerate(phase.tiles):
            if 0 < index <= len(inputs) and inputs[index - 1]:
                found.append(Wait(loads=True))
            if index < len(ahead):
                found += ahead[index]
            found.append(move_tiles(tiles, entries))
        return found

    def _fills(self, layer: int, *, kept: bool) -> list[Descriptor]:
        """Zeros for a layer's maps, for those that are kept or for the others."""
        found: list[Descriptor] = []
        for width in self.program.maps[layer].widths:
            placed = self.builder.placed[layer, width]
            is_kept = (layer, width) in self.kept
            if is_kept == kept and _has_zeros(self.builder.spacings[layer], placed):
                found.append(Fill(row=placed.first, rows=placed.rows(self.config.banks)))
        return found


def move_tiles(tiles: Tiles, entries: Mapping[Memory, int]) -> Tiles:
    """The descriptor of a phase whose tables begin so many entries later in each memory."""
    return replace(
        tiles,
        weights=tiles.weights + entries[Memory.WEIGHTS],
        parameters=tiles.parameters + entries[Memory.PARAMETERS],
        lanes=tiles.lanes + entries[Memory.LANES],
        store_lanes=tiles.store_lanes + entries[Memory.LANES],
        walks=tiles.walks + entries[Memory.TAPS],
        taps=tiles.taps + entries[Memory.TAPS],
        store_walks=tiles.store_walks + entries[Memory.WRITES],
        writes=tiles.writes + entries[Memory.WRITES],
    )


def _has_fillers(placed: PlacedMap) -> bool:
    """Whether there are octets of its words that hold no channel."""
    if placed.pairs == 1:
        return False
    octets = np.unique(placed.map.slots * placed.width // 8)
    return len(octets) < 2 * placed.words


def phase_content(phase: Phase, memory: Memory, config: MemoryConfig) -> _Bytes:
    """(rows, octets) of a phase in external memory, in whole bus words."""
    rows = phase.rows(memory, config)
    if memory is Memory.WEIGHTS:
        words = -(-phase.columns() * OPERAND_BITS // config.bus_bits)
        width = words * config.bus_bytes
        block = np.concatenate(phase.weights).astype("<u2").view(np.uint8)
        found = np.zeros((rows, width), np.uint8)
        used = min(width, block.shape[1])
        found[:, :used] = block[:, :used]
        return found
    width = config.row_words(memory) * config.bus_bytes
    entry = {Memory.PARAMETERS: PARAMETER_BITS, Memory.LANES: width * 8}.get(
        memory, ENTRY_BITS
    ) // 8
    octets = b"".join(word.to_bytes(entry, "little") for word in phase.tables[memory].entries)
    padded = octets.ljust(rows * width, b"\0")
    return np.frombuffer(padded, np.uint8).reshape(rows, width)
