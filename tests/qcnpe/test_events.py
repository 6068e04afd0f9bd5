"""Event counts against counts made by walking over every cycle of every unit."""

from collections import Counter

import pytest

from qcnpe.events import EventCounts, OperandActivity, count_events
from qcnpe.random_work import random_streams
from qcnpe.spec.activation import Function
from qcnpe.spec.commands import TileCommand, command_fields, decode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles

CONFIGS = [
    EngineConfig(rows=4, cols=3),
    EngineConfig(rows=2, cols=2, precisions=(16, 8), table_segments=8),
    EngineConfig(rows=5, cols=2, ncu="gated", precisions=(16, 8)),
    EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,)),
]
FUNCTIONS = ("identity", "relu", "table")


def walked(config, commands):
    """Counts by name, one event at a time."""
    seen: Counter[str] = Counter()
    for word in commands.tolist():
        command = decode(command_fields(config), word)
        if command["opcode"] == 2:
            seen["parameter_words"] += config.table_segments + 1
            continue
        walk_operands(config, command, seen)
        walk_results(config, command, seen)
    return seen


def walk_operands(config, command, seen):
    """Every beat of every lane and of every unit."""
    precision, packed = command["precision"], config.kind.is_packed
    for _ in range(command["beats"]):
        seen["activation_words"] += command["rows"]
        seen["weight_words"] += command["cols"]
        for _ in range(command["rows"] * command["cols"]):
            seen[f"beats {precision}"] += 1
            seen[f"macs {precision}"] += {16: 1, 8: 2, 4: 4, 2: 8}[precision] if packed else 1


def walk_results(config, command, seen):
    """Every accumulator, those that are left after pooling, and what is wanted of them."""
    for _ in range(command["cols"]):
        seen["parameter_words"] += 2
        for row in range(command["rows"]):
            seen[f"tiles {command['precision']}"] += 1
            if (row + 1) % (1, 2, 4)[command["pool"]]:
                seen["maxima"] += 1
                continue
            seen[f"afu {FUNCTIONS[command['function']]}"] += 1
            wanted = {16: 1 - command["copies_only"]}
            wanted |= {width: command[f"copy_{width}"] for width in config.narrow_precisions}
            for width, flag in wanted.items():
                seen[f"field {width}"] += flag
                seen["result_bits"] += flag * width


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.ncu}-{c.rows}x{c.cols}")
def test_counts_are_those_of_a_walk(config, seed):
    streams = random_streams(config, 20, seed)
    counts = count_events(config, streams.decode(config))
    seen = walked(config, streams.commands)
    for name in ("activation_words", "weight_words", "maxima"):
        assert getattr(counts, name) == seen[name], f"{name}, seed {seed}"
    assert counts.parameter_words == seen["parameter_words"]
    assert counts.result_words == -(-seen["result_bits"] // 16)
    assert counts.result_fields == {w: seen[f"field {w}"] for w in counts.result_fields}
    assert sum(counts.result_fields.values()) == sum(seen[f"field {w}"] for w in range(17))
    assert counts.ncu_beats == {w: seen[f"beats {w}"] for w in counts.ncu_beats}
    assert sum(counts.ncu_beats.values()) == sum(seen[f"beats {w}"] for w in range(17))
    assert counts.macs == {w: seen[f"macs {w}"] for w in counts.macs}
    assert counts.ncu_tiles == {w: seen[f"tiles {w}"] for w in counts.macs}
    assert counts.afu_ops == {f: seen[f"afu {f}"] for f in counts.afu_ops}
    assert sum(counts.afu_ops.values()) == sum(seen[f"afu {name}"] for name in FUNCTIONS)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.ncu}-{c.rows}x{c.cols}")
def test_every_unit_works_or_is_idle_in_every_cycle(config):
    commands = random_streams(config, 20, 1).decode(config)
    counts = count_events(config, commands)
    assert counts.cycles == count_cycles(config, commands)
    working = sum(counts.ncu_beats.values())
    assert counts.ncu_idle_cycles + working == counts.cycles * config.rows * config.cols


def test_sum_of_counts():
    config = CONFIGS[0]
    streams = [random_streams(config, 9, seed) for seed in (1, 2)]
    parts = [count_events(config, each.decode(config)) for each in streams]
    total = sum(parts, EventCounts())
    for name in ("cycles", "ncu_idle_cycles", "activation_words", "maxima"):
        assert getattr(total, name) == sum(getattr(part, name) for part in parts)
    for width in (16, 8, 4, 2):
        assert total.macs.get(width, 0) == sum(part.macs.get(width, 0) for part in parts)
    assert parts[0].cycles < total.cycles, "the parts are as they were"


def test_counts_stand_in_the_same_order_whatever_that_of_the_tiles():
    tiles = [
        TileCommand(precision=width, beats=1, rows=1, cols=1, function=function)
        for width, function in ((4, Function.TABLE), (16, Function.RELU), (8, Function.IDENTITY))
    ]
    counts = count_events(CONFIGS[0], tiles)
    for found in (counts.ncu_beats, counts.macs, counts.ncu_tiles):
        assert list(found) == [16, 8, 4]
    assert list(counts.afu_ops) == ["identity", "relu", "table"]


def test_nothing_happens_without_commands():
    counts = count_events(CONFIGS[0], [])
    assert (counts.macs, counts.afu_ops, counts.parameter_words) == ({}, {}, 0)


def test_names_for_the_energy_table():
    counts = EventCounts(
        cycles=9,
        ncu_beats={16: 3, 4: 2},
        macs={16: 3, 4: 8},
        ncu_idle_cycles=5,
        afu_ops={"relu": 2},
        maxima=4,
        result_fields={16: 6, 2: 7},
        activation_words=1,
        weight_words=20,
        parameter_words=300,
        result_words=4000,
    )
    assert counts.events() == {
        "ncu_mac_16b": 3,
        "ncu_mac_4b": 8,
        "afu_relu": 2,
        "ncu_idle_cycle": 5,
        "afu_maximum": 4,
        "result_16b": 6,
        "result_2b": 7,
        "fifo_word": 321,  # results wait in the queue of their row, which `result_*` hold
        "skew_word": 21,  # parameters do not enter the array
    }


def test_known_operands_are_counted_in_place_of_macs():
    counts = EventCounts(ncu_beats={16: 3, 4: 2}, macs={16: 3, 4: 8}, ncu_tiles={16: 1, 4: 2})
    wide = OperandActivity(lanes=2, zero_flips=1, product_toggles=90)
    narrow = OperandActivity(lanes=1, zero_flips=2, product_toggles=7)
    assert counts.events({16: wide, 4: narrow + OperandActivity(lanes=5)}) == {
        **EventCounts().events(),
        "ncu_beat_16b": 3,
        "ncu_lane_16b": 2,
        "ncu_zero_flip_16b": 1,
        "ncu_product_toggle_16b": 90,
        "ncu_tile_16b": 1,
        "ncu_beat_4b": 2,
        "ncu_lane_4b": 6,
        "ncu_zero_flip_4b": 2,
        "ncu_product_toggle_4b": 7,
        "ncu_tile_4b": 2,
    }


def test_words_are_those_of_all_streams():
    counts = EventCounts(
        activation_words=1, weight_words=20, parameter_words=300, result_words=4000
    )
    assert counts.words == 4321
