"""Folded weights: rows, and beats that follow from them."""

import numpy as np
import pytest

from qcnpe.folding import fold_groups
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.tiles import tile_group

ENGINE = EngineConfig(rows=2, cols=4)


def unfold(rows, unfolding, width, pairs):
    """Beats of a tile, column by column, as the tables of an autonomous engine define them."""
    found, row = [], 0
    for places, turn, ends in zip(unfolding.places, unfolding.turns, unfolding.ends, strict=True):
        beat = []
        for column in range(rows.shape[1]):
            place, slot = divmod(column, pairs) if unfolding.spread else (column, 0)
            lane = (place + turn) % 16
            word = int(rows[row, lane]) if lane < rows.shape[1] and places >> place & 1 else 0
            if unfolding.spread:
                word &= ((1 << width) - 1) << slot * width
            beat.append(word)
        found.append(beat)
        row += ends
    return np.array(found)


def shifted(kernel, columns):
    """Beats of a kernel in a line whose neighbouring results are columns."""
    beats = np.zeros((len(kernel) + columns - 1, 4), np.uint16)
    for column in range(columns):
        beats[column : column + len(kernel), column] = kernel
    return beats


def test_a_kernel_of_shifted_columns_is_one_row():
    kernels = np.array([[1, 2, 3], [7, 8, 9]])
    groups = [tile_group(shifted(kernel, 3), 16, 3) for kernel in kernels]
    folded = fold_groups(groups, ENGINE)
    for each, group, kernel in zip(folded, groups, kernels, strict=True):
        assert each.rows.shape == (1, 4)
        assert sorted(each.rows[0]) == [0, *kernel]
        np.testing.assert_array_equal(unfold(each.rows, each.unfolding, 16, 1), group.weights)


def test_operands_of_a_word_are_spread_over_columns():
    """Two channels of 8 bit, each in a column, of three words."""
    words = np.array([0x1122, 0x3344, 0x5566], np.uint16)
    beats = np.zeros((3, 4), np.uint16)
    beats[:, 0], beats[:, 1] = words & 0xFF, words & 0xFF00
    (folded,) = fold_groups([tile_group(beats, 8, 2)], ENGINE)
    assert folded.rows.shape == (1, 4)
    assert sorted(folded.rows[0]) == [0, *words]
    np.testing.assert_array_equal(unfold(folded.rows, folded.unfolding, 8, 2), beats)


@pytest.mark.parametrize(
    "beats",
    [
        np.arange(1, 21).reshape(5, 4),
        np.full((3, 4), 5),
        np.array([[1, 2, 0, 0], [0, 0, 0, 0], [2, 1, 0, 0]]),
    ],
    ids=["nothing is equal", "one weight in all columns", "a beat of zeros"],
)
def test_what_cannot_be_folded_stays(beats):
    group = tile_group(beats.astype(np.uint16), 16, 4)
    (folded,) = fold_groups([group], ENGINE)
    assert folded.unfolding is None
    np.testing.assert_array_equal(folded.rows, group.weights)


def test_a_long_kernel_takes_several_rows():
    """Eight weights of one column, in rows of four lanes."""
    beats = np.zeros((8, 4), np.uint16)
    beats[:, 0] = np.arange(1, 9)
    (folded,) = fold_groups([tile_group(beats, 16, 1)], ENGINE)
    assert folded.rows.shape == (2, 4)
    np.testing.assert_array_equal(unfold(folded.rows, folded.unfolding, 16, 1), beats)
