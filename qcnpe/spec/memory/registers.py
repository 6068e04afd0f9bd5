"""Registers of an autonomous engine: those of the engine, and those of its memory side.

A host loads an image into external memory, writes `image`, `input` and `output`, then `boot` and
`start`, and waits for the interrupt. Later runs of the same image leave `boot` at zero.
"""

from qcnpe.spec.commands import Field
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import FAULT_MEANINGS
from qcnpe.spec.registers import COUNTER_BITS, REGISTER_BYTES, Access, Register, registers

MEMORY_OFFSET = 0x100
"""Address of the first register of the memory side, above all counters of any engine."""

MEMORY_COUNTERS = {
    "run_cycles": "cycles from starts to ends of runs",
    "words_read": "bus words read from external memory",
    "words_written": "bus words written to external memory",
    "stalled_loads": "cycles in which a `WAIT` waited for loads",
    "fetch_passes": "cycles in which the activation banks were read for tiles",
}
"""Counters of the memory side; `clear_counters` of the engine's `control` clears them, too."""


def memory_registers(config: MemoryConfig) -> tuple[Register, ...]:
    """All registers of an autonomous engine, by ascending address."""
    found = [*registers(config.engine)]
    offset = MEMORY_OFFSET
    for name, access, table in (*_sizes(), *_BASES, *_RUN, *_counters()):
        found.append(Register(name, offset, access, table))
        offset += REGISTER_BYTES
    return tuple(found)


def memory_feature_words(config: MemoryConfig) -> dict[str, dict[str, int]]:
    """Values of the registers that describe the memories, by register and field."""
    depths = {
        f"{memory.name.lower()}_depth": {"last_row": config.depth(memory) - 1} for memory in Memory
    }
    return {
        "memory_features": {
            "banks": config.bank_bits,
            "bus_bytes": config.bus_bytes,
            "address_bits": config.address_bits,
        },
        **depths,
    }


_Row = tuple[str, Access, tuple[Field, ...]]


def _sizes() -> list[_Row]:
    features = (
        Field("banks", 4, "log2 of the number of activation banks"),
        Field("bus_bytes", 8, "octets of a bus word"),
        Field("address_bits", 8, "bits of an external address"),
    )
    found: list[_Row] = [("memory_features", Access.READ, features)]
    for memory in Memory:
        last = Field("last_row", 16, f"number of the last row of the {memory.name.lower()}")
        found.append((f"{memory.name.lower()}_depth", Access.READ, (last,)))
    return found


_ZERO_BITS = {
    "low": "bits below a bus word and above an address read zero",
    "high": "bits above an address read zero",
}
"""Bits of a base register that are not stored."""


def _base(name: str) -> list[_Row]:
    return [
        (
            f"{name}_{half}",
            Access.READ_WRITE,
            (
                Field(
                    f"{name}_{half}", 32, f"{half} half of the base address of the {name}; {zero}"
                ),
            ),
        )
        for half, zero in _ZERO_BITS.items()
    ]


_BASES: list[_Row] = [*_base("image"), *_base("input"), *_base("output")]

_RUN: list[_Row] = [
    (
        "boot",
        Access.READ_WRITE,
        (Field("rows", 16, "descriptors loaded from the image to row 0 at a start; 0: none"),),
    ),
    (
        "start",
        Access.WRITE,
        (Field("row", 16, "a write starts a run at this descriptor; ignored while one runs"),),
    ),
    ("stop", Access.WRITE, (Field("stop", 1, "ends the run with the fault `stopped`"),)),
    (
        "run_status",
        Access.READ,
        (
            Field("running", 1, "a run has not ended, or the bus is not idle"),
            Field("row", 16, "descriptor that has begun last"),
        ),
    ),
    (
        "fault",
        Access.READ,
        (
            Field(
                "cause",
                5,
                ", ".join(f"{fault.value}: {text}" for fault, text in FAULT_MEANINGS.items())
                + "; of the last run",
            ),
        ),
    ),
    (
        "interrupt",
        Access.READ_CLEAR,
        (
            Field("done", 1, "a run has ended well"),
            Field("fault", 1, "a run has ended with a fault"),
        ),
    ),
    (
        "interrupt_mask",
        Access.READ_WRITE,
        (
            Field("done", 1, "`done` raises the interrupt line"),
            Field("fault", 1, "`fault` raises the interrupt line"),
        ),
    ),
]


def _counters() -> list[_Row]:
    found: list[_Row] = []
    for name, meaning in MEMORY_COUNTERS.items():
        low = Field(name, 32, f"{meaning}, low half; a read of it latches the high half")
        high = Field(name, COUNTER_BITS - 32, f"{meaning}, latched high half")
        found += [(f"{name}_low", Access.READ, (low,)), (f"{name}_high", Access.READ, (high,))]
    return found
