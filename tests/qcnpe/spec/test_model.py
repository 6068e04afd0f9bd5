"""The reference model against tiles computed operand by operand in Python's integers."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.random_work import random_streams
from qcnpe.spec.activation import CURVES, table_knots
from qcnpe.spec.commands import (
    PARAMETER_FIELDS,
    ErrorCause,
    Opcode,
    command_fields,
    decode,
    encode,
    parameter_words,
)
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams
from tests.qcnpe import exact

CONFIGS = [
    EngineConfig(rows=1, cols=1),
    EngineConfig(rows=2, cols=3, accumulator_bits=24),
    EngineConfig(rows=4, cols=4, table_segments=8),
    EngineConfig(rows=3, cols=2, precisions=(16, 4)),
    EngineConfig(rows=5, cols=2, ncu="gated", precisions=(16, 12, 7), accumulator_bits=48),
    EngineConfig(rows=2, cols=2, ncu="plain16", precisions=(16,), table_segments=256),
]
IDS = [f"{c.ncu}-{c.rows}x{c.cols}-{c.accumulator_bits}" for c in CONFIGS]
FUNCTIONS = ("identity", "relu", "table")


def product(config, activation, weight, command):
    """Sum of products of two lanes."""
    width, unsigned = command["precision"], bool(command["unsigned"])
    if config.pairs(width) > 1:
        return exact.dot(activation, weight, width, unsigned=unsigned)
    dropped = 2 ** (16 - width)
    return exact.dot(
        activation // dropped * dropped, weight // dropped * dropped, 16, unsigned=unsigned
    )


def lane_of(config, command, value):
    """A result and the wanted copies, from the lowest bit on."""
    lane, place = 0 if command["copies_only"] else value % 2**16, 16
    for width in config.narrow_precisions:
        if command[f"copy_{width}"]:
            shift, unsigned = command[f"copy_shift_{width}"], bool(command["unsigned_copies"])
            lane += exact.copy(value, shift, width, unsigned=unsigned) % 2**width << place
        place += width
    return lane


def tile(config, command, activations, weights, parameters, knots):
    """Result beats of one tile."""
    window = 2 ** command["pool"]
    beats = []
    for col, word in enumerate(parameters):
        fields = decode(PARAMETER_FIELDS, word)
        found = []
        for row in range(command["rows"]):
            pairs = zip(activations, weights, strict=True)
            total = sum(product(config, a[row], w[col], command) for a, w in pairs)
            total = exact.wrap(total, config.accumulator_bits)
            shift, bias = fields["shift"] - 16, fields["bias"]
            found.append(exact.result(total, bias=bias, shift=shift, function="identity"))
        lanes = [0] * config.rows
        for row in range(0, command["rows"], window):
            largest = max(found[row : row + window])
            value = exact.activated(largest, FUNCTIONS[command["function"]], knots)
            lanes[row] = lane_of(config, command, value)
        beats.append(lanes)
    return beats


def run(config, streams):
    """Result beats of good commands."""
    results, beat, word = [], 0, 0
    knots: list[int] = [0] * (config.table_segments + 1)
    parameters = streams.parameters.tolist()
    for code in streams.commands.tolist():
        command = decode(command_fields(config), code)
        if command["opcode"] == Opcode.TABLE:
            taken = parameters[word : word + len(knots)]
            knots = [exact.wrap(knot % 2**16, 16) for knot in taken]
            word += len(knots)
            continue
        end = beat + command["beats"]
        operands = streams.activations[beat:end].tolist(), streams.weights[beat:end].tolist()
        taken = parameters[word : word + command["cols"]]
        results += tile(config, command, *operands, taken, knots)
        beat, word = end, word + command["cols"]
    return results


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_random_tiles(config, seed):
    streams = random_streams(config, 12, seed, max_beats=12, table_share=0.1)
    outcome = execute(config, streams)
    assert outcome.results.tolist() == run(config, streams), f"seed {seed}"
    assert outcome.error is ErrorCause.NONE
    assert outcome.results.shape == (streams.results, config.rows)


CONFIG = EngineConfig(rows=2, cols=2)
FIELDS = command_fields(CONFIG)
TILE = {"opcode": 1, "precision": 16, "beats": 1, "rows": 2, "cols": 2}
TABLE = encode(FIELDS, {"opcode": Opcode.TABLE})


def streams_of(*commands, beats=0, parameters=()):
    """Operands that are all one, so that a tile's sums are its beats."""
    words = np.array(parameters, np.uint32)
    ones = np.ones((beats, 2), np.uint16)
    return Streams(
        commands=np.array(commands, np.uint64),
        activations=ones,
        weights=ones,
        parameters=words,
        results=0,
    )


PLAIN = parameter_words(np.zeros(2, int), np.zeros(2, int)).tolist()


