"""The AxNN loop: lower the least significant neurons, retrain, keep what holds the bound.

The unit that goes down is a tile (`axnn.approximation.tiles`), since the engine computes a tile at
one precision.
All neurons are sorted by their score; the least significant share of them, rounded up to whole
tiles, goes one width down; scales are recalibrated; the network is retrained with the approximation
in place; the integer network decides on the validation part whether the step is kept. A step that
the retraining has nearly healed is retrained again: it would be a waste to take it back. A step
that fails is taken back and the share halved. A tile that fails alone stays where it is. The loop
ends when no tile can go down.

Source of the loop: S. Venkataramani et al., AxNN, ISLPED 2014, section 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.resilience import characterize, check_criterion
from axnn.approximation.tiles import UNITS, Frozen, Tile, form_layers, form_tiles, lower, take_share
from axnn.data import DataSet, Split
from axnn.errors import RunError
from axnn.nn.network import Network
from axnn.nn.retrain import retrain
from axnn.nn.train import Epoch, TrainingPlan, accuracy
from axnn.quantisation.quantize import (
    LayerScale,
    Precision,
    QuantisedNetwork,
    Scales,
    calibrate,
    to_integers,
    uniform_precision,
)
from axnn.quantisation.scales import ScaleDocument
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.documents import Share
from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.inference import infer
from qcnpe.spec.npz import ArrayType, add_prefix, read_npz, take_prefix, write_npz
from qcnpe.spec.qnet import QuantNet

_STATE_KIND = "axnn-approximation-1"

Array = TypeVar("Array", bound=NDArray[Any])

_ROUNDING = 1e-9
"""Slack for the last bit of a fraction, so that a loss of exactly the bound is kept."""


@dataclass(frozen=True, kw_only=True)
class ApproximationPlan:
    """How to approximate.

    Attributes
    ----------
    bound_percent : accuracy that may be lost against the exact 16-bit network, in points, on
        validation
    retraining : hyper-parameters of the retraining after each step
    criterion : what neurons are sorted by, one of `resilience.CRITERIA`
    share : of the neurons that can go down, how many do in the first step, 0..1
    smallest_share : of all neurons, how many go down in a step at least; when so few fail, they
        stay where they are; at 0 only a tile that fails alone does
    unit : what goes down together, one of `tiles.UNITS`
    samples : training samples drawn anew for each step, which it characterises and retrains with;
        None: all
    rounds : how often a step is retrained at most; again while the bound does not hold, but the
        last time brought as much as is still missing, or more
    """

    bound_percent: float
    retraining: TrainingPlan
    criterion: str = "quantisation"
    share: float = 0.5
    smallest_share: float = 0.0
    unit: str = "tile"
    samples: int | None = None
    rounds: int = 1

    def __post_init__(self) -> None:
        check_criterion(self.criterion)
        if not 0 <= self.bound_percent < 100:
            raise ConfigError(f"bound_percent must be 0..100, not {self.bound_percent}")
        if not 0 < self.share <= 1:
            raise ConfigError(f"share must be more than 0 and at most 1, not {self.share}")
        if not 0 <= self.smallest_share <= self.share:
            raise ConfigError(f"smallest_share must be 0..share, not {self.smallest_share}")
        if self.unit not in UNITS:
            raise ConfigError(f"unit must be {' or '.join(UNITS)}, not {self.unit!r}")
        if self.samples is not None and self.samples < 1:
            raise ConfigError(f"samples must be at least 1, not {self.samples}")
        if self.rounds < 1:
            raise ConfigError(f"rounds must be at least 1, not {self.rounds}")


@dataclass(frozen=True)
class Step:
    """One trial of the loop.

    Attributes
    ----------
    number : counted from 0, the exact network
    share : of the movable neurons that was to go down
    lowered : neurons that went down, in whole tiles
    before_retraining, accuracy : fraction right on validation, of the integer network
    events : what happens in the engine for `event_counter.PROGRAM_BATCH` samples
    histogram : neurons by width
    kept : whether the bound held
    rounds : how often it was retrained
    """

    number: int
    share: float
    lowered: int
    before_retraining: float
    accuracy: float
    events: dict[str, int]
    histogram: dict[str, int]
    kept: bool
    rounds: int


@dataclass(frozen=True, eq=False)
class Approximation:
    """The result of the loop.

    Attributes
    ----------
    plan : how it was done
    exact, axnn : the networks in integers, before and after
    steps : all trials, in order, the first one the exact network
    """

    plan: ApproximationPlan
    exact: QuantNet
    axnn: QuantNet
    steps: tuple[Step, ...]

    @property
    def last_kept(self) -> Step:
        """The step that gave the approximate network."""
        return [step for step in self.steps if step.kept][-1]


def histogram(precision: Precision) -> dict[str, int]:
    """Number of neurons by width, widest first."""
    widths, counts = np.unique(
        np.concatenate([entry.reshape(-1) for entry in precision]), return_counts=True
    )
    pairs = zip(widths[::-1].tolist(), counts[::-1].tolist(), strict=True)
    return {str(width): count for width, count in pairs}


def integer_accuracy(net: QuantNet, split: Split) -> float:
    """Fraction of a split that the network in integers classifies right."""
    return accuracy(infer(net, net.quantize_inputs(split.inputs)), split.labels)


def approximate(
    network: Network,
    data: DataSet,
    plan: ApproximationPlan,
    counter: EventCounter,
    *,
    seed: int,
    state: Path | None = None,
    start: Path | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Approximation:
    """Approximate a trained network; it ends with the weights of the last step that was kept.

    The same seed gives the same result, also when a run is interrupted and taken up again.

    Parameters
    ----------
    network : the trained network
    data : its training part is fitted, its validation part decides; its test part is not read
    plan : how
    counter : the engine, whose widths and tiles are used, and what counts its events
    seed : of the retraining and of the random criterion
    state : file that is written after each step and, if it exists, taken up from
    start : state file of a run under a tighter bound, from whose last network this one goes on
    on_step : called after each step, also for those that a state file brought
    on_epoch : called after each epoch of a retraining
    """
    loop = _Loop(network, data, plan, counter, seed)
    if state is not None and state.exists():
        loop.restore(state)
    elif start is not None:
        loop.go_on_from(start)
    else:
        loop.begin()
    if on_step is not None:
        for step in loop.steps:
            on_step(step)
    while tiles := loop.tiles():
        loop.trial(tiles, on_epoch)
        if state is not None:
            loop.save(state)
        if on_step is not None:
            on_step(loop.steps[-1])
    if state is not None and not state.exists():
        loop.save(state)
    return loop.result()


class _Loop:
    """All that the loop must remember from step to step."""

    def __init__(
        self,
        network: Network,
        data: DataSet,
        plan: ApproximationPlan,
        counter: EventCounter,
        seed: int,
    ) -> None:
        self.network = network
        self.data = data
        self.plan = plan
        self.counter = counter
        self.config = counter.config
        self.seed = seed
        self.precision = uniform_precision(network, OPERAND_BITS)
        self.scales = self._calibrate(self.precision)
        self.frozen: Frozen = tuple(np.zeros(p.shape, np.bool_) for p in self.precision)
        self.exact = to_integers(network, self.scales, self.precision, self.config)
        self.share = plan.share
        self.steps: list[Step] = []

    def _calibrate(self, precision: Precision) -> Scales:
        return calibrate(self.network, self.data.train.inputs, precision, self.config)

    def begin(self) -> None:
        """Record the exact network as step 0."""
        quality = integer_accuracy(self.exact, self.data.validation)
        self.steps.append(
            Step(
                number=0,
                share=0.0,
                lowered=0,
                before_retraining=quality,
                accuracy=quality,
                events=self.counter.count(self.exact),
                histogram=histogram(self.precision),
                kept=True,
                rounds=0,
            )
        )

    @property
    def floor(self) -> float:
        """The lowest accuracy that holds the bound."""
        return self.steps[0].accuracy - self.plan.bound_percent / 100

    def tiles(self) -> list[Tile]:
        """Tiles that can still go down, the least significant first."""
        lowest = min(self.config.precisions)
        movable = any(
            ((widths > lowest) & ~frozen).any()
            for widths, frozen in zip(self.precision, self.frozen, strict=True)
        )
        if not movable:
            return []
        model = QuantisedNetwork(self.network, self.scales, self.precision, self.config)
        split = self._step_data().train
        name = self.plan.criterion
        scores = characterize(model, split, self.config, seed=self._step_seed(), criteria=(name,))
        chosen = scores[name]
        if self.plan.unit == "layer":
            return form_layers(chosen, self.precision, self.frozen, self.config)
        geometries = [layer.geometry for layer in self.network.neuron_layers]
        return form_tiles(chosen, self.precision, self.frozen, geometries, self.config)

    def _step_seed(self, round_: int = 0) -> int:
        """A seed for the coming step, so that a run that is taken up needs no generator's state."""
        entropy = [self.seed, len(self.steps), round_]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def _share(self, tiles: list[Tile]) -> float:
        """How many of the tiles' neurons are to go down in the coming step."""
        return max(self.share, self._smallest_share(tiles))

    def _smallest_share(self, tiles: list[Tile]) -> float:
        """The plan's smallest share of all neurons as one of those that can go down."""
        neurons = sum(widths.size for widths in self.precision)
        movable = sum(len(tile.neurons) for tile in tiles)
        return min(1.0, self.plan.smallest_share * neurons / movable)

    def _step_data(self, round_: int = 0) -> DataSet:
        """What the coming step characterises, and retrains with in one of its rounds."""
        train = self.data.train
        if self.plan.samples is None or self.plan.samples >= len(train):
            return self.data
        rng = np.random.default_rng([self.seed, len(self.steps), round_])
        drawn = np.sort(rng.choice(len(train), self.plan.samples, replace=False))
        return replace(self.data, train=Split(train.inputs[drawn], train.labels[drawn]))

    def trial(self, tiles: list[Tile], on_epoch: Callable[[Epoch], None] | None) -> None:
        """Lower a share of the tiles, retrain, and keep it or take it back."""
        share = self._share(tiles)
        chosen = take_share(tiles, share)
        precision = lower(self.precision, chosen, self.config)
        before = self.network.state()
        scales = self._calibrate(precision)
        unhealed = to_integers(self.network, scales, precision, self.config)
        qualities = [integer_accuracy(unhealed, self.data.validation)]
        while self._is_worth_a_round(qualities):
            self._retrain(scales, precision, len(qualities) - 1, on_epoch)
            healed = to_integers(self.network, scales, precision, self.config)
            qualities.append(integer_accuracy(healed, self.data.validation))
        kept = self._holds(qualities[-1])
        self.steps.append(
            Step(
                number=len(self.steps),
                share=share,
                lowered=sum(len(tile.neurons) for tile in chosen),
                before_retraining=qualities[0],
                accuracy=qualities[-1],
                events=self.counter.count(healed),
                histogram=histogram(precision),
                kept=kept,
                rounds=len(qualities) - 1,
            )
        )
        if kept:
            self.precision, self.scales = precision, scales
        else:
            self.network.set_state(before)
            self._back_off(tiles, chosen)

    def _holds(self, quality: float) -> bool:
        """Whether an accuracy holds the bound."""
        return quality >= self.floor - _ROUNDING

    def _is_worth_a_round(self, qualities: list[float]) -> bool:
        """Whether to retrain, given the accuracies before and after the rounds so far."""
        rounds = len(qualities) - 1
        if rounds == 0:
            return True
        if rounds == self.plan.rounds or self._holds(qualities[-1]):
            return False
        return qualities[-1] - qualities[-2] >= self.floor - qualities[-1]

    def _retrain(
        self,
        scales: Scales,
        precision: Precision,
        round_: int,
        on_epoch: Callable[[Epoch], None] | None,
    ) -> None:
        model = QuantisedNetwork(self.network, scales, precision, self.config)
        retrain(
            model,
            self._step_data(round_),
            self.plan.retraining,
            seed=self._step_seed(round_),
            on_epoch=on_epoch,
        )

    def _back_off(self, tiles: list[Tile], failed: list[Tile]) -> None:
        """Try half as much next time, and at least one tile less; what cannot be divided stays."""
        if len(failed) == 1 or self.share <= self._smallest_share(tiles):
            for tile in failed:
                self.frozen[tile.layer].reshape(-1)[tile.neurons] = True
            return
        tried = sum(len(tile.neurons) for tile in failed)
        movable = sum(len(tile.neurons) for tile in tiles)
        # Half a neuron less, since a share is rounded up to whole tiles.
        without_last = (tried - len(failed[-1].neurons) - 0.5) / movable
        self.share = min(self.share / 2, tried / movable / 2, without_last)

    def result(self) -> Approximation:
        """The outcome so far."""
        net = to_integers(self.network, self.scales, self.precision, self.config)
        return Approximation(
            plan=self.plan,
            exact=self.exact,
            axnn=net,
            steps=tuple(self.steps),
        )

    def _identity(self) -> "_Identity":
        return _Identity(self.plan, self.seed, self.data.digest, self.config)

    def save(self, path: Path) -> None:
        """Write everything to the state file."""
        arrays = (
            add_prefix("value.", self.network.state())
            | add_prefix("precision.", _numbered(self.precision))
            | add_prefix("frozen.", _numbered(self.frozen))
        )
        header = _State(
            identity=self._identity(),
            share=self.share,
            steps=tuple(self.steps),
            scales=tuple(scale.document() for scale in self.scales),
        )
        write_npz(path, _STATE_KIND, header, arrays)

    def restore(self, path: Path) -> None:
        """Take everything from a state file; the exact network stays that of the start."""

        def check(theirs: _Identity) -> None:
            if theirs != self._identity():
                raise RunError(
                    f"{path}: of a run with another plan, engine, data or seed; delete it"
                )

        self._take(path, check)

    def go_on_from(self, path: Path) -> None:
        """Take network, precision and steps from a run under a tighter bound; all may go down."""

        def check(theirs: _Identity) -> None:
            if replace(theirs, plan=self.plan) != self._identity():
                raise RunError(f"{path}: of a run with another engine, data or seed; delete it")
            if theirs.plan.bound_percent > self.plan.bound_percent:
                raise RunError(f"{path}: of a run under a looser bound; start from a tighter one")

        self._take(path, check)
        self.share = self.plan.share
        for frozen in self.frozen:
            frozen[...] = False

    def _take(self, path: Path, check: "Callable[[_Identity], None]") -> None:
        """Take everything from a state file whose identity `check` does not refuse."""

        def layout(header: _State) -> dict[str, ArrayType]:
            check(header.identity)
            shapes = {name: widths.shape for name, widths in _numbered(self.precision).items()}
            return (
                add_prefix("value.", self.network.state_types())
                | add_prefix("precision.", {n: ArrayType(np.uint8, s) for n, s in shapes.items()})
                | add_prefix("frozen.", {n: ArrayType(np.bool_, s) for n, s in shapes.items()})
            )

        header, arrays = read_npz(path, _STATE_KIND, _State, layout)
        precision = take_prefix("precision.", arrays)
        self._check_widths(path, header, precision)
        self.network.set_state(take_prefix("value.", arrays))
        self.precision = tuple(precision.values())
        self.frozen = tuple(take_prefix("frozen.", arrays).values())
        self.scales = tuple(LayerScale.from_document(entry) for entry in header.scales)
        self.steps, self.share = list(header.steps), header.share

    def _check_widths(
        self, path: Path, header: "_State", precision: Mapping[str, NDArray[np.uint8]]
    ) -> None:
        allowed = self.config.precisions
        if not all(np.isin(widths, allowed).all() for widths in precision.values()):
            raise FormatError(f"{path}: holds widths that the engine does not have; delete it")
        channels = [layer.geometry.channels for layer in self.network.neuron_layers]
        if len(header.scales) != len(channels) or not all(
            scale.fits(count, allowed) for scale, count in zip(header.scales, channels, strict=True)
        ):
            raise FormatError(f"{path}: its scales are those of another network; delete it")


def _numbered(arrays: tuple[Array, ...]) -> dict[str, Array]:
    """The arrays of the layers by the layers' numbers."""
    return {str(index): array for index, array in enumerate(arrays)}


@dataclass(frozen=True)
class _Identity:
    """What a run that goes on must have in common with the one that was interrupted."""

    plan: ApproximationPlan
    seed: int
    data: str
    engine: EngineConfig


@dataclass(frozen=True)
class _State:
    """What a state file says besides its arrays."""

    identity: _Identity
    share: Share
    steps: tuple[Step, ...]
    scales: tuple[ScaleDocument, ...]

    def __post_init__(self) -> None:
        numbers = [step.number for step in self.steps]
        if not numbers or numbers != list(range(len(numbers))) or not self.steps[0].kept:
            raise FormatError("its steps are not in order; delete it")
