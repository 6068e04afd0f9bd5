"""Whether a command is bad, by the specification, not by the decoder."""

from typing import Any

from amaranth.hdl import Const, Mux, Value

from qcnpe.spec.commands import ErrorCause, Opcode
from qcnpe.spec.config import EngineConfig


def first_cause(word: Any, config: EngineConfig) -> Value:
    """The cause of `spec.commands.check_command` for a word, NONE if it is good."""
    tile = word.opcode == Opcode.TILE
    known = Const(0)
    for width in config.precisions:
        known = known | (word.precision == width)
    window = Mux(word.pool == 2, 4, Mux(word.pool == 1, 2, 1))
    whole = (word.pool < 3) & ((word.rows & (window - 1)) == 0)
    faults = {
        ErrorCause.OPCODE: ~tile & (word.opcode != Opcode.TABLE),
        ErrorCause.PRECISION: tile & ~known,
        ErrorCause.BEATS: tile & (word.beats == 0),
        ErrorCause.ROWS: tile & ~((word.rows >= 1) & (word.rows <= config.rows)),
        ErrorCause.COLS: tile & ~((word.cols >= 1) & (word.cols <= config.cols)),
        ErrorCause.FUNCTION: tile & (word.function == 3),
        ErrorCause.POOL: tile & ~whole,
    }
    if "reserved" in word.shape().members:
        faults[ErrorCause.RESERVED] = word.reserved != 0
    cause: Value = Const(int(ErrorCause.NONE), 4)
    for code, fault in sorted(faults.items(), reverse=True):
        cause = Mux(fault, int(code), cause)
    return cause


def is_good_tile(word: Any, config: EngineConfig) -> Value:
    """A tile command that the engine executes."""
    return (first_cause(word, config) == ErrorCause.NONE) & (word.opcode == Opcode.TILE)
