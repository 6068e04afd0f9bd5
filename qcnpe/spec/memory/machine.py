"""The reference model of the memory side: executes descriptors in numpy, with the engine's model.

Loads are done at once, and the results of tiles are stored before the next descriptor begins; or
both as late as a list of descriptors allows. A list that gives the same results in both ways has a
`Wait` wherever the engine needs one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.commands import TableLoad, TileCommand, decode, decode_command
from qcnpe.spec.errors import FormatError
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import (
    DESCRIPTOR_BYTES,
    Base,
    Descriptor,
    End,
    Fault,
    Fill,
    Jump,
    Load,
    Store,
    Table,
    Tiles,
    Wait,
    decode_descriptor,
)
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.tables import FOLD_LANES, TAP_FIELDS, WALK_FIELDS, WRITE_FIELDS
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams, unpack_result

_Ints = NDArray[np.int64]

_MOST_DESCRIPTORS = 1 << 20
"""Descriptors after which a run is taken not to end."""


class FaultError(FormatError):
    """A run ended with a fault.

    Parameters
    ----------
    fault : its cause
    row : of the descriptor
    """

    def __init__(self, fault: Fault, row: int) -> None:
        super().__init__(f"descriptor {row}: {fault.name.lower()}; compile for these memories")
        self.fault = fault


@dataclass(frozen=True)
class _Lanes:
    """Lane entries, each array (entries, rows)."""

    valid: NDArray[np.bool_]
    passes: _Ints
    bank: _Ints
    row: _Ints

    def reads(self, banks: int) -> _Ints:
        """Words that each entry reads: one of each bank in each pass, whatever lanes take it."""
        keys = np.sort(np.where(self.valid, self.passes * banks + self.bank, -1), axis=1)
        is_new = np.diff(keys, axis=1, prepend=-1) != 0
        return (is_new & (keys >= 0)).sum(axis=1)


@dataclass(frozen=True)
class _Places:
    """Places of lanes, for each tile: (tiles, rows), the offset's bank not yet reduced."""

    lanes: _Lanes
    bank: _Ints
    row: _Ints
    words: int


@dataclass(frozen=True, eq=False)
class Job:
    """What a descriptor of tiles makes the memories do.

    Attributes
    ----------
    tiles : the descriptor
    command : of each tile
    taps, writes : fields of the entries of a tile
    fetch_passes : (tiles, sources) passes of each source of the tiles that have lane entries
    fetch_words : (tiles, sources) lanes that take a word of a beat
    fetch_reads : (tiles, sources) words that are read for them: lanes may share one
    store_passes, store_words : (tiles, maps) passes and words of the results
    """

    tiles: Tiles
    command: TileCommand
    taps: list[dict[str, int]]
    writes: list[dict[str, int]]
    fetch_passes: _Ints
    fetch_words: _Ints
    fetch_reads: _Ints
    store_passes: _Ints
    store_words: _Ints


