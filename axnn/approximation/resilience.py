"""Resilience: what each neuron contributes to the error, from backward passes over a data set.

The paper (S. Venkataramani et al., ISLPED 2014, section 3) propagates the error back through the
trained network with its parameters frozen and averages what arrives at each neuron. Neurons with
a small average are resilient: they tolerate approximation. Further criteria are measured beside it,
all but one of them in the same pass, so that they can be compared.
"""

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from axnn.data import Split
from axnn.nn.layers import FloatArray
from axnn.nn.network import batch_innermost
from axnn.quantisation.quantize import QuantisedLayer, QuantisedNetwork
from axnn.quantisation.sums import NO_NEURON
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError

CRITERIA = ("gradient", "quantisation", "logits", "fisher", "weight", "random")
"""What a neuron can be judged by; a low value means resilient.

gradient : mean of |dE/dy|, y being the neuron's result (the paper)
quantisation : mean of (dE/dz * e)**2 / MACs; z is the pre-activation and e its error at the next
    lower width: the second-order estimate of what lowering it costs, for the work that it saves
logits : the same with the logits' product with random signs in place of E: how far lowering it
    moves the logits, even where the network is so sure that E has no slope; a second backward pass
fisher : mean of (dE/dy * y)**2, the loss when the neuron is removed (L. Theis et al., 2018)
weight : mean of |w|
random : a control
"""

_WITHOUT_PASS = ("weight", "random")

_BATCH = 128
"""Of 64, 128, 256 samples the quickest, since a layer's results stay in the cache."""

Scores = tuple[NDArray[np.float64], ...]
"""One value for each neuron: for each layer (channels, outputs), as in `Precision`."""


def next_width(width: int, config: EngineConfig) -> int:
    """The engine's next lower width, or the width itself if it is the lowest."""
    lower = [narrow for narrow in config.precisions if narrow < width]
    return max(lower, default=width)


def characterize(
    network: QuantisedNetwork,
    split: Split,
    config: EngineConfig,
    *,
    seed: int,
    criteria: Collection[str] = CRITERIA,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Scores]:
    """Every neuron's score by each criterion.

    Parameters
    ----------
    network : at its present precision; its parameters are only read
    split : training samples; they are read once, in batches, so that memory stays bounded
    config : the engine, which says what the next lower width is
    seed : of the random control, and of the logits' signs
    criteria : names out of `CRITERIA`
    progress : called with the number of samples finished so far
    """
    probes = [_Probe(layer, widths, config, criteria) for layer, widths in _layers(network)]
    signs = np.random.default_rng([seed, 1])
    samples = 0 if set(criteria) <= set(_WITHOUT_PASS) else len(split)
    for start in range(0, samples, _BATCH):
        labels = split.labels[start : start + _BATCH]
        logits = network.forward(batch_innermost(split.inputs[start : start + _BATCH]))
        _, gradient = split.task.losses(logits, labels)
        _propagate(network, probes, gradient, _Probe.observe)
        if "logits" in criteria:
            _propagate(
                network,
                probes,
                _random_signs(logits, signs, centred=split.task.ignores_offset),
                _Probe.observe_logits,
            )
        if progress is not None:
            progress(min(start + _BATCH, len(split)))
    rng = np.random.default_rng(seed)
    found = [probe.scores(len(split), rng) for probe in probes]
    return {name: tuple(scores[name] for scores in found) for name in CRITERIA if name in criteria}


def _layers(network: QuantisedNetwork) -> list[tuple[QuantisedLayer, NDArray[np.uint8]]]:
    return list(zip(network.quantised_layers, network.precision, strict=True))


def _random_signs(
    logits: FloatArray, generator: np.random.Generator, *, centred: bool
) -> FloatArray:
    """(classes, batch) random signs, without their mean if a change of all logits has no effect.

    The mean square of a product with random signs is the sum of the squares (M. Hutchinson, A
    stochastic estimator of the trace of the influence matrix, 1990).
    """
    classes, batch = logits.shape
    # Sample by sample: batches of another size have the same signs.
    signs = np.where(generator.random((batch, classes)) < 0.5, -1, 1).astype(logits.dtype).T
    return signs - signs.mean(axis=0) if centred else signs


def _propagate(
    network: QuantisedNetwork,
    probes: "list[_Probe]",
    gradient: FloatArray,
    observe: "Callable[[_Probe, FloatArray], FloatArray]",
) -> None:
    """One backward pass; every layer's probe sees the gradient by its results."""

    def step(index: int, by_results: FloatArray, inputs: bool) -> FloatArray | None:
        by_sums = observe(probes[index], by_results)
        return probes[index].layer.input_gradient(by_sums) if inputs else None

    network.propagate(gradient, step)


class _Probe:
    """Running sums over the samples for the neurons of one layer."""

    def __init__(
        self,
        layer: QuantisedLayer,
        precision: NDArray[np.uint8],
        config: EngineConfig,
        criteria: Collection[str],
    ) -> None:
        self.layer = layer
        self._precision = precision
        self._falls, lower = _lower_widths(precision, config)
        self._lower_sums = layer.sums_at(lower)
        self._change: FloatArray | None = None
        self._sums = {
            name: np.zeros(precision.shape) for name in criteria if name not in _WITHOUT_PASS
        }

    def observe(self, gradient: FloatArray) -> FloatArray:
        """Add a batch, given the gradient of each sample's loss by the layer's results.

        Returns the gradient by the sums, from which the pass goes on.
        """
        results = self.layer.results
        by_results = gradient.reshape(results.shape)
        if "gradient" in self._sums:
            self._sums["gradient"] += np.abs(by_results).sum(axis=2)
        if "fisher" in self._sums:
            self._sums["fisher"] += _squares(by_results * results)
        if self._falls.any() and {"quantisation", "logits"} & set(self._sums):
            self._change = self.layer.change(self._lower_sums)
        return self._observe_change("quantisation", gradient)

    def observe_logits(self, gradient: FloatArray) -> FloatArray:
        """The same for the gradient of the logits' product with random signs, after `observe`."""
        return self._observe_change("logits", gradient)

    def _observe_change(self, name: str, gradient: FloatArray) -> FloatArray:
        by_sums = self.layer.pre_activation_gradient(gradient)
        if self._change is not None and name in self._sums:
            self._sums[name] += _squares(self._change * by_sums) * self._falls
        return by_sums

    def scores(self, samples: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        """Means over all samples, and the criteria that need none."""
        layer = self.layer.layer
        found = {name: total / samples for name, total in self._sums.items()}
        for name in ("quantisation", "logits"):
            if name in found:
                found[name] /= layer.geometry.macs / self._precision.size
        weight = np.abs(layer.operand_weights()).mean(axis=1, dtype=np.float64)
        found["weight"] = np.repeat(weight[:, None], self._precision.shape[1], axis=1)
        found["random"] = rng.random(self._precision.shape)
        return found


def _lower_widths(
    precision: NDArray[np.uint8], config: EngineConfig
) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Which neurons have a lower width, and that width; `NO_NEURON` for the others."""
    lower = np.full_like(precision, NO_NEURON)
    for width in np.unique(precision).tolist():
        if next_width(width, config) < width:
            lower[precision == width] = next_width(width, config)
    return lower != NO_NEURON, lower


def _squares(values: FloatArray) -> FloatArray:
    """(channels, outputs) sums of squares over the batch."""
    return np.einsum("con,con->co", values, values)


def check_criterion(name: str) -> None:
    """Raise `ConfigError` if there is no such criterion."""
    if name not in CRITERIA:
        raise ConfigError(f"criterion must be one of {', '.join(CRITERIA)}, not {name!r}")
