"""Chooses the channels to approximate: the least significant first, as long as a bound holds.

The loop is `axnn.approximation.search`. Its first trial replaces everything that can be replaced,
since retraining often restores the accuracy; then only the channels to omit remain to be chosen.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from axnn.approximation.search import (
    Frozen,
    Levels,
    OnEpoch,
    Outcome,
    Progress,
    Search,
    SearchPlan,
    Unit,
    draw_part,
    nothing_frozen,
    take_within_share,
)
from axnn.cpu.choice.approximated import CHOICE_KIND, Approximated, KindTrial, array_types
from axnn.cpu.choice.lowering import lower_channels, replace_everywhere
from axnn.cpu.choice.scoring import CRITERIA, scores, sort_channels
from axnn.data import DataSet, Split
from axnn.errors import RunError
from axnn.nn.retrain import retrain
from axnn.nn.train import validate
from qcnpe.spec.documents import Natural, Positive, Share
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.npz import ArrayType, read_npz, write_npz


@dataclass(frozen=True, kw_only=True)
class Plan(SearchPlan):
    """How to approximate for an ordinary processor; see `SearchPlan`.

    Attributes
    ----------
    criterion : one of `scoring.CRITERIA`
    trials : most trials, including the one that replaces everything
    """

    criterion: str = "replacement"
    trials: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.criterion not in CRITERIA:
            raise ConfigError(
                f"criterion must be one of {', '.join(CRITERIA)}, not {self.criterion!r}"
            )


class KindTarget:
    """Networks for an ordinary processor, from exact channels down to channels left out.

    Parameters
    ----------
    start : the network that the search begins with
    data : its training part fits lines and scales, its validation part judges
    plan : the criterion and the retraining
    """

    def __init__(self, start: Approximated, data: DataSet, plan: Plan) -> None:
        self._data = data
        self._plan = plan
        self.size = start.cost

    def opening(self, point: Approximated) -> Approximated | None:
        """The point with everything replaced that can be, if that saves time."""
        everywhere = replace_everywhere(point, self._data)
        return everywhere if everywhere.cost < point.cost else None

    def score(self, point: Approximated, frozen: Frozen, train: Split, *, seed: int) -> list[Unit]:
        """Channels that can be lowered, the least significant first."""
        found = scores(point, train, self._plan.criterion, seed=seed)
        return [
            unit
            for unit in sort_channels(point, found)
            if not frozen[unit.layer][unit.members].any()
        ]

    def take(self, units: Sequence[Unit], share: float) -> list[Unit]:
        """At least one channel, and as many as save at most this share of the time."""
        return take_within_share(units, share)

    def lower(self, point: Approximated, units: Sequence[Unit]) -> Approximated:
        """A copy of the network with these channels lowered by one level."""
        return lower_channels(point, units, self._data)

    def levels(self, point: Approximated) -> Levels:
        """The kind of each channel, as an index into its ladder."""
        return point.assignment

    def retrain(
        self, point: Approximated, data: DataSet, *, seed: int, on_epoch: OnEpoch | None
    ) -> Approximated:
        """A copy of the network, retrained with the approximation in place."""
        own = replace(point, network=deepcopy(point.network))
        retrain(own.model(), data, self._plan.retraining, seed=seed, on_epoch=on_epoch)
        return own

    def accuracy(self, point: Approximated) -> float:
        """Fraction of the validation part that is classified right."""
        return validate(point.model(), self._data.validation)[1]

    def cost(self, point: Approximated, outcome: Outcome) -> KindTrial:
        """The trial's record with the time of a sample."""
        return KindTrial(
            lowered=outcome.lowered,
            before_retraining=outcome.before_retraining,
            accuracy=outcome.accuracy,
            cost=point.cost,
            kept=outcome.kept,
        )


def approximate(
    start: Approximated,
    data: DataSet,
    plan: Plan,
    *,
    floor: float,
    seed: int,
    state: Path | None = None,
    on_trial: Callable[[KindTrial], None] | None = None,
) -> Approximated:
    """Approximate as far as the accuracy on validation stays at `floor` or above.

    The same seed gives the same result, also when a run is interrupted and resumed.

    Parameters
    ----------
    start : the exact network, or the result for a tighter bound
    data : its training part is fitted, its validation part decides; its test part is not read
    plan : how
    floor : lowest accuracy that is kept, a fraction
    seed : of the retraining and of the random criterion
    state : file that is written after each trial and, if it exists, resumed from
    on_trial : called after each trial, also for those that a state file holds
    """
    identity = _Identity(plan, seed, floor, data.digest, start.network.digest)
    if state is not None and state.exists():
        progress = _resume(state, identity, start)
    else:
        frozen = nothing_frozen(start.assignment)
        progress = Progress(point=start, frozen=frozen, share=plan.share, trials=[])

    def save() -> None:
        if state is not None:
            _save(state, identity, progress)

    def tell(trial: KindTrial) -> None:
        if on_trial is not None:
            on_trial(trial)

    target = KindTarget(start, data, plan)
    search = Search(target, data, plan, floor=floor, seed=seed, progress=progress)
    search.run(save=save, on_trial=tell)
    return replace(progress.point, trials=tuple(progress.trials))


def retrain_part(
    subject: Approximated, data: DataSet, plan: Plan, *, seed: int
) -> tuple[float, float]:
    """Retrain in place with the plan's number of samples; accuracies before and after."""
    used = draw_part(data, plan.samples, seed=seed)
    return retrain(subject.model(), used, plan.retraining, seed=seed)


@dataclass(frozen=True)
class _Identity:
    """What a resumed run must have in common with the interrupted one."""

    plan: Plan
    seed: int
    floor: float
    data: str
    network: str


@dataclass(frozen=True, kw_only=True)
class _State:
    """Contents of a state file besides its arrays; `frozen` holds (layer, channel)."""

    scales: tuple[Positive, ...]
    steps: tuple[KindTrial, ...]
    identity: _Identity
    share: Share
    frozen: tuple[tuple[Natural, Natural], ...]


def _save(path: Path, identity: _Identity, progress: Progress[Approximated, KindTrial]) -> None:
    """Write everything to the state file."""
    header = _State(
        scales=progress.point.scales,
        steps=tuple(progress.trials),
        identity=identity,
        share=progress.share,
        frozen=tuple(
            (layer, channel)
            for layer, fixed in enumerate(progress.frozen)
            for channel in np.flatnonzero(fixed).tolist()
        ),
    )
    write_npz(path, CHOICE_KIND, header, progress.point.arrays())


def _resume(
    path: Path, identity: _Identity, start: Approximated
) -> Progress[Approximated, KindTrial]:
    """Progress of an interrupted run of the same identity."""

    def layout(header: _State) -> dict[str, ArrayType]:
        if header.identity != identity:
            raise RunError(f"{path}: of a run with another plan, data, network or seed; delete it")
        return array_types(start.network.spec)

    header, arrays = read_npz(path, CHOICE_KIND, _State, layout)
    point = Approximated.of_arrays(deepcopy(start.network), arrays, header.scales, where=path)
    frozen = nothing_frozen(point.assignment)
    for layer, channel in header.frozen:
        if layer >= len(frozen) or channel >= len(frozen[layer]):
            raise RunError(f"{path}: its channels are those of another network; delete it")
        frozen[layer][channel] = True
    return Progress(point=point, frozen=frozen, share=header.share, trials=list(header.steps))
