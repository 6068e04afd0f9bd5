"""AxNN for an engine: from a trained network to one whose resilient neurons are narrow.

The unit that is lowered is a tile (`axnn.approximation.tiles`), since the engine computes a tile at
one precision; `axnn.approximation.search` is the loop. Around the paper's loop there are what the
plan asks for: a beginning that is low already (`axnn.approximation.ladder`), learning rates found
for each width (`axnn.approximation.uniform`), and a long retraining at the end. That often gains
more than the bound needs, and then the loop goes on from there once.
"""

from collections.abc import Sequence
from pathlib import Path

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.ladder import LadderStart
from axnn.approximation.search import OnEpoch, nothing_frozen
from axnn.approximation.session import Approximation, Beginning, OnTrial, Session
from axnn.approximation.uniform import approximate_uniformly, uniform_widths
from axnn.approximation.widths import ApproximationPlan, one_width
from axnn.data import DataSet
from axnn.nn.network import Network
from axnn.nn.train import check_fits

__all__ = ["Approximation", "approximate"]


def approximate(
    network: Network,
    data: DataSet,
    plan: ApproximationPlan,
    counter: EventCounter,
    *,
    seed: int,
    state: Path | None = None,
    start: Path | None = None,
    uniform: Sequence[Path] = (),
    on_trial: OnTrial | None = None,
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
    start : state file of a run under a tighter bound; this one goes on from its last network, or,
        if the plan says `ladder`, from whatever is narrower
    uniform : state files of networks of one width below 16 bits, if the plan needs them; without
        them, they are made here
    on_trial : called after each trial, also for those that a state file holds
    on_epoch : called after each epoch of a retraining

    Raises
    ------
    TrainingError
        If the data are not those of the network.
    """
    check_fits(network, data)
    trained = network.copy()
    session = Session(
        network,
        data,
        plan,
        counter,
        seed=seed,
        state=state,
        start=None if plan.start == "ladder" else start,
        on_trial=on_trial,
        on_epoch=on_epoch,
    )
    known: list[Beginning] = []
    if plan.needs_uniform and uniform:
        known = [session.read_beginning(path) for path in uniform]
    elif plan.needs_uniform:
        known = _make_uniform(trained, data, plan, counter, seed, on_epoch)
    session.target.rates = {one_width(b.point.precision): b.trial.learning_rate for b in known}
    if plan.start == "ladder":
        tighter = None if start is None else session.read_beginning(start)
        _begin_low(session, known, tighter)
    _lower_and_restore(session)
    return session.result()


def _make_uniform(
    network: Network,
    data: DataSet,
    plan: ApproximationPlan,
    counter: EventCounter,
    seed: int,
    on_epoch: OnEpoch | None,
) -> list[Beginning]:
    found: list[Beginning] = []
    for width in uniform_widths(counter.config):
        session = approximate_uniformly(
            network.copy(),
            data,
            plan,
            counter,
            width=width,
            seed=seed,
            wider=found[-1].point.network if found else None,
            on_epoch=on_epoch,
        )
        found.append(Beginning.of(session.progress))
    return found


def _begin_low(session: Session, known: Sequence[Beginning], tighter: Beginning | None) -> None:
    """Bring the search to the lowest beginning, unless it is past it."""
    trials = session.progress.trials
    if trials[-1].stage not in ("exact", "start", "ladder"):
        return
    ladder = LadderStart(session.search, session.target, session.plan, known, tighter)
    for _ in ladder.run(session.on_epoch):
        session.commit()
    session.progress.share = session.plan.later_share


def _lower_and_restore(session: Session) -> None:
    """The loop, the long retraining of what it lowered, and the loop again."""
    progress = session.progress
    session.lower_all()
    if session.plan.long_epochs and _is_long_retraining_due(session):
        accuracy = Beginning.of(progress).trial.accuracy
        progress.frozen = nothing_frozen(progress.point.precision)
        progress.share = session.plan.later_share
        session.restore(progress.point, accuracy, stage="long")
        session.lower_all()


def _is_long_retraining_due(session: Session) -> bool:
    """Whether something was lowered, and has not had its long retraining yet."""
    stages = {trial.stage for trial in session.progress.trials if trial.kept}
    return "long" not in stages and not stages.isdisjoint(("ladder", "lower"))
