"""The AxNN loop, whatever is lowered: the least significant first, as long as a bound holds.

A target says what can be lowered and in which order, what a lowered network computes, and what it
costs. All units are sorted by their score; the least significant share of them goes one level
down; the network is retrained with the approximation in place; the accuracy on the validation part
decides whether the trial is kept. A trial whose retraining has nearly restored the accuracy is
retrained again: taking it back would waste what it gained. A trial that fails is taken back, and
the share is halved. A unit that fails alone keeps its level. The loop ends when no unit can be
lowered.

Source of the loop: S. Venkataramani et al., AxNN, ISLPED 2014, section 3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from axnn.data import DataSet, Split
from axnn.nn.train import Epoch, TrainingPlan
from qcnpe.spec.errors import ConfigError

_ROUNDING = 1e-9
"""Slack for the last bit of a fraction, so that a loss of exactly the bound is kept."""

OnEpoch = Callable[[Epoch], None]

Levels = tuple[NDArray[np.uint8], ...]
"""The level of every member: one array for each layer, as the target numbers its members."""

Frozen = tuple[NDArray[np.bool_], ...]
"""What must keep its level: arrays of the same shapes."""


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """How to search.

    Attributes
    ----------
    bound_percent : accuracy that may be lost on validation, in percentage points
    retraining : hyper-parameters of the retraining in each trial
    criterion : what units are sorted by, one that the target knows
    share : of what can be lowered, how much the first trial lowers, 0..1
    smallest_share : of everything, how much a trial lowers at least; when so little fails, it keeps
        its level; at 0 only a unit that fails alone does
    samples : training samples drawn anew for each trial, which it characterises and retrains with;
        None: all
    rounds : how often a trial is retrained at most; again while the bound does not hold, but the
        last time gained as much as is still missing, or more
    trials : how many trials at most; None: until nothing can be lowered
    """

    bound_percent: float
    retraining: TrainingPlan
    criterion: str
    share: float = 0.5
    smallest_share: float = 0.0
    samples: int | None = None
    rounds: int = 1
    trials: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.bound_percent < 100:
            raise ConfigError(f"bound_percent must be 0..100, not {self.bound_percent}")
        if not 0 < self.share <= 1:
            raise ConfigError(f"share must be more than 0 and at most 1, not {self.share}")
        if not 0 <= self.smallest_share <= self.share:
            raise ConfigError(f"smallest_share must be 0..share, not {self.smallest_share}")
        for name in ("samples", "rounds", "trials"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}")


@dataclass(frozen=True, eq=False)
class Unit:
    """What is lowered together.

    Attributes
    ----------
    layer : index of the layer
    members : flat indices into the layer's array of levels
    size : what shares are counted in, such as neurons, or the time that lowering it saves
    score : how significant it is; a low one is lowered early
    """

    layer: int
    members: NDArray[np.intp]
    size: float
    score: float


@dataclass(frozen=True)
class Outcome:
    """What became of a trial; a target adds what the network costs.

    Attributes
    ----------
    number : counted from the first trial of the search
    share : of what could be lowered that was to be
    lowered : members that were lowered
    before_retraining, accuracy : fraction right on validation
    kept : whether the bound held
    rounds : how often the trial was retrained
    stage : what the trial is part of; `lower` is the loop
    """

    number: int
    share: float
    lowered: int
    before_retraining: float
    accuracy: float
    kept: bool
    rounds: int
    stage: str = "lower"


Point = TypeVar("Point")
Trial = TypeVar("Trial")
Record = TypeVar("Record", covariant=True)


class Target(Protocol[Point, Record]):
    """What the loop searches: a family of networks (points) from exact to fully lowered."""

    @property
    def size(self) -> float:
        """Of everything that could ever be lowered, counted as the units' sizes are."""

    def opening(self, point: Point) -> Point | None:
        """What the first trial tries before any units are sorted, if there is such a thing."""

    def score(self, point: Point, frozen: Frozen, train: Split, *, seed: int) -> list[Unit]:
        """The units that can be lowered, the least significant first."""

    def take(self, units: Sequence[Unit], share: float) -> list[Unit]:
        """The first units that make up this share of all, as near as whole units come to it."""

    def lower(self, point: Point, units: Sequence[Unit]) -> Point:
        """A new point with these units one level down, not yet retrained."""

    def levels(self, point: Point) -> Levels:
        """The level of every member of the point."""

    def retrain(self, point: Point, data: DataSet, *, seed: int, on_epoch: OnEpoch | None) -> Point:
        """The point with its weights retrained, the approximation in place."""

    def accuracy(self, point: Point) -> float:
        """Fraction right on validation, of the network as it will be used."""

    def cost(self, point: Point, outcome: Outcome) -> Record:
        """The record of a trial: its outcome, and what the network costs."""


