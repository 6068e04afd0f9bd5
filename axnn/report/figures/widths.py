"""The widths of the neurons of each layer."""

from typing import TYPE_CHECKING

import numpy as np

from axnn.flow.run_folder import bound_name
from axnn.report.content import Picture
from axnn.report.drawing import draw, legend_above, width_colour
from axnn.report.findings import Findings
from axnn.report.numbers import bound_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def by_layer(found: Findings) -> Picture:
    """Share of each layer's neurons at each width, a bar for each bound."""
    widths = sorted(found.place.app.engine.precisions, reverse=True)
    shares = _shares(found, widths)
    layers = [layer.name for layer in found.found[bound_name(found.bounds[0])].axnn.layers]

    def fill(figure: "Figure") -> None:
        axis = figure.subplots()
        rows, labels, left = _rows(layers, found.bounds)
        done = np.zeros(len(rows))
        for index, width in enumerate(widths):
            values = np.array([shares[label][index] for label in labels])
            colour = width_colour(width)
            axis.barh(rows, 100 * values, 0.86, left=done, color=colour, label=f"{width} bit")
            done += 100 * values
        axis.set_yticks(rows, left)
        axis.set_xlim(0, 100)
        axis.set_xlabel("share of the layer's neurons, %")
        axis.grid(visible=False)
        axis.tick_params(axis="y", length=0)
        legend_above(axis, columns=4)

    return Picture(
        name=f"{found.name}-widths",
        caption="Widths of the neurons by layer; one bar for each bound.",
        alt="Share of neurons by width. " + _said(found),
        drawing=draw(fill, height=0.75 + 0.2 * (len(found.bounds) + 0.6) * len(layers)),
    )


def _shares(found: Findings, widths: list[int]) -> dict[tuple[str, float], list[float]]:
    return {
        (layer.name, bound): [float(np.mean(layer.precision == width)) for width in widths]
        for bound in found.bounds
        for layer in found.found[bound_name(bound)].axnn.layers
    }


def _rows(
    layers: list[str], bounds: list[float]
) -> tuple[list[float], list[tuple[str, float]], list[str]]:
    """Height, (layer, bound) and label of every bar; the bars of a layer are grouped."""
    rows, meaning, labels = [], [], []
    for place, layer in enumerate(layers):
        for index, bound in enumerate(bounds):
            rows.append(-place * (len(bounds) + 0.6) - index)
            meaning.append((layer, bound))
            text = bound_points(bound)
            labels.append(f"{layer}   {text}" if index == 0 else text)
    return rows, meaning, labels


def _said(found: Findings) -> str:
    parts = []
    for bound in found.bounds:
        counts = found.judged[bound_name(bound)].precision_histogram.items()
        widths = ", ".join(f"{count} at {width} bit" for width, count in counts)
        parts.append(f"{bound_points(bound)}: {widths}")
    return "; ".join(parts) + "."
