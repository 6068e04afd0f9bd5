"""Which criterion orders the neurons best, before any retraining."""

import re
from typing import TYPE_CHECKING

from axnn.experiments.documents import Ordering
from axnn.report.content import Picture
from axnn.report.drawing import AMBER, BLUE, DARK, GREEN, GREY, RED, draw, legend_above
from axnn.report.findings import Findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {
    "gradient": RED,
    "quantisation": BLUE,
    "logits": DARK,
    "fisher": GREEN,
    "weight": AMBER,
    "random": GREY,
}


def mean_accuracies(found: Findings) -> list[tuple[str, float]]:
    """Each criterion, and its mean accuracy at equal energy in percent."""
    return [
        (key.split(".")[1], value)
        for key, value in found.figures.items()
        if re.fullmatch(r"ordering\.\w+\.accuracy", key)
    ]


def curves(found: Findings, document: Ordering) -> Picture:
    """Validation accuracy against relative energy, a line for each criterion and random draw."""

    def fill(figure: "Figure") -> None:
        axis = figure.subplots()
        for criterion, entry in document.curves.items():
            colour = _COLOURS[criterion]
            for index, curve in enumerate(entry):
                x, y = zip(*sorted(curve), strict=True)
                label = criterion if index == 0 else None
                style = "--" if criterion == "random" else ".-"
                axis.plot(x, [100 * value for value in y], style, color=colour, label=label)
        axis.set_xlabel("energy relative to 16 bits on the same engine")
        axis.set_ylabel("validation accuracy, %")
        legend_above(axis, columns=3)

    means = [f"{name} {value:.1f} %" for name, value in mean_accuracies(found)]
    return Picture(
        name=f"{found.name}-ordering",
        caption=(
            f"Accuracy without retraining when neurons are lowered directly to {document.width} "
            "bit, the least significant first."
        ),
        alt=f"Mean accuracy at equal energy: {', '.join(means)}.",
        drawing=draw(fill, height=3.2),
    )
