"""Where to begin: as low as whole layers can be lowered, from networks of one width.

The scores say which layers are sensitive, often the first and the last: steps of one layer to its
next width, sorted by their scores, make a ladder from the widest network to the narrowest one. The
lowest rung that holds the bound is found by halving. It is compared with the cheapest network of
one width that holds the bound, and with the result for a tighter bound: the loop begins with the
narrowest of them, so that it ends with none that is wider.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from axnn.approximation.resilience import Scores, characterize, next_width
from axnn.approximation.search import OnEpoch, Search
from axnn.approximation.session import Beginning
from axnn.approximation.widths import ApproximationPlan, Trial, WidthPoint, WidthTarget, one_width
from axnn.nn.network import Network
from axnn.quantisation.quantize import Precision, QuantisedNetwork
from qcnpe.spec.config import OPERAND_BITS, EngineConfig

Rung = tuple[int, ...]
"""Width of every layer."""


def layer_ladder(scores: Mapping[int, Scores], layers: int, config: EngineConfig) -> list[Rung]:
    """Widths of all layers, each time one layer one width lower than before.

    Parameters
    ----------
    scores : of every neuron, by the width of all; a low one is lowered early
    layers : of the network
    config : the engine
    """
    rung = [OPERAND_BITS] * layers
    rungs = [tuple(rung)]
    while movable := [layer for layer, width in enumerate(rung) if width > min(config.precisions)]:

        def score(layer: int) -> float:
            width = rung[layer]
            return float(scores[width][layer].mean()) / (width - next_width(width, config))

        layer = min(movable, key=score)
        rung[layer] = next_width(rung[layer], config)
        rungs.append(tuple(rung))
    return rungs


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
        rungs = self._rungs(start)
        low, high = -1, len(rungs)  # the start holds the bound; nothing below the last rung does
        known = iter([t.kept for t in self._search.progress.trials if t.stage == "ladder"])
        while high - low > 1:
            middle = (low + high) // 2
            kept = next(known, None)
            if kept is None:
                lowered = self._lowered(rungs[middle])
                kept = self._search.judge(lowered, 1.0, on_epoch, stage="ladder")
                yield
            low, high = (middle, high) if kept else (low, middle)

    def _choose(self) -> Beginning | None:
        """The narrowest network that holds the bound; None is the exact one."""
        found = [each for each in self._beginnings if self._search.holds(each.trial.accuracy)]
        return min(found, key=lambda each: each.point.mean_width, default=None)

    def _rungs(self, start: Beginning | None) -> list[Rung]:
        """The rungs that are narrower than the start, down to a width that is known to fail."""
        exact = self._target.exact
        points = {OPERAND_BITS: exact} | {w: each.point for w, each in self._uniform.items()}
        seed = self._search.seed
        scores = {
            width: self._scores(point, seed)
            for width, point in points.items()
            if width > min(exact.config.precisions)
        }
        rungs = layer_ladder(scores, len(exact.precision), exact.config)
        failing = [
            w for w, each in self._uniform.items() if not self._search.holds(each.trial.accuracy)
        ]
        widest = (start.point if start is not None else exact).mean_width
        return [
            rung
            for rung in rungs
            if max(rung) > max(failing, default=0)
            and exact.at(_precision(rung, exact.precision)).mean_width < widest
            and len(set(rung)) > 1
        ]

    def _scores(self, point: WidthPoint, seed: int) -> Scores:
        train = self._target.draw_training(self._plan.samples, seed=seed)
        model = QuantisedNetwork(point.network, point.scales, point.precision, point.config)
        name = self._plan.criterion
        return characterize(model, train, point.config, seed=seed, criteria=(name,))[name]

    def _lowered(self, rung: Rung) -> WidthPoint:
        """The rung with the weights, of those at hand, that suit it best before any retraining."""
        exact = self._target.exact
        precision = _precision(rung, exact.precision)
        near = [w for w in sorted(self._uniform) if min(rung) <= w <= max(rung)]
        networks: list[Network] = [self._uniform[width].point.network for width in near[:2]]
        points = [self._target.calibrated(each, precision) for each in (exact.network, *networks)]
        return max(points, key=self._target.accuracy)


def _precision(rung: Rung, like: Precision) -> Precision:
    """The width of every neuron."""
    pairs = zip(rung, like, strict=True)
    return tuple(np.full_like(widths, width) for width, widths in pairs)
