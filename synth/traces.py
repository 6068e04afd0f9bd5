"""Operands of real networks, cut out of their programs for single NCUs.

The streams are those that the driver sends to any engine; a trace keeps what passes some NCUs in
the first tiles of each layer.
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
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.streams import Streams

_KIND = "axnn-operand-trace-1"

TRACE = Path(__file__).parent / "traces" / "mnist.npz"
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


def record(
    net: QuantNet, inputs: NDArray[np.int16], config: EngineConfig, beats: Sequence[int]
) -> list[Tile]:
    """Tiles that pass NCUs on the array's diagonal, of every layer in turn.

    Parameters
    ----------
    net : the network
    inputs : samples of one batch
    config : the engine
    beats : how many of each layer; of a longer tile the middle is taken
    """
    transport = _Recorder(config)
    Driver(transport).run(compile_network(net, config, len(inputs)), inputs)
    found = []
    for streams, wanted in zip(transport.streams, beats, strict=True):
        left = wanted
        for tile in _tiles(streams, config):
            found.append(_middle(tile, left))
            left -= len(found[-1].weights)
            if left <= 0:
                break
    return found


def _tiles(streams: Streams, config: EngineConfig) -> Iterator[Tile]:
    """One NCU of each tile, another one each time, so that all kinds of neurons are seen."""
    fields, start = command_fields(config), 0
    for number, word in enumerate(streams.commands.tolist()):
        command = decode(fields, word)
        if command["opcode"] != Opcode.TILE:
            continue
        beats = slice(start, start + command["beats"])
        start = beats.stop
        row, col = number % command["rows"], (3 * number) % command["cols"]
        yield Tile(
            precision=command["precision"],
            unsigned=bool(command["unsigned"]),
            activations=streams.activations[beats, row],
            weights=streams.weights[beats, col],
        )


def _middle(tile: Tile, beats: int) -> Tile:
    start = max(0, (len(tile.weights) - beats) // 2)
    part = slice(start, start + beats)
    return replace(tile, activations=tile.activations[part], weights=tile.weights[part])


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
