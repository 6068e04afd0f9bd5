"""Inputs and outputs of an engine as arrays, the same for all transports."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.commands import Command, TileCommand, decode_commands
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import FormatError


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The four input streams of an engine, each in the order in which it is consumed.

    Attributes
    ----------
    commands : uint64 (n,) command words
    activations : uint16 (beats, rows)
    weights : uint16 (beats, cols)
    parameters : uint32 (n,), parameter words of neurons and knots of tables
    results : number of result beats that these streams produce
    """

    commands: NDArray[np.uint64]
    activations: NDArray[np.uint16]
    weights: NDArray[np.uint16]
    parameters: NDArray[np.uint32]
    results: int

    def check(self, config: EngineConfig) -> None:
        """`FormatError` if an array does not have the engine's shape and type."""
        expected = {
            "commands": (np.uint64, (len(self.commands),)),
            "activations": (np.uint16, (len(self.activations), config.rows)),
            "weights": (np.uint16, (len(self.weights), config.cols)),
            "parameters": (np.uint32, (len(self.parameters),)),
        }
        for name, (dtype, shape) in expected.items():
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != shape:
                found = f"{array.dtype} {array.shape}"
                raise FormatError(f"stream {name} must be {np.dtype(dtype)} {shape}, not {found}")

    def decode(self, config: EngineConfig) -> list[Command]:
        """Its commands; `FormatError` if one of them is bad."""
        return decode_commands(config, self.commands)

    def tiles(self, config: EngineConfig) -> list[TileCommand]:
        """Its commands that compute tiles; `FormatError` if a command is bad."""
        return [command for command in self.decode(config) if isinstance(command, TileCommand)]


def pack_results(
    config: EngineConfig, results: NDArray[np.integer], copies: dict[int, NDArray[np.integer]]
) -> NDArray[np.uint64]:
    """Result lanes from 16-bit results and their narrow copies, all of one shape."""
    lanes = np.asarray(results, np.int64) & ((1 << OPERAND_BITS) - 1)
    place = OPERAND_BITS
    for width in config.narrow_precisions:
        if width in copies:
            lanes |= (np.asarray(copies[width], np.int64) & ((1 << width) - 1)) << place
        place += width
    return lanes.astype(np.uint64)


def unpack_result(
    config: EngineConfig, lanes: NDArray[np.uint64], width: int, *, unsigned: bool = False
) -> NDArray[np.int64]:
    """The result (16 bits) or one of its narrow copies from result lanes."""
    place = sum(config.precisions[: config.precisions.index(width)])
    field = (lanes.astype(np.int64) >> place) & ((1 << width) - 1)
    return field if unsigned else field - ((field >> (width - 1)) << width)
