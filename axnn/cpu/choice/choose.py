"""Which channels are approximated: the least significant first, as long as a bound holds.

The loop is that of the hardware flow (`axnn.approximation.loop`): the error is propagated back to
every channel, the channels are sorted by what their next kind of approximation costs in quality for
the time that it saves, a share of them goes one step down, the network is retrained with the
approximation in place, and the step is kept if the bound holds on the validation part; else it is
taken back and the share halved. Before that one trial replaces all that can be replaced, since
retraining often heals this: then only what is left out remains to be chosen.

Source of the loop: S. Venkataramani et al., AxNN, ISLPED 2014, section 3.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.choice.model import (
    ApproximateLayer,
    ApproximateNetwork,
    absorb,
    fold,
    input_scales,
    line_below,
    next_step,
)
from axnn.cpu.kinds import (
    OMITTED,
    Assignment,
    Kind,
    cost,
    exact_assignment,
    ladder,
    omitted,
    saving,
    uniform_assignment,
)
from axnn.data import DataSet, Split
from axnn.errors import RunError
from axnn.flow.ancestry import Ancestry
from axnn.nn.network import Network, batch_innermost, parameter_types
from axnn.nn.retrain import retrain
from axnn.nn.spec import NetworkSpec
from axnn.nn.train import TrainingPlan, cross_entropy
from qcnpe.spec.documents import Natural, Positive, Share
from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.npz import ArrayType, add_prefix, read_npz, take_prefix, write_npz

CRITERIA = ("replacement", "gradient", "random")
"""What channels are sorted by.

replacement : mean of (dE/dy * change of y)**2, added over the channel's neurons, for the time saved
gradient : mean of |dE/dy| over the channel's neurons (the paper)
random : a control
"""

_KIND = "axnn-cpu-approximation-1"
_BATCH = 256
_SAMPLES = 2048
"""Training samples, drawn at random, that the channels are judged on."""

_FITTED_SAMPLES = 512
"""Training samples, drawn at random, that lines and means are fitted to."""

_FITTING_SEED = 0
"""The same draw for every step, so that steps differ in their channels alone."""

_ROUNDING = 1e-9
"""Slack for the last bit of a fraction, so that a loss of exactly the bound is kept."""

Candidate = tuple[int, int]
"""Layer and channel."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to approximate.

    Attributes
    ----------
    bound_percent : accuracy that may be lost on validation, in points
    retraining : hyper-parameters of the retraining after each step
    criterion : one of `CRITERIA`
    share : of the time that can be saved, how much is tried first after all replacements, 0..1
    trials : at most so many steps, that of all replacements among them
    samples : training samples of an epoch of the retraining; None for all
    """

    bound_percent: float
    retraining: TrainingPlan
    criterion: str = "replacement"
    share: float = 0.5
    trials: int = 12
    samples: int | None = None

    def __post_init__(self) -> None:
        if self.criterion not in CRITERIA:
            raise ConfigError(
                f"criterion must be one of {', '.join(CRITERIA)}, not {self.criterion!r}"
            )
        if not 0 <= self.bound_percent < 100:
            raise ConfigError(f"bound_percent must be 0..100, not {self.bound_percent}")
        if not 0 < self.share <= 1:
            raise ConfigError(f"share must be more than 0 and at most 1, not {self.share}")
        if self.trials < 1:
            raise ConfigError(f"trials must be at least 1, not {self.trials}")


@dataclass(frozen=True)
class Step:
    """One trial of the loop: how many channels went down, what came of it, what it costs."""

    lowered: int
    before_retraining: float
    accuracy: float
    cost: float
    kept: bool


@dataclass(frozen=True, eq=False)
class Approximated:
    """A network and the kind of each of its channels.

    Attributes
    ----------
    network : with the lines of the channels in its parameters
    assignment : the kind of each channel
    scales : of the bytes of each layer's inputs
    steps : the trials that led here
    """

    network: Network
    assignment: Assignment
    scales: tuple[float, ...]
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        # What is wrong here would be an index out of range in the kernels, which check none.
        for index, (layer, steps) in enumerate(
            zip(self.network.neuron_layers, self.assignment, strict=True)
        ):
            kinds = len(ladder(self.network, index))
            if steps.shape != (layer.geometry.channels,) or not (steps < kinds).all():
                raise ConfigError(f"kinds of layer {index} must be one below {kinds} a channel")
        if len(self.scales) != len(self.assignment) or not all(
            0 < scale < np.inf for scale in self.scales
        ):
            raise ConfigError("scales must be a positive number a layer")

    @classmethod
    def exact(cls, network: Network, data: DataSet) -> "Approximated":
        """The network as it was trained."""
        scales = input_scales(network, data.train.inputs)
        return cls(network, exact_assignment(network), scales)

    def model(self) -> ApproximateNetwork:
        """What computes in numpy what the kernels compute; it shares the parameters."""
        return ApproximateNetwork(self.network, self.assignment, self.scales)

    @property
    def cost(self) -> float:
        """Time of a sample, in multiply-accumulates of the float32 kernels."""
        return cost(self.network, self.assignment)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Parameters and kinds, as files hold them."""
        kinds = {str(index): steps for index, steps in enumerate(self.assignment)}
        return add_prefix("value.", self.network.state()) | add_prefix("kinds.", kinds)

    @classmethod
    def of_arrays(
        cls,
        network: Network,
        arrays: Mapping[str, NDArray[Any]],
        scales: tuple[float, ...],
        *,
        where: Path,
    ) -> "Approximated":
        """Inverse of `arrays`, which come from the file `where`; the network takes the parameters.

        `FormatError` if they do not fit.
        """
        network.set_state(take_prefix("value.", arrays))
        kinds = take_prefix("kinds.", arrays)
        assignment = tuple(kinds[str(index)] for index in range(len(network.neuron_layers)))
        try:
            return cls(network, assignment, scales)
        except ConfigError as error:
            raise FormatError(f"{where}: {error}; delete it") from error

    def save(self, path: Path, made_from: Ancestry) -> None:
        """Write it to a file, with all that it was made from."""
        write_npz(path, _KIND, _Header(self.scales, self.steps, made_from), self.arrays())

    @classmethod
    def load(cls, path: Path, network: Network) -> tuple["Approximated", Ancestry]:
        """What `save` wrote, in a copy of the network; and what it was made from."""
        header, arrays = read_npz(path, _KIND, _Header, lambda _: array_types(network.spec))
        own = cls.of_arrays(deepcopy(network), arrays, header.scales, where=path)
        return replace(own, steps=header.steps), header.made_from


