"""Command and parameter words: one field table for compiler, model, RTL and documents."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import Function
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.fixed import limits


class Opcode(IntEnum):
    """What a command asks for. All other codes are bad commands."""

    TILE = 1
    TABLE = 2


class ErrorCause(IntEnum):
    """Why the engine halted at a command."""

    NONE = 0
    OPCODE = 1
    PRECISION = 2
    BEATS = 3
    ROWS = 4
    COLS = 5
    FUNCTION = 6
    POOL = 7
    RESERVED = 8


@dataclass(frozen=True)
class Field:
    """One field of a word: its name, its width and what it means."""

    name: str
    bits: int
    meaning: str
    signed: bool = False


COMMAND_BITS = 64
"""Width of a command word."""

PARAMETER_BITS = 32
"""Width of a parameter word; a table's knot takes its low 16 bits."""

SHIFT_OFFSET = 16
"""A parameter word holds a right shift plus this, so that small accumulators can shift left."""

SHIFT_RANGE = (-SHIFT_OFFSET, 63 - SHIFT_OFFSET)
"""Right shifts that a parameter word can hold; negative ones are left shifts."""

PARAMETER_FIELDS = (
    Field("bias", 16, "added to the shifted accumulator, in units of the pre-activation", True),
    Field("shift", 6, "places that the accumulator is shifted right, half up, plus 16"),
    Field("reserved", 10, "zero"),
)

POOLS = (1, 2, 4)
"""Neighbouring rows over which the maximum can be taken; the command holds the logarithm."""

MAX_BEATS = 0xFFFF
"""Longest tile in cycles."""


@lru_cache
def command_fields(config: EngineConfig) -> tuple[Field, ...]:
    """Fields of a command word, lowest bits first, filled up to `COMMAND_BITS`."""
    fields = [
        Field("opcode", 3, "1: compute a tile; 2: load the activation function's table"),
        Field("copies_only", 1, "of the results only the narrow copies are wanted"),
        Field("precision", 5, "operand width of the tile in bits"),
        Field("unsigned", 1, "activations of this tile are unsigned"),
        Field("function", 2, "0: identity; 1: ReLU; 2: table"),
        Field("pool", 2, "maximum over 2**pool neighbouring rows, taken before the function"),
        Field("beats", 16, "operand beats of the tile, at least 1"),
        Field("rows", 9, "active rows, counted from row 0"),
        Field("cols", 9, "active columns, counted from column 0"),
        Field("unsigned_copies", 1, "the narrow copies saturate to unsigned"),
    ]
    for width in config.narrow_precisions:
        meaning = f"right shift of the {width}-bit copy"
        fields.append(Field(f"copy_shift_{width}", 4, meaning))
    fields += [
        Field(f"copy_{width}", 1, f"the {width}-bit copy is wanted")
        for width in config.narrow_precisions
    ]
    fill = COMMAND_BITS - sum(field.bits for field in fields)
    if fill:
        fields.append(Field("reserved", fill, "zero"))
    return tuple(fields)


def encode(fields: tuple[Field, ...], values: Mapping[str, int]) -> int:
    """Build a word; fields that `values` leaves out are zero.

    Raises
    ------
    ConfigError
        If a name is unknown or a value does not fit its field.
    """
    unknown = set(values) - {field.name for field in fields}
    if unknown:
        raise ConfigError(f"the word has no field {', '.join(sorted(unknown))}")
    word = place = 0
    for field in fields:
        value = int(values.get(field.name, 0))
        low, high = limits(field.bits, unsigned=not field.signed)
        if not low <= value <= high:
            raise ConfigError(f"{field.name} must be {low}..{high}, not {value}")
        word |= (value & ((1 << field.bits) - 1)) << place
        place += field.bits
    return word


def encode_record(fields: tuple[Field, ...], record: Any, **others: int) -> int:
    """Build a word from a dataclass whose attributes have the names of fields.

    Parameters
    ----------
    fields : of the word
    record : an instance of the dataclass
    others : values of further fields

    Raises
    ------
    ConfigError
        If a value does not fit its field.
    """
    names = [each.name for each in dataclasses.fields(record)]
    return encode(fields, {name: int(getattr(record, name)) for name in names} | others)


def decode(fields: tuple[Field, ...], word: int) -> dict[str, int]:
    """Split a word into its fields."""
    values = {}
    for field in fields:
        value = word & ((1 << field.bits) - 1)
        if field.signed and value >> (field.bits - 1):
            value -= 1 << field.bits
        values[field.name] = value
        word >>= field.bits
    return values


