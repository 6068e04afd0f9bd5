"""Where to begin: between the networks of one width that hold the bound and those that do not.

The highest rung is the narrowest network of one width that holds the bound, or the result for a
tighter bound, if that is narrower. From there every tile can go down to each of the engine's
widths. These steps, sorted by what they cost (the scores that the networks of one width give) for
each bit that they save, make a ladder; first and last layers, whose scores are high, are late on
it. Of some rungs above the widest network of one width that fails, the lowest one that holds the
bound is found by halving. Seen from above, insensitive tiles are lowered; seen from below,
sensitive ones are raised: a rung begins with the weights that suit it better, from either side.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.resilience import Scores, characterize, next_width
from axnn.approximation.search import OnEpoch, Search, Unit, nothing_frozen
from axnn.approximation.session import Beginning
from axnn.approximation.widths import ApproximationPlan, Trial, WidthPoint, WidthTarget, one_width
from axnn.quantisation.quantize import Precision, QuantisedNetwork
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


@dataclass(frozen=True, eq=False)
class Step:
    """A step down the ladder.

    Attributes
    ----------
    tile : whose neurons are lowered
    width : that they have then
    saved_bits : by how much their width falls
    """

    tile: Unit
    width: int
    saved_bits: int


def ladder_steps(
    scores: Mapping[int, Scores], tiles: Sequence[Unit], start: Precision, config: EngineConfig
) -> list[Step]:
    """Steps of the tiles down to the engine's narrowest width, the cheapest first.

    Parameters
    ----------
    scores : of every neuron, by the width of all; a low one is lowered early
    tiles : each is of one width, and lowered as a whole
    start : the widths to begin with
    config : the engine
    """
    found = []
    for tile in tiles:
        cost, width = 0.0, int(start[tile.layer].reshape(-1)[tile.members[0]])
        while (narrower := next_width(width, config)) < width:
            score = float(scores[width][tile.layer].reshape(-1)[tile.members].mean())
            # The steps of a tile stay in their order, whatever their scores.
            cost = max(cost, score / (width - narrower))
            found.append((cost, Step(tile, narrower, width - narrower)))
            width = narrower
    return [step for _, step in sorted(found, key=lambda entry: entry[0])]


def after_steps(start: Precision, steps: Sequence[Step]) -> Precision:
    """The precision with these steps taken."""
    lowered = tuple(widths.copy() for widths in start)
    for step in steps:
        lowered[step.tile.layer].reshape(-1)[step.tile.members] = step.width
    return lowered


class LadderStart:
    """Finds where the loop begins, and takes the search there.

    Parameters
    ----------
    search : that has seen the exact network, or more if it was interrupted
    target : what it searches
    plan : how
    uniform : networks of one width, retrained
    tighter : the result for a tighter bound
    """

    def __init__(
        self,
        search: Search[WidthPoint, Trial],
        target: WidthTarget,
        plan: ApproximationPlan,
        uniform: Sequence[Beginning],
        tighter: Beginning | None,
    ) -> None:
        self._search = search
        self._target = target
        self._plan = plan
        self._uniform = {one_width(each.point.precision): each for each in uniform}
        self._beginnings = [*uniform, *([] if tighter is None else [tighter])]

    def run(self, on_epoch: OnEpoch | None) -> Iterator[None]:
        """Make the trials; yields after each, for the progress to be saved."""
        start = self._choose()
        stages = [trial.stage for trial in self._search.progress.trials]
        if start is not None and "start" not in stages:
            qualities = [start.trial.accuracy]
            self._search.record(start.point, qualities, stage="start")
            yield
        highest = self._target.exact if start is None else start.point
        failing = self._widest_failing(highest)
        if failing is None:
            return
        rungs = self._rungs(highest, failing)
        low, high = -1, len(rungs)  # the start holds the bound; what is below the last rung fails
        known = iter([t.kept for t in self._search.progress.trials if t.stage == "ladder"])
        while high - low > 1:
            middle = (low + high) // 2
            kept = next(known, None)
            if kept is None:
                lowered = self._lowered(rungs[middle], failing)
                kept = self._search.judge(lowered, 1.0, on_epoch, stage="ladder")
                yield
            low, high = (middle, high) if kept else (low, middle)

    def _choose(self) -> Beginning | None:
        """The narrowest network that holds the bound; None is the exact one."""
        found = [each for each in self._beginnings if self._search.holds(each.trial.accuracy)]
        return min(found, key=lambda each: each.point.mean_width, default=None)

    def _widest_failing(self, highest: WidthPoint) -> WidthPoint | None:
        """The widest network of one width that is narrower than the highest rung, and fails."""
        found = [
            each.point
            for each in self._uniform.values()
            if not self._search.holds(each.trial.accuracy)
            and each.point.mean_width < highest.mean_width
        ]
        return max(found, key=lambda point: point.mean_width, default=None)

    def _rungs(self, highest: WidthPoint, failing: WidthPoint) -> list[Precision]:
        """Rungs between the highest one and a network that fails; no neuron is wider than there."""
        points = {OPERAND_BITS: self._target.exact}
        points |= {width: each.point for width, each in self._uniform.items()}
        del points[min(points)]
        scores = {width: self._scores(point) for width, point in points.items()}
        start, config = highest.precision, highest.config
        now = tuple(
            np.select(
                [widths == width for width in scores], [each[layer] for each in scores.values()]
            )
            for layer, widths in enumerate(start)
        )
        tiles = self._target.form(now, start, nothing_frozen(start))
        steps = ladder_steps(scores, tiles, start, config)
        wanted = np.linspace(highest.mean_width, failing.mean_width, self._plan.rungs + 1)
        counts = _nearest(_mean_widths(highest, steps), wanted)
        return [after_steps(start, steps[:count]) for count in counts]

    def _scores(self, point: WidthPoint) -> Scores:
        seed, name = self._search.seed, self._plan.criterion
        train = self._target.draw_training(self._plan.samples, seed=seed)
        model = QuantisedNetwork(point.network, point.scales, point.precision, point.config)
        return characterize(model, train, point.config, seed=seed, criteria=(name,))[name]

    def _lowered(self, rung: Precision, failing: WidthPoint) -> WidthPoint:
        """The rung with the weights from above or below, whichever is better before retraining."""
        networks = (self._search.progress.point.network, failing.network)
        points = [self._target.calibrated(each, rung) for each in networks]
        return max(points, key=self._target.accuracy)


def _mean_widths(highest: WidthPoint, steps: Sequence[Step]) -> NDArray[np.float64]:
    """The mean width after each number of steps, from none on."""
    macs = highest.macs_per_neuron
    total = sum(each * widths.size for each, widths in zip(macs, highest.precision, strict=True))
    saved = [macs[step.tile.layer] * step.tile.members.size * step.saved_bits for step in steps]
    return highest.mean_width - np.cumsum([0.0, *saved]) / total


def _nearest(widths: NDArray[np.float64], wanted: NDArray[np.float64]) -> list[int]:
    """How many steps come nearest to each of the wanted widths between the first and the last."""
    nearest = sorted({int(np.argmin(np.abs(widths - each))) for each in wanted[1:-1]})
    return [count for count in nearest if wanted[0] > widths[count] > wanted[-1]]
