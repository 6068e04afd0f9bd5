"""Batch normalisation: training brings each channel's sums to mean zero and variance one.

Source: S. Ioffe and C. Szegedy, Batch normalization, 2015.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from axnn.nn.layers.neuron import FloatArray, Parameter, SourceLayer

_EPSILON = 1e-5
_MOMENTUM = 0.1
"""Share of a batch's statistics in the running ones."""

_BLOCK_BYTES = 1 << 19
"""Size of the sums of the channels that are normalised at once, so that they stay in the cache."""


@dataclass(frozen=True)
class _Saved:
    """What the backward pass needs: what the layer saved, and how its sums were normalised.

    `normalised` is None outside training, where the statistics are constants.
    """

    layer: Any
    factor: FloatArray
    normalised: FloatArray | None
    per_deviation: FloatArray


class BatchNorm(SourceLayer):
    """A dense layer or convolution whose sums are normalised over the batch.

    Where the layer has a pooling window, the largest sums are normalised. The factor is the
    magnitude of `gain`: it never changes the order of the sums, so that the folded layer has its
    largest sum at the same place. The layer's own bias does what is usually a parameter of the
    normalisation.

    Parameters
    ----------
    layer : whose sums are normalised; its weights and bias are those of this layer

    Attributes
    ----------
    gain : factor of each channel
    mean, variance : running statistics of each channel; outside training they take the place of the
        batch's; no gradient changes them
    """

    def __init__(self, layer: SourceLayer) -> None:
        super().__init__(
            name=layer.name,
            geometry=layer.geometry,
            function=layer.function,
            weights=layer.weights.value,
            bias=layer.bias.value,
        )
        self.layer = layer
        channels, kind = layer.bias.value.shape, layer.bias.value.dtype
        self.gain = Parameter(np.ones(channels, kind), decays=False)
        self.mean = Parameter(np.zeros(channels, kind), decays=False)
        self.variance = Parameter(np.ones(channels, kind), decays=False)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Those of the layer, the gain and the running statistics."""
        own = {"gain": self.gain, "mean": self.mean, "variance": self.variance}
        return {**super().parameters, **own}

    def folded(self) -> dict[str, FloatArray]:
        """Weights and bias with which the layer alone computes the same as outside training."""
        factor = np.abs(self.gain.value) / _deviations(self.variance.value)
        return {
            "weights": self.weights.value * factor[:, None],
            "bias": self.bias.value - self.mean.value * factor,
        }

    def sums(self, inputs: FloatArray, weights: FloatArray) -> tuple[FloatArray, Any]:
        """The layer's sums, normalised."""
        found, kept = self.layer.sums(inputs, weights)
        gain = np.abs(self.gain.value)
        if not self.training:
            per_deviation = 1 / _deviations(self.variance.value)
            factor = gain * per_deviation
            found -= self.mean.value[:, None, None]
            found *= factor[:, None, None]
            return found, _Saved(kept, factor, None, per_deviation)
        results, per_deviation = np.empty_like(found), np.empty_like(gain)
        for block in _channel_blocks(found):
            per_deviation[block] = self._normalise(found[block], block)
            np.multiply(found[block], gain[block, None, None], out=results[block])
        return results, _Saved(kept, gain * per_deviation, found, per_deviation)

    def _normalise(self, values: FloatArray, block: slice) -> FloatArray:
        """Normalise the sums of some channels in place; one over their standard deviations."""
        count = values[0].size
        mean = values.mean(axis=(1, 2))
        values -= mean[:, None, None]
        variance = _products(values, values) / count
        per_deviation: FloatArray = 1 / _deviations(variance)
        values *= per_deviation[:, None, None]
        unbiased = variance * (count / max(count - 1, 1))
        for running, latest in ((self.mean, mean), (self.variance, unbiased)):
            running.value[block] += _MOMENTUM * (latest - running.value[block])
        return per_deviation

    def sum_gradients(
        self,
        gradient: FloatArray,
        weights: FloatArray,
        saved: Any,
        *,
        inputs: bool = True,
        own: bool = True,
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Back through the normalisation, then through the layer; the gain's gradient is set."""
        if saved.normalised is None:
            by_sums = gradient * saved.factor[:, None, None]
        else:
            by_sums = np.empty_like(gradient)
            for block in _channel_blocks(gradient):
                self._by_sums(gradient, saved, block, by_sums)
        return self.layer.sum_gradients(by_sums, weights, saved.layer, inputs=inputs, own=own)

    def _by_sums(
        self, gradient: FloatArray, saved: _Saved, block: slice, by_sums: FloatArray
    ) -> None:
        """The gradient by the sums of some channels, and by their gains."""
        assert saved.normalised is not None
        given, normalised = gradient[block], saved.normalised[block]
        count = given[0].size
        by_factor = _products(given, normalised)
        self.gain.gradient[block] = by_factor * np.sign(self.gain.value[block])
        found = np.multiply(normalised, (by_factor / -count)[:, None, None], out=by_sums[block])
        found += given
        found -= given.mean(axis=(1, 2))[:, None, None]
        found *= saved.factor[block, None, None]


def _deviations(variance: FloatArray) -> FloatArray:
    """(channels,) standard deviations, kept from zero."""
    found: FloatArray = np.sqrt(variance + variance.dtype.type(_EPSILON))
    return found


def _products(left: FloatArray, right: FloatArray) -> FloatArray:
    """(channels,) sums of products of two (channels, outputs, batch)."""
    found: FloatArray = np.einsum("con,con->c", left, right)
    return found


def _channel_blocks(values: FloatArray) -> Iterator[slice]:
    """The channels, a few at a time."""
    step = max(1, _BLOCK_BYTES // max(values[0].nbytes, 1))
    for start in range(0, len(values), step):
        yield slice(start, start + step)
