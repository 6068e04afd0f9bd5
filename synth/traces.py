"""Traces: operands of real networks.

They are cut from the streams that the driver sends to any engine. A trace holds the operands of
single neural compute units (NCUs) for pieces of tiles, spread over the tiles of each layer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import compile_network
from qcnpe.driver import program_streams
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.documents import Natural
from qcnpe.spec.errors import FormatError
from qcnpe.spec.npz import ArrayType, read_npz, write_npz
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.streams import Streams

_KIND = "axnn-operand-trace-1"

TRACE = Path(__file__).parent / "traces" / "digits.npz"
"""The committed trace."""


@dataclass(frozen=True)
class Tile:
    """Operands of one NCU for one tile.

    Attributes
    ----------
    precision : operand width in bits
    unsigned : the activations are
    pairs : operand pairs in a lane
    activations, weights : uint16 (beats,) packed lanes
    """

    precision: int
    unsigned: bool
    pairs: int
    activations: NDArray[np.uint16]
    weights: NDArray[np.uint16]


@dataclass(frozen=True)
class ArrayTile:
    """Operands of the whole array for one tile.

    Attributes
    ----------
    precision : operand width in bits
    unsigned : the activations are
    pairs : operand pairs in a lane
    activations : uint16 (beats, rows in use) packed lanes
    weights : uint16 (beats, columns in use) packed lanes
    """

    precision: int
    unsigned: bool
    pairs: int
    activations: NDArray[np.uint16]
    weights: NDArray[np.uint16]

    @property
    def rows(self) -> int:
        """Rows in use."""
        return self.activations.shape[1]

    @property
    def cols(self) -> int:
        """Columns in use."""
        return self.weights.shape[1]

    def ncu(self, row: int, col: int) -> Tile:
        """Operands of one NCU."""
        lanes = self.activations[:, row], self.weights[:, col]
        return Tile(self.precision, self.unsigned, self.pairs, *lanes)


Trace = Mapping[int, tuple[Tile, ...]]
"""Tiles by precision."""


def array_tiles(
    net: QuantNet, inputs: NDArray[np.int16], config: EngineConfig
) -> list[list[ArrayTile]]:
    """Every tile of a batch, by layer, as the driver sends them."""
    program = compile_network(net, config, len(inputs))
    return [list(tiles_of(streams, config)) for streams in program_streams(program, inputs)]


def tiles_of(streams: Streams, config: EngineConfig) -> Iterator[ArrayTile]:
    """Every tile of streams of good commands."""
    start = 0
    for tile in streams.tiles(config):
        beats = slice(start, start + tile.beats)
        start = beats.stop
        yield ArrayTile(
            precision=tile.precision,
            unsigned=tile.unsigned,
            pairs=config.pairs(tile.precision),
            activations=streams.activations[beats, : tile.rows],
            weights=streams.weights[beats, : tile.cols],
        )


def spread(tiles: Sequence[ArrayTile], count: int) -> list[ArrayTile]:
    """`count` tiles, evenly spread over a layer; some are repeated if there are fewer."""
    places = (np.arange(count) + 0.5) * len(tiles) / count
    return [tiles[int(place)] for place in places]


def cut(
    tiles: Sequence[ArrayTile], count: int, longest: int, rng: np.random.Generator
) -> list[Tile]:
    """Pieces of at most `longest` operands, each of one NCU, spread over a layer."""
    found = []
    for tile in spread(tiles, count):
        ncu = tile.ncu(int(rng.integers(tile.rows)), int(rng.integers(tile.cols)))
        beats = -(-longest // tile.pairs)
        start = int(rng.integers(max(0, len(ncu.weights) - beats) + 1))
        part = slice(start, start + beats)
        found.append(replace(ncu, activations=ncu.activations[part], weights=ncu.weights[part]))
    return found


def check_pairs(width: int, pairs: int) -> None:
    """Raise `FormatError` if a lane cannot hold `pairs` operand pairs of a width."""
    if not 1 <= pairs <= OPERAND_BITS // width:
        raise FormatError(
            f"pairs of {width} bits in a lane must be 1..{OPERAND_BITS // width}, not {pairs}"
        )


@dataclass(frozen=True, kw_only=True)
class _Header:
    """The header of a file: everything about the tiles except their operands.

    `pairs` is missing in files that hold only packed lanes.
    """

    precision: tuple[Natural, ...]
    unsigned: tuple[bool, ...]
    beats: tuple[Natural, ...]
    provenance: dict[str, str]
    pairs: tuple[Natural, ...] | None = None

    def __post_init__(self) -> None:
        if not len(self.precision) == len(self.unsigned) == len(self.beats) > 0:
            raise FormatError("must say precision, unsigned and beats of every tile")
        if not all(2 <= width <= OPERAND_BITS for width in self.precision):
            raise FormatError(f"precision must be 2..{OPERAND_BITS}")
        if len(self.all_pairs) != len(self.precision):
            raise FormatError("must say pairs of every tile or of none")
        for width, pairs in zip(self.precision, self.all_pairs, strict=True):
            check_pairs(width, pairs)

    @property
    def all_pairs(self) -> tuple[int, ...]:
        """Operand pairs in a lane of every tile."""
        packed = tuple(OPERAND_BITS // width for width in self.precision)
        return packed if self.pairs is None else self.pairs

    def arrays(self) -> dict[str, ArrayType]:
        """The operands of all tiles, one after the other."""
        operands = ArrayType(np.uint16, (sum(self.beats),))
        return {"activations": operands, "weights": operands}


def save(trace: Trace, path: Path, provenance: Mapping[str, str]) -> None:
    """Write a trace."""
    tiles = [tile for group in trace.values() for tile in group]
    header = _Header(
        precision=tuple(tile.precision for tile in tiles),
        unsigned=tuple(tile.unsigned for tile in tiles),
        beats=tuple(len(tile.weights) for tile in tiles),
        provenance=dict(provenance),
        pairs=tuple(tile.pairs for tile in tiles),
    )
    arrays = {
        "activations": np.concatenate([tile.activations for tile in tiles]),
        "weights": np.concatenate([tile.weights for tile in tiles]),
    }
    write_npz(path, _KIND, header, arrays)


def load(path: Path = TRACE) -> Trace:
    """Read a trace.

    Raises
    ------
    FormatError
        If the file is missing, damaged or foreign.
    """
    header, arrays = read_npz(path, _KIND, _Header, _Header.arrays)
    ends = np.cumsum(header.beats)[:-1]
    parts = zip(
        header.precision,
        header.unsigned,
        header.all_pairs,
        np.split(arrays["activations"], ends),
        np.split(arrays["weights"], ends),
        strict=True,
    )
    tiles = [Tile(*part) for part in parts]
    widths = sorted({tile.precision for tile in tiles}, reverse=True)
    return {width: tuple(t for t in tiles if t.precision == width) for width in widths}
