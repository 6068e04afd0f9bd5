"""Packed words of the memory side, generated from the specification's tables."""

from typing import Any

from amaranth.hdl import Value
from amaranth.lib import data

from qcnpe.rtl.layouts import word_layout
from qcnpe.rtl.memory.bus import word_bits
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import DESCRIPTOR_FIELDS, Operation
from qcnpe.spec.memory.tables import TAP_FIELDS, WALK_FIELDS, WRITE_FIELDS

ADDRESS_BITS = 17
"""Bits of an address on the way to a memory: one more than those of a descriptor's field."""

OFFSET_ROW_BITS = 19
"""Bits of the row of an offset: a sum of three of 16 bits, and two carries, does not wrap."""

MEMORY_BITS = max(Memory).bit_length()
"""Bits of the number of a memory."""

WALK_LAYOUT = word_layout(WALK_FIELDS)
TAP_LAYOUT = word_layout(TAP_FIELDS)
WRITE_LAYOUT = word_layout(WRITE_FIELDS)


def address_bits(config: MemoryConfig, memory: Memory) -> int:
    """Bits of the address of an entry of a memory, or of a row if its rows have no entries."""
    return max(1, (config.addresses(memory) - 1).bit_length())


def entry_bits(config: MemoryConfig, memory: Memory) -> int:
    """Bits of what one address of a memory holds."""
    return config.row_content_bits(memory) // config.entries(memory)


def lane_layout(config: MemoryConfig) -> data.StructLayout:
    """A lane entry: the number of its last pass, and the place of each row of the array."""
    lane = data.StructLayout(
        {
            "valid": 1,
            "pass_number": config.pass_bits,
            "bank": config.bank_bits,
            "row": config.row_bits,
        }
    )
    rows = data.ArrayLayout(lane, config.engine.rows)
    return data.StructLayout({"last_pass": config.pass_bits, "rows": rows})


def offset_layout(config: MemoryConfig) -> data.StructLayout:
    """An offset from the places of a lane entry, and the words of a position of its map."""
    return data.StructLayout({"bank": config.bank_bits, "row": OFFSET_ROW_BITS, "words": 12})


def step_layout(
    config: MemoryConfig, entry: data.StructLayout, *, weighted: bool
) -> data.StructLayout:
    """A tap or write entry with its offset; `job_last` marks the last one of a `TILES`."""
    step = {"entry": entry, "offset": offset_layout(config), "job_last": 1}
    return data.StructLayout(step | (_WEIGHTS if weighted else {}))


_WALK = {"sources": 4, "tiles": 16, "repeat": 16, "lanes": 16, "walks": 16, "entries": 16}
_WEIGHTS = {"weights": ADDRESS_BITS, "precision": 5}


def walk_job(*, weighted: bool) -> data.StructLayout:
    """What a walker does for a `TILES`; the row of a tile's first weights goes with its steps."""
    return data.StructLayout(_WALK | (_WEIGHTS | {"weight_step": 16} if weighted else {}))


def place_layout(config: MemoryConfig) -> data.StructLayout:
    """The place that a lane uses in a cycle; `outside` is high if its row does not exist."""
    return data.StructLayout(
        {"valid": 1, "bank": config.bank_bits, "row": config.row_bits, "outside": 1}
    )


def load_layout(config: MemoryConfig) -> data.StructLayout:
    """A bus word on its way to a memory."""
    return data.StructLayout({"memory": MEMORY_BITS, "row": 16, "word": 8, "data": config.bus_bits})


def transfer_job_layout(config: MemoryConfig) -> data.StructLayout:
    """What `LOAD` and `STORE` ask for; `first` is the first bus word in external memory."""
    first = word_bits(config.bus_bits, config.address_bits)
    return data.StructLayout(
        {"memory": MEMORY_BITS, "row": 16, "rows": 16, "words": 8, "first": first}
    )


def bank_reads_layout(config: MemoryConfig) -> data.StructLayout:
    """Addresses for the read ports of all banks; all bits of a bank that is not read are zero."""
    return data.StructLayout(
        {
            "enable": config.banks,
            "rows": data.ArrayLayout(config.row_bits, config.banks),
        }
    )


def bank_writes_layout(config: MemoryConfig) -> data.StructLayout:
    """Writes to all banks; all bits of a bank that is not written are zero."""
    return data.StructLayout(
        {
            "bytes": data.ArrayLayout(OPERAND_BITS // 8, config.banks),
            "rows": data.ArrayLayout(config.row_bits, config.banks),
            "words": data.ArrayLayout(OPERAND_BITS, config.banks),
        }
    )


def bank_words_layout(config: MemoryConfig) -> data.ArrayLayout:
    """What all banks read."""
    return data.ArrayLayout(OPERAND_BITS, config.banks)


DESCRIPTOR_LAYOUTS: dict[Operation, data.StructLayout] = {
    operation: word_layout(fields) for operation, fields in DESCRIPTOR_FIELDS.items()
}


def view_descriptor(word: Value, operation: Operation) -> Any:
    """The fields that a descriptor's word has if it asks for this operation."""
    layout = DESCRIPTOR_LAYOUTS[operation]
    return data.View(layout, word[: layout.size])
