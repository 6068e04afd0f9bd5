"""Augmentation: the same samples, moved and mirrored at random, so that a network sees more."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


def shift(
    inputs: NDArray[np.float32], pixels: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Move each sample by up to `pixels` along both axes; what comes in at the edges is zero.

    Parameters
    ----------
    inputs : (samples, channels, height, width)
    pixels : 0 leaves the samples unchanged
    generator : of the distances, all of the same probability
    """
    if pixels == 0:
        return inputs
    height, width = inputs.shape[2:]
    padded = np.pad(inputs, ((0, 0), (0, 0), (pixels,) * 2, (pixels,) * 2))
    windows = sliding_window_view(padded, (height, width), axis=(2, 3))
    top, left = generator.integers(0, 2 * pixels + 1, (2, len(inputs)))
    return windows[np.arange(len(inputs)), :, top, left]


def flip(inputs: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Mirror half of the samples, at random, left to right."""
    mirrored = generator.random(len(inputs)) < 0.5
    return np.where(mirrored[:, None, None, None], inputs[..., ::-1], inputs)
