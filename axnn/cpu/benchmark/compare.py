"""Compares ways of choosing channels, on networks of equal cost."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.benchmark.peers import Classify
from axnn.cpu.benchmark.run import Run
from axnn.cpu.benchmark.speed import take_turns
from axnn.cpu.choice.approximated import Approximated
from axnn.cpu.choice.choose import Plan, retrain_part
from axnn.cpu.choice.lowering import lower_channels, replace_everywhere
from axnn.cpu.choice.scoring import scores, sort_channels
from axnn.cpu.predictor import Predictor
from axnn.nn.train import validate

_ROUNDS = 8
"""Rounds in which the target cost is approached; the channels are scored again in each."""

SHARES = (1.0, 0.75, 0.5)
"""Target costs, as shares of the cost of the network whose channels are all replaced."""

WAYS = ("replacement", "gradient", "random")
"""Criteria that are compared with replacing all channels."""

TIMED_BATCH = 64
"""Batch size with which the networks are timed."""


@dataclass(frozen=True)
class Choice:
    """A network that was lowered to a target cost, without a bound on accuracy.

    Attributes
    ----------
    way : "uniform", or the criterion by which its channels were chosen
    share : the target, one of `SHARES`
    cost : in multiply-accumulates of the float32 kernels
    median_us : measured time of a sample, one thread, in batches of `TIMED_BATCH`
    before_retraining, validation, test : fractions right
    """

    way: str
    share: float
    cost: float
    median_us: float
    before_retraining: float
    validation: float
    test: float


def uniform_file(run: Run) -> Path:
    """File of the network of `uniform`."""
    return run.folder / "uniform.npz"


def uniform(run: Run) -> Approximated:
    """The network with every channel at the last level at which it is computed, retrained."""
    path = uniform_file(run)
    made_from = run.ancestry(path, plan=run.plan(0))
    if path.exists():
        found, recorded = Approximated.load(path, run.exact.network)
        if recorded == made_from:
            return found
    lowered = replace_everywhere(run.exact, run.data)
    retrain_part(lowered, run.data, run.plan(0), seed=run.seed)
    lowered.save(path, made_from)
    return lowered


def compare_choices(run: Run) -> list[Choice]:
    """Networks of the uniform network's cost and of shares of it, for each way of choosing."""
    everywhere = replace_everywhere(run.exact, run.data)
    lowered = [("uniform", 1.0, everywhere)]
    for share in SHARES:
        for way in WAYS:
            found = _bring_down(run, run.plan(0, way), share * everywhere.cost)
            lowered.append((way, share, found))
    timed = run.data.test.draw(TIMED_BATCH, seed=run.seed).inputs
    times = _microseconds([found for _, _, found in lowered], timed)
    return [_judge(run, *entry, time) for entry, time in zip(lowered, times, strict=True)]


def _microseconds(lowered: list[Approximated], inputs: NDArray[np.float32]) -> list[float]:
    """Median time of a sample of each network."""
    contestants: dict[str, Classify] = {
        str(number): Predictor(found).decision_function for number, found in enumerate(lowered)
    }
    turns = take_turns(contestants, np.ascontiguousarray(inputs), clock=process_time)
    return [1e6 * median(seconds) / len(inputs) for seconds in turns.values()]


def _judge(run: Run, way: str, share: float, lowered: Approximated, median_us: float) -> Choice:
    """Retrain and evaluate; the test part decides nothing."""
    before, quality = retrain_part(lowered, run.data, run.plan(0), seed=run.seed)
    test = validate(lowered.model(), run.data.test)[1]
    return Choice(way, share, lowered.cost, median_us, before, quality, test)


def _bring_down(run: Run, plan: Plan, target: float) -> Approximated:
    """Lower the least significant channels until the cost is at most the target."""
    current = run.exact
    for number in range(_ROUNDS, 0, -1):
        goal = target + (current.cost - target) * (number - 1) / number
        while current.cost > goal:
            found = scores(current, run.data.train, plan.criterion, seed=run.seed + number)
            chosen, left = [], current.cost - goal
            for unit in sort_channels(current, found):
                chosen.append(unit)
                left -= unit.size
                if left <= 0:
                    break
            if not chosen:
                return current
            current = lower_channels(current, chosen, run.data)
    return current


@dataclass(frozen=True)
class Choices:
    """Contents of the file besides its ancestry."""

    choices: tuple[Choice, ...]