def array_types(spec: NetworkSpec) -> dict[str, ArrayType]:
    """What files must hold for `Approximated.of_arrays`."""
    kinds = {
        str(index): ArrayType(np.uint8, (geometry.channels,))
        for index, geometry in enumerate(spec.geometries)
    }
    return add_prefix("value.", parameter_types(spec.parameter_shapes)) | add_prefix(
        "kinds.", kinds
    )


@dataclass(frozen=True)
class _Header:
    """What a file says about an approximated network besides its arrays."""

    scales: tuple[Positive, ...]
    steps: tuple[Step, ...]
    made_from: Ancestry


def scores(
    subject: Approximated, split: Split, criterion: str, *, seed: int
) -> tuple[NDArray[np.float64], ...]:
    """Every channel's score for its next step down; infinite where there is none."""
    model = subject.model()
    used = split.draw(_SAMPLES, seed=seed)
    probes: list[_Probe] = []
    for start in range(0, len(used), _BATCH):
        inputs = batch_innermost(used.inputs[start : start + _BATCH])
        probes = _observe(subject, model, inputs, used.labels[start : start + _BATCH], probes)
    rng = np.random.default_rng(seed)
    return tuple(probe.score(criterion, rng) for probe in probes)


def _observe(
    subject: Approximated,
    model: ApproximateNetwork,
    inputs: NDArray[Any],
    labels: NDArray[np.int64],
    probes: "list[_Probe]",
) -> "list[_Probe]":
    """One batch forward and back; the first one makes the probes."""
    layer_inputs = []
    values = inputs
    for layer in model.layers:
        layer_inputs.append(values)
        values = layer.forward(values)
    if not probes:
        probes = [_Probe(subject, model, index) for index in range(len(model.approximate_layers))]
    _, gradient = cross_entropy(values, labels)
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
        kinds, steps = ladder(subject.network, index), subject.assignment[index]
        self._lowered, self._movable = next_step(self._layer, kinds, steps)
        self._saved = _savings(subject, index)
        self._change = np.zeros(len(steps))
        self._gradient = np.zeros(len(steps))

    def observe(self, inputs: NDArray[Any], gradient: NDArray[Any]) -> None:
        """Add a batch, given the layer's inputs and the gradient by its results."""
        results = self._layer.results
        assert results is not None
        by_results = gradient.reshape(results.shape)
        changed = self._lowered.forward(inputs).reshape(results.shape)
        self._change += np.square(by_results * (changed - results)).sum(axis=(1, 2))
        self._gradient += np.abs(by_results).mean(axis=1).sum(axis=1)

    def score(self, criterion: str, rng: np.random.Generator) -> NDArray[np.float64]:
        """The scores of the channels that can go down, infinity for the others."""
        found = {
            "replacement": self._change / np.maximum(self._saved, 1e-9),
            "gradient": self._gradient,
            "random": rng.random(len(self._change)),
        }[criterion]
        score = np.full(len(found), np.inf)
        worth = self._movable[self._saved[self._movable] > 0]
        score[worth] = found[worth]
        return score