@dataclass
class Progress(Generic[Point, Trial]):
    """All that a search remembers from trial to trial.

    Attributes
    ----------
    point : the last network that was kept
    frozen : what keeps its level
    share : that the next trial begins with
    trials : so far
    """

    point: Point
    frozen: Frozen
    share: float
    trials: list[Trial]


def nothing_frozen(levels: Levels) -> Frozen:
    """For the start of a search: no member must keep its level."""
    return tuple(np.zeros(layer.shape, np.bool_) for layer in levels)


def _count_changes(before: Levels, after: Levels) -> int:
    """How many members differ in their level."""
    pairs = zip(before, after, strict=True)
    return sum(int((old != new).sum()) for old, new in pairs)


def draw_part(data: DataSet, samples: int | None, *, seed: int) -> DataSet:
    """The data with so many of the training samples, drawn by the seed; None: all."""
    return replace(data, train=data.train.draw(samples, seed=seed))


def take_share(units: Sequence[Unit], share: float) -> list[Unit]:
    """The first units that together hold this share of all the units' size, or more."""
    sizes = np.cumsum([unit.size for unit in units])
    wanted = share * sizes[-1] * (1 - _ROUNDING)
    return list(units[: int(np.searchsorted(sizes, wanted)) + 1])


def take_within_share(units: Sequence[Unit], share: float) -> list[Unit]:
    """At least one unit; the first ones that together hold this share of all, or less."""
    sizes = np.cumsum([unit.size for unit in units])
    wanted = share * sizes[-1] * (1 + _ROUNDING)
    return list(units[: max(1, int(np.searchsorted(sizes, wanted, side="right")))])