def test_a_tile_by_hand():
    streams = streams_of(encode(FIELDS, {**TILE, "beats": 3}), beats=3, parameters=PLAIN)
    assert execute(CONFIG, streams).results.tolist() == [[3, 3], [3, 3]]


def test_no_commands():
    outcome = execute(CONFIG, streams_of())
    assert outcome.results.shape == (0, 2)
    assert outcome.error is ErrorCause.NONE


def test_accumulators_wrap():
    """9 products of 32767 * 32767 make 2**33 and more; 24 bits keep the rest."""
    config = replace(CONFIG, accumulator_bits=24)
    streams = streams_of(encode(FIELDS, {**TILE, "beats": 9}), beats=9, parameters=PLAIN)
    streams = replace(
        streams, activations=streams.activations * 32767, weights=streams.weights * 32767
    )
    lane = exact.clip(exact.wrap(9 * 32767 * 32767, 24), 16) % 2**16
    assert execute(config, streams).results.tolist() == [[lane] * 2] * 2


def test_longest_tile_is_exact():
    """65535 beats of the largest magnitude, an odd sum: 2**47 needs all of float64."""
    config = EngineConfig(rows=1, cols=1, accumulator_bits=48, precisions=(16,))
    word = encode(
        command_fields(config),
        {"opcode": 1, "precision": 16, "unsigned": 1, "beats": 65535, "rows": 1, "cols": 1},
    )
    weights = np.full((65535, 1), 0x8001, np.uint16)
    streams = Streams(
        commands=np.array([word], np.uint64),
        activations=np.full((65535, 1), 0xFFFF, np.uint16),
        weights=weights,
        parameters=parameter_words(np.array([77]), np.array([33])),
        results=1,
    )
    total = 65535 * 65535 * -32767
    expected = exact.result(total, bias=77, shift=33, function="identity") % 2**16
    assert execute(config, streams).results.tolist() == [[expected]]


def test_nothing_counts_after_a_bad_command():
    good = encode(FIELDS, TILE)
    bad = [encode(FIELDS, {**TILE, "rows": 3}), 0, encode(FIELDS, {**TILE, "cols": 9})]
    streams = streams_of(good, *bad, good, beats=2, parameters=PLAIN * 2)
    outcome = execute(CONFIG, streams)
    assert outcome.results.tolist() == [[1, 1]] * 2
    assert outcome.error is ErrorCause.ROWS


def test_table_stays_until_the_next_one():
    tanh, sigmoid = (table_knots(name, 32).tolist() for name in ("tanh", "sigmoid"))
    tile_word = encode(FIELDS, {**TILE, "function": 2, "cols": 1})
    commands = [tile_word, TABLE, tile_word, tile_word, TABLE, tile_word]
    knots = [[knot % 2**16 for knot in curve] for curve in (tanh, sigmoid)]
    word = PLAIN[0]
    parameters = [word, *knots[0], word, word, *knots[1], word]
    found = execute(CONFIG, streams_of(*commands, beats=4, parameters=parameters)).results
    heights = [0, *(exact.on_segments(curve, 1) for curve in (tanh, tanh, sigmoid))]
    assert found.tolist() == [[height % 2**16] * 2 for height in heights]
    assert len(set(heights)) == 3


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        (
            streams_of(encode(FIELDS, TILE), parameters=PLAIN),
            "the operand streams end before the last tile; send all its beats",
        ),
        (
            streams_of(encode(FIELDS, TILE), beats=1, parameters=PLAIN[:1]),
            "the parameter stream ends before the last tile; send all its words",
        ),
        (streams_of(TABLE, parameters=[0] * 32), "the parameter stream ends before"),
    ],
    ids=["operands", "parameters", "knots"],
)
def test_streams_that_end_early(streams, message):
    with pytest.raises(FormatError, match=message):
        execute(CONFIG, streams)


def test_streams_of_another_engine():
    with pytest.raises(FormatError, match="stream activations must be"):
        execute(replace(CONFIG, rows=3), streams_of())


def test_runs_of_equal_commands_are_tiles_of_their_own():
    """The model executes equal commands together; operands still differ from tile to tile."""
    rng = np.random.default_rng(1)
    word = encode(FIELDS, {**TILE, "beats": 4, "precision": 4, "function": 2})
    streams = Streams(
        commands=np.array([TABLE] + [word] * 5, np.uint64),
        activations=rng.integers(0, 1 << 16, (20, 2)).astype(np.uint16),
        weights=rng.integers(0, 1 << 16, (20, 2)).astype(np.uint16),
        parameters=np.concatenate(
            [
                table_knots(sorted(CURVES)[0], 32).astype(np.uint16),
                parameter_words(rng.integers(-9, 9, 10), rng.integers(-8, 0, 10)),
            ]
        ).astype(np.uint32),
        results=10,
    )
    assert execute(CONFIG, streams).results.tolist() == run(CONFIG, streams)
