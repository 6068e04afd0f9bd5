"""Engine parameters: accepted values, messages of refusals, derived sizes."""

from dataclasses import FrozenInstanceError

import pytest

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, QcnpeError

REFUSED = [
    ({"rows": 0}, r"^rows must be 1\.\.256, not 0$"),
    ({"rows": 257}, r"^rows must be 1\.\.256, not 257$"),
    ({"rows": True}, r"^rows must be 1\.\.256, not True$"),
    ({"rows": 4.0}, r"^rows must be 1\.\.256, not 4\.0$"),
    ({"cols": -1}, r"^cols must be 1\.\.256, not -1$"),
    ({"cols": 257}, r"^cols must be 1\.\.256, not 257$"),
    ({"accumulator_bits": 23}, r"^accumulator_bits must be 24\.\.48, not 23$"),
    ({"accumulator_bits": 49}, r"^accumulator_bits must be 24\.\.48, not 49$"),
    ({"ncu": "fast"}, r"^ncu must be one of fused, gated, plain16, dsp, not 'fast'$"),
    ({"precisions": ()}, r"^precisions must begin with 16, not empty$"),
    ({"precisions": (8, 4)}, r"^precisions must begin with 16, not 8,4$"),
    ({"precisions": (16, 4, 8)}, r"^precisions must be descending without repeats, not 16,4,8$"),
    ({"precisions": (16, 8, 8)}, r"^precisions must be descending without repeats, not 16,8,8$"),
    ({"precisions": (16, 12)}, r"^precisions of ncu fused must be out of 16,8,4,2, not 16,12$"),
    ({"ncu": "gated", "precisions": (16, 1)}, r"^precisions of ncu gated must be out of 16,15,"),
    ({"ncu": "plain16"}, r"^precisions of ncu plain16 must be out of 16, not 16,8,4,2$"),
    (
        {"ncu": "gated", "precisions": (16, 12, 10, 8, 4)},
        r"^precisions must be at most 4 widths, not 16,12,10,8,4$",
    ),
    ({"table_segments": 4}, r"^table_segments must be one of 8, 16, 32, 64, 128, 256, not 4$"),
    ({"table_segments": 24}, r"^table_segments must be one of .*, not 24$"),
    ({"table_segments": 512}, r"^table_segments must be one of .*, not 512$"),
    ({"fifo_depth": 1}, r"^fifo_depth must be 2\.\.32768, not 1$"),
    ({"fifo_depth": 65536}, r"^fifo_depth must be 2\.\.32768, not 65536$"),
    ({"fifo_depth": 6}, r"^fifo_depth must be a power of two, not 6$"),
]

ACCEPTED = [
    {},
    {"rows": 1, "cols": 1},
    {"rows": 256, "cols": 256},
    {"accumulator_bits": 24},
    {"accumulator_bits": 48},
    {"precisions": (16,)},
    {"precisions": (16, 4)},
    {"ncu": "gated", "precisions": (16, 15, 3, 2)},
    {"ncu": "plain16", "precisions": (16,)},
    {"table_segments": 8, "fifo_depth": 2},
    {"table_segments": 256, "fifo_depth": 1024},
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_refuses_values_out_of_range(values, message):
    with pytest.raises(ConfigError, match=message):
        EngineConfig(**values)


@pytest.mark.parametrize("values", ACCEPTED, ids=str)
def test_accepts_the_ends_of_each_range(values):
    config = EngineConfig(**values)
    assert {name: getattr(config, name) for name in values} == values


def test_is_frozen_and_hashable():
    config = EngineConfig(rows=2)
    with pytest.raises(FrozenInstanceError):
        config.rows = 3  # type: ignore[misc]
    assert {config: "same"}[EngineConfig(rows=2)] == "same"


def test_parameters_go_by_name_only():
    with pytest.raises(TypeError, match="positional"):
        EngineConfig(4, 4)  # type: ignore[call-arg]


def test_command_line_can_catch_every_error():
    assert issubclass(ConfigError, QcnpeError)


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        ({}, {16: 1, 8: 2, 4: 4, 2: 8}),
        ({"ncu": "gated", "precisions": (16, 12, 8, 4)}, {16: 1, 12: 1, 8: 1, 4: 1}),
        ({"ncu": "plain16", "precisions": (16,)}, {16: 1}),
        ({"ncu": "dsp"}, {16: 1, 8: 2, 4: 4, 2: 8}),
    ],
    ids=["fused", "gated", "plain16", "dsp"],
)
def test_pairs_in_a_lane(values, pairs):
    config = EngineConfig(**values)
    assert {width: config.pairs(width) for width in config.precisions} == pairs


@pytest.mark.parametrize(
    ("fan_in", "precision", "beats"),
    [(1, 16, 1), (6, 16, 6), (1, 2, 1), (8, 2, 1), (9, 2, 2), (25, 4, 7), (25, 8, 13)],
)
def test_beats_of_a_tile(fan_in, precision, beats):
    assert EngineConfig().beats(fan_in, precision) == beats


@pytest.mark.parametrize(
    ("precisions", "narrow", "lane_bits"),
    [
        ((16,), (), 16),
        ((16, 8), (8,), 24),
        ((16, 2), (2,), 24),  # 18 bits, in whole bytes
        ((16, 8, 4, 2), (8, 4, 2), 32),  # 30 bits
    ],
)
def test_result_lane_holds_every_copy(precisions, narrow, lane_bits):
    config = EngineConfig(precisions=precisions)
    assert config.narrow_precisions == narrow
    assert config.result_lane_bits == lane_bits


@pytest.mark.parametrize("cols", [1, 2, 3, 5, 16, 17, 256])
def test_queues_hold_what_a_drain_needs(cols):
    """Results wait for the last row; parameters of the next drain are queued during one."""
    config = EngineConfig(cols=cols)
    assert config.result_depth >= config.rows + cols
    assert config.parameter_depth >= 2 * cols