class Machine:
    """The memories of an autonomous engine, and the processor of its descriptors.

    Parameters
    ----------
    config : the engine and its memories
    computes : whether tiles are computed; else the machine only keeps track of what is done
    is_late : loads are done, and results stored, only when a descriptor waits for them

    Attributes
    ----------
    external : what the base registers point at, uint8
    streams : what the engine was given by each descriptor, in order
    done : descriptors in the order in which they were executed; in place of tiles what they did
    words_read, words_written : bus words
    """

    def __init__(
        self, config: MemoryConfig, *, computes: bool = True, is_late: bool = False
    ) -> None:
        self.config = config
        self.computes, self.is_late = computes, is_late
        self._loads: list[Load] = []
        self._results: list[tuple[Tiles, NDArray[np.uint64]]] = []
        self.done: list[Descriptor | Job] = []
        self.external: dict[Base, NDArray[np.uint8]] = {}
        self.streams: list[Streams] = []
        self.words_read = self.words_written = 0
        self._memories = {
            memory: np.zeros(
                (config.depth(memory), config.row_words(memory) * config.bus_bytes), np.uint8
            )
            for memory in Memory
        }
        self._knots: NDArray[np.uint32] = np.zeros(0, np.uint32)

    def run(self, *, boot_rows: int = 0, start: int = 0) -> None:
        """Execute descriptors from row `start` to the end.

        Parameters
        ----------
        boot_rows : descriptors loaded from the image first
        start : row of the first one

        Raises
        ------
        FaultError
            If the run ends with a fault.
        """
        if boot_rows:
            words = self.config.row_words(Memory.DESCRIPTORS)
            self._load(
                Load(
                    memory=Memory.DESCRIPTORS,
                    row=0,
                    rows=boot_rows,
                    words=words,
                    base=Base.IMAGE,
                    offset=0,
                )
            )
        row = start
        for _ in range(_MOST_DESCRIPTORS):
            descriptor = self._fetch(row)
            try:
                self._step(descriptor)
            except _FoundFaultError as found:
                raise FaultError(found.fault, row) from found
            if isinstance(descriptor, End):
                return
            row = descriptor.row if isinstance(descriptor, Jump) else row + 1
        raise FormatError("the descriptors do not end; compile the image again")

    def _fetch(self, row: int) -> Descriptor:
        memory = self._memories[Memory.DESCRIPTORS]
        if row >= len(memory):
            raise FaultError(Fault.ROWS, row)
        word = int.from_bytes(memory[row, :DESCRIPTOR_BYTES].tobytes(), "little")
        found = decode_descriptor(self.config, word)
        if isinstance(found, Fault):
            raise FaultError(found, row)
        return found

    def _step(self, descriptor: Descriptor) -> None:
        match descriptor:
            case Load():
                self._loads.append(descriptor)
            case Store():
                self._finish(loads=False, tiles=True)
                self._store(descriptor)
            case Fill(row=row, rows=rows):
                self._finish(loads=False, tiles=True)
                self._memories[Memory.ACTIVATIONS][row : row + rows] = 0
            case Wait(loads=loads, tiles=tiles):
                self._finish(loads=loads, tiles=tiles)
            case End():
                self._finish(loads=True, tiles=True)
            case Table(parameters=first):
                self._table(first)
            case Tiles():
                self._tiles(descriptor)
        if not isinstance(descriptor, Tiles):
            self.done.append(descriptor)
        if not self.is_late:
            self._finish(loads=True, tiles=True)

    def _finish(self, *, loads: bool, tiles: bool) -> None:
        """Do the loads, or store the results, that have begun."""
        if loads:
            for load in self._loads:
                self._load(load)
            self._loads.clear()
        if tiles:
            for done, results in self._results:
                self._write(done, results)
            self._results.clear()

    def _load(self, load: Load) -> None:
        rows = self._external(load)
        self.words_read += load.rows * load.words
        memory = Memory(load.memory)
        kept = self._kept_bits(memory)[: rows.shape[1]]
        self._memories[memory][load.row : load.row + load.rows, : rows.shape[1]] = rows & kept

    def _kept_bits(self, memory: Memory) -> NDArray[np.uint8]:
        """A mask of the bits of a row that are stored."""
        bits = np.zeros(self.config.row_words(memory) * self.config.bus_bits, np.uint8)
        bits[: self.config.row_content_bits(memory)] = 1
        return np.packbits(bits, bitorder="little")

    def _store(self, store: Store) -> None:
        rows = self._external(store)
        self.words_written += store.rows * store.words
        memory = self._memories[Memory.ACTIVATIONS]
        rows[:] = memory[store.row : store.row + store.rows, : rows.shape[1]]

    def _external(self, transfer: Load | Store) -> NDArray[np.uint8]:
        """(rows, bytes) of external memory; an error on the bus if there is none."""
        width = transfer.words * self.config.bus_bytes
        memory = self.external[Base(transfer.base)]
        size = transfer.rows * width
        if transfer.offset + size > len(memory):
            raise _FoundFaultError(Fault.READ if isinstance(transfer, Load) else Fault.WRITE)
        return memory[transfer.offset : transfer.offset + size].reshape(transfer.rows, width)

    def _parameters(self, first: int, count: int) -> NDArray[np.uint32]:
        words = self._memories[Memory.PARAMETERS].ravel().view("<u4")
        if first + count > len(words):
            raise _FoundFaultError(Fault.BOUNDS)
        return words[first : first + count].astype(np.uint32)

    def _entries(self, memory: Memory, first: int) -> NDArray[np.uint64]:
        """Entries from `first` on."""
        words = self._memories[memory].ravel().view("<u8")
        if first >= len(words):
            raise _FoundFaultError(Fault.BOUNDS)
        return words[first:]

    def _list(self, memory: Memory, first: int) -> list[dict[str, int]]:
        """Taps or writes up to the last one."""
        table = TAP_FIELDS if memory is Memory.TAPS else WRITE_FIELDS
        found = []
        for word in map(int, self._entries(memory, first)):
            found.append(decode(table, word))
            if found[-1]["last"]:
                return found
        raise _FoundFaultError(Fault.BOUNDS)

    def _table(self, first: int) -> None:
        self._knots = self._parameters(first, self.config.engine.table_segments + 1)
        self.streams.append(self._streams([TableLoad().word()], parameters=self._knots))

    def _streams(
        self,
        commands: list[int],
        *,
        parameters: NDArray[np.uint32],
        activations: NDArray[np.uint16] | None = None,
        weights: NDArray[np.uint16] | None = None,
        results: int = 0,
    ) -> Streams:
        engine = self.config.engine
        none = np.zeros(0, np.uint16)
        return Streams(
            commands=np.array(commands, np.uint64),
            activations=none.reshape(0, engine.rows) if activations is None else activations,
            weights=none.reshape(0, engine.cols) if weights is None else weights,
            parameters=parameters,
            results=results,
        )

    def _tiles(self, tiles: Tiles) -> None:
        command = decode_command(self.config.engine, tiles.command)
        if not isinstance(command, TileCommand):
            raise _FoundFaultError(Fault.ENGINE)
        self.done.append(self._job(tiles, command))
        if self.computes:
            self._compute(tiles, command)

    def _job(self, tiles: Tiles, command: TileCommand) -> Job:
        fetched = self._lanes(tiles.lanes, tiles.tiles * tiles.sources)
        stored = self._lanes(tiles.store_lanes, tiles.tiles * tiles.maps)
        by_source, by_map = (tiles.tiles, tiles.sources), (tiles.tiles, tiles.maps)
        return Job(
            tiles=tiles,
            command=command,
            taps=self._list(Memory.TAPS, tiles.taps),
            writes=self._list(Memory.WRITES, tiles.writes),
            fetch_passes=fetched.passes.max(axis=1).reshape(by_source) + 1,
            fetch_words=fetched.valid.sum(axis=1).reshape(by_source),
            fetch_reads=fetched.reads(self.config.banks).reshape(by_source),
            store_passes=stored.passes.max(axis=1).reshape(by_map) + 1,
            store_words=stored.valid.sum(axis=1).reshape(by_map),
        )

    def _compute(self, tiles: Tiles, command: TileCommand) -> None:
        count = tiles.tiles * tiles.repeat
        period = 1 << tiles.parameter_period >> 1 or command.cols
        parameters = []
        for number in range(tiles.repeat):
            first = tiles.parameters + number * period * tiles.parameters_go_on
            own = self._parameters(first, min(period, command.cols))
            parameters.append(np.tile(np.resize(own, command.cols), tiles.tiles))
        streams = self._streams(
            [tiles.command] * count,
            activations=self._activations(tiles, command.beats),
            weights=self._weights(tiles, command),
            parameters=np.concatenate(parameters),
            results=count * command.cols,
        )
        self.streams.append(streams)
        results = self._execute(streams).reshape(count, command.cols, -1)
        self._results.append((tiles, results))

    def _weights(self, tiles: Tiles, command: TileCommand) -> NDArray[np.uint16]:
        """(beats, columns) of all tiles.

        Rows hold what was there before in the columns that no tile uses; the engine masks them.
        """
        memory = self._memories[Memory.WEIGHTS][:, : self.config.engine.cols * 2].view("<u2")
        taps = self._list(Memory.TAPS, tiles.taps)
        ends = np.cumsum([tap["next"] if tap["places"] else tap["count"] for tap in taps])
        found = []
        for number in range(tiles.repeat):
            beats = []
            for tap, end in zip(taps, ends.tolist(), strict=True):
                last = tiles.weights + number * tiles.weight_step + end
                rows = np.full(tap["count"], last - tap["next"])
                if not tap["places"]:
                    rows = np.arange(last - tap["count"], last)
                if rows[-1] >= len(memory):
                    raise _FoundFaultError(Fault.BOUNDS)
                beats.append(self._unfold(memory[rows], tap, command.precision))
            found += [np.concatenate(beats)] * tiles.tiles
        weights = np.concatenate(found).astype(np.uint16)
        weights[:, command.cols :] = 0
        return weights

    def _unfold(
        self, rows: NDArray[np.uint16], tap: Mapping[str, int], precision: int
    ) -> NDArray[np.uint16]:
        """(beats, columns) weights that a tap makes of its rows."""
        if not tap["places"]:
            return rows
        engine = self.config.engine
        columns = np.arange(engine.cols)
        pairs = engine.pairs(precision) if tap["spread"] else 1
        place, slot = np.divmod(columns, pairs)
        lane = (place + tap["turn"]) % FOLD_LANES
        used = (place < FOLD_LANES) & (lane < engine.cols)
        used &= (tap["places"] >> np.minimum(place, FOLD_LANES - 1) & 1) == 1
        kept = ((1 << precision) - 1) << slot * precision if pairs > 1 else 0xFFFF
        return np.where(used, rows[:, np.where(used, lane, 0)] & kept, 0)

    def _execute(self, streams: Streams) -> NDArray[np.uint64]:
        """Results of tiles, with the table that was loaded last."""
        if len(self._knots):
            table = np.array([TableLoad().word()], np.uint64)
            streams = Streams(
                commands=np.concatenate([table, streams.commands]),
                activations=streams.activations,
                weights=streams.weights,
                parameters=np.concatenate([self._knots, streams.parameters]),
                results=streams.results,
            )
        return execute(self.config.engine, streams).results

    def _lanes(self, first: int, count: int) -> _Lanes:
        memory = self._memories[Memory.LANES]
        if first + count > len(memory):
            raise _FoundFaultError(Fault.BOUNDS)
        config = self.config
        bits = np.unpackbits(memory[first : first + count], axis=1, bitorder="little")
        lanes = bits[:, config.pass_bits : config.lane_entry_bits]
        lanes = lanes.reshape(count, config.engine.rows, -1).astype(np.int64)
        found, start = [], 0
        for size in (1, config.pass_bits, config.bank_bits, config.row_bits):
            found.append(lanes[:, :, start : start + size] @ (1 << np.arange(size)))
            start += size
        return _Lanes(found[0] == 1, *found[1:])

    def _places(
        self, tiles: Tiles, memory: Memory, lanes: int, walks: int, number: int
    ) -> list[_Places]:
        """Places of each of `number` sources, or maps, in all tiles."""
        found = []
        entries = self._entries(memory, walks)[:number].tolist()
        if len(entries) < number:
            raise _FoundFaultError(Fault.BOUNDS)
        table = self._lanes(lanes, tiles.tiles * number)
        repetition = np.repeat(np.arange(tiles.repeat), tiles.tiles)[:, None]
        for index, entry in enumerate(entries):
            walk = decode(WALK_FIELDS, entry)
            chosen = np.tile(np.arange(tiles.tiles) * number + index, tiles.repeat)
            part = _Lanes(
                table.valid[chosen], table.passes[chosen], table.bank[chosen], table.row[chosen]
            )
            bank = walk["start_bank"] + repetition * walk["step_bank"] + part.bank
            row = walk["start_row"] + repetition * walk["step_row"] + part.row
            found.append(_Places(part, bank, row, walk["words"]))
        return found

    def _resolve(
        self, places: _Places, entry: Mapping[str, int], count: int
    ) -> tuple[_Ints, _Ints]:
        """Bank and row of (tiles, rows), checked for `count` rows; zero if a lane is not valid."""
        total = places.bank + entry["bank"]
        bank = total % self.config.banks
        row = places.row + entry["row"] + total // self.config.banks * places.words
        valid = places.lanes.valid
        if ((row + count > self.config.activation_rows) & valid).any():
            raise _FoundFaultError(Fault.BOUNDS)
        return np.where(valid, bank, 0), np.where(valid, row, 0)

    def _check_conflicts(self, places: _Places, *, reads: bool) -> None:
        """Refuse lanes of one pass that read two rows of a bank, or of which two write to it."""
        lanes = places.lanes
        for tile in range(len(lanes.valid)):
            seen: dict[tuple[int, int], int] = {}
            for index in np.flatnonzero(lanes.valid[tile]).tolist():
                key = int(lanes.passes[tile, index]), int(lanes.bank[tile, index])
                row = int(lanes.row[tile, index])
                if key in seen and not (reads and seen[key] == row):
                    raise _FoundFaultError(Fault.CONFLICT)
                seen[key] = row

    def _activations(self, tiles: Tiles, beats: int) -> NDArray[np.uint16]:
        sources = self._places(tiles, Memory.TAPS, tiles.lanes, tiles.walks, tiles.sources)
        for places in sources:
            self._check_conflicts(places, reads=True)
        banks = self._banks
        count = tiles.tiles * tiles.repeat
        found = []
        for tap in self._list(Memory.TAPS, tiles.taps):
            if tap["source"] >= tiles.sources:
                raise _FoundFaultError(Fault.BOUNDS)
            places = sources[tap["source"]]
            bank, row = self._resolve(places, tap, tap["count"])
            words = row[:, None] + np.arange(tap["count"])[:, None]
            found.append(np.where(places.lanes.valid[:, None], banks[words, bank[:, None]], 0))
        stream = np.concatenate(found, axis=1)
        if stream.shape[1] != beats:
            raise FormatError("the taps of a tile do not have the beats of its command")
        return stream.reshape(count * beats, -1).astype(np.uint16)

    def joined_streams(self) -> Streams:
        """What the engine was given in all, one descriptor after another."""
        return join_streams(self.streams)

    @property
    def _banks(self) -> NDArray[np.uint16]:
        """(rows, banks) view of the activation memory."""
        return self._memories[Memory.ACTIVATIONS][:, : self.config.banks * 2].view("<u2")

    def _write(self, tiles: Tiles, results: NDArray[np.uint64]) -> None:
        maps = self._places(tiles, Memory.WRITES, tiles.store_lanes, tiles.store_walks, tiles.maps)
        for places in maps:
            self._check_conflicts(places, reads=False)
        engine, banks = self.config.engine, self._banks
        gathered = dict.fromkeys(engine.precisions, np.zeros(results[:, 0].shape, np.int64))
        column = 0
        for entry in self._list(Memory.WRITES, tiles.writes):
            if entry["map"] >= tiles.maps or entry["width"] >= len(engine.precisions):
                raise _FoundFaultError(Fault.BOUNDS)
            width = engine.precisions[entry["width"]]
            mask = (1 << width) - 1
            field = unpack_result(engine, results[:, column], width, unsigned=True) & mask
            word = gathered[width] & ~(mask << entry["place"]) | field << entry["place"]
            if entry["bytes"]:
                places = maps[entry["map"]]
                valid = places.lanes.valid
                bank, row = self._resolve(places, entry, 1)
                kept = sum(0xFF << 8 * octet for octet in (0, 1) if not entry["bytes"] >> octet & 1)
                where = row[valid], bank[valid]
                banks[where] = banks[where] & kept | word[valid] & ~kept & 0xFFFF
                word = np.zeros_like(word)
            gathered[width] = word
            column += entry["pop"]
        if column != results.shape[1]:
            raise FormatError("the writes of a tile do not end all of its beats")


