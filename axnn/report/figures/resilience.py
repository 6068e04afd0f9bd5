"""How resilient the neurons are: as heat maps, or as sorted bars for layers without maps."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.loop import Approximation
from axnn.approximation.resilience import Scores
from axnn.approximation.widths import histogram
from axnn.flow.run_folder import bound_name
from axnn.report.content import Picture
from axnn.report.drawing import PAGE_WIDTH, draw, width_colour
from axnn.report.findings import Findings
from axnn.report.numbers import TIMES, bound_points
from qcnpe.spec.qnet import QuantLayer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_MAPS = 16
"""Most maps that are drawn of a layer, evenly spaced over its channels."""

_COLUMNS = 8
"""Most maps in a row; up to so many maps are drawn in two rows, which makes them larger."""


def maps(found: Findings, layer: QuantLayer, scores: NDArray[np.float64]) -> Picture:
    """Heat map of |dE/dy| of each feature map of a layer, all on the same scale.

    Parameters
    ----------
    found : the application's findings
    layer : the layer
    scores : (channels, outputs) scores of its neurons
    """
    _, height, width = layer.wiring.output_shape
    count = min(len(scores), _MOST_MAPS)
    chosen = np.linspace(0, len(scores) - 1, count).round().astype(int)
    most = scores.max() or 1.0  # the scores of dead neurons are all zero
    columns = _COLUMNS if count > _COLUMNS else -(-count // 2)
    rows = -(-count // columns)

    def fill(figure: "Figure") -> None:
        axes = figure.subplots(rows, columns, squeeze=False).reshape(-1)
        for axis in axes:
            axis.set_axis_off()
        for axis, channel in zip(axes, chosen, strict=False):
            picture = axis.imshow(
                scores[channel].reshape(height, width), cmap="viridis", vmin=0, vmax=most
            )
            axis.set_title(str(channel), loc="center", pad=2)
        bar = figure.colorbar(picture, ax=list(axes), location="bottom", aspect=45, pad=0.03)
        bar.set_label("mean |dE/dy|; dark: resilient")
        bar.ax.ticklabel_format(style="sci", scilimits=(-2, 3), useMathText=False)

    some = "" if count == len(scores) else f" {count} of {len(scores)} maps are shown."
    return Picture(
        name=f"{found.name}-resilience-{layer.name}",
        caption=f"{layer.name}: maps of {width}{TIMES}{height} neurons, by channel.{some}",
        alt=(
            f"Heat maps of the resilience of {layer.name}; mean |dE/dy| from "
            f"{scores.min():.2g} to {scores.max():.2g}."
        ),
        drawing=draw(fill, height=0.8 + rows * (PAGE_WIDTH / columns) * height / width * 1.12),
    )


def ranked(found: Findings, scores: Scores) -> Picture:
    """Every neuron's |dE/dy|, sorted, in the colour of its width under the tightest bound."""
    approximation = found.found[bound_name(found.bounds[0])]

    def fill(figure: "Figure") -> None:
        draw_ranked(figure, scores, approximation)

    ranges = [
        f"{layer.name} {entry.min():.2g} to {entry.max():.2g}"
        for layer, entry in zip(approximation.axnn.layers, scores, strict=True)
    ]
    return Picture(
        name=f"{found.name}-resilience",
        caption=f"Colour: the width under the bound of {bound_points(found.bounds[0])}.",
        alt=f"Sorted bars of mean |dE/dy| of each neuron: {', '.join(ranges)}.",
        drawing=draw(fill, height=0.6 + 1.3 * len(scores)),
    )


def draw_ranked(figure: "Figure", scores: Scores, found: Approximation) -> None:
    """Draw a bar for each neuron, one panel for each layer, in the colour of the neuron's width."""
    axes = figure.subplots(len(scores), squeeze=False).reshape(-1)
    for axis, layer, entry in zip(axes, found.axnn.layers, scores, strict=True):
        order = entry.reshape(-1).argsort(kind="stable")
        values = entry.reshape(-1)[order]
        colours = [width_colour(int(w)) for w in layer.precision.reshape(-1)[order]]
        thickness = max(0.4, min(9.0, 230 / len(order)))
        axis.vlines(range(len(order)), 0, values, colors=colours, linewidth=thickness)
        axis.set_title(f"{layer.name}: {len(order)} neurons")
        axis.set_ylim(bottom=0)
        axis.set_xticks([])
        axis.grid(axis="x", visible=False)
    axes[-1].set_xlabel("neuron, most resilient first")
    for width in histogram(tuple(layer.precision for layer in found.axnn.layers)):
        axes[0].plot([], [], "s", color=width_colour(int(width)), label=f"{width} bit")
    axes[0].legend(loc="upper left")
    figure.supylabel("mean |dE/dy| over the training set")
