"""The register file on the AXI4-Lite bus: one table for RTL, host and documentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from qcnpe.spec.commands import ErrorCause, Field
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.ncu_kind import CODE_BITS, kinds

IDENTITY = int.from_bytes(b"QCNP", "big")
"""Value of the identity register."""

INTERFACE_VERSION = 2
"""Changes whenever a command, a parameter word or a register changes its meaning."""

REGISTER_BYTES = 4
COUNTER_BITS = 48
"""Width of a counter in bits; at 500 MHz it overflows after six days."""

FieldValues = Mapping[str, Mapping[str, int]]
"""Values of fields, by register and field."""

_COUNTERS_OFFSET = 0x40


class Access(Enum):
    """Accesses of the host that a register allows."""

    READ = "read"
    WRITE = "write"
    READ_WRITE = "read, write"
    READ_CLEAR = "read, write 1 to clear"


@dataclass(frozen=True)
class Register:
    """A register of 32 bits.

    Attributes
    ----------
    name : unique
    offset : address in bytes
    access : accesses of the host that it allows
    fields : lowest bits first; the other bits read zero
    """

    name: str
    offset: int
    access: Access
    fields: tuple[Field, ...]


def registers(config: EngineConfig) -> tuple[Register, ...]:
    """All registers of an engine, by ascending address."""
    found = (*_FIXED, _features_register(), *_counter_registers(config))
    return tuple(sorted(found, key=lambda register: register.offset))


def address_bits(table: tuple[Register, ...]) -> int:
    """Address bits that reach every register of a table."""
    return max(register.offset for register in table).bit_length()


def counter_names(config: EngineConfig) -> tuple[str, ...]:
    """The performance counters in the order of their registers."""
    if not config.counters:
        return ("cycles", "busy_cycles")
    return (*_COUNTER_MEANINGS, *(f"macs_{width}b" for width in config.precisions))


def feature_words(config: EngineConfig) -> dict[str, dict[str, int]]:
    """Values of the registers that describe the engine, by register and field."""
    return {
        "identity": {"identity": IDENTITY},
        "version": {"version": INTERFACE_VERSION},
        "shape": {"rows": config.rows, "cols": config.cols},
        "features": {
            "precisions": sum(1 << (width - 1) for width in config.precisions),
            "accumulator_bits": config.accumulator_bits,
            "table_segments": config.table_segments.bit_length() - 1,
            "ncu": config.kind.code,
        },
    }


def reset_words(config: EngineConfig) -> dict[str, dict[str, int]]:
    """Values after a reset, by register and field, of registers that do not describe the engine.

    Those that are left out are zero.
    """
    return {
        "precision": {"precision": config.precisions[0]},
        "ceiling": {"ceiling": OPERAND_BITS},
    }


_FIXED = (
    Register("identity", 0x00, Access.READ, (Field("identity", 32, "the letters QCNP"),)),
    Register("version", 0x04, Access.READ, (Field("version", 16, "of this interface"),)),
    Register(
        "shape",
        0x08,
        Access.READ,
        (Field("rows", 16, "rows of the array"), Field("cols", 16, "columns of the array")),
    ),
    Register(
        "control",
        0x10,
        Access.WRITE,
        (
            Field("halt", 1, "abandon the command in progress, discard words until `resume`"),
            Field("resume", 1, "end a halt as soon as the engine is empty, and clear the error"),
            Field("clear_counters", 1, "set all counters to zero"),
        ),
    ),
    Register(
        "status",
        0x14,
        Access.READ,
        (
            Field(
                "busy",
                1,
                "there is a command, or results have not left; while halted, also any queued word",
            ),
            Field("error", 1, "a bad command halted the engine"),
            Field("halted", 1, "input words are discarded; no command is executed"),
        ),
    ),
    Register(
        "precision",
        0x18,
        Access.READ,
        (Field("precision", 5, "precision control register: operand width of the tile"),),
    ),
    Register(
        "error",
        0x1C,
        Access.READ,
        (
            Field(
                "cause",
                4,
                ", ".join(f"{cause.value}: {cause.name.lower()}" for cause in ErrorCause),
            ),
        ),
    ),
    Register(
        "ceiling",
        0x20,
        Access.READ_WRITE,
        (
            Field(
                "ceiling",
                5,
                "widest operands of the following tiles on `gated`; a width that the engine does"
                f" not have is ignored; {OPERAND_BITS} after reset, and always on other kinds",
            ),
        ),
    ),
)


def _features_register() -> Register:
    """The register of features; made at each call, since kinds may be added."""
    return Register(
        "features",
        0x0C,
        Access.READ,
        (
            Field("precisions", 16, "bit p-1 is set if the engine computes at p bits"),
            Field("accumulator_bits", 6, "width of an accumulator"),
            Field("table_segments", 4, "log2 of the number of segments of the activation table"),
            Field("ncu", CODE_BITS, ", ".join(f"{kind.code}: {kind.name}" for kind in kinds())),
        ),
    )


_COUNTER_MEANINGS = {
    "cycles": "clock cycles",
    "busy_cycles": "cycles in which the engine was busy",
    "tiles": "tiles whose last beat has entered",
    "beats": "beats that have entered",
    "stalled_activations": "cycles in which a tile waited for activations",
    "stalled_weights": "cycles in which it waited for weights",
    "stalled_parameters": "cycles in which its last beat waited for parameters",
    "stalled_results": "cycles in which its last beat waited for room for results",
    "stalled_drain": "cycles in which its last beat waited for the drain of the tile before",
    "zero_skipped_macs": "multiplications by an activation lane that was zero",
}


def _counter_registers(config: EngineConfig) -> tuple[Register, ...]:
    found = []
    for index, name in enumerate(counter_names(config)):
        meaning = _COUNTER_MEANINGS.get(name, f"multiplications at {name[5:-1]} bits")
        offset = _COUNTERS_OFFSET + 2 * REGISTER_BYTES * index
        low = Field(name, 32, f"{meaning}, low half; a read of it latches the high half")
        high = Field(name, COUNTER_BITS - 32, f"{meaning}, latched high half")
        found.append(Register(f"{name}_low", offset, Access.READ, (low,)))
        found.append(Register(f"{name}_high", offset + REGISTER_BYTES, Access.READ, (high,)))
    return tuple(found)


def register_map(
    config: EngineConfig,
    table: tuple[Register, ...] | None = None,
    constants: FieldValues | None = None,
) -> str:
    """The register file as a Markdown document.

    Parameters
    ----------
    config : the engine
    table : all registers, if there are others than the engine's
    constants : those of these others that describe the engine
    """
    values = feature_words(config) | reset_words(config) | dict(constants or {})
    lines = [
        "# Registers",
        "",
        f"AXI4-Lite, {REGISTER_BYTES * 8} bits, of an engine of {config.rows} x {config.cols} NCUs"
        f" ({config.ncu}). An access to an address without a register, and one that its register",
        "does not allow, are answered with SLVERR and change nothing.",
        "",
        "| offset | register | access | bits | field | after reset | meaning |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for register in table or registers(config):
        place = 0
        for field in register.fields:
            bits = f"{place + field.bits - 1}:{place}" if field.bits > 1 else str(place)
            reset = f"0x{values.get(register.name, {}).get(field.name, 0):X}"
            cells = (
                f"0x{register.offset:02X}",
                register.name,
                register.access.value,
                bits,
                field.name,
                "" if register.access is Access.WRITE else reset,
                field.meaning,
            )
            lines.append(f"| {' | '.join(cells)} |")
            place += field.bits
    return "\n".join(lines) + "\n"
