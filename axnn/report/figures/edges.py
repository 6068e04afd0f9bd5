"""Whether neurons at the edges of maps are more resilient: means by ring, and edges lowered first.

Ring r of a map holds the positions at distance r from its edge.
"""

from typing import TYPE_CHECKING

import numpy as np

from axnn.experiments.documents import Edges
from axnn.report.content import Picture
from axnn.report.drawing import AMBER, BLUE, DARK, GREEN, GREY, RED, draw, legend_above
from axnn.report.findings import Findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (BLUE, AMBER, GREEN, RED, DARK, GREY)
_ORDER_STYLES = {"edges": (BLUE, "o-"), "centre": (RED, "s-"), "random": (GREY, "^--")}


def pictures(found: Findings, document: Edges) -> tuple[Picture, ...]:
    """Both pictures of a network with maps."""
    return _rings(found, document), _lowered(found, document)


def _rings(found: Findings, document: Edges) -> Picture:
    """Mean score of each ring relative to the mean of the rings, for each criterion."""
    rings = document.rings

    def fill(figure: "Figure") -> None:
        axes = figure.subplots(len(rings), sharex=True, squeeze=False).reshape(-1)
        for axis, (criterion, layers) in zip(axes, rings.items(), strict=True):
            for colour, (layer, means) in zip(_COLOURS, layers.items(), strict=False):
                relative = np.divide(means, np.mean(means) or 1.0)
                axis.plot(range(len(means)), relative, "o-", color=colour, label=layer)
            axis.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
            axis.set_ylim(bottom=0)
            axis.set_ylabel(f"{criterion} /\nmean of rings")
        legend_above(axes[0], columns=3)
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        axes[-1].set_xlabel("ring, 0 at the edge of the map")

    said = [
        f"{layer} {means[0] / (np.mean(means) or 1.0):.2f} at the edge"
        for layer, means in rings["gradient"].items()
    ]
    return Picture(
        name=f"{found.name}-rings",
        caption="Mean score of the neurons in each ring. Below 1: more resilient than the mean.",
        alt=f"Mean of a ring over the mean of all, criterion gradient: {', '.join(said)}.",
        drawing=draw(fill, height=0.9 + 1.45 * len(rings)),
    )


def _lowered(found: Findings, document: Edges) -> Picture:
    """Validation accuracy when a share of each map's positions is lowered, for each order."""
    shares = [100 * share for share in document.shares]

    def fill(figure: "Figure") -> None:
        curves = document.accuracy
        axes = figure.subplots(len(curves), sharex=True, squeeze=False).reshape(-1)
        for axis, (width, orders) in zip(axes, curves.items(), strict=True):
            for order, values in orders.items():
                colour, style = _ORDER_STYLES[order]
                label = f"{order} first" if order != "random" else order
                axis.plot(shares, [100 * v for v in values], style, color=colour, label=label)
            axis.set_title(f"to {width} bit", loc="right", pad=3)
            axis.set_ylabel("validation, %")
        legend_above(axes[0], columns=3)
        axes[-1].set_xlabel("share of each map's positions that is lowered, %")

    said = [
        f"to {width} bit at {shares[index]:g} %: "
        + ", ".join(f"{order} {100 * values[index]:.1f} %" for order, values in orders.items())
        for width, orders in document.accuracy.items()
        for index in [len(shares) // 2]
    ]
    return Picture(
        name=f"{found.name}-edges",
        caption="Accuracy without retraining when positions of each map are lowered.",
        alt=f"Accuracy by order: {'; '.join(said)}.",
        drawing=draw(fill, height=0.9 + 1.45 * len(document.accuracy)),
    )
