"""The configuration of an autonomous engine: an engine and its memories."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from qcnpe.spec.commands import PARAMETER_BITS
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError

ENTRY_BITS = 64
"""Width of an entry of the tables of taps and of writes."""

DESCRIPTOR_BITS = 256
"""Width of a descriptor."""

MAX_BANKS = 512
"""Largest number of activation banks."""

MAX_ROWS = 1 << 16
"""Largest depth of a memory: rows have 16-bit addresses."""

_DEFAULT_ACTIVATIONS = 1 << 15
_DEFAULT_WEIGHTS = 1 << 16

BUS_BITS = (64, 128)
"""Widths that the bus to the external memory may have."""


class Memory(IntEnum):
    """A memory on the chip; the value is its number in descriptors."""

    ACTIVATIONS = 0
    WEIGHTS = 1
    PARAMETERS = 2
    LANES = 3
    TAPS = 4
    WRITES = 5
    DESCRIPTORS = 6


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """Parameters of an autonomous engine.

    Every memory is an array of rows, which `LOAD` writes bus word by bus word: bus word i of a row
    holds its bits from `i * bus_bits` on. A row is as many bus words as its content needs; bits
    above the content are not stored. In `PARAMETERS`, `TAPS` and `WRITES` a row is one bus word of
    several entries, of which entry e is in row `e // entries`, at the bits from
    `e % entries * (bits of an entry)` on.

    | memory | content of a row |
    | --- | --- |
    | `ACTIVATIONS` | one 16-bit word of each bank, bank 0 lowest |
    | `WEIGHTS` | one 16-bit lane of each column, column 0 lowest: one weight beat |
    | `PARAMETERS` | parameter words and knots of 32 bits |
    | `LANES` | one lane entry, see `tables.lane_fields` |
    | `TAPS` | walk and tap entries of 64 bits, see `tables` |
    | `WRITES` | walk and write entries of 64 bits, see `tables` |
    | `DESCRIPTORS` | one descriptor of 256 bits |

    Each bank has one read and one write port and is written in bytes; the other memories have one
    write port, which only `LOAD` uses, and one read port; `LANES` has two read ports, one for
    operands and one for results (or two copies).

    Parameters
    ----------
    engine : EngineConfig
        The engine.
    banks : int
        Activation banks, a power of two, at least 2 and the engine's rows, at most 512. With twice
        the rows, the positions of a tile that lie two apart are in different banks.
    activation_rows, weight_rows, parameter_rows, lane_rows, tap_rows, write_rows, descriptor_rows
        : int
        Depth of each memory in rows, 1..65536.
    bus_bits : int
        Width of the bus to the external memory, 64 or 128.
    address_bits : int
        Width of an address of the external memory in bytes, 16..64.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    engine: EngineConfig
    banks: int
    activation_rows: int = 1024
    weight_rows: int = 4096
    parameter_rows: int = 512
    lane_rows: int = 512
    tap_rows: int = 1024
    write_rows: int = 1024
    descriptor_rows: int = 256
    bus_bits: int = 64
    address_bits: int = 32

    def __post_init__(self) -> None:
        least = max(2, self.engine.rows)
        if not least <= self.banks <= MAX_BANKS or self.banks & (self.banks - 1):
            raise ConfigError(
                f"banks must be a power of two, {least}..{MAX_BANKS}, not {self.banks}"
            )
        for memory in Memory:
            depth = self.depth(memory)
            if not 1 <= depth <= MAX_ROWS:
                name = _DEPTHS[memory]
                raise ConfigError(f"{name} must be 1..{MAX_ROWS}, not {depth}")
        if self.bus_bits not in BUS_BITS:
            raise ConfigError(f"bus_bits must be 64 or 128, not {self.bus_bits}")
        if not 16 <= self.address_bits <= 64:
            raise ConfigError(f"address_bits must be 16..64, not {self.address_bits}")

    @classmethod
    def default(cls, engine: EngineConfig) -> "MemoryConfig":
        """Memories of default sizes: 64 kB of activations and 128 kB of weights.

        There are twice as many banks as rows, or more.
        """
        banks = max(2, 1 << (2 * engine.rows - 1).bit_length())
        return cls(
            engine=engine,
            banks=banks,
            activation_rows=_DEFAULT_ACTIVATIONS // banks,
            weight_rows=_DEFAULT_WEIGHTS // engine.cols,
        )

    @classmethod
    def largest(cls, engine: EngineConfig) -> "MemoryConfig":
        """The default number of banks, and every memory as deep as can be."""
        return cls.default(engine).with_depths(dict.fromkeys(Memory, MAX_ROWS))

    def with_depths(self, depths: Mapping[Memory, int]) -> "MemoryConfig":
        """The same with other rows of some memories."""
        changes: dict[str, Any] = {_DEPTHS[memory]: rows for memory, rows in depths.items()}
        return replace(self, **changes)

    @property
    def bus_bytes(self) -> int:
        """Octets of a bus word."""
        return self.bus_bits // 8

    @property
    def bank_bits(self) -> int:
        """Bits of the number of a bank."""
        return (self.banks - 1).bit_length()

    @property
    def row_bits(self) -> int:
        """Bits of the number of a row of the activation banks."""
        return max(1, (self.activation_rows - 1).bit_length())

    @property
    def pass_bits(self) -> int:
        """Bits of the number of a pass."""
        return max(1, (self.engine.rows - 1).bit_length())

    @property
    def lane_entry_bits(self) -> int:
        """Bits of a lane entry, see `tables.lane_fields`."""
        lane = 1 + self.pass_bits + self.bank_bits + self.row_bits
        return self.pass_bits + self.engine.rows * lane

    def depth(self, memory: Memory) -> int:
        """Rows of a memory."""
        depth: int = getattr(self, _DEPTHS[memory])
        return depth

    def row_content_bits(self, memory: Memory) -> int:
        """Bits of a memory's row that are stored."""
        return {
            Memory.ACTIVATIONS: self.banks * OPERAND_BITS,
            Memory.WEIGHTS: self.engine.cols * OPERAND_BITS,
            Memory.LANES: self.lane_entry_bits,
            Memory.DESCRIPTORS: DESCRIPTOR_BITS,
        }.get(memory, self.bus_bits)

    @property
    def total_bits(self) -> int:
        """Bits of all memories together."""
        return sum(self.depth(memory) * self.row_content_bits(memory) for memory in Memory)

    def row_words(self, memory: Memory) -> int:
        """Bus words of a memory's row."""
        return -(-self.row_content_bits(memory) // self.bus_bits)

    def entries(self, memory: Memory) -> int:
        """Entries of a memory's row that have addresses of their own."""
        entry = {
            Memory.PARAMETERS: PARAMETER_BITS,
            Memory.TAPS: ENTRY_BITS,
            Memory.WRITES: ENTRY_BITS,
        }.get(memory)
        return 1 if entry is None else self.bus_bits // entry

    def addresses(self, memory: Memory) -> int:
        """Entries of a memory, or rows if its rows have no entries."""
        return self.depth(memory) * self.entries(memory)


_DEPTHS = {memory: f"{memory.name.lower().rstrip('s')}_rows" for memory in Memory}
