"""Packed words of the RTL, generated from the specification's tables."""

from itertools import pairwise

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from qcnpe.spec.commands import PARAMETER_FIELDS, Field, command_fields
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


def word_layout(fields: tuple[Field, ...]) -> data.StructLayout:
    """A word with the fields of a table, lowest bits first."""
    return data.StructLayout(
        {field.name: Shape(field.bits, signed=field.signed) for field in fields}
    )


def command_layout(config: EngineConfig) -> data.StructLayout:
    """A command word."""
    return word_layout(command_fields(config))


PARAMETER_LAYOUT = word_layout(PARAMETER_FIELDS)
"""A parameter word: bias and shift of one neuron."""


def mode_bits(config: EngineConfig) -> int:
    """Bits of the index of a precision; zero if the NCUs do not depend on the precision."""
    return config.kind.mode_bits(config.precisions)


def low_segments(config: EngineConfig) -> tuple[slice, ...]:
    """Operand bits that only some tiles of `gated` use, cut where a precision ends, lowest first.

    Segment n is used at precisions wider than number n + 1 of the engine.
    """
    if not config.kind.is_gated:
        return ()
    ends = [0, *(OPERAND_BITS - width for width in config.narrow_precisions)]
    return tuple(slice(low, end) for low, end in pairwise(ends))


def control_layout(config: EngineConfig) -> data.StructLayout:
    """The control word of a beat of activations.

    `first` and `last` mark the first and the last beat of a tile, `mode` is the index of its
    precision (see `mode_bits`), `used` has a bit for each of the `low_segments` that the tile uses,
    and `is_unsigned` is high if its activations are unsigned.
    """
    members: dict[str, int] = {"first": 1, "last": 1, "is_unsigned": 1}
    if mode_bits(config):
        members["mode"] = mode_bits(config)
    if low_segments(config):
        members["used"] = len(low_segments(config))
    return data.StructLayout(members)


NO_CONTROL = data.StructLayout({})
"""The control word of weights: they need none."""

ACTIVATION_LANE = data.StructLayout({"valid": 1, "zero": 1, "operands": OPERAND_BITS})
"""A row's lane: `zero` is high if all operands are zero, so that NCUs can skip them."""

WEIGHT_LANE = data.StructLayout({"valid": 1, "operands": OPERAND_BITS})
"""A column's lane."""


def west_layout(config: EngineConfig) -> data.StructLayout:
    """What a neural compute unit (NCU) takes from its western neighbour and passes to the east."""
    return data.StructLayout({"lane": ACTIVATION_LANE, "control": control_layout(config)})


def operand_beat(lanes: int) -> data.ArrayLayout:
    """One beat of an operand stream."""
    return data.ArrayLayout(unsigned(OPERAND_BITS), lanes)


def result_lane(config: EngineConfig) -> data.StructLayout:
    """One row's result: 16 bits and the narrow copies, filled up to whole bytes."""
    members: dict[str, Shape | int] = {"result": signed(OPERAND_BITS)}
    members |= {f"copy_{width}": width for width in config.narrow_precisions}
    fill = config.result_lane_bits - sum(config.precisions)
    if fill:
        members["reserved"] = fill
    return data.StructLayout(members)


def result_beat(config: EngineConfig) -> data.StructLayout:
    """One beat of the result stream: a lane for each row, and whether it ends its tile."""
    return data.StructLayout(
        {"lanes": data.ArrayLayout(result_lane(config), config.rows), "last": 1}
    )
