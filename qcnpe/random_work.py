"""Random work for an engine: tiles whose results use the whole range, and bad commands."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import CURVES, table_knots
from qcnpe.spec.commands import (
    COMMAND_BITS,
    PARAMETER_BITS,
    SHIFT_RANGE,
    Opcode,
    TableLoad,
    check_command,
    command_fields,
    decode,
    encode,
    parameter_words,
)
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.streams import Streams

DEFAULT_TABLE_SHARE = 0.02
_LONGEST_JUNK = 40
"""Most operand beats and parameter words that accompany a bad command."""

_CORNERS = np.array([0, 0x8000, 0x7FFF, 0xFFFF, 0x8888, 0x0001], np.uint16)


def random_streams(
    config: EngineConfig,
    tiles: int,
    seed: int,
    *,
    max_beats: int = 40,
    shortest: int = 1,
    table_share: float = DEFAULT_TABLE_SHARE,
) -> Streams:
    """Tiles of random size, precision, length, function, pooling and copies, tables in between.

    Parameters
    ----------
    config : the engine
    tiles : number of tiles
    seed : of everything that is random
    max_beats, shortest : longest and shortest tile, in beats
    table_share : probability that a table is loaded before a tile; unless it is 0, one is loaded
        before the first tile
    """
    rng = np.random.default_rng(seed)
    layout = command_fields(config)
    commands: list[int] = []
    parameters: list[NDArray[np.uint32]] = []
    beats = results = 0
    for index in range(tiles):
        if table_share and (index == 0 or rng.random() < table_share):
            commands.append(TableLoad().word())
            parameters.append(_random_knots(config, rng))
        tile = random_tile(config, rng, int(rng.integers(shortest, max_beats + 1)))
        commands.append(encode(layout, tile))
        parameters.append(_neurons(config, rng, tile))
        beats += tile["beats"]
        results += tile["cols"]
    return Streams(
        commands=np.array(commands, np.uint64),
        activations=_lanes(rng, beats, config.rows),
        weights=_lanes(rng, beats, config.cols),
        parameters=np.concatenate(parameters),
        results=results,
    )


def random_command(config: EngineConfig, rng: np.random.Generator) -> int:
    """The word of a good command, now and then one that loads a table."""
    layout = command_fields(config)
    if rng.random() < 0.1:
        return TableLoad().word()
    return encode(layout, random_tile(config, rng, int(rng.integers(1, 1 << rng.integers(1, 17)))))


def random_tile(config: EngineConfig, rng: np.random.Generator, beats: int) -> dict[str, int]:
    """Fields of a good tile command; every second tile has all rows and columns.

    All fields are random, the shifts of copies that are not wanted among them.
    """
    pool = int(rng.choice([pool for pool in range(3) if config.rows >= 1 << pool]))
    full = rng.random() < 0.5
    windows = config.rows >> pool if full else rng.integers(1, (config.rows >> pool) + 1)
    tile = {
        "opcode": int(Opcode.TILE),
        "precision": int(rng.choice(config.precisions)),
        "unsigned": int(rng.integers(2)),
        "function": int(rng.integers(3)),
        "pool": pool,
        "beats": beats,
        "rows": int(windows) << pool,
        "cols": config.cols if full else int(rng.integers(1, config.cols + 1)),
        "unsigned_copies": int(rng.integers(2)),
    }
    for width in config.narrow_precisions:
        tile[f"copy_{width}"] = int(rng.integers(2))
        tile[f"copy_shift_{width}"] = int(rng.integers(16))
    has_copies = any(tile[f"copy_{width}"] for width in config.narrow_precisions)
    tile["copies_only"] = int(has_copies and rng.random() < 0.5)
    return tile


def bad_commands(config: EngineConfig, count: int, seed: int) -> NDArray[np.uint64]:
    """Bad command words: random words, and words that are good except for one field."""
    rng = np.random.default_rng(seed)
    layout = command_fields(config)
    words: list[int] = []
    while len(words) < count:
        word = int.from_bytes(rng.bytes(COMMAND_BITS // 8), "little")
        if rng.random() < 0.75:
            tile = random_tile(config, rng, int(rng.integers(1, 1 << OPERAND_BITS)))
            field = layout[rng.integers(len(layout))]
            largest = (1 << field.bits) - 1
            tile[field.name] = (0, largest, int(rng.integers(largest + 1)))[rng.integers(3)]
            word = encode(layout, tile)
        if check_command(config, word):
            words.append(word)
    return np.array(words, np.uint64)


def with_bad_commands(
    config: EngineConfig, streams: Streams, bad: Sequence[int] | NDArray[np.uint64], seed: int
) -> Streams:
    """Good streams with bad commands at random places, each with the operands that it asks for.

    The results are those of the tiles before the first bad one, at which the engine halts.
    """
    rng = np.random.default_rng(seed)
    places = np.sort(rng.integers(0, len(streams.commands) + 1, len(bad)))
    sizes = _sizes(config, streams.commands)
    beats, words, _ = np.vstack([np.zeros(3, np.intp), sizes]).cumsum(axis=0)[places].T
    more_beats, more_words, _ = np.minimum(_sizes(config, bad), _LONGEST_JUNK).T
    total = int(more_beats.sum())
    beat_places = np.repeat(beats, more_beats)
    junk = rng.integers(0, 1 << PARAMETER_BITS, int(more_words.sum()), np.uint32)
    return Streams(
        commands=np.insert(streams.commands, places, bad),
        activations=np.insert(
            streams.activations, beat_places, _lanes(rng, total, config.rows), axis=0
        ),
        weights=np.insert(streams.weights, beat_places, _lanes(rng, total, config.cols), axis=0),
        parameters=np.insert(streams.parameters, np.repeat(words, more_words), junk),
        results=int(sizes[: places[0], 2].sum()),
    )


def _sizes(config: EngineConfig, commands: Sequence[int] | NDArray[np.uint64]) -> NDArray[np.intp]:
    """(commands, 3) beats of operands, parameter words and results that each command asks for."""
    layout, sizes = command_fields(config), []
    for word in np.asarray(commands, np.uint64).tolist():
        fields = decode(layout, word)
        if fields["opcode"] == Opcode.TABLE:
            sizes.append((0, config.table_segments + 1, 0))
        else:
            sizes.append((fields["beats"], fields["cols"], fields["cols"]))
    return np.array(sizes, np.intp).reshape(-1, 3)


def count_results(config: EngineConfig, streams: Streams) -> tuple[int, int]:
    """Number of results of good streams (one for each pooling window), and of their products."""
    results = products = 0
    for tile in streams.tiles(config):
        sums = tile.rows * tile.cols
        results += sums // tile.window
        products += sums * tile.beats * config.pairs(tile.precision)
    return results, products


def _neurons(
    config: EngineConfig, rng: np.random.Generator, tile: dict[str, int]
) -> NDArray[np.uint32]:
    """Biases, and shifts that bring most sums of the tile into 16 bits."""
    width = tile["precision"] if config.kind.is_packed else OPERAND_BITS
    products = tile["beats"] * config.pairs(tile["precision"])
    sum_bits = 2 * width - 1 + products.bit_length() // 2
    shift = sum_bits - OPERAND_BITS + rng.integers(-3, 3, tile["cols"])
    bias = rng.integers(-8192, 8192, tile["cols"])
    return parameter_words(bias, np.clip(shift, *SHIFT_RANGE))


def _random_knots(config: EngineConfig, rng: np.random.Generator) -> NDArray[np.uint32]:
    knots = rng.integers(0, 1 << OPERAND_BITS, config.table_segments + 1, np.uint32)
    name = rng.choice(["random", *sorted(CURVES)])
    if name == "random":
        return knots
    return table_knots(str(name), config.table_segments).astype(np.uint16).astype(np.uint32)


def _lanes(rng: np.random.Generator, beats: int, lanes: int) -> NDArray[np.uint16]:
    """Operands of which some are zero or at the ends of their range."""
    words = rng.integers(0, 1 << OPERAND_BITS, (beats, lanes), np.uint16)
    kind = rng.random((beats, lanes))
    words[kind < 0.3] = 0
    corners = rng.choice(_CORNERS, (beats, lanes))
    return np.where((kind > 0.3) & (kind < 0.4), corners, words)
