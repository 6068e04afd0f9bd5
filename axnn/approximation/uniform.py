"""Networks of one width: what the loop may begin with, and what it is compared with.

The learning rate of the retraining is found on validation by short retrainings; the long one goes
on from the best of them. At 16 bits it is the exact network's.
"""

from math import inf
from pathlib import Path

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.search import OnEpoch
from axnn.approximation.session import OnTrial, Session
from axnn.approximation.widths import ApproximationPlan, Trial, WidthPoint
from axnn.data import DataSet
from axnn.nn.network import Network
from axnn.quantisation.quantize import uniform_precision
from qcnpe.spec.config import OPERAND_BITS, EngineConfig

_LESS_THAN_A_SAMPLE = 1e-8
"""Of an accuracy: what is better is better by more."""


def uniform_widths(config: EngineConfig) -> list[int]:
    """The widths of an engine for which an approximation needs a network, the widest first."""
    return [width for width in config.precisions if width < OPERAND_BITS]


def next_wider(width: int, config: EngineConfig) -> int | None:
    """The width of the network that one of this width begins with; None is the trained one."""
    return min((each for each in uniform_widths(config) if each > width), default=None)


def approximate_uniformly(
    network: Network,
    data: DataSet,
    plan: ApproximationPlan,
    counter: EventCounter,
    *,
    width: int,
    seed: int,
    wider: Network | Path | None = None,
    state: Path | None = None,
    on_trial: OnTrial | None = None,
    on_epoch: OnEpoch | None = None,
) -> Session:
    """Lower every neuron to one width at once and retrain.

    Parameters
    ----------
    network : the trained network; it ends with the retrained weights
    data : its training part is fitted, its validation part picks learning rate and epoch; its test
        part is not read
    plan : the retraining, its learning rates, and the long retraining
    counter : the engine, and what counts its events
    width : in bits
    seed : of the retraining
    wider : the network of the next wider width, or its state file, whose weights it begins with;
        without it, those of the trained network
    state : file that is written after each trial and, if it exists, resumed from
    on_trial : called after each trial, also for those that a state file holds
    on_epoch : called after each epoch of a retraining

    Returns
    -------
    the search, whose last trial is the retrained network.
    """
    session = Session(
        network,
        data,
        plan.of_uniform,
        counter,
        seed=seed,
        state=state,
        on_trial=on_trial,
        on_epoch=on_epoch,
    )
    if session.progress.trials[-1].stage == "uniform":
        return session
    target = session.target
    beginning = target.exact.network
    if wider is not None:
        beginning = (
            wider if isinstance(wider, Network) else session.read_beginning(wider).point.network
        )
    lowered = target.calibrated(beginning, uniform_precision(beginning, width))
    best = _best_rate(session, lowered, width=width, seed=seed)
    session.search.floor = -inf  # what remains is kept in any case
    session.restore(best, target.accuracy(best), stage="uniform")
    return session


def _best_rate(session: Session, lowered: WidthPoint, *, width: int, seed: int) -> WidthPoint:
    """The best network after short retrainings, the learning rate of which is taken for the width.

    At 16 bits there is nothing to restore, and the plan's rate is taken.
    """
    target, plan = session.target, session.plan
    base = plan.retraining.learning_rate
    if len(plan.rate_factors) == 1 or width == OPERAND_BITS:
        target.rates[width] = base
        return lowered
    before = target.accuracy(lowered)
    for factor in plan.rate_factors[len(_rated(session)) :]:
        target.rates[width] = factor * base
        part = session.search.draw(0)
        found = target.retrain(lowered, part, seed=seed, on_epoch=session.on_epoch)
        best = max((trial.accuracy for trial in _rated(session)), default=-inf)
        session.search.floor = best + _LESS_THAN_A_SAMPLE
        session.search.record(found, [before, target.accuracy(found)], stage="rate")
        session.commit()
    kept = [trial for trial in _rated(session) if trial.kept]
    target.rates[width] = kept[-1].learning_rate
    return session.progress.point


def _rated(session: Session) -> list[Trial]:
    """The trials of learning rates so far; each that is kept is better than those before it."""
    return [trial for trial in session.progress.trials if trial.stage == "rate"]
