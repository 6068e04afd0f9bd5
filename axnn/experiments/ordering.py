"""Which neurons to lower first, before any retraining: every criterion against the others.

A share of the neurons, in whole tiles, goes from 16 bits straight to a narrow width, the least
significant first. A criterion is the better the more accuracy is left at the same energy.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from axnn.approximation.resilience import CRITERIA, Scores, characterize
from axnn.approximation.search import take_share
from axnn.approximation.tiles import form_tiles, lower
from axnn.data import DataSet, Split
from axnn.flow.energy import EnergyModel
from axnn.nn.network import Network
from axnn.nn.train import validate
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import Precision, QuantisedNetwork, Scales, uniform_precision
from qcnpe.spec.config import OPERAND_BITS, EngineConfig

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
RANDOM_DRAWS = 3
"""The random control is the mean of so many orders."""

Curve = list[tuple[float, float]]
"""(energy relative to that of 16 bits, fraction right), one point for each share."""


def compare_criteria(
    network: Network,
    data: DataSet,
    energy: EnergyModel,
    *,
    width: int,
    seed: int,
    judged: int,
    characterised: int,
    progress: Callable[[int], None] | None = None,
) -> dict[str, list[Curve]]:
    """Accuracy on validation against energy, by criterion; several curves for the random one.

    Parameters
    ----------
    network : the trained network
    data : its training part is characterised, its validation part judges
    energy : prices and the engine
    width : that neurons are lowered to, in bits
    seed : of the draws of samples, and of the random orders
    judged, characterised : so many samples, at most, are drawn of the validation and of the
        training part
    progress : called with the number of points finished so far
    """
    config = replace(energy.config, precisions=(OPERAND_BITS, width))
    trial = _Trial(network, data, energy, config, data.validation.draw(judged, seed=seed))
    characterising = data.train.draw(characterised, seed=seed)
    curves: dict[str, list[Curve]] = {name: [] for name in CRITERIA}
    done = 0
    for draw in range(RANDOM_DRAWS):
        model = QuantisedNetwork(network, trial.scales, trial.exact, config)
        scores = characterize(model, characterising, config, seed=seed + draw)
        for name in CRITERIA if draw == 0 else ("random",):
            curve = []
            for share in SHARES:
                curve.append(trial.point(scores[name], share))
                done += 1
                if progress is not None:
                    progress(done)
            curves[name].append(curve)
    return curves


def points(criteria: int = len(CRITERIA)) -> int:
    """How many points `compare_criteria` measures."""
    return (criteria + RANDOM_DRAWS - 1) * len(SHARES)


def accuracy_at_equal_energy(curves: Sequence[Curve], grid: Sequence[float]) -> float:
    """Mean accuracy over a grid of relative energies, on lines between a criterion's points."""
    means = []
    for curve in curves:
        energies, accuracies = np.array(sorted(curve)).T
        means.append(np.interp(grid, energies, accuracies).mean())
    return float(np.mean(means))


def shared_grid(curves: dict[str, list[Curve]]) -> list[float]:
    """Relative energies that all curves reach: twenty, from the largest least to the least most."""
    energies = [[x for x, _ in curve] for entry in curves.values() for curve in entry]
    low, high = max(map(min, energies)), min(map(max, energies))
    return np.linspace(low, high, 20).tolist()


class _Trial:
    """What every point has in common."""

    def __init__(
        self,
        network: Network,
        data: DataSet,
        energy: EnergyModel,
        config: EngineConfig,
        judge: Split,
    ) -> None:
        self.network, self.energy, self.config, self.judge = network, energy, config, judge
        self.exact: Precision = uniform_precision(network, OPERAND_BITS)
        self.scales: Scales = calibrate(network, data.train.inputs, self.exact, config)
        self.frozen = tuple(np.zeros(entry.shape, np.bool_) for entry in self.exact)
        self.geometries = [layer.geometry for layer in network.neuron_layers]
        self.exact_pj = self._price(self.exact)

    def point(self, scores: Scores, share: float) -> tuple[float, float]:
        """Relative energy and accuracy with a share of the neurons lowered."""
        tiles = form_tiles(scores, self.exact, self.frozen, self.geometries, self.config)
        precision = lower(self.exact, take_share(tiles, share), self.config)
        model = QuantisedNetwork(self.network, self.scales, precision, self.config)
        return self._price(precision) / self.exact_pj, validate(model, self.judge)[1]

    def _price(self, precision: Precision) -> float:
        net = to_integers(self.network, self.scales, precision, self.config)
        return self.energy.price(self.energy.counter.count(net))
