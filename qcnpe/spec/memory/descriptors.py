"""Descriptors of 256 bits, which the processor of an autonomous engine executes in order.

| descriptor | does |
| --- | --- |
| `LOAD` | external memory to a memory on the chip |
| `STORE` | activation banks to external memory |
| `FILL` | zeros to rows of all activation banks |
| `TABLE` | loads the activation function's table: the command `TableLoad`, and its knots |
| `TILES` | computes tiles, see `tables` |
| `WAIT` | goes on when all loads, or all tiles, are done |
| `JUMP` | goes on at another row of the descriptor memory |
| `END` | ends the run |

**Order.** Descriptors begin in order. `LOAD` only queues its transfer, at least two may be queued;
loads are done in order, beside everything that follows. `TILES` and `TABLE` of a run follow one
another in the engine without a gap that a `WAIT` would make; a `TILES` descriptor is done when its
last result is written. `STORE` and `FILL` wait until all tiles and tables are done, and the next
descriptor begins when they are done. `END` waits for everything. Nothing else waits: the list says
by `WAIT` that operands, tables or descriptors have been loaded and that results have been written,
before they are used.

Writes of tiles precede a `LOAD` to the activation banks on their ports. `STORE` reads the banks
only while no tile does.

**External addresses.** `base` selects one of the base registers, to which `offset` is added, modulo
2**`address_bits`. Both are multiples of the bus word's octets. Bursts are incrementing and do not
cross 4 KB. `LOAD` reads `rows * words` consecutive bus words: for each row, from `row` on, its bus
words 0 to `words` - 1; the row's other bus words keep what they hold. `STORE` writes them in the
same way; in the bits above the content of a row it writes zeros.

**Faults.** A descriptor that is not valid, and everything else of `Fault`, ends the run: no further
transfer begins, those on the bus are completed, the engine is halted and emptied, and the cause is
reported. No descriptor after the faulty one begins. The contents of the memories are then
undefined; the next start begins anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from qcnpe.spec.commands import COMMAND_BITS, Field, decode, encode_record
from qcnpe.spec.memory.config import DESCRIPTOR_BITS, Memory, MemoryConfig
from qcnpe.spec.memory.tables import MAX_SOURCES


class Operation(IntEnum):
    """What a descriptor asks for. All other codes are faults."""

    END = 1
    LOAD = 2
    STORE = 3
    FILL = 4
    TABLE = 5
    TILES = 6
    WAIT = 7
    JUMP = 8


class Base(IntEnum):
    """A base register of external addresses."""

    IMAGE = 0
    INPUT = 1
    OUTPUT = 2


class Fault(IntEnum):
    """Why a run was ended.

    The first eight concern the descriptor, in the order in which they are tested.
    """

    NONE = 0
    OPERATION = 1
    RESERVED = 2
    MEMORY = 3
    BASE = 4
    ROWS = 5
    WORDS = 6
    ALIGNMENT = 7
    TILES = 8
    ENGINE = 9
    BOUNDS = 10
    CONFLICT = 11
    READ = 12
    WRITE = 13
    STOPPED = 14


FAULT_MEANINGS = {
    Fault.NONE: "none",
    Fault.OPERATION: "unknown operation",
    Fault.RESERVED: "a bit above the operation's fields is set",
    Fault.MEMORY: "unknown memory",
    Fault.BASE: "unknown base register",
    Fault.ROWS: "no rows, or rows beyond the memory; JUMP or start beyond the memory",
    Fault.WORDS: "no bus words, or more than a row has",
    Fault.ALIGNMENT: "an offset that is no multiple of the bus word",
    Fault.TILES: "no tiles, repetitions, sources or maps, or more maps than the engine has widths",
    Fault.ENGINE: "the engine halted at a bad command, see its error register",
    Fault.BOUNDS: "a place, or an address of a table, beyond the memory",
    Fault.CONFLICT: "lanes of one pass that want different rows of one bank",
    Fault.READ: "the external memory answered a read with an error",
    Fault.WRITE: "the external memory answered a write with an error",
    Fault.STOPPED: "stopped by the host",
}
"""What each fault means."""

_OPERATION = Field("operation", 4, "what the descriptor asks for")
_TRANSFER = (
    Field("row", 16, "first row"),
    Field("rows", 16, "number of rows, at least 1"),
    Field("words", 8, "bus words of each row, at least 1"),
    Field("base", 2, "0: image; 1: input; 2: output"),
    Field("offset", 64, "in bytes from the base, a multiple of the bus word"),
)

DESCRIPTOR_FIELDS: Mapping[Operation, tuple[Field, ...]] = {
    Operation.END: (_OPERATION,),
    Operation.LOAD: (
        _OPERATION,
        Field("memory", 4, ", ".join(f"{each.value}: {each.name.lower()}" for each in Memory)),
        *_TRANSFER,
    ),
    Operation.STORE: (_OPERATION, *_TRANSFER),
    Operation.FILL: (
        _OPERATION,
        Field("row", 16, "first row"),
        Field("rows", 16, "number of rows, at least 1"),
    ),
    Operation.TABLE: (_OPERATION, Field("parameters", 16, "parameter word of the first knot")),
    Operation.TILES: (
        _OPERATION,
        Field("sources", 4, "sources of the tiles, at least 1"),
        Field("maps", 3, "maps that results are stored in, at least 1"),
        Field("tiles", 16, "tiles that have lane entries of their own, at least 1"),
        Field("repeat", 16, "how often they are repeated, at least 1"),
        Field("command", COMMAND_BITS, "the command word of each tile"),
        Field("weights", 16, "row of the first weight beat"),
        Field("parameters", 16, "word of the first parameter"),
        Field("lanes", 16, "first lane entry of the operands"),
        Field("walks", 16, "entry in TAPS of the first source's walk"),
        Field("taps", 16, "entry in TAPS of the first tap"),
        Field("store_lanes", 16, "first lane entry of the results"),
        Field("store_walks", 16, "entry in WRITES of the first map's walk"),
        Field("writes", 16, "entry in WRITES of the first write"),
        Field("weight_step", 16, "rows by which weights go on after each `tiles` tiles"),
        Field("parameters_go_on", 1, "parameters go on, too, by as many as a tile has"),
        Field("parameter_period", 3, "a tile has 2**(n - 1) parameters; 0: one for each column"),
    ),
    Operation.WAIT: (
        _OPERATION,
        Field("loads", 1, "until all loads are done"),
        Field("tiles", 1, "until all results are written and all tables loaded"),
    ),
    Operation.JUMP: (_OPERATION, Field("row", 16, "row of the next descriptor")),
}
"""Fields of each operation's descriptor, lowest bits first; the bits above them are zero."""


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A descriptor; each kind has its fields of `DESCRIPTOR_FIELDS` as attributes."""

    def word(self) -> int:
        """Its 256 bits.

        Raises
        ------
        ConfigError
            If a value does not fit its field.
        """
        operation = _OPERATIONS[type(self)]
        return encode_record(DESCRIPTOR_FIELDS[operation], self, operation=operation)


@dataclass(frozen=True, kw_only=True)
class End(Descriptor):
    """End the run."""


@dataclass(frozen=True, kw_only=True)
class Load(Descriptor):
    """External memory to a memory on the chip."""

    memory: int
    row: int
    rows: int
    words: int
    base: int
    offset: int


@dataclass(frozen=True, kw_only=True)
class Store(Descriptor):
    """Activation banks to external memory."""

    row: int
    rows: int
    words: int
    base: int
    offset: int


@dataclass(frozen=True, kw_only=True)
class Fill(Descriptor):
    """Zeros to rows of all activation banks."""

    row: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Table(Descriptor):
    """Load the activation function's table."""

    parameters: int


