"""Command and parameter words: encoding, decoding, and refused values."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.activation import Function
from qcnpe.spec.commands import (
    COMMAND_BITS,
    MAX_BEATS,
    PARAMETER_BITS,
    PARAMETER_FIELDS,
    POOLS,
    SHIFT_RANGE,
    ErrorCause,
    Opcode,
    TableLoad,
    TileCommand,
    check_command,
    command_fields,
    decode,
    decode_command,
    decode_commands,
    decode_until_bad,
    encode,
    parameter_words,
)
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, FormatError
from tests.qcnpe import exact

CONFIGS = [
    EngineConfig(),
    EngineConfig(precisions=(16,)),
    EngineConfig(precisions=(16, 4), rows=4, cols=2),
    EngineConfig(ncu="gated", precisions=(16, 12, 8, 4), rows=1, cols=1),
]
IDS = [f"{config.ncu}-{len(config.precisions)}" for config in CONFIGS]
GOOD = {"opcode": 1, "precision": 16, "beats": 1, "rows": 4, "cols": 2, "function": 2}


def values_of(fields):
    """A strategy of values for every field of a word."""
    return st.fixed_dictionaries(
        {
            field.name: st.integers(*exact.bounds(field.bits, unsigned=not field.signed))
            for field in fields
        }
    )


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_fields_fill_the_word(config):
    fields = command_fields(config)
    assert sum(field.bits for field in fields) == COMMAND_BITS
    assert len({field.name for field in fields}) == len(fields)
    assert all(field.meaning for field in fields)


def test_parameter_fields_fill_the_word():
    assert sum(field.bits for field in PARAMETER_FIELDS) == PARAMETER_BITS


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_fields_hold_the_largest_engine(config):
    bits = {field.name: field.bits for field in command_fields(config)}
    assert 2 ** bits["rows"] > 256
    assert 2 ** bits["cols"] > 256
    assert 2 ** bits["beats"] - 1 == MAX_BEATS == 65535
    assert 2 ** bits["precision"] > 16


@given(st.data(), st.sampled_from(CONFIGS))
def test_decode_undoes_encode(data, config):
    fields = command_fields(config)
    values = data.draw(values_of(fields))
    assert decode(fields, encode(fields, values)) == values


@given(st.integers(0, 2**64 - 1), st.sampled_from(CONFIGS))
def test_encode_undoes_decode(word, config):
    fields = command_fields(config)
    assert encode(fields, decode(fields, word)) == word


@given(values_of(PARAMETER_FIELDS))
def test_signed_fields_survive(values):
    assert decode(PARAMETER_FIELDS, encode(PARAMETER_FIELDS, values)) == values


def test_fields_stand_lowest_first():
    fields = command_fields(EngineConfig())
    word = encode(fields, {"opcode": 1, "precision": 8, "beats": 3, "copy_2": 1})
    assert word == 1 | 8 << 4 | 3 << 14 | 1 << 63


def test_left_out_fields_are_zero():
    assert encode(command_fields(EngineConfig()), {}) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rows": 512}, r"^rows must be 0\.\.511, not 512$"),
        ({"beats": -1}, r"^beats must be 0\.\.65535, not -1$"),
        ({"copy_shift_8": 16}, r"^copy_shift_8 must be 0\.\.15, not 16$"),
        ({"colour": 1, "alpha": 0}, r"^the word has no field alpha, colour$"),
        ({"copy_3": 1}, r"^the word has no field copy_3$"),
    ],
)
def test_encode_refuses(values, message):
    with pytest.raises(ConfigError, match=message):
        encode(command_fields(EngineConfig()), values)


@given(st.lists(st.tuples(st.integers(*exact.bounds(16)), st.integers(*SHIFT_RANGE)), min_size=1))
def test_parameter_words_are_the_encoded_fields(neurons):
    bias, shift = np.array(neurons).T
    words = parameter_words(bias, shift)
    assert words.dtype == np.uint32
    assert words.tolist() == [
        encode(PARAMETER_FIELDS, {"bias": b, "shift": s + 16}) for b, s in neurons
    ]


def test_shift_range_fits_the_field():
    bits = {field.name: field.bits for field in PARAMETER_FIELDS}["shift"]
    assert SHIFT_RANGE[1] - SHIFT_RANGE[0] == 2**bits - 1


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({}, ErrorCause.NONE),
        ({"opcode": 0}, ErrorCause.OPCODE),
        ({"opcode": 3}, ErrorCause.OPCODE),
        ({"opcode": 7}, ErrorCause.OPCODE),
        ({"precision": 2}, ErrorCause.PRECISION),
        ({"precision": 0}, ErrorCause.PRECISION),
        ({"precision": 4}, ErrorCause.NONE),
        ({"beats": 0}, ErrorCause.BEATS),
        ({"beats": 65535}, ErrorCause.NONE),
        ({"rows": 0}, ErrorCause.ROWS),
        ({"rows": 5}, ErrorCause.ROWS),
        ({"cols": 0}, ErrorCause.COLS),
        ({"cols": 3}, ErrorCause.COLS),
        ({"function": 3}, ErrorCause.FUNCTION),
        ({"pool": 3}, ErrorCause.POOL),
        ({"pool": 2}, ErrorCause.NONE),
        ({"pool": 2, "rows": 2}, ErrorCause.POOL),
        ({"pool": 1, "rows": 3}, ErrorCause.POOL),
        ({"pool": 1, "rows": 2}, ErrorCause.NONE),
        ({"reserved": 1}, ErrorCause.RESERVED),
        ({"opcode": 2, "precision": 0, "beats": 0, "rows": 0, "cols": 0}, ErrorCause.NONE),
        ({"opcode": 2, "reserved": 1}, ErrorCause.RESERVED),
        ({"precision": 2, "beats": 0, "rows": 0, "reserved": 1}, ErrorCause.PRECISION),
        ({"cols": 9, "pool": 3}, ErrorCause.COLS),
    ],
    ids=str,
)
def test_check_command(change, cause):
    config = EngineConfig(rows=4, cols=2, precisions=(16, 4))
    fields = command_fields(config)
    assert check_command(config, encode(fields, {**GOOD, **change})) == cause


@given(st.integers(0, 2**64 - 1))
def test_a_full_word_has_no_reserved_bits(word):
    assert check_command(EngineConfig(), word) != ErrorCause.RESERVED


# Places of the fields of the default engine's word, from the lowest bit of each.
BUSY_TILE = (
    1 | 8 << 4 | 1 << 9 | 2 << 10 | 1 << 12 | 300 << 14 | 6 << 30 | 16 << 39 | 1 << 48
    | 7 << 49 | 3 << 57 | 1 << 61 | 1 << 63
)  # fmt: skip


def test_tile_command_by_hand():
    """Copies of 8 and 2 bits; that of 4 bits is not wanted."""
    tile = TileCommand(
        precision=8,
        beats=300,
        rows=6,
        cols=16,
        unsigned=True,
        function=Function.TABLE,
        window=2,
        copies={8: 7, 2: 3},
        unsigned_copies=True,
    )
    assert tile.word(EngineConfig()) == BUSY_TILE
    assert decode_command(EngineConfig(), BUSY_TILE) == tile
    not_wanted = BUSY_TILE | 5 << 53
    assert decode_command(EngineConfig(), not_wanted) == tile


def test_table_load_by_hand():
    for config in CONFIGS:
        assert TableLoad().word() == 2
        assert decode_command(config, 2) == TableLoad()


@given(st.data(), st.sampled_from(CONFIGS))
def test_decode_command_undoes_word(data, config):
    window = data.draw(st.sampled_from([window for window in POOLS if window <= config.rows]))
    tile = TileCommand(
        precision=data.draw(st.sampled_from(config.precisions)),
        beats=data.draw(st.integers(1, 65535)),
        rows=window * data.draw(st.integers(1, config.rows // window)),
        cols=data.draw(st.integers(1, config.cols)),
        unsigned=data.draw(st.booleans()),
        function=data.draw(st.sampled_from(Function)),
        window=window,
        copies={
            width: data.draw(st.integers(0, 15))
            for width in config.narrow_precisions
            if data.draw(st.booleans())
        },
        unsigned_copies=data.draw(st.booleans()),
    )
    assert decode_command(config, tile.word(config)) == tile


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 3}, r"^window must be one of 1, 2, 4, not 3$"),
        ({"rows": 512}, r"^rows must be 0\.\.511, not 512$"),
        ({"copies": {3: 0}}, r"^the word has no field copy_3, copy_shift_3$"),
        ({"copies": {8: 16}}, r"^copy_shift_8 must be 0\.\.15, not 16$"),
    ],
)
def test_word_refuses(change, message):
    tile = TileCommand(precision=16, beats=1, rows=1, cols=1)
    with pytest.raises(ConfigError, match=message):
        replace(tile, **change).word(EngineConfig())


def test_commands_are_decoded_up_to_a_bad_one():
    words = np.array([2, BUSY_TILE, BUSY_TILE, BUSY_TILE & ~0xF, 2], np.uint64)
    commands, cause = decode_until_bad(EngineConfig(), words)
    busy = decode_command(EngineConfig(), BUSY_TILE)
    assert commands == [TableLoad(), busy, busy]
    assert cause is ErrorCause.OPCODE
    assert decode_until_bad(EngineConfig(), words[:3]) == (commands, ErrorCause.NONE)
    assert decode_commands(EngineConfig(), words[:3]) == commands
    with pytest.raises(FormatError, match=r"^command 3 is bad \(opcode\); compile for this engine"):
        decode_commands(EngineConfig(), words)


def test_codes_are_the_documented_ones():
    assert (Opcode.TILE, Opcode.TABLE) == (1, 2)
    assert [cause.value for cause in ErrorCause] == list(range(9))
