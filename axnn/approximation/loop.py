"""AxNN for an engine: from a trained network to one whose resilient neurons are narrow.

The unit that is lowered is a tile (`axnn.approximation.tiles`), since the engine computes a tile at
one precision; `axnn.approximation.search` is the loop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.search import OnEpoch, Outcome, Progress, Search, nothing_frozen
from axnn.approximation.state import Identity, continue_tighter, resume, save_state
from axnn.approximation.widths import ApproximationPlan, Trial, WidthPoint, WidthTarget
from axnn.data import DataSet
from axnn.nn.network import Network
from qcnpe.spec.qnet import QuantNet


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
        return [trial for trial in self.trials if trial.kept][-1]


def approximate(
    network: Network,
    data: DataSet,
    plan: ApproximationPlan,
    counter: EventCounter,
    *,
    seed: int,
    state: Path | None = None,
    start: Path | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    on_epoch: OnEpoch | None = None,
) -> Approximation:
    """Approximate a trained network; it ends with the weights of the last trial that was kept.

    The same seed gives the same result, also when a run is interrupted and resumed.

    Parameters
    ----------
    network : the trained network
    data : its training part is fitted, its validation part decides; its test part is not read
    plan : how
    counter : the engine, whose widths and tiles are used, and what counts its events
    seed : of the retraining and of the random criterion
    state : file that is written after each trial and, if it exists, resumed from
    start : state file of a run under a tighter bound, from whose last network this one goes on
    on_trial : called after each trial, also for those that a state file holds
    on_epoch : called after each epoch of a retraining
    """
    target = WidthTarget(network, data, plan, counter)
    exact = target.exact
    identity = Identity(plan, seed, data.digest, counter.config, network.digest)
    if state is not None and state.exists():
        progress = resume(state, identity, exact)
    elif start is not None:
        progress = continue_tighter(start, identity, exact)
    else:
        progress = _begin(target, plan)

    def save() -> None:
        if state is not None:
            save_state(state, identity, progress)

    def tell(trial: Trial) -> None:
        network.set_state(progress.point.network.state())
        if on_trial is not None:
            on_trial(trial)

    floor = progress.trials[0].accuracy - plan.bound_percent / 100
    search = Search(target, data, plan, floor=floor, seed=seed, progress=progress)
    search.run(save=save, on_trial=tell, on_epoch=on_epoch)
    if state is not None and not state.exists():
        save()
    return Approximation(
        plan=plan,
        exact=exact.integers,
        axnn=progress.point.integers,
        trials=tuple(progress.trials),
    )


def _begin(target: WidthTarget, plan: ApproximationPlan) -> Progress[WidthPoint, Trial]:
    """A search that has only seen the exact network, its trial 0."""
    exact = target.exact
    quality = target.accuracy(exact)
    outcome = Outcome(
        number=0,
        share=0.0,
        lowered=0,
        before_retraining=quality,
        accuracy=quality,
        kept=True,
        rounds=0,
    )
    return Progress(
        point=exact,
        frozen=nothing_frozen(exact.precision),
        share=plan.share,
        trials=[target.cost(exact, outcome)],
    )