def _savings(subject: Approximated, index: int) -> NDArray[np.float64]:
    """(channels,) what a step down of each channel saves; 0 if it cannot or must not go down."""
    network, assignment = subject.network, subject.assignment
    gone = omitted(network, assignment, index)
    steps, last = assignment[index], len(ladder(network, index)) - 1
    by_step = {
        int(step): saving(network, assignment, index, int(np.argmax((steps == step) & ~gone)))
        for step in np.unique(steps[~gone])
        if step < last
    }
    saved = np.array([by_step.get(int(step), 0.0) for step in steps])
    saved[gone] = 0
    if (~gone).sum() == 1 and ladder(network, index)[-1] == OMITTED:
        saved[steps == last - 1] = 0  # the last channel stays
    return saved


def lower_channels(subject: Approximated, chosen: list[Candidate], data: DataSet) -> Approximated:
    """The network, a copy, with these channels one step down; lines folded, scales anew."""
    network = deepcopy(subject.network)
    model = Approximated(network, subject.assignment, subject.scales).model()
    fitted = data.train.draw(_FITTED_SAMPLES, seed=_FITTING_SEED)
    model.forward(batch_innermost(fitted.inputs))
    assignment = tuple(steps.copy() for steps in subject.assignment)
    for index, steps in enumerate(assignment):
        kinds = ladder(network, index)
        channels = np.array([c for layer, c in chosen if layer == index], np.intp)
        leaving = channels[steps[channels] + 1 == _omitted_step(kinds)]
        if len(leaving) and len(leaving) == (steps < _omitted_step(kinds)).sum():
            channels = channels[channels != leaving[-1]]  # the most significant one stays
        if not len(channels):
            continue
        lines = line_below(model.approximate_layers[index], kinds, steps)
        for line, members in lines:
            fold(network.neuron_layers[index], line, np.intersect1d(members, channels))
        steps[channels] += 1
        _omit(model, network, index, channels[steps[channels] == _omitted_step(kinds)])
    lowered = Approximated(network, assignment, subject.scales, subject.steps)
    return replace(lowered, scales=input_scales(lowered.model(), data.train.inputs))


def replace_everywhere(subject: Approximated, data: DataSet) -> Approximated:
    """Every channel replaced as far as it can be without being omitted, and not yet retrained."""
    wanted = uniform_assignment(subject.network, np.iinfo(np.uint8).max)
    while True:
        chosen = [
            (layer, channel)
            for layer, steps in enumerate(subject.assignment)
            for channel in np.flatnonzero(steps < wanted[layer]).tolist()
        ]
        if not chosen:
            return subject
        subject = lower_channels(subject, chosen, data)


def _omitted_step(kinds: tuple[Kind, ...]) -> int:
    return kinds.index(OMITTED) if OMITTED in kinds else len(kinds)


def _omit(
    model: ApproximateNetwork, network: Network, index: int, channels: NDArray[np.intp]
) -> None:
    """Let the layer that reads these channels have their means in its biases."""
    results = model.approximate_layers[index].results
    if len(channels) and results is not None:
        absorb(network.neuron_layers[index + 1], results.mean(axis=2), channels)


