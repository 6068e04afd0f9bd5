"""Operands of real networks, cut out of their programs.

The streams are those that the driver sends to any engine. A trace keeps pieces of what passes
single NCUs, spread over the tiles of each layer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.spec.archive import read_archive, write_archive
from qcnpe.spec.commands import Opcode, command_fields, decode
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import FormatError
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
    activations, weights : uint16 (beats,) packed lanes
    """

    precision: int
    unsigned: bool
    activations: NDArray[np.uint16]
    weights: NDArray[np.uint16]


@dataclass(frozen=True)
class ArrayTile:
    """Operands of the whole array for one tile.

    Attributes
    ----------
    precision : operand width in bits
    unsigned : the activations are
    activations : uint16 (beats, rows in use) packed lanes
    weights : uint16 (beats, columns in use) packed lanes
    """

    precision: int
    unsigned: bool
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
        """What passes one NCU."""
        return Tile(self.precision, self.unsigned, self.activations[:, row], self.weights[:, col])


Trace = Mapping[int, tuple[Tile, ...]]
"""Tiles by precision."""


class _Recorder(ModelTransport):
    """The integer model, which keeps the streams that it is sent."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self.streams: list[Streams] = []

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Keep and interpret the streams."""
        self.streams.append(streams)
        return super().exchange(streams)


def array_tiles(
    net: QuantNet, inputs: NDArray[np.int16], config: EngineConfig
) -> list[list[ArrayTile]]:
    """Every tile of a batch, by layer, as the driver sends them."""
    transport = _Recorder(config)
    Driver(transport).run(compile_network(net, config, len(inputs)), inputs)
    return [list(_tiles(streams, config)) for streams in transport.streams]


def _tiles(streams: Streams, config: EngineConfig) -> Iterator[ArrayTile]:
    fields, start = command_fields(config), 0
    for word in streams.commands.tolist():
        command = decode(fields, word)
        if command["opcode"] != Opcode.TILE:
            continue
        beats = slice(start, start + command["beats"])
        start = beats.stop
        yield ArrayTile(
            precision=command["precision"],
            unsigned=bool(command["unsigned"]),
            activations=streams.activations[beats, : command["rows"]],
            weights=streams.weights[beats, : command["cols"]],
        )


def spread(tiles: Sequence[ArrayTile], count: int) -> list[ArrayTile]:
    """As many tiles, evenly spread over a layer; some more than once where there are fewer."""
    places = (np.arange(count) + 0.5) * len(tiles) / count
    return [tiles[int(place)] for place in places]


def cut(
    tiles: Sequence[ArrayTile], count: int, longest: int, rng: np.random.Generator
) -> list[Tile]:
    """Pieces of at most `longest` operands, each of one NCU, spread over a layer."""
    found = []
    for tile in spread(tiles, count):
        ncu = tile.ncu(int(rng.integers(tile.rows)), int(rng.integers(tile.cols)))
        beats = -(-longest * tile.precision // OPERAND_BITS)
        start = int(rng.integers(max(0, len(ncu.weights) - beats) + 1))
        part = slice(start, start + beats)
        found.append(replace(ncu, activations=ncu.activations[part], weights=ncu.weights[part]))
    return found


def save(trace: Trace, path: Path, provenance: Mapping[str, str]) -> None:
    """Write a trace."""
    tiles = [tile for group in trace.values() for tile in group]
    header = {
        "precision": [tile.precision for tile in tiles],
        "unsigned": [tile.unsigned for tile in tiles],
        "beats": [len(tile.weights) for tile in tiles],
        "provenance": dict(provenance),
    }
    arrays = {
        "activations": np.concatenate([tile.activations for tile in tiles]),
        "weights": np.concatenate([tile.weights for tile in tiles]),
    }
    write_archive(path, _KIND, header, arrays)


def load(path: Path = TRACE) -> Trace:
    """Read a trace.

    Raises
    ------
    FormatError
        If the file is missing, damaged or foreign.
    """
    header, arrays = read_archive(path, _KIND)
    try:
        ends = np.cumsum(header["beats"])[:-1]
        parts = zip(
            header["precision"],
            header["unsigned"],
            np.split(arrays["activations"], ends),
            np.split(arrays["weights"], ends),
            strict=True,
        )
        tiles = [Tile(*part) for part in parts]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: not an operand trace ({error}); make it again") from error
    widths = sorted({tile.precision for tile in tiles}, reverse=True)
    return {width: tuple(t for t in tiles if t.precision == width) for width in widths}
