"""Figures of a single run: resilience of the neurons, and quality against energy."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from axnn.approximation.loop import Approximation
from axnn.approximation.resilience import Scores
from axnn.flow.energy import EnergyModel
from axnn.flow.run_folder import RunFolder
from axnn.report.drawing import draw, legend_above
from axnn.report.figures.resilience import draw_ranked
from axnn.report.figures.trade import draw_quality
from qcnpe.spec.files import replace_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 7.0


def draw_figures(
    run: RunFolder, scores: Mapping[str, Scores], found: Approximation, energy: EnergyModel
) -> list[Path]:
    """Draw the resilience of the neurons and quality against energy; returns the files."""
    exact_pj = energy.exact_cost(found.exact).energy_pj
    savings = {trial.number: exact_pj / energy.price(trial.events) for trial in found.trials}

    def fill_resilience(figure: "Figure") -> None:
        draw_ranked(figure, scores["gradient"], found)
        figure.suptitle("Resilience of the neurons")

    def fill_quality(figure: "Figure") -> None:
        axis = figure.subplots()
        draw_quality(axis, found, savings, bounds=[found.plan.bound_percent])
        axis.set_ylabel(f"validation {run.record().quality}, %")
        axis.set_xlabel("energy of the exact 16-bit engine over energy of this network")
        legend_above(axis, columns=4)

    paths = [run.path / "resilience.png", run.path / "quality_energy.png"]
    height = 0.8 + 1.3 * len(found.axnn.layers)
    replace_bytes(paths[0], draw(fill_resilience, width=_WIDTH, height=height))
    replace_bytes(paths[1], draw(fill_quality, width=_WIDTH, height=4.2))
    return paths
