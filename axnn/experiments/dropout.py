"""How approximation differs from dropout: the rankings that both give, and both together.

Dropout removes neurons at random during training only; AxNN lowers chosen neurons for good. If
networks trained with dropout ranked their neurons as others do, and were as cheap at equal quality,
the two would be the same; that is measured here.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.resilience import Scores
from axnn.experiments.bounds import BOUNDS, Notify
from axnn.experiments.documents import Dropped
from axnn.experiments.folder import AppFolder
from axnn.flow.apps import App
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, characterize_step, evaluate_step, train_step
from qcnpe.prices import EnergyPrices

RATES = (0.0, 0.2, 0.5)
"""Shares of the hidden dense layers' results that training drops; 0 is the control."""


def with_dropout(app: App, rate: float) -> App:
    """The application with dropout after its hidden dense layers."""
    *hidden, last = app.network.layers
    layers = [
        replace(layer, dropout=rate) if layer.kind == "dense" else replace(layer, dropout=0.0)
        for layer in hidden
    ]
    return replace(app, network=replace(app.network, layers=(*layers, last)))


def rate_runs(folder: AppFolder) -> dict[str, RunFolder]:
    """The run of each rate."""
    return {f"{rate:g}": folder.retrained(f"dropout-{rate:g}") for rate in RATES}


def compare_dropout(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> dict[str, Dropped]:
    """Train, characterise, approximate and judge with each rate."""
    app = folder.app
    found: dict[str, Dropped] = {}
    plain: Scores | None = None
    for rate, run in zip(RATES, rate_runs(folder).values(), strict=True):
        train_step(run, with_dropout(app, rate), seed=folder.seed)
        scores = characterize_step(run)
        plain = plain if plain is not None else scores["quantisation"]
        approximate_step(run, replace(app.approximation, bound_percent=BOUNDS[0]))
        judged = evaluate_step(run, prices)
        found[f"{rate:g}"] = Dropped(
            float_accuracy=judged.float_accuracy,
            axnn_accuracy=judged.axnn_accuracy,
            energy_ratio=judged.energy_ratio,
            same_ranking=mean_rank_correlation(plain, scores["quantisation"]),
            removal_ranking=mean_rank_correlation(scores["fisher"], scores["quantisation"]),
        )
        notify(f"dropout: rate {rate:g}")
    return found


def mean_rank_correlation(left: Scores, right: Scores) -> float:
    """Spearman's rank correlation of two lists of scores, mean over the layers."""
    pairs = zip(left, right, strict=True)
    return float(np.mean([_rank_correlation(a.reshape(-1), b.reshape(-1)) for a, b in pairs]))


def _rank_correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    ranks = [np.argsort(np.argsort(scores, kind="stable")) for scores in (left, right)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
