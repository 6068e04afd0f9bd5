"""Moved and mirrored samples, by hand."""

import numpy as np

from axnn.nn.augmentation import flip, shift

SAMPLES = np.arange(1, 1 + 400 * 2 * 3 * 4, dtype=np.float32).reshape(400, 2, 3, 4)


def moved(sample: np.ndarray, down: int, right: int) -> np.ndarray:
    """The sample moved, pixel by pixel."""
    found = np.zeros_like(sample)
    for row in range(3):
        for column in range(4):
            if 0 <= row - down < 3 and 0 <= column - right < 4:
                found[:, row, column] = sample[:, row - down, column - right]
    return found


def test_every_shift_in_range_happens_and_no_other():
    shifted = shift(SAMPLES, 1, np.random.default_rng(0))
    seen = set()
    for sample, result in zip(SAMPLES, shifted, strict=True):
        matches = [
            (down, right)
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
            if np.array_equal(moved(sample, down, right), result)
        ]
        assert len(matches) == 1
        seen |= set(matches)
    assert len(seen) == 9


def test_no_shift_is_no_copy():
    assert shift(SAMPLES, 0, np.random.default_rng(0)) is SAMPLES


def test_about_half_are_mirrored_and_the_rest_are_not():
    flipped = flip(SAMPLES, np.random.default_rng(0))
    mirrored = [
        np.array_equal(result, sample[..., ::-1])
        for sample, result in zip(SAMPLES, flipped, strict=True)
    ]
    same = [np.array_equal(r, s) for s, r in zip(SAMPLES, flipped, strict=True)]
    assert np.logical_xor(mirrored, same).all()
    assert 160 < sum(mirrored) < 240
