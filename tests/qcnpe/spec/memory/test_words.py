"""Words of the memory side: sizes, field tables, descriptors and their faults, registers."""

import pytest

from qcnpe.spec.commands import decode, encode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.memory.config import DESCRIPTOR_BITS, ENTRY_BITS, Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import (
    DESCRIPTOR_FIELDS,
    FAULT_MEANINGS,
    End,
    Fault,
    Fill,
    Jump,
    Load,
    Operation,
    Store,
    Table,
    Tiles,
    Wait,
    decode_descriptor,
)
from qcnpe.spec.memory.registers import memory_feature_words, memory_registers
from qcnpe.spec.memory.tables import (
    TAP_FIELDS,
    WALK_FIELDS,
    WRITE_FIELDS,
    Lane,
    Tap,
    Walk,
    Write,
    lane_fields,
    lane_word,
)

ENGINE = EngineConfig(rows=5, cols=3)
CONFIG = MemoryConfig(engine=ENGINE, banks=16)
TILES = Tiles(
    sources=2, maps=1, tiles=3, repeat=4, command=1, weights=5, parameters=6, lanes=7, walks=8,
    taps=9, store_lanes=10, store_walks=11, writes=12,
)  # fmt: skip
LOAD = Load(memory=Memory.WEIGHTS, row=8, rows=2, words=1, base=1, offset=64)


@pytest.mark.parametrize(
    ("rows", "banks"), [(1, 2), (2, 4), (3, 8), (5, 16), (8, 16), (16, 32), (256, 512)]
)
def test_default_has_twice_as_many_banks_as_rows(rows, banks):
    assert MemoryConfig.default(EngineConfig(rows=rows)).banks == banks


def test_default_sizes():
    config = MemoryConfig.default(EngineConfig(rows=8, cols=8))
    assert config.banks * config.activation_rows * 2 == 64 << 10
    assert config.engine.cols * config.weight_rows * 2 == 128 << 10


def test_rows_are_whole_bus_words():
    config = MemoryConfig(engine=ENGINE, banks=8, bus_bits=64)
    # 8 banks of 16 bits; 3 columns of 16; 3 bits and 5 lanes of 1 + 3 + 3 + 10; 256 bits
    words = {Memory.ACTIVATIONS: 2, Memory.WEIGHTS: 1, Memory.LANES: 2, Memory.DESCRIPTORS: 4}
    for memory in Memory:
        assert config.row_words(memory) == words.get(memory, 1), memory
    wide = MemoryConfig(engine=ENGINE, banks=8, bus_bits=128)
    assert [wide.entries(memory) for memory in Memory] == [1, 1, 4, 1, 2, 2, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"banks": 4}, "banks must be a power of two, 5..512, not 4"),
        ({"banks": 12}, "banks must be a power of two, 5..512, not 12"),
        ({"tap_rows": 0}, "tap_rows must be 1..65536, not 0"),
        ({"activation_rows": 1 << 17}, "activation_rows must be 1..65536, not 131072"),
        ({"bus_bits": 32}, "bus_bits must be 64 or 128, not 32"),
        ({"address_bits": 65}, "address_bits must be 16..64, not 65"),
    ],
)
def test_bad_sizes_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        MemoryConfig(**{"engine": ENGINE, "banks": 8, **values})


def test_entries_fill_their_words():
    for fields in (WALK_FIELDS, TAP_FIELDS, WRITE_FIELDS):
        assert sum(field.bits for field in fields) == ENTRY_BITS
    assert sum(field.bits for field in lane_fields(CONFIG)) == CONFIG.lane_entry_bits
    for operation in Operation:
        assert sum(field.bits for field in DESCRIPTOR_FIELDS[operation]) <= DESCRIPTOR_BITS


def test_places_of_the_entries():
    """Each word put together by hand."""
    assert Walk(1, 2, 3, 4, 5).word() == 1 | 2 << 9 | 3 << 25 | 4 << 34 | 5 << 50
    assert Tap(1, 2, 3, 4, True).word() == 1 | 2 << 4 | 3 << 13 | 4 << 29 | 1 << 41
    folded = Tap(0, 0, 0, 1, False, 9, 10, True, True)
    assert folded.word() == 1 << 29 | 9 << 42 | 10 << 58 | 1 << 62 | 1 << 63
    write = Write(1, 2, 3, 1, 5, 6, True, False)
    assert write.word() == 1 | 2 << 2 | 3 << 4 | 1 << 8 | 5 << 10 | 6 << 19 | 1 << 35
    lanes = lane_word(CONFIG, [None, Lane(2, 9, 100)])
    # 3 bits of last_pass; a lane has 1 + 3 + 4 + 10 bits
    assert lanes == 2 | (1 | 2 << 1 | 9 << 4 | 100 << 8) << (3 + 18)


@pytest.mark.parametrize(
    "descriptor",
    [
        End(),
        LOAD,
        Store(row=1, rows=2, words=4, base=2, offset=8),
        Fill(row=0, rows=1024),
        Table(parameters=7),
        TILES,
        Wait(loads=True),
        Jump(row=255),
    ],
)
def test_descriptors_are_decoded(descriptor):
    assert decode_descriptor(CONFIG, descriptor.word()) == descriptor


def _changed(descriptor, **changes):
    operation = Operation(descriptor.word() & 15)
    values = decode(DESCRIPTOR_FIELDS[operation], descriptor.word())
    return encode(DESCRIPTOR_FIELDS[operation], {**values, **changes})


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        (0, Fault.OPERATION),
        (9, Fault.OPERATION),
        (1 | 1 << 4, Fault.RESERVED),
        (TILES.word() | 1 << 255, Fault.RESERVED),
        (_changed(LOAD, memory=7), Fault.MEMORY),
        (_changed(LOAD, base=3), Fault.BASE),
        (_changed(LOAD, rows=0), Fault.ROWS),
        (_changed(LOAD, row=4095, rows=2), Fault.ROWS),
        (_changed(Fill(row=0, rows=1), rows=1025), Fault.ROWS),
        (_changed(LOAD, words=2), Fault.WORDS),
        (_changed(LOAD, words=0), Fault.WORDS),
        (_changed(LOAD, offset=4), Fault.ALIGNMENT),
        (_changed(TILES, tiles=0), Fault.TILES),
        (_changed(TILES, repeat=0), Fault.TILES),
        (_changed(TILES, sources=0), Fault.TILES),
        (_changed(TILES, maps=5), Fault.TILES),
        (_changed(Jump(row=0), row=256), Fault.ROWS),
    ],
)
def test_bad_descriptors_are_faults(word, fault):
    assert decode_descriptor(CONFIG, word) is fault


def test_every_fault_has_a_meaning():
    assert set(FAULT_MEANINGS) == set(Fault)


def test_registers_have_addresses_of_their_own():
    table = memory_registers(CONFIG)
    offsets = [register.offset for register in table]
    assert offsets == sorted(set(offsets))
    assert all(sum(field.bits for field in register.fields) <= 32 for register in table)
    names = {register.name: register for register in table}
    for name, values in memory_feature_words(CONFIG).items():
        assert {field.name for field in names[name].fields} == set(values)
        assert encode(names[name].fields, values) >= 0