class _FoundFaultError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.name)
        self.fault = fault


def join_streams(runs: Sequence[Streams]) -> Streams:
    """Streams one after another."""
    parts = {
        name: np.concatenate([getattr(each, name) for each in runs])
        for name in ("commands", "activations", "weights", "parameters")
    }
    return Streams(**parts, results=sum(each.results for each in runs))


def follow_image(image: Image, *, first: bool = True) -> Machine:
    """A machine that has run an image without computing it; `done` is what the last run did.

    Parameters
    ----------
    image : of a network
    first : once, after the boot; else once more
    """
    machine = Machine(image.config, computes=False)
    machine.external = {
        Base.IMAGE: image.data,
        Base.INPUT: np.zeros(image.input_bytes, np.uint8),
        Base.OUTPUT: np.zeros(image.output_bytes, np.uint8),
    }
    machine.run(boot_rows=image.boot_rows, start=image.start)
    if not first:
        machine.done = []
        machine.run(boot_rows=image.again_boot_rows, start=image.again)
    return machine


def run_image(
    image: Image, inputs: NDArray[np.int16], *, is_late: bool = False
) -> tuple[NDArray[np.int16], Machine]:
    """Results (samples, outputs) of an image, and the machine after its runs.

    Parameters
    ----------
    image : of a network
    inputs : int16 (samples, features), a multiple of the image's batch
    is_late : see `Machine`

    Raises
    ------
    FaultError
        If a run ends with a fault.
    """
    machine = Machine(image.config, is_late=is_late)
    machine.external[Base.IMAGE] = image.data
    results = []
    for start in range(0, len(inputs), image.batch):
        machine.external[Base.INPUT] = image.pack_inputs(inputs[start : start + image.batch])
        output = np.zeros(image.output_bytes, np.uint8)
        machine.external[Base.OUTPUT] = output
        if start == 0:
            machine.run(boot_rows=image.boot_rows, start=image.start)
        else:
            machine.run(boot_rows=image.again_boot_rows, start=image.again)
        results.append(image.unpack_outputs(output))
    return np.concatenate(results), machine


def expand(image: Image, inputs: NDArray[np.int16]) -> Streams:
    """The streams that the memory side makes for one run, all layers one after another.

    Parameters
    ----------
    image : of a network
    inputs : int16 (image.batch, features)
    """
    _, machine = run_image(image, inputs)
    return machine.joined_streams()