class Search(Generic[Point, Trial]):
    """A search that can be interrupted between any two trials.

    Parameters
    ----------
    target : what is searched
    data : its training part is fitted, its validation part decides; its test part is not read
    plan : how
    floor : lowest accuracy that is kept, a fraction
    seed : of the retraining, of the samples drawn and of random criteria
    progress : where the search begins or goes on
    """

    def __init__(
        self,
        target: Target[Point, Trial],
        data: DataSet,
        plan: SearchPlan,
        *,
        floor: float,
        seed: int,
        progress: Progress[Point, Trial],
    ) -> None:
        self.target = target
        self.data = data
        self.plan = plan
        self.floor = floor
        self.seed = seed
        self.progress = progress

    def run(
        self,
        *,
        save: Callable[[], None],
        on_trial: Callable[[Trial], None],
        on_epoch: OnEpoch | None = None,
    ) -> None:
        """Make trials until nothing can be lowered or the plan's trials are used up.

        Parameters
        ----------
        save : called after each new trial, to keep the progress
        on_trial : called for each trial that the progress already holds, then after each new one,
            when it is saved
        on_epoch : called after each epoch of a retraining
        """
        for trial in tuple(self.progress.trials):
            on_trial(trial)
        while self.try_next(on_epoch):
            save()
            on_trial(self.progress.trials[-1])

    def try_next(self, on_epoch: OnEpoch | None) -> bool:
        """Make one trial; False if there is none to make."""
        progress = self.progress
        if self.plan.trials is not None and len(progress.trials) >= self.plan.trials:
            return False
        opening = None if progress.trials else self.target.opening(progress.point)
        if opening is not None:
            self.judge(opening, 1.0, on_epoch)
            return True
        train = self.draw(0).train
        units = self.target.score(progress.point, progress.frozen, train, seed=self.seed_of(0))
        if not units:
            return False
        share = max(progress.share, self._smallest_share(units))
        chosen = self.target.take(units, share)
        if not self.judge(self.target.lower(progress.point, chosen), share, on_epoch):
            self._back_off(units, chosen)
        return True

    def judge(
        self, lowered: Point, share: float, on_epoch: OnEpoch | None, *, stage: str = "lower"
    ) -> bool:
        """Retrain, record the trial, and take the network for the present one if it is kept."""
        target = self.target
        qualities = [target.accuracy(lowered)]
        present = lowered
        while self._is_worth_a_round(qualities):
            round_ = len(qualities) - 1
            present = target.retrain(
                present, self.draw(round_), seed=self.seed_of(round_), on_epoch=on_epoch
            )
            qualities.append(target.accuracy(present))
        return self.record(present, qualities, share=share, stage=stage)

    def record(
        self, present: Point, qualities: Sequence[float], *, share: float = 1.0, stage: str
    ) -> bool:
        """Record a trial, and take its network for the present one if the bound holds.

        Parameters
        ----------
        present : the network after its retraining
        qualities : accuracies before retraining and after each round
        share : of what could be lowered that was to be
        stage : what the trial is part of
        """
        progress, target = self.progress, self.target
        outcome = Outcome(
            number=len(progress.trials),
            share=share,
            lowered=_count_changes(target.levels(progress.point), target.levels(present)),
            before_retraining=qualities[0],
            accuracy=qualities[-1],
            kept=self.holds(qualities[-1]),
            rounds=len(qualities) - 1,
            stage=stage,
        )
        progress.trials.append(target.cost(present, outcome))
        if outcome.kept:
            progress.point = present
        return outcome.kept

    def holds(self, quality: float) -> bool:
        """Whether an accuracy holds the bound."""
        return quality >= self.floor - _ROUNDING

    def _is_worth_a_round(self, qualities: list[float]) -> bool:
        """Whether to retrain, given the accuracies before and after the rounds so far."""
        rounds = len(qualities) - 1
        if rounds == 0:
            return True
        if rounds == self.plan.rounds or self.holds(qualities[-1]):
            return False
        return qualities[-1] - qualities[-2] >= self.floor - qualities[-1]

    def _back_off(self, units: list[Unit], failed: list[Unit]) -> None:
        """Try half as much next time, and at least one unit less; what is indivisible stays."""
        progress = self.progress
        if len(failed) == 1 or progress.share <= self._smallest_share(units):
            for unit in failed:
                progress.frozen[unit.layer].reshape(-1)[unit.members] = True
            return
        tried, movable = (sum(unit.size for unit in each) for each in (failed, units))
        # Half a neuron less than without the last unit, since a share is rounded up to whole units.
        without_last = (tried - failed[-1].size - 0.5) / movable
        progress.share = min(progress.share / 2, tried / movable / 2, without_last)

    def _smallest_share(self, units: list[Unit]) -> float:
        """The plan's smallest share of everything as one of what can be lowered."""
        movable = sum(unit.size for unit in units)
        return min(1.0, self.plan.smallest_share * self.target.size / movable)

    def seed_of(self, round_: int) -> int:
        """A seed of the coming trial, so that a resumed search needs no generator's state."""
        entropy = [self.seed, len(self.progress.trials), round_]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def draw(self, round_: int) -> DataSet:
        """What the coming trial characterises, and retrains with in one of its rounds."""
        return draw_part(self.data, self.plan.samples, seed=self.seed_of(round_))