@dataclass(frozen=True, kw_only=True)
class Tiles(Descriptor):
    """Compute tiles; see `tables`."""

    sources: int
    maps: int
    tiles: int
    repeat: int
    command: int
    weights: int
    parameters: int
    lanes: int
    walks: int
    taps: int
    store_lanes: int
    store_walks: int
    writes: int
    weight_step: int = 0
    parameters_go_on: bool = False
    parameter_period: int = 0


@dataclass(frozen=True, kw_only=True)
class Wait(Descriptor):
    """Go on when all loads, or all tiles, are done."""

    loads: bool = False
    tiles: bool = False


@dataclass(frozen=True, kw_only=True)
class Jump(Descriptor):
    """Go on at another row of the descriptor memory."""

    row: int


_OPERATIONS: Mapping[type[Descriptor], Operation] = {
    End: Operation.END,
    Load: Operation.LOAD,
    Store: Operation.STORE,
    Fill: Operation.FILL,
    Table: Operation.TABLE,
    Tiles: Operation.TILES,
    Wait: Operation.WAIT,
    Jump: Operation.JUMP,
}
_KINDS = {operation: kind for kind, operation in _OPERATIONS.items()}


def decode_descriptor(config: MemoryConfig, word: int) -> Descriptor | Fault:
    """The descriptor that 256 bits hold, or why the processor refuses it.

    Addresses of tables are tested only where they are used (`Fault.BOUNDS`).
    """
    code = decode((_OPERATION,), word)["operation"]
    if code not in set(Operation):
        return Fault.OPERATION
    table = DESCRIPTOR_FIELDS[Operation(code)]
    if word >> sum(field.bits for field in table):
        return Fault.RESERVED
    values = decode(table, word)
    del values["operation"]
    fault = _find_fault(config, Operation(code), values)
    return _KINDS[Operation(code)](**values) if fault is Fault.NONE else fault


def _find_fault(config: MemoryConfig, operation: Operation, values: Mapping[str, int]) -> Fault:
    if operation is Operation.TILES:
        counts = (values["tiles"], values["repeat"], values["sources"], values["maps"])
        good = min(counts) > 0 and values["sources"] <= MAX_SOURCES
        return Fault.NONE if good and _maps_exist(config, values["maps"]) else Fault.TILES
    if operation is Operation.JUMP:
        inside = values["row"] < config.depth(Memory.DESCRIPTORS)
        return Fault.NONE if inside else Fault.ROWS
    if operation is Operation.LOAD and values["memory"] not in set(Memory):
        return Fault.MEMORY
    if "rows" not in values:
        return Fault.NONE
    return _find_transfer_fault(config, values)


def _maps_exist(config: MemoryConfig, maps: int) -> bool:
    return maps <= len(config.engine.precisions)


def _find_transfer_fault(config: MemoryConfig, values: Mapping[str, int]) -> Fault:
    memory = Memory(values.get("memory", Memory.ACTIVATIONS))
    if values.get("base", 0) not in set(Base):
        return Fault.BASE
    if not 1 <= values["rows"] <= config.depth(memory) - values["row"]:
        return Fault.ROWS
    if not 1 <= values.get("words", 1) <= config.row_words(memory):
        return Fault.WORDS
    return Fault.ALIGNMENT if values.get("offset", 0) % config.bus_bytes else Fault.NONE


DESCRIPTOR_BYTES = DESCRIPTOR_BITS // 8
"""Octets of a descriptor in external memory, lowest octet first."""
