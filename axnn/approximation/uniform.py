"""Networks of one width: what the loop may begin with, and what it is compared with.

The learning rate of the retraining is found on validation by short retrainings; the long one
follows. At 16 bits that is the exact network with as much training.
"""

from math import inf
from pathlib import Path

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.search import OnEpoch
from axnn.approximation.session import OnTrial, Session
from axnn.approximation.widths import ApproximationPlan, WidthPoint
from axnn.data import DataSet
from axnn.nn.network import Network
from axnn.quantisation.quantize import uniform_precision
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


def uniform_widths(config: EngineConfig) -> list[int]:
    """The widths of an engine for which an approximation needs a network of one width."""
    return [width for width in config.precisions if width < OPERAND_BITS]


def approximate_uniformly(
    network: Network,
    data: DataSet,
    plan: ApproximationPlan,
    counter: EventCounter,
    *,
    width: int,
    seed: int,
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
    exact = target.exact
    lowered = target.calibrated(exact.network, uniform_precision(exact.network, width))
    before = target.accuracy(lowered)
    target.rates[width] = _best_rate(session, lowered, before, width=width, seed=seed)
    session.search.floor = -inf  # what remains is kept in any case
    session.restore(lowered, before, stage="uniform")
    return session


def _best_rate(
    session: Session, lowered: WidthPoint, before: float, *, width: int, seed: int
) -> float:
    """The learning rate with which a short retraining gives the best accuracy on validation."""
    target, trials, plan = session.target, session.progress.trials, session.plan
    base = plan.retraining.learning_rate
    if len(plan.rate_factors) == 1:
        return base
    session.search.floor = inf  # what is tried is never kept
    tried = sum(trial.stage == "rate" for trial in trials)
    for factor in plan.rate_factors[tried:]:
        target.rates[width] = factor * base
        part = session.search.draw(0)
        found = target.retrain(lowered, part, seed=seed, on_epoch=session.on_epoch)
        session.search.record(found, [before, target.accuracy(found)], stage="rate")
        session.commit()
    rated = [trial for trial in trials if trial.stage == "rate"]
    return max(rated, key=lambda trial: trial.accuracy).learning_rate
