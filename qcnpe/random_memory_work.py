"""Random work for an autonomous engine: descriptors and tables that no network needs.

A program loads all tables, computes tiles and stores all rows of the activation banks. Its operands
lie anywhere; its results go to places of their own, since the order in which an engine stores the
results of different tiles is not specified.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.random_work import random_tile
from qcnpe.spec.commands import PARAMETER_BITS, SHIFT_RANGE, command_fields, encode, parameter_words
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.memory.config import ENTRY_BITS, Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import (
    DESCRIPTOR_BYTES,
    Base,
    Descriptor,
    End,
    Fill,
    Jump,
    Load,
    Store,
    Table,
    Tiles,
    Wait,
)
from qcnpe.spec.memory.tables import FOLD_LANES, Lane, Tap, Walk, Write, lane_word

OPERAND_ROWS = 64
"""Rows of the banks that the input fills; results go to the rows above."""

_MOST_WORDS = 3
"""Most words of a position."""


@dataclass(frozen=True, kw_only=True)
class RandomProgram:
    """Descriptors and tables, and what they are run on.

    Attributes
    ----------
    image, input : uint8, what lies at these base registers
    output_bytes : size of what lies at the third one
    boot_rows : value of the register `boot`; the program starts at row 0
    """

    image: NDArray[np.uint8]
    input: NDArray[np.uint8]
    output_bytes: int
    boot_rows: int


def random_program(config: MemoryConfig, seed: int, *, jobs: int = 3) -> RandomProgram:
    """A program of `jobs` descriptors `TILES`.

    Parameters
    ----------
    config : the memories, with at least 4096 rows of activations
    seed : of everything that is random
    jobs : number of descriptors that compute tiles
    """
    return _Maker(config, np.random.default_rng(seed)).make(jobs)


class _Maker:
    def __init__(self, config: MemoryConfig, rng: np.random.Generator) -> None:
        self.config, self.rng = config, rng
        self.lanes: list[int] = []
        self.taps: list[int] = []
        self.writes: list[int] = []
        self.free = OPERAND_ROWS

    def make(self, jobs: int) -> RandomProgram:
        work: list[Descriptor] = [Table(parameters=int(self.rng.integers(20)))]
        for _ in range(jobs):
            work.append(self._tiles())
            if self.rng.random() < 0.7:
                work.append(Wait(loads=False, tiles=True))
        return self._assemble(work)

    def _below(self, limit: int) -> int:
        return int(self.rng.integers(limit))

    def _tiles(self) -> Tiles:
        config, engine, rng = self.config, self.config.engine, self.rng
        sources, tiles, repeat = 1 + self._below(3), 1 + self._below(3), 1 + self._below(3)
        taps = self._random_taps(sources)
        step = self._below(4)
        command = random_tile(engine, rng, sum(tap.count for tap in taps))
        maps = 1 + self._below(min(2, len(engine.precisions)))
        lanes, walks = len(self.lanes), len(self.taps)
        for _ in range(tiles * sources):
            rows = [self._place() for _ in range(engine.rows)]
            self.lanes.append(_entry(config, rows, reads=True, rng=rng))
        self.taps += [self._walk(repeat).word() for _ in range(sources)]
        first_tap = len(self.taps)
        self.taps += [tap.word() for tap in taps]
        stores = self._store(command["cols"], tiles, repeat, maps)
        return Tiles(
            sources=sources,
            maps=maps,
            tiles=tiles,
            repeat=repeat,
            command=encode(command_fields(engine), command),
            weights=self._below(config.depth(Memory.WEIGHTS) - command["beats"] - 2 * step),
            weight_step=step,
            parameters_go_on=self._below(2) == 1,
            parameter_period=self._below(4),
            parameters=self._below(100),
            lanes=lanes,
            walks=walks,
            taps=first_tap,
            **stores,
        )

    def _place(self) -> tuple[int, int] | None:
        if self.rng.random() < 0.2:
            return None
        return self._below(self.config.banks), self._below(8)

    def _walk(self, repeat: int) -> Walk:
        banks = self.config.banks
        return Walk(self._below(banks), self._below(8), self._below(banks), 3, _MOST_WORDS)

    def _random_taps(self, sources: int) -> list[Tap]:
        """Each source is used, in any order."""
        order = [*range(sources), *(self._below(sources) for _ in range(self._below(4)))]
        self.rng.shuffle(order)
        return [
            Tap(
                source,
                self._below(self.config.banks),
                self._below(8),
                1 + self._below(4),
                number == len(order) - 1,
                *self._random_fold(),
            )
            for number, source in enumerate(order)
        ]

    def _random_fold(self) -> tuple[int, int, bool, bool]:
        """Places, turn, spread and next of a tap: half of all taps unfold rows.

        One place at least has a lane that exists.
        """
        if self.rng.random() < 0.5:
            return 0, 0, False, False
        cols = min(self.config.engine.cols, FOLD_LANES)
        place, lane = self._below(cols), self._below(cols)
        places = self._below(1 << FOLD_LANES) | 1 << place
        return places, (lane - place) % FOLD_LANES, self._below(2) == 1, self._below(2) == 1

    def _store(self, cols: int, tiles: int, repeat: int, maps: int) -> dict[str, int]:
        """Rows of their own for each tile, map, lane and write."""
        config, rows = self.config, self.config.engine.rows
        writes = self._random_writes(cols, maps)
        words = 1 + self._below(2)
        # Three banks are added up, so that up to two carries add `words` each.
        span = max(write.row for write in writes) + 1 + 2 * words
        lanes, walks = len(self.lanes), len(self.writes)
        for tile in range(tiles):
            for number in range(maps):
                first = self.free + (tile * maps + number) * rows * span
                places = [
                    None
                    if self.rng.random() < 0.2
                    else (self._below(config.banks), first + row * span)
                    for row in range(rows)
                ]
                self.lanes.append(_entry(config, places, reads=False, rng=self.rng))
        step = tiles * maps * rows * span
        for _ in range(maps):
            bank, moved = self._below(config.banks), self._below(config.banks)
            # The bank of the step may wrap, too: once in each repetition at most.
            self.writes.append(Walk(bank, 0, moved, step, words).word())
        self.free += repeat * (step + words)
        first_write = len(self.writes)
        self.writes += [write.word() for write in writes]
        return {"store_lanes": lanes, "store_walks": walks, "writes": first_write}

    def _random_writes(self, cols: int, maps: int) -> list[Write]:
        """Some writes on each column; at the end, nothing is left in any gathered word."""
        widths = self.config.engine.precisions
        found: list[Write] = []
        gathers: set[int] = set()
        for column in range(cols):
            wanted = [self._below(len(widths)) for _ in range(1 + self._below(2))]
            if column == cols - 1:
                wanted += sorted(gathers - {0})
            for number, width in enumerate(wanted):
                ends = column == cols - 1 and width not in wanted[number + 1 :]
                writes = width == 0 or ends or self.rng.random() < 0.5
                gathers.add(width)
                place = 0 if width == 0 else self._below(OPERAND_BITS - widths[width] + 1)
                octets = 3 if width == 0 else int(writes) * (1 + self._below(3))
                pop = number == len(wanted) - 1
                # A carry adds up to two words more: rows three apart never meet.
                found.append(
                    Write(
                        map=self._below(maps),
                        width=width,
                        place=place,
                        bytes=octets,
                        bank=self._below(self.config.banks),
                        row=5 * len(found),
                        pop=pop,
                        last=pop and column == cols - 1,
                    )
                )
        return found

    def _assemble(self, work: Sequence[Descriptor]) -> RandomProgram:
        """The descriptors, each table, and loads for all of them."""
        config, rng = self.config, self.rng
        rows = self.free
        weights = rng.integers(
            0, 1 << OPERAND_BITS, (config.depth(Memory.WEIGHTS), config.engine.cols)
        )
        zero = rng.random(weights.shape) < 0.3
        biases = rng.integers(-(1 << 15), 1 << 15, 400)
        shifts = rng.integers(SHIFT_RANGE[0], SHIFT_RANGE[1] + 1, 400)
        contents = {
            Memory.WEIGHTS: _bytes(np.where(zero, 0, weights), OPERAND_BITS),
            Memory.PARAMETERS: _bytes(parameter_words(biases, shifts)[:, None], PARAMETER_BITS),
            Memory.LANES: _words(self.lanes, config.lane_entry_bits),
            Memory.TAPS: _words(self.taps, ENTRY_BITS),
            Memory.WRITES: _words(self.writes, ENTRY_BITS),
        }
        order = list(contents)
        rng.shuffle(order)
        loads: list[Load] = []
        parts: list[NDArray[np.uint8]] = []
        boot = len(order) + len(work) + 7
        offset = boot * DESCRIPTOR_BYTES
        for memory in order:
            table = _pad(contents[memory], config, memory)
            words = config.row_words(memory)
            loads.append(
                Load(
                    memory=memory,
                    row=0,
                    rows=len(table),
                    words=words,
                    base=Base.IMAGE,
                    offset=offset,
                )
            )
            parts.append(table.ravel())
            offset += table.size
        words = config.row_words(Memory.ACTIVATIONS)
        whole = {"rows": rows, "words": words, "offset": 0}
        descriptors: list[Descriptor] = [
            Fill(row=0, rows=rows),
            *loads,
            Load(
                memory=Memory.ACTIVATIONS,
                row=0,
                base=Base.INPUT,
                **(whole | {"rows": OPERAND_ROWS}),
            ),
            Wait(loads=True, tiles=True),
            Jump(row=len(loads) + 5),
            End(),
            *work,
            Store(row=0, base=Base.OUTPUT, **whole),
            End(),
        ]
        image = _words([each.word() for each in descriptors], 8 * DESCRIPTOR_BYTES)
        assert len(image) == boot
        return RandomProgram(
            image=np.concatenate([image.ravel(), *parts]),
            input=rng.integers(0, 256, OPERAND_ROWS * words * config.bus_bytes).astype(np.uint8),
            output_bytes=rows * words * config.bus_bytes,
            boot_rows=boot,
        )


def _entry(
    config: MemoryConfig,
    places: Sequence[tuple[int, int] | None],
    *,
    reads: bool,
    rng: np.random.Generator,
) -> int:
    """A lane entry: each place in one of the first passes without a conflict."""
    lanes: list[Lane | None] = []
    used: list[dict[int, int]] = [{}]
    for place in places:
        if place is None:
            lanes.append(None)
            continue
        bank, row = place
        free = [
            number
            for number, rows in enumerate(used)
            if bank not in rows or (reads and rows[bank] == row)
        ]
        number = int(rng.choice(free)) if free else len(used)
        if not free:
            used.append({})
        used[number][bank] = row
        lanes.append(Lane(number, bank, row))
    if all(lane is None for lane in lanes):
        lanes[0] = Lane(0, 0, 0) if places[0] is None else lanes[0]
    return lane_word(config, lanes)


def _words(words: Sequence[int], bits: int) -> NDArray[np.uint8]:
    """(words, octets) of whole octets, low ones first."""
    octets = -(-bits // 8)
    data = b"".join(word.to_bytes(octets, "little") for word in words)
    return np.frombuffer(data, np.uint8).reshape(-1, octets)


def _bytes(values: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values.astype(f"<u{bits // 8}")).view(np.uint8)


def _pad(table: NDArray[np.uint8], config: MemoryConfig, memory: Memory) -> NDArray[np.uint8]:
    """Entries of a memory in whole rows of bus words."""
    row = config.row_words(memory) * config.bus_bytes
    if config.entries(memory) > 1:
        flat = table.ravel()
        return np.pad(flat, (0, -flat.size % row)).reshape(-1, row)
    return np.pad(table, ((0, 0), (0, row - table.shape[1])))
