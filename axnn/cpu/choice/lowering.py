"""Networks with channels lowered by one level, before any retraining."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.search import Unit
from axnn.cpu.chain import chain_of
from axnn.cpu.choice.approximated import Approximated
from axnn.cpu.choice.model import ApproximateNetwork, absorb, fold, input_scales, line_below
from axnn.cpu.choice.scoring import channel_unit
from axnn.cpu.kinds import OMITTED, Kind, ladder, uniform_assignment
from axnn.data import DataSet
from axnn.nn.network import Network, batch_innermost

_FITTED_SAMPLES = 512
"""Number of training samples, drawn at random, that lines and means are fitted to."""

_FITTING_SEED = 0
"""The draw is the same for every trial, so that trials differ in their channels only."""


def lower_channels(subject: Approximated, chosen: Sequence[Unit], data: DataSet) -> Approximated:
    """A copy with these channels lowered by one level, lines folded and scales recomputed."""
    network = deepcopy(subject.network)
    model = Approximated(network, subject.assignment, subject.scales).model()
    fitted = data.train.draw(_FITTED_SAMPLES, seed=_FITTING_SEED)
    model.forward(batch_innermost(fitted.inputs))
    assignment = tuple(levels.copy() for levels in subject.assignment)
    for index, levels in enumerate(assignment):
        kinds = ladder(network, index)
        channels = np.array([u.members[0] for u in chosen if u.layer == index], np.intp)
        leaving = channels[levels[channels] + 1 == _omitted_level(kinds)]
        if len(leaving) and len(leaving) == (levels < _omitted_level(kinds)).sum():
            channels = channels[channels != leaving[-1]]  # the most significant one stays
        if not len(channels):
            continue
        lines = line_below(model.approximate_layers[index], kinds, levels)
        for line, members in lines:
            fold(chain_of(network)[index], line, np.intersect1d(members, channels))
        levels[channels] += 1
        _omit(model, network, index, channels[levels[channels] == _omitted_level(kinds)])
    lowered = Approximated(network, assignment, subject.scales, subject.trials)
    return replace(lowered, scales=input_scales(lowered.model(), data.train.inputs))


def replace_everywhere(subject: Approximated, data: DataSet) -> Approximated:
    """Every channel at the last level at which it is computed, not yet retrained."""
    wanted = uniform_assignment(subject.network, np.iinfo(np.uint8).max)
    while chosen := [
        channel_unit(layer, channel)
        for layer, levels in enumerate(subject.assignment)
        for channel in np.flatnonzero(levels < wanted[layer]).tolist()
    ]:
        subject = lower_channels(subject, chosen, data)
    return subject


def _omitted_level(kinds: tuple[Kind, ...]) -> int:
    return kinds.index(OMITTED) if OMITTED in kinds else len(kinds)


def _omit(
    model: ApproximateNetwork, network: Network, index: int, channels: NDArray[np.intp]
) -> None:
    """Add the means of these channels to the biases of the layer that reads them."""
    results = model.approximate_layers[index].results
    if len(channels) and results is not None:
        absorb(chain_of(network)[index + 1], results.mean(axis=2), channels)
