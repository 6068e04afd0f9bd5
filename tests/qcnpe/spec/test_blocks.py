"""Blocks cover each neuron once, with its own width, and read what the geometry says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.blocks import operand_rows, width_blocks
from tests.qcnpe.networks import geometries

SEEDS = st.integers(0, 2**32 - 1)


@given(geometries(), SEEDS)
def test_each_neuron_is_in_one_block_of_its_width_and_group(geometry, seed):
    shape = (geometry.channels, geometry.outputs)
    precision = np.random.default_rng(seed).choice(np.array([16, 8, 4, 2], np.uint8), shape)
    found = np.zeros_like(precision)
    for block in width_blocks(precision, geometry.groups):
        assert {geometry.group_of(channel) for channel in block.channels.tolist()} == {block.group}
        found[np.ix_(block.channels, block.outputs)] += np.uint8(block.width)
    assert np.array_equal(found, precision)


def test_outputs_with_the_same_channels_are_one_block():
    precision = np.array([[16, 8, 16, 8], [16, 8, 16, 4]], np.uint8)
    blocks = [
        (block.width, block.channels.tolist(), block.outputs.tolist())
        for block in width_blocks(precision, 1)
    ]
    assert sorted(blocks) == [
        (4, [1], [3]),
        (8, [0], [3]),
        (8, [0, 1], [1]),
        (16, [0, 1], [0, 2]),
    ]


@pytest.mark.parametrize("groups", [1, 3])
def test_one_width_is_one_block_a_group(groups):
    assert len(width_blocks(np.full((6, 5), 8, np.uint8), groups)) == groups


@given(geometries(), SEEDS)
def test_rows_are_the_geometrys_operands(geometry, seed):
    precision = np.full((geometry.channels, geometry.outputs), 8, np.uint8)
    precision[:, : geometry.outputs // 2] = 4
    rng = np.random.default_rng(seed)
    values = np.append(rng.random(geometry.inputs), 0)
    for block in width_blocks(precision, geometry.groups):
        found = values[operand_rows(geometry, block)]
        for place, output in enumerate(block.outputs):
            expected = values[geometry.gather[block.group, output]].T
            part = slice(place * geometry.window, (place + 1) * geometry.window)
            assert np.array_equal(found[:, part], expected)
