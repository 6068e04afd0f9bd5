"""One approximation: a search for an engine, its progress in a file, and what it found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.search import OnEpoch, Outcome, Progress, Search, nothing_frozen
from axnn.approximation.state import (
    Identity,
    continue_tighter,
    read_end,
    resume,
    save_state,
)
from axnn.approximation.widths import ApproximationPlan, Trial, WidthPoint, WidthTarget
from axnn.data import DataSet
from axnn.nn.network import Network
from qcnpe.spec.qnet import QuantNet

OnTrial = Callable[[Trial], None]


@dataclass(frozen=True, eq=False)
class Approximation:
    """The result of the loop.

    Attributes
    ----------
    plan : how it was done
    exact, axnn : the networks in integers, before and after
    trials : all trials, in order, the first one the exact network
    """

    plan: ApproximationPlan
    exact: QuantNet
    axnn: QuantNet
    trials: tuple[Trial, ...]

    @property
    def last_kept(self) -> Trial:
        """The trial that gave the approximate network."""
        return _last_kept(self.trials)

    @property
    def passes(self) -> float:
        """Over the whole training part, in all retrainings."""
        return sum(trial.passes for trial in self.trials)


@dataclass(frozen=True, eq=False)
class Beginning:
    """A network that a loop may begin with.

    Attributes
    ----------
    point : the network
    trial : that gave it
    """

    point: WidthPoint
    trial: Trial

    @classmethod
    def of(cls, progress: Progress[WidthPoint, Trial]) -> "Beginning":
        """Where a search has ended."""
        return cls(progress.point, _last_kept(progress.trials))


def _last_kept(trials: Sequence[Trial]) -> Trial:
    """The trial that gave the present network."""
    return next(trial for trial in reversed(trials) if trial.kept)


class Session:
    """A search that is saved after each trial, and resumed.

    Parameters
    ----------
    network, data, plan, counter, seed, state, start, on_trial, on_epoch : see
        `axnn.approximation.loop.approximate`
    """

    def __init__(
        self,
        network: Network,
        data: DataSet,
        plan: ApproximationPlan,
        counter: EventCounter,
        *,
        seed: int,
        state: Path | None,
        start: Path | None = None,
        on_trial: OnTrial | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> None:
        self.target = WidthTarget(network, data, plan, counter)
        self.plan = plan
        self.on_epoch = on_epoch
        self.identity = Identity(plan, seed, data.digest, counter.config, network.digest)
        self._network = network
        self._state = state
        self._on_trial = on_trial
        exact = self.target.exact
        if state is not None and state.exists():
            progress = resume(state, self.identity, exact)
        elif start is not None:
            progress = continue_tighter(start, self.identity, exact)
        else:
            progress = self._begin()
        floor = progress.trials[0].accuracy - plan.bound_percent / 100
        self.search = Search(self.target, data, plan, floor=floor, seed=seed, progress=progress)
        for trial in progress.trials:
            self.tell(trial)

    @property
    def progress(self) -> Progress[WidthPoint, Trial]:
        """Where the search is."""
        return self.search.progress

    def read_beginning(self, path: Path) -> Beginning:
        """Where the run of a state file ended, under a bound that is no looser."""
        return Beginning.of(read_end(path, self.identity, self.target.exact))

    def _begin(self) -> Progress[WidthPoint, Trial]:
        """A search that has only seen the exact network, its trial 0."""
        exact = self.target.exact
        quality = self.target.accuracy(exact)
        outcome = Outcome(
            number=0,
            share=0.0,
            lowered=0,
            before_retraining=quality,
            accuracy=quality,
            kept=True,
            rounds=0,
            stage="exact",
        )
        return Progress(
            point=exact,
            frozen=nothing_frozen(exact.precision),
            share=self.plan.share,
            trials=[self.target.cost(exact, outcome)],
        )

    def save(self) -> None:
        """Write the state file."""
        if self._state is not None:
            save_state(self._state, self.identity, self.progress)

    def tell(self, trial: Trial) -> None:
        """Report a trial; the network takes the weights of the last one that was kept."""
        self._network.set_state(self.progress.point.network.state())
        if self._on_trial is not None:
            self._on_trial(trial)

    def commit(self) -> None:
        """Save and report the latest trial."""
        self.save()
        self.tell(self.progress.trials[-1])

    def lower_all(self) -> None:
        """The loop, until nothing can be lowered or the plan's failures are used up."""
        while not self._has_failed() and self.search.try_next(self.on_epoch):
            self.commit()

    def _has_failed(self) -> bool:
        """Whether as many trials of the loop, one after another, failed as the plan allows."""
        failures, trials = self.plan.failures, self.progress.trials
        if failures is None or len(trials) < failures:
            return False
        return all(trial.stage == "lower" and not trial.kept for trial in trials[-failures:])

    def restore(self, point: WidthPoint, before: float, *, stage: str) -> None:
        """The long retraining of a network, recorded and saved as a trial."""
        checkpoint = None
        if self._state is not None:
            checkpoint = self._state.with_suffix(f".{len(self.progress.trials)}.npz")
        seed = self.search.seed_of(0)
        restored, accuracy = self.target.restore(
            point, seed=seed, checkpoint=checkpoint, on_epoch=self.on_epoch
        )
        self.search.record(restored, [before, accuracy], stage=stage)
        self.commit()
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)

    def result(self) -> Approximation:
        """What was found."""
        if self._state is not None and not self._state.exists():
            self.save()
        return Approximation(
            plan=self.plan,
            exact=self.target.exact.integers,
            axnn=self.progress.point.integers,
            trials=tuple(self.progress.trials),
        )
