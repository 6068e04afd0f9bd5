"""Draws: the requested number, each item once, determined by the seed, uniform."""

import numpy as np
import pytest

from qcnpe.spec.draws import draw


@pytest.mark.parametrize("count", [0, 1, 7, 99])
def test_draw_has_as_many_different_things(count):
    found = draw(100, count, seed=3)
    assert len(set(found.tolist())) == len(found) == count
    assert set(found.tolist()) <= set(range(100))
    assert draw(100, count, seed=3).tolist() == found.tolist()


def test_another_seed_draws_others():
    assert draw(100, 10, seed=1).tolist() != draw(100, 10, seed=2).tolist()


@pytest.mark.parametrize("count", [None, 5, 6])
def test_all_are_taken_in_their_order_where_no_fewer_are_asked_for(count):
    assert draw(5, count, seed=1).tolist() == [0, 1, 2, 3, 4]


def test_every_part_of_a_draw_comes_from_everywhere():
    """An item is among the first ten of thirty drawn out of 100 with a probability of 1/10."""
    hits = np.zeros(100)
    for seed in range(2000):
        hits[draw(100, 30, seed=seed)[:10]] += 1
    # Binomial with a mean of 200 and a standard deviation of 13: five of them for 100 things.
    assert np.abs(hits - 200).max() < 5 * 13.5
