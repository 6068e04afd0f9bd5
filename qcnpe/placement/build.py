"""Images of networks: the list of descriptors, and everything that they load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qcnpe.blocking import compile_blocked
from qcnpe.compiler import Program, reorder_tiles
from qcnpe.placement.banks import (
    Interval,
    MapPlaces,
    first_fit,
    has_zeros,
    live_together,
    map_lives,
    place_maps,
)
from qcnpe.placement.layout import Spacing, space_maps
from qcnpe.placement.parts import cut_descriptors
from qcnpe.placement.phase import Part, Phase, PhaseBuilder
from qcnpe.placement.residency import LOADED, MemoryPlan, Residency, cut_phases
from qcnpe.placement.strips import MapKey, Strip, Window, tile_order
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.geometry import NETWORK_INPUT
from qcnpe.spec.memory.config import Memory, MemoryConfig
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

_MOST_OUTPUT_BYTES = (1 << 32) - 1
"""Most octets of results, and of maps behind them: the header of an image has 32 bits for them."""


@dataclass(frozen=True, eq=False)
class Placement:
    """A program with the places of everything.

    Attributes
    ----------
    program, config : the network, and the memories
    places : all maps, and the strips of each layer
    phases : in order
    plans : where phases lie, by memory
    phase_words : bus words that every run reads for each phase
    image : what external memory holds
    """

    program: Program
    config: MemoryConfig
    places: MapPlaces
    phases: tuple[Phase, ...]
    plans: Mapping[Memory, MemoryPlan]
    phase_words: tuple[int, ...]
    image: Image

    @property
    def resident(self) -> frozenset[Memory]:
        """Memories that hold all phases at once."""
        return frozenset(memory for memory, plan in self.plans.items() if not plan.always)


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
    places = place_maps(program, config, spacings)
    orders = {
        index: tile_order(program.layers[index], strips)
        for index, strips in enumerate(places.strips)
        if len(strips) > 1
    }
    program = reorder_tiles(program, orders)
    pieces = _input_pieces(program, config, places)
    residency = cut_phases(PhaseBuilder(program, config, spacings, places, pieces))
    writer = _ImageWriter(program, config, spacings, places, residency)
    image = writer.write()
    words = tuple(writer.phase_words)
    return Placement(program, config, places, residency.phases, residency.plans, words, image)


def _input_pieces(program: Program, config: MemoryConfig, places: MapPlaces) -> int:
    """Pieces of the input that are loaded one by one: a few, each of which is worth a wait."""
    if NETWORK_INPUT in places.external:
        return 1
    maps = (places.maps[NETWORK_INPUT, width] for width in program.maps[NETWORK_INPUT].widths)
    rows = sum(each.rows(config.banks) for each in maps)
    words = rows * config.row_words(Memory.ACTIVATIONS)
    return min(_MOST_PIECES, max(1, words // _PIECE_WORDS))


@dataclass(frozen=True)
class _Outside:
    """A map in external memory: its base register, its first octet, and bus words of each row."""

    base: Base
    offset: int
    words: int


class _ImageWriter:
    """Writes descriptors and contents one after another.

    Attributes
    ----------
    phase_words : bus words that every run reads for each phase
    """

    def __init__(
        self,
        program: Program,
        config: MemoryConfig,
        spacings: Mapping[int, Spacing],
        places: MapPlaces,
        residency: Residency,
    ) -> None:
        self.program, self.config = program, config
        self.spacings, self.places = spacings, places
        self.phases, self.plans = residency.phases, residency.plans
        self.phase_words = [0] * len(self.phases)
        self._parts: list[_Bytes] = []
        self._offsets: dict[bytes, int] = {}
        self._size = 0
        self._inputs, self._input_bytes = self._place_inputs()
        self._output = self._place_output()
        self._outside, self._output_bytes = self._place_outside()

    def write(self) -> Image:
        """The image."""
        setup = self._setup()
        pieces = self._input_loads()
        run: list[Descriptor] = [*pieces[0], *self._loads(0)]
        for number in range(len(self.phases)):
            run += self._phase(number, pieces[1:] if number == 0 else [])
        if len(self.program.layers) - 1 not in self.places.external:
            run.append(self._store_output())
        found = cut_descriptors(setup, [*run, End()], self.config)
        return Image(
            config=self.config,
            data=self._data(found.descriptors),
            boot_rows=found.boot_rows,
            again=found.again,
            again_boot_rows=found.again_boot_rows,
            batch=self.program.batch,
            inputs=self._inputs,
            input_factor=self.program.input_factor,
            output=self._output,
            input_bytes=self._input_bytes,
            output_bytes=self._output_bytes,
        )

    def _setup(self) -> list[Descriptor]:
        """Loads of what is resident, and zeros that are kept; rows side by side are one load."""
        found: list[Load] = []
        for memory in LOADED:
            for number in self.plans[memory].once:
                load = self._load(number, memory)
                last = found[-1] if found else None
                if last and _is_next(last, load, self.config):
                    found[-1] = replace(last, rows=last.rows + load.rows)
                else:
                    found.append(load)
        layers = range(len(self.program.layers))
        return [*found, *(fill for layer in layers for fill in self._fills(layer, kept=True))]

    def _loads(self, number: int) -> list[Descriptor]:
        """Loads that a phase needs in every run."""
        return [
            self._counted(number, self._load(number, memory))
            for memory in LOADED
            if number in self.plans[memory].always
        ]

    def _counted(self, number: int, load: Load) -> Load:
        """A load, whose bus words are counted for a phase."""
        self.phase_words[number] += load.rows * load.words
        return load

    def _load(self, number: int, memory: Memory) -> Load:
        plan = self.plans[memory]
        content = plan.contents[number]
        if content.key not in self._offsets:
            self._offsets[content.key] = self._append(content.octets)
        return Load(
            memory=memory,
            row=plan.firsts[number],
            rows=content.rows,
            words=content.octets.shape[1] // self.config.bus_bytes,
            base=Base.IMAGE,
            offset=self._offsets[content.key],
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

    def _place_inputs(self) -> tuple[tuple[MapTransfer, ...], int]:
        copies = self.program.net.copies(NETWORK_INPUT)
        words = self.config.row_words(Memory.ACTIVATIONS)
        found, offset = [], 0
        for width in self.program.maps[NETWORK_INPUT].widths:
            placed = self.places.maps[NETWORK_INPUT, width]
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

    def _place_output(self) -> MapTransfer:
        """The last map."""
        placed = self.places.maps[len(self.program.layers) - 1, OPERAND_BITS]
        return MapTransfer(map=placed, offset=0, bank_words=self._bank_words(placed))

    def _bank_words(self, placed: PlacedMap) -> int:
        """Bus words of a map's row: those of the banks that have positions."""
        used = min(placed.positions, self.config.banks) * OPERAND_BITS
        return -(-used // self.config.bus_bits)

    def _place_outside(self) -> tuple[dict[MapKey, _Outside], int]:
        """Maps in external memory, and octets at `output`: results, then maps of other layers.

        Maps that do not live at the same time share octets.
        """
        last, width_bytes = len(self.program.layers) - 1, self.config.bus_bytes
        output = self._output
        end = output.map.rows(self.config.banks) * output.bank_words * width_bytes
        found = {
            (NETWORK_INPUT, each.map.width): _Outside(Base.INPUT, each.offset, each.bank_words)
            for each in self._inputs
        }
        found[last, OPERAND_BITS] = _Outside(Base.OUTPUT, 0, output.bank_words)
        ends = map_lives(self.program)
        taken: dict[MapKey, Interval] = {}
        for key, placed in self.places.maps.items():
            if key[0] not in self.places.external or key in found:
                continue
            apart = [other for each, other in taken.items() if live_together(key[0], each[0], ends)]
            words = self._bank_words(placed)
            size = placed.rows(self.config.banks) * words * width_bytes
            taken[key] = first_fit(size, [(0, end), *apart]), size
            found[key] = _Outside(Base.OUTPUT, taken[key][0], words)
        end = max([end, *(first + size for first, size in taken.values())])
        if end > _MOST_OUTPUT_BYTES:
            raise CapacityError(
                f"maps that do not fit the banks take {end:,} bytes of external memory, more than"
                f" {_MOST_OUTPUT_BYTES:,}; set activation_rows, or lower the batch"
            )
        return found, end

    def _input_loads(self) -> list[list[Descriptor]]:
        """Loads of the input before each of the first tiles; with the last ones, all that is left.

        The inputs that the first layer does not read at once come with the last tiles, too.
        """
        if NETWORK_INPUT in self.places.external:
            return [[]]
        steps = self.phases[0].input_rows
        found: list[list[Descriptor]] = []
        loaded = {each.map.width: 0 for each in self._inputs}
        for number, step in enumerate(steps):
            loads: list[Descriptor] = []
            for each in self._inputs:
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
        window = Window(start, end - start)
        return self._load_rows((NETWORK_INPUT, each.map.width), window, each.map.first + start)

    def _load_rows(self, key: MapKey, window: Window, row: int) -> Load:
        """Rows of a map, from external memory to the banks from `row` on."""
        return Load(memory=Memory.ACTIVATIONS, **self._transfer(key, window, row))

    def _transfer(self, key: MapKey, window: Window, row: int) -> dict[str, int]:
        outside = self._outside[key]
        return {
            "row": row,
            "rows": window.rows,
            "words": outside.words,
            "base": outside.base,
            "offset": outside.offset + window.first * outside.words * self.config.bus_bytes,
        }

    def _store_output(self) -> Store:
        placed = self._output.map
        key = len(self.program.layers) - 1, OPERAND_BITS
        window = Window(0, placed.rows(self.config.banks))
        return Store(**self._transfer(key, window, placed.first))

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
        entries = {
            memory: self.plans[memory].firsts[number] * self.config.entries(memory)
            for memory in LOADED
        }
        if phase.knots is not None:
            found.append(TableDescriptor(parameters=entries[Memory.PARAMETERS] + phase.knots))
        ahead = [*inputs, self._loads(number + 1) if number + 1 < len(self.phases) else []]
        index = 0
        for place, part in enumerate(phase.parts):
            if place == 0 and part.is_first:
                found += self._window_loads(number, part)
            if part.is_first:
                found += self._begin_strip(number, part)
            for tiles in part.tiles:
                if 0 < index <= len(inputs) and inputs[index - 1]:
                    found.append(Wait(loads=True))
                if index < len(ahead):
                    found += ahead[index]
                found.append(move_tiles(tiles, entries))
                index += 1
            if part.is_last:
                found += self._end_strip(number, part, phase.parts[place + 1 : place + 2])
        return found

    def _window_loads(self, number: int, part: Part) -> list[Descriptor]:
        """Loads of the windows that a strip reads."""
        layer = self.phases[number].layer
        return [
            self._counted(number, self._load_rows(key, window, self.places.rooms[layer, key][0]))
            for key, window in self._strip(number, part).reads.items()
        ]

    def _begin_strip(self, number: int, part: Part) -> list[Descriptor]:
        """The windows of results, with what is stored already; then wait for all windows."""
        strip, layer = self._strip(number, part), self.phases[number].layer
        found: list[Descriptor] = []
        for key, window in strip.writes.items():
            row = self.places.rooms[layer, key][0]
            if window.stored:
                stored = Window(window.first, window.stored)
                found.append(self._counted(number, self._load_rows(key, stored, row)))
            rest = window.rows - window.stored
            if rest and has_zeros(self.spacings[layer], self.places.maps[key]):
                found.append(Fill(row=row + window.stored, rows=rest))
        waits = strip.reads or any(window.stored for window in strip.writes.values())
        return [*found, Wait(loads=True)] if waits else found

    def _end_strip(self, number: int, part: Part, following: Sequence[Part]) -> list[Descriptor]:
        """Load what the next strip of the phase reads, while the results are stored."""
        strip, layer = self._strip(number, part), self.phases[number].layer
        loads = [load for each in following for load in self._window_loads(number, each)]
        stores = [
            Store(**self._transfer(key, window, self.places.rooms[layer, key][0]))
            for key, window in strip.writes.items()
        ]
        return [*([Wait(tiles=True)] if loads else []), *loads, *stores]

    def _strip(self, number: int, part: Part) -> Strip:
        return self.places.strips[self.phases[number].layer][part.strip]

    def _fills(self, layer: int, *, kept: bool) -> list[Descriptor]:
        """Zeros for a layer's maps in the banks, for those that are kept or for the others."""
        found: list[Descriptor] = []
        if layer in self.places.external:
            return found
        for width in self.program.maps[layer].widths:
            placed = self.places.maps[layer, width]
            is_kept = (layer, width) in self.places.kept
            if is_kept == kept and has_zeros(self.spacings[layer], placed):
                found.append(Fill(row=placed.first, rows=placed.rows(self.config.banks)))
        return found


def _is_next(last: Load, load: Load, config: MemoryConfig) -> bool:
    """Whether a load goes on where another one ends, in both memories."""
    same = (last.memory, last.words) == (load.memory, load.words)
    rows = last.row + last.rows == load.row
    return same and rows and last.offset + last.rows * last.words * config.bus_bytes == load.offset


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