def parameter_words(bias: NDArray[np.integer], shift: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Parameter words of neurons: `encode` over arrays, for biases and shifts in range."""
    low = np.asarray(bias, np.int64) & 0xFFFF
    return (low | ((np.asarray(shift, np.int64) + SHIFT_OFFSET) << 16)).astype(np.uint32)


@dataclass(frozen=True, kw_only=True)
class TileCommand:
    """Compute a tile.

    Attributes
    ----------
    precision : operand width in bits
    beats : operand beats
    rows, cols : active rows and columns, counted from row and column 0
    unsigned : its activations are unsigned
    function : what the AFU does with the sums
    window : neighbouring rows over which the maximum is taken, one of `POOLS`
    copies : right shift of each narrow copy that is wanted, by width
    copies_only : the 16-bit results are not wanted, and are zero
    unsigned_copies : those copies saturate to unsigned
    """

    precision: int
    beats: int
    rows: int
    cols: int
    unsigned: bool = False
    function: Function = Function.IDENTITY
    window: int = 1
    copies: Mapping[int, int] = dataclasses.field(default_factory=dict, hash=False)
    unsigned_copies: bool = False
    copies_only: bool = False

    def word(self, config: EngineConfig) -> int:
        """Its command word.

        Raises
        ------
        ConfigError
            If a value does not fit its field or the engine lacks the width of a copy.
        """
        if self.window not in POOLS:
            allowed = ", ".join(map(str, POOLS))
            raise ConfigError(f"window must be one of {allowed}, not {self.window}")
        values = {
            "opcode": Opcode.TILE,
            "copies_only": self.copies_only,
            "precision": self.precision,
            "unsigned": self.unsigned,
            "function": self.function,
            "pool": POOLS.index(self.window),
            "beats": self.beats,
            "rows": self.rows,
            "cols": self.cols,
            "unsigned_copies": self.unsigned_copies,
            **{f"copy_{width}": 1 for width in self.copies},
            **{f"copy_shift_{width}": shift for width, shift in self.copies.items()},
        }
        return encode(command_fields(config), values)


@dataclass(frozen=True)
class TableLoad:
    """Load the activation function's table."""

    def word(self) -> int:
        """Its command word, the same on every engine."""
        return int(Opcode.TABLE)


Command = TileCommand | TableLoad
"""A good command."""


def decode_command(config: EngineConfig, word: int) -> Command | ErrorCause:
    """The command that a word holds, or why the engine halts at it.

    The causes are tested in the order of their codes; the first one found is reported.
    """
    values = decode(command_fields(config), word)
    cause = _find_cause(config, values)
    if cause is not ErrorCause.NONE:
        return cause
    if values["opcode"] == Opcode.TABLE:
        return TableLoad()
    return TileCommand(
        precision=values["precision"],
        beats=values["beats"],
        rows=values["rows"],
        cols=values["cols"],
        unsigned=bool(values["unsigned"]),
        function=Function(values["function"]),
        window=POOLS[values["pool"]],
        copies={
            width: values[f"copy_shift_{width}"]
            for width in config.narrow_precisions
            if values[f"copy_{width}"]
        },
        unsigned_copies=bool(values["unsigned_copies"]),
        copies_only=bool(values["copies_only"]),
    )


def check_command(config: EngineConfig, word: int) -> ErrorCause:
    """Why the engine halts at a command word, or NONE if it is good."""
    found = decode_command(config, word)
    return found if isinstance(found, ErrorCause) else ErrorCause.NONE


def decode_until_bad(
    config: EngineConfig, words: NDArray[np.uint64]
) -> tuple[list[Command], ErrorCause]:
    """The commands before the first bad one, at which the engine halts, and the cause.

    Each distinct word is decoded once: equal ones are the same object.
    """
    known: dict[int, Command | ErrorCause] = {}
    commands: list[Command] = []
    for word in words.tolist():
        found = known.get(word)
        if found is None:
            found = known[word] = decode_command(config, word)
        if isinstance(found, ErrorCause):
            return commands, found
        commands.append(found)
    return commands, ErrorCause.NONE


def decode_commands(config: EngineConfig, words: NDArray[np.uint64]) -> list[Command]:
    """The commands of words that are all good.

    Raises
    ------
    FormatError
        If one is bad.
    """
    commands, cause = decode_until_bad(config, words)
    if cause is not ErrorCause.NONE:
        raise FormatError(
            f"command {len(commands)} is bad ({cause.name.lower()}); compile for this engine"
        )
    return commands


def _find_cause(config: EngineConfig, values: Mapping[str, int]) -> ErrorCause:
    if values["opcode"] not in (Opcode.TILE, Opcode.TABLE):
        return ErrorCause.OPCODE
    tile = values["opcode"] == Opcode.TILE
    checks = (
        (ErrorCause.PRECISION, tile and values["precision"] not in config.precisions),
        (ErrorCause.BEATS, tile and values["beats"] == 0),
        (ErrorCause.ROWS, tile and not 1 <= values["rows"] <= config.rows),
        (ErrorCause.COLS, tile and not 1 <= values["cols"] <= config.cols),
        (ErrorCause.FUNCTION, tile and values["function"] not in set(Function)),
        (ErrorCause.POOL, tile and _bad_pool(values["pool"], values["rows"])),
        (ErrorCause.RESERVED, values.get("reserved", 0) != 0),
    )
    return next((cause for cause, bad in checks if bad), ErrorCause.NONE)


def _bad_pool(pool: int, rows: int) -> bool:
    """Whether a pool's logarithm is unknown or the active rows are not whole windows."""
    return pool >= len(POOLS) or rows % (1 << pool) != 0
