"""Random but legal work for an engine."""

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import CURVES, table_knots
from qcnpe.spec.commands import Opcode, command_fields, encode, parameter_words
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.streams import Streams


def random_streams(
    config: EngineConfig, tiles: int, seed: int, *, max_beats: int = 12, tables: bool = True
) -> Streams:
    """Tiles of random size, precision, function, pooling and copies, tables in between."""
    rng = np.random.default_rng(seed)
    fields = command_fields(config)
    commands: list[int] = []
    parameters: list[NDArray[np.unsignedinteger]] = []
    beats = results = 0
    for index in range(tiles):
        if tables and (index == 0 or rng.random() < 0.1):
            name = sorted(CURVES)[rng.integers(len(CURVES))]
            commands.append(encode(fields, {"opcode": Opcode.TABLE}))
            parameters.append(table_knots(name, config.table_segments).astype(np.uint16))
        command = random_tile(config, rng, max_beats)
        commands.append(encode(fields, command))
        cols = command["cols"]
        shift = rng.integers(-4, 24, cols)
        parameters.append(parameter_words(rng.integers(-32768, 32768, cols), shift))
        beats += command["beats"]
        results += cols
    return Streams(
        commands=np.array(commands, np.uint64),
        activations=random_lanes(rng, beats, config.rows),
        weights=random_lanes(rng, beats, config.cols),
        parameters=np.concatenate(parameters).astype(np.uint32),
        results=results,
    )


def random_command(config: EngineConfig, rng: np.random.Generator) -> int:
    """The word of a good command, now and then one that loads a table."""
    fields = command_fields(config)
    if rng.random() < 0.1:
        return encode(fields, {"opcode": Opcode.TABLE})
    return encode(fields, random_tile(config, rng, max_beats=1 << int(rng.integers(16))))


def random_tile(config: EngineConfig, rng: np.random.Generator, max_beats: int) -> dict[str, int]:
    """Fields of a good tile command."""
    pools = [pool for pool in range(3) if config.rows >= 1 << pool]
    pool = int(rng.choice(pools))
    command = {
        "opcode": int(Opcode.TILE),
        "precision": int(rng.choice(config.precisions)),
        "unsigned": int(rng.integers(2)),
        "function": int(rng.integers(3)),
        "pool": pool,
        "beats": int(rng.integers(1, max_beats + 1)),
        "rows": int(rng.integers(1, (config.rows >> pool) + 1)) << pool,
        "cols": int(rng.integers(1, config.cols + 1)),
        "unsigned_copies": int(rng.integers(2)),
    }
    for width in config.narrow_precisions:
        command[f"copy_{width}"] = int(rng.integers(2))
        command[f"copy_shift_{width}"] = int(rng.integers(16))
    return command


def random_lanes(rng: np.random.Generator, beats: int, lanes: int) -> np.ndarray:
    """Operands of which many are zero or at the ends of their range."""
    words = rng.integers(0, 1 << 16, (beats, lanes))
    corners = rng.choice([0, 0x8000, 0x7FFF, 0xFFFF, 0x8888, 0x0001], (beats, lanes))
    kind = rng.random((beats, lanes))
    words = np.where(kind < 0.3, 0, np.where(kind < 0.45, corners, words))
    return words.astype(np.uint16)