def approximate(
    start: Approximated,
    data: DataSet,
    plan: Plan,
    *,
    floor: float,
    seed: int,
    state: Path | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Approximated:
    """Approximate as far as the accuracy on validation stays at `floor` or above.

    The same seed gives the same result, also when a run is interrupted and taken up again.

    Parameters
    ----------
    start : where to start from: the exact network, or the result for a tighter bound
    data : its training part is fitted, its validation part decides; its test part is not read
    plan : how
    floor : lowest accuracy that is kept, a fraction
    seed : of the retraining and of the random criterion
    state : file that is written after each step and, if it exists, taken up from
    on_step : called after each step, also for those that a state file brought
    """
    loop = _Loop(start, data, plan, floor, seed)
    if state is not None and state.exists():
        loop.restore(state)
    if on_step is not None:
        for step in loop.steps:
            on_step(step)
    while len(loop.steps) < plan.trials and loop.trial():
        if state is not None:
            loop.save(state)
        if on_step is not None:
            on_step(loop.steps[-1])
    return replace(loop.subject, steps=tuple(loop.steps))


class _Loop:
    """All that the loop must remember from step to step."""

    def __init__(
        self, start: Approximated, data: DataSet, plan: Plan, floor: float, seed: int
    ) -> None:
        self.subject = start
        self.data = data
        self.plan = plan
        self.floor = floor
        self.seed = seed
        self.share = plan.share
        self.steps: list[Step] = []
        self.frozen: set[Candidate] = set()

    def _step_seed(self) -> int:
        return int(np.random.SeedSequence([self.seed, len(self.steps)]).generate_state(1)[0])

    def trial(self) -> bool:
        """Lower channels, retrain, keep it or take it back; False if nothing can go down."""
        if not self.steps:
            everywhere = replace_everywhere(self.subject, self.data)
            if everywhere.cost < self.subject.cost:
                self._judge(everywhere)
                return True
        candidates = self._candidates()
        if not candidates:
            return False
        chosen = take_share(candidates, self.share)
        kept = self._judge(lower_channels(self.subject, chosen, self.data))
        if not kept and len(chosen) == 1:
            self.frozen.add(chosen[0])
        elif not kept:
            self.share = self.share / 2
        return True

    def _candidates(self) -> list[tuple[Candidate, float]]:
        """Channels that can go down, the least significant first, and the time each saves."""
        found = scores(self.subject, self.data.train, self.plan.criterion, seed=self._step_seed())
        return [
            entry for entry in sort_candidates(self.subject, found) if entry[0] not in self.frozen
        ]

    def _judge(self, lowered: Approximated) -> bool:
        """Retrain; take the network for the present one if the bound holds."""
        before, quality = heal(lowered, self.data, self.plan, seed=self._step_seed())
        kept = quality >= self.floor - _ROUNDING
        pairs = zip(self.subject.assignment, lowered.assignment, strict=True)
        count = sum(int((old != new).sum()) for old, new in pairs)
        self.steps.append(Step(count, before, quality, lowered.cost, kept))
        if kept:
            self.subject = lowered
        return kept

    def _identity(self) -> "_Identity":
        return _Identity(self.plan, self.seed, self.floor, self.data.digest)

    def save(self, path: Path) -> None:
        """Write everything to the state file."""
        header = _State(
            scales=self.subject.scales,
            steps=tuple(self.steps),
            identity=self._identity(),
            share=self.share,
            frozen=tuple(sorted(self.frozen)),
        )
        write_npz(path, _KIND, header, self.subject.arrays())

    def restore(self, path: Path) -> None:
        """Take everything from a state file."""
        network = self.subject.network

        def layout(header: _State) -> dict[str, ArrayType]:
            if header.identity != self._identity():
                raise RunError(f"{path}: of a run with another plan, data or seed; delete it")
            return array_types(network.spec)

        header, arrays = read_npz(path, _KIND, _State, layout)
        own = deepcopy(network)
        self.subject = Approximated.of_arrays(own, arrays, header.scales, where=path)
        self.steps, self.share = list(header.steps), header.share
        self.frozen = set(header.frozen)


@dataclass(frozen=True)
class _Identity:
    """What a run that goes on must have in common with the one that was interrupted."""

    plan: Plan
    seed: int
    floor: float
    data: str


@dataclass(frozen=True, kw_only=True)
class _State:
    """What a state file says besides its arrays."""

    scales: tuple[Positive, ...]
    steps: tuple[Step, ...]
    identity: _Identity
    share: Share
    frozen: tuple[tuple[Natural, Natural], ...]


def sort_candidates(
    subject: Approximated, found: tuple[NDArray[np.float64], ...]
) -> list[tuple[Candidate, float]]:
    """Channels with a finite score, the lowest first, and the time that a step down saves each."""
    entries = []
    for index, score in enumerate(found):
        saved = _savings(subject, index)
        for channel in np.flatnonzero(np.isfinite(score)).tolist():
            entry = ((index, channel), float(saved[channel]))
            entries.append((float(score[channel]), entry))
    return [entry for _, entry in sorted(entries)]


def take_share(candidates: list[tuple[Candidate, float]], share: float) -> list[Candidate]:
    """The first candidates that together save this share of what all could save; at least one."""
    wanted = share * sum(saved for _, saved in candidates)
    chosen: list[Candidate] = []
    total = 0.0
    for candidate, saved in candidates:
        if chosen and total + saved > wanted * (1 + _ROUNDING):
            break
        chosen.append(candidate)
        total += saved
    return chosen


def heal(subject: Approximated, data: DataSet, plan: Plan, *, seed: int) -> tuple[float, float]:
    """Retrain in place, see `axnn.nn.retrain`; returns the accuracies before and after."""
    used = data if plan.samples is None else _part(data, plan.samples, seed)
    return retrain(subject.model(), used, plan.retraining, seed=seed)


def _part(data: DataSet, samples: int, seed: int) -> DataSet:
    """The data with a random part of the training samples."""
    chosen = np.random.default_rng(seed).permutation(len(data.train))[:samples]
    return replace(data, train=Split(data.train.inputs[chosen], data.train.labels[chosen]))
