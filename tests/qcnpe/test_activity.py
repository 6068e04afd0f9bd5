"""Activity against a walk over every cycle of every NCU and every pair of bits."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from qcnpe.activity import operand_activity, program_activity, stream_activity
from qcnpe.compiler import compile_network
from qcnpe.driver import program_streams
from qcnpe.events import OperandActivity
from qcnpe.spec.commands import TileCommand, command_fields, decode, parameter_words
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.streams import Streams
from tests.qcnpe.networks import network, random_inputs, random_layer

CONFIG = EngineConfig(rows=3, cols=2)


def bit_products(activation: int, weight: int, precision: int) -> set[tuple[int, int]]:
    """Pairs of set bits that an NCU multiplies, in operands of the same pair."""
    return {
        (i, j)
        for i in range(16)
        for j in range(16)
        if i // precision == j // precision and activation >> i & 1 and weight >> j & 1
    }


def walked(activations: np.ndarray, weights: np.ndarray, precision: int) -> OperandActivity:
    """One NCU after the other, one cycle after the other."""
    lanes = flips = toggles = 0
    for row in activations.T.tolist():
        for col in weights.T.tolist():
            before = (0, 0)
            for now in zip(row, col, strict=True):
                lanes += now[0] != 0
                flips += (now[0] != 0) != (before[0] != 0)
                toggles += len(bit_products(*now, precision) ^ bit_products(*before, precision))
                before = now
    return OperandActivity(
        lanes=lanes,
        zero_flips=flips,
        product_toggles=toggles,
        activation_toggles=changed_bits(activations),
        weight_toggles=changed_bits(weights),
    )


def changed_bits(lanes: np.ndarray) -> int:
    """Bits that differ from those of the beat before, one lane after the other."""
    return sum(
        (now ^ before).bit_count()
        for lane in lanes.T.tolist()
        for before, now in pairwise([0, *lane])
    )


def operands(rng: np.random.Generator, beats: int, lanes: int) -> np.ndarray:
    """Random lanes, a third of them zeros."""
    values = rng.integers(0, 1 << 16, (beats, lanes), np.uint16)
    return np.where(rng.random(values.shape) < 1 / 3, np.uint16(0), values)


@pytest.mark.parametrize("precision", [16, 8, 4, 2])
def test_counts_are_those_of_a_walk(precision):
    rng = np.random.default_rng(precision)
    activations, weights = operands(rng, 20, 3), operands(rng, 20, 2)
    seen = operand_activity(activations, weights, pairs=16 // precision)
    assert seen == walked(activations, weights, precision)


def test_what_came_before_counts():
    rng = np.random.default_rng(5)
    activations, weights = operands(rng, 20, 3), operands(rng, 20, 2)
    head = operand_activity(activations[:7], weights[:7], pairs=2)
    tail = operand_activity(
        activations[7:], weights[7:], pairs=2, before=(activations[6], weights[6])
    )
    assert head + tail == walked(activations, weights, 8)


def test_streams_are_counted_tile_by_tile():
    rng = np.random.default_rng(6)
    conv = Geometry(input_shape=(2, 4, 3), channels=4, kernel=(2, 3), padding=(1, 1))
    layers = (
        random_layer(rng, conv, name="conv", function="relu"),
        random_layer(rng, Geometry.dense(60, 3), name="out", input_unsigned=True),
    )
    net = network(*layers)
    program, inputs = compile_network(net, CONFIG, 2), random_inputs(rng, net, 2)
    seen, recorded = program_activity(program, inputs), program_streams(program, inputs)
    assert len(seen) == len(recorded) == len(net.layers)
    for activity, streams in zip(seen, recorded, strict=True):
        assert activity == stream_activity(CONFIG, streams)
        without_sums = {width: replace(each, sum_toggles=0) for width, each in activity.items()}
        assert without_sums == walked_tiles(streams)


def test_bits_of_sums_are_compared_with_those_of_the_sum_before_in_the_row():
    # Rows hold 1 and 2, columns 3 and -1: sums 3, -1 and 6, -2; then 0, 0 in the first row only.
    tiles = [TileCommand(precision=16, beats=1, rows=rows, cols=2) for rows in (2, 1)]
    streams = Streams(
        commands=np.array([tile.word(CONFIG) for tile in tiles], np.uint64),
        activations=np.array([[1, 2, 0], [0, 0, 0]], np.uint16),
        weights=np.array([[3, 0xFFFF], [5, 6]], np.uint16),
        parameters=parameter_words(np.zeros(4, np.int64), np.zeros(4, np.int64)),
        results=4,
    )
    bits = CONFIG.accumulator_bits
    first = 2 + (bits - 2) + bits + 0  # 0 -> 3 -> -1, then -1 -> 0 -> 0
    second = 2 + (bits - 3)  # 0 -> 0b110 -> -2, whose three lowest bits are the same
    assert stream_activity(CONFIG, streams)[16].sum_toggles == first + second


def walked_tiles(streams: Streams) -> dict[int, OperandActivity]:
    """Each tile separately, with the beat before it."""
    found: dict[int, OperandActivity] = {}
    start = 0
    for word in streams.commands.tolist():
        command = decode(command_fields(CONFIG), word)
        if command["opcode"] == 2:
            continue
        rows, cols, width = command["rows"], command["cols"], command["precision"]
        stop = start + command["beats"]
        first = max(0, start - 1)
        activations, weights = (
            streams.activations[first:stop, :rows],
            streams.weights[first:stop, :cols],
        )
        with_before = walked(activations, weights, width)
        before = walked(activations[: start - first], weights[: start - first], width)
        tile = OperandActivity(
            lanes=with_before.lanes - before.lanes,
            zero_flips=with_before.zero_flips - before.zero_flips,
            product_toggles=with_before.product_toggles - before.product_toggles,
            activation_toggles=with_before.activation_toggles - before.activation_toggles,
            weight_toggles=with_before.weight_toggles - before.weight_toggles,
        )
        found[width] = found.get(width, OperandActivity()) + tile
        start = stop
    return found
