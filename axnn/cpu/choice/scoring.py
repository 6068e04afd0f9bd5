"""Scores of how significant each channel is, for lowering it by one level."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.search import Unit
from axnn.cpu.choice.approximated import Approximated
from axnn.cpu.choice.model import ApproximateLayer, ApproximateNetwork, one_level_down
from axnn.cpu.kinds import OMITTED, ladder, omitted, saving
from axnn.data import Split
from axnn.data.task import Labels, Task
from axnn.nn.network import batch_innermost

CRITERIA = ("replacement", "gradient", "random")
"""What channels are sorted by; E is the loss, y the result of a neuron.

replacement : mean of (dE/dy * change of y)**2, summed over the channel's neurons and divided by the
    time saved
gradient : mean of |dE/dy| over the channel's neurons (the paper)
random : a control
"""

_BATCH = 256
_SAMPLES = 2048
"""Number of training samples, drawn at random, on which channels are scored."""


def scores(
    subject: Approximated, split: Split, criterion: str, *, seed: int
) -> tuple[NDArray[np.float64], ...]:
    """Score of lowering each channel by one level; infinite if it cannot be lowered."""
    model = subject.model()
    used = split.draw(_SAMPLES, seed=seed)
    probes: list[_Probe] = []
    for start in range(0, len(used), _BATCH):
        inputs = batch_innermost(used.inputs[start : start + _BATCH])
        labels = used.labels[start : start + _BATCH]
        probes = _observe(subject, model, inputs, labels, used.task, probes)
    rng = np.random.default_rng(seed)
    return tuple(probe.score(criterion, rng) for probe in probes)


def _observe(
    subject: Approximated,
    model: ApproximateNetwork,
    inputs: NDArray[Any],
    labels: Labels,
    task: Task,
    probes: "list[_Probe]",
) -> "list[_Probe]":
    """One batch forward and backward; the first batch makes the probes."""
    layer_inputs = []
    values = inputs
    for layer in model.layers:
        layer_inputs.append(values)
        values = layer.forward(values)
    if not probes:
        probes = [_Probe(subject, model, index) for index in range(len(model.approximate_layers))]
    _, gradient = task.losses(values, labels)
    waiting = list(probes)
    for number in range(len(model.layers) - 1, -1, -1):
        layer = model.layers[number]
        if isinstance(layer, ApproximateLayer):
            waiting.pop().observe(layer_inputs[number], gradient)
        back = layer.backward(gradient, inputs=number > 0)
        if back is not None:
            gradient = back
    return probes


class _Probe:
    """Running sums over samples for the channels of one layer."""

    def __init__(self, subject: Approximated, model: ApproximateNetwork, index: int) -> None:
        self._layer = model.approximate_layers[index]
        kinds, levels = ladder(subject.network, index), subject.assignment[index]
        self._lowered, self._movable = one_level_down(self._layer, kinds, levels)
        self._saved = savings(subject, index)
        self._change = np.zeros(len(levels))
        self._gradient = np.zeros(len(levels))

    def observe(self, inputs: NDArray[Any], gradient: NDArray[Any]) -> None:
        """Add a batch, given the layer's inputs and the gradient by its results."""
        results = self._layer.results
        assert results is not None
        by_results = gradient.reshape(results.shape)
        changed = self._lowered.forward(inputs).reshape(results.shape)
        self._change += np.square(by_results * (changed - results)).sum(axis=(1, 2))
        self._gradient += np.abs(by_results).mean(axis=1).sum(axis=1)

    def score(self, criterion: str, rng: np.random.Generator) -> NDArray[np.float64]:
        """The scores of the channels that can be lowered, infinity for the others."""
        found = {
            "replacement": self._change / np.maximum(self._saved, 1e-9),
            "gradient": self._gradient,
            "random": rng.random(len(self._change)),
        }[criterion]
        score = np.full(len(found), np.inf)
        worth = self._movable[self._saved[self._movable] > 0]
        score[worth] = found[worth]
        return score


def savings(subject: Approximated, index: int) -> NDArray[np.float64]:
    """(channels,) time that lowering each channel by one level saves; 0 if it cannot be lowered."""
    network, assignment = subject.network, subject.assignment
    gone = omitted(network, assignment, index)
    levels, last = assignment[index], len(ladder(network, index)) - 1
    by_level = {
        int(level): saving(network, assignment, index, int(np.argmax((levels == level) & ~gone)))
        for level in np.unique(levels[~gone])
        if level < last
    }
    saved = np.array([by_level.get(int(level), 0.0) for level in levels])
    saved[gone] = 0
    if (~gone).sum() == 1 and ladder(network, index)[-1] == OMITTED:
        saved[levels == last - 1] = 0  # the last channel stays
    return saved


def channel_unit(layer: int, channel: int, *, size: float = 1.0, score: float = 0.0) -> Unit:
    """A channel as a unit of the loop."""
    return Unit(layer, np.array([channel], np.intp), size, score)


def sort_channels(subject: Approximated, found: tuple[NDArray[np.float64], ...]) -> list[Unit]:
    """Channels with a finite score as units, the lowest first; the size is the time saved."""
    units = []
    for index, score in enumerate(found):
        saved = savings(subject, index)
        for channel in np.flatnonzero(np.isfinite(score)).tolist():
            size, value = float(saved[channel]), float(score[channel])
            units.append(channel_unit(index, channel, size=size, score=value))
    return sorted(units, key=lambda unit: (unit.score, unit.layer, unit.members[0]))
