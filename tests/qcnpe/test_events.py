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
            seen["knots"] += config.table_segments + 1
            continue
        seen["tiles"] += 1
        seen["tile_rows"] += command["rows"]
        walk_operands(config, command, seen)
        walk_results(config, command, seen)
    return seen


def walk_operands(config, command, seen):
    """Every beat of every lane and of every unit."""
    precision, packed = command["precision"], config.kind.is_packed
    used = {(row, col) for row in range(command["rows"]) for col in range(command["cols"])}
    beyond = {(row, command["cols"]) for row in range(command["rows"])}
    beyond |= {(command["rows"], col) for col in range(command["cols"])}
    units = {(row, col) for row in range(config.rows) for col in range(config.cols)}
    seen["edge_beats"] += command["beats"] * len((beyond - used) & units)
    for _ in range(command["beats"]):
        seen["beats"] += 1
        seen["lane_beats"] += config.rows + config.cols
        seen[f"words {precision}"] += command["rows"] + command["cols"]
        seen["activation_words"] += command["rows"]
        seen["weight_words"] += command["cols"]
        for _ in range(command["rows"] * command["cols"]):
            seen[f"beats {precision}"] += 1
            seen[f"macs {precision}"] += {16: 1, 8: 2, 4: 4, 2: 8}[precision] if packed else 1


def walk_results(config, command, seen):
    """Every accumulator, those that are left after pooling, and what is wanted of them."""
    for _ in range(command["cols"]):
        seen["parameter_words"] += 2
        seen["columns"] += 1
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
    names = ("beats", "lane_beats", "tiles", "tile_rows", "columns", "edge_beats", "knots")
    for name in (*names, "parameter_words", "activation_words", "weight_words", "maxima"):
        assert getattr(counts, name) == seen[name], f"{name}, seed {seed}"
    assert counts.commands == len(streams.commands)
    assert counts.lane_words == {w: seen[f"words {w}"] for w in counts.macs}
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
    assert counts.row_cycles == counts.cycles * config.rows
    assert counts.lane_cycles == counts.cycles * (config.rows + config.cols)
    longer = count_events(config, commands, cycles=counts.cycles + 10)
    assert longer.ncu_idle_cycles == counts.ncu_idle_cycles + 10 * config.rows * config.cols
    working = sum(counts.ncu_beats.values())
    assert counts.ncu_idle_cycles + working == counts.cycles * config.rows * config.cols


def test_sum_of_counts():
    config = CONFIGS[0]
    streams = [random_streams(config, 9, seed) for seed in (1, 2)]
    parts = [count_events(config, each.decode(config)) for each in streams]
    total = sum(parts, EventCounts())
    for name in ("cycles", "ncu_idle_cycles", "activation_words", "maxima", "lane_beats"):
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


COUNTS = EventCounts(
    cycles=9,
    row_cycles=18,
    lane_cycles=45,
    commands=3,
    tiles=2,
    columns=7,
    beats=6,
    lane_beats=60,
    tile_rows=4,
    moves=8,
    edge_beats=1,
    knots=33,
    lane_words={16: 30, 4: 20},
    ncu_beats={16: 3, 4: 2},
    macs={16: 3, 4: 8},
    ncu_tiles={16: 1, 4: 2},
    ncu_idle_cycles=5,
    afu_ops={"relu": 2, "table": 6},
    maxima=4,
    result_fields={16: 3, 8: 1},
)
AROUND = {
    "ncu_idle_cycle": 5,
    "ncu_edge_beat": 1,
    "ncu_result": 3,
    "queue_cycle": 45,
    "queue_lane": 60,
    "queue_parameter": 40,
    "queue_command": 3,
    "sequencer_cycle": 9,
    "sequencer_beat": 6,
    "sequencer_tile": 2,
    "sequencer_column": 7,
    "skew_cycle": 45,
    "skew_lane": 60,
    "row_cycle": 18,
    "row_tile": 4,
    "afu_cycle": 18,
    "afu_tile": 4,
    "afu_knot": 33,
    "afu_maximum": 4,
    "afu_relu": 2,
    "afu_table": 6,
    "result_cycle": 18,
    "result_column": 7,
    "result_tile": 2,
    "result_made": 8,
    "result_table": 6,
    "result_16b": 3,
    "result_8b": 1,
}
OPERAND_UNITS = ("queue", "sequencer", "skew", "row")


def test_names_for_the_energy_table():
    words = {f"{unit}_word_16b": 30 for unit in OPERAND_UNITS}
    words |= {f"{unit}_word_4b": 20 for unit in OPERAND_UNITS}
    sums = {"row_sum_16b": 1, "row_sum_4b": 2, "afu_sum_16b": 1, "afu_sum_4b": 2}
    assert COUNTS.events() == {**AROUND, **words, **sums, "ncu_mac_16b": 3, "ncu_mac_4b": 8}


def test_known_operands_are_counted_in_place_of_macs():
    wide = OperandActivity(
        lanes=2, zero_flips=1, product_toggles=90, activation_toggles=10, sum_toggles=6
    )
    narrow = OperandActivity(
        lanes=1, zero_flips=2, product_toggles=7, weight_toggles=4, sum_toggles=1
    )
    toggles = {f"{unit}_activation_toggle": 10 for unit in OPERAND_UNITS}
    toggles |= {f"{unit}_weight_toggle": 4 for unit in OPERAND_UNITS}
    # The skew moves in 8 cycles, not only in 6 with beats.
    toggles |= {"skew_activation_toggle": 13, "skew_weight_toggle": 5}
    toggles |= {"row_sum_toggle": 7, "afu_sum_toggle": 7}
    assert COUNTS.events({16: wide, 4: narrow + OperandActivity(lanes=5)}) == {
        **AROUND,
        **toggles,
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
