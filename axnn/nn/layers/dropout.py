"""Dropout."""

import numpy as np

from axnn.nn.layers.neuron import FloatArray, Layer, Parameter


class Dropout(Layer):
    """Sets a random share of its inputs to zero while training, and scales the others up.

    Without a generator it passes everything, so that only training drops inputs.

    Source: N. Srivastava et al., Dropout: a simple way to prevent neural networks from
    overfitting, 2014.

    Parameters
    ----------
    share : of the inputs that is dropped, 0 or more and less than 1

    Attributes
    ----------
    generator : where the randomness comes from; None outside training
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.generator: np.random.Generator | None = None
        self._factors: FloatArray | None = None

    @property
    def parameters(self) -> dict[str, Parameter]:
        """None."""
        return {}

    def set_training(self, generator: np.random.Generator | None) -> None:
        """Drop at random by this generator, or, given None, nothing."""
        super().set_training(generator)
        self.generator = generator

    def forward(self, inputs: FloatArray) -> FloatArray:
        """The inputs, some of them dropped."""
        if self.generator is None:
            self._factors = None
            return inputs
        kept = self.generator.random(inputs.shape, np.float32) >= self.share
        self._factors = kept * inputs.dtype.type(1 / (1 - self.share))
        return inputs * self._factors

    def backward(self, gradient: FloatArray, *, inputs: bool = True) -> FloatArray | None:
        """The gradient of what was kept."""
        if not inputs:
            return None
        return gradient if self._factors is None else gradient * self._factors
