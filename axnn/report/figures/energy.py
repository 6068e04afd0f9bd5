"""Energy by bound and by layer."""

from typing import TYPE_CHECKING

import numpy as np

from axnn.experiments.bounds import BOUNDS
from axnn.flow.run_folder import bound_name
from axnn.report.content import Picture
from axnn.report.drawing import BOUND_COLOURS, GREY, LIGHT, draw, legend_above
from axnn.report.findings import Findings
from axnn.report.numbers import TIMES, bound_points, energy, scaled_energy, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def by_bound(found: Findings) -> Picture:
    """Energy of a sample, exact and under each bound; the memories are shown separately."""
    exact = found.exact
    names = ["exact 16 bit", *map(bound_points, found.bounds)]
    judged = [found.judged[bound_name(bound)] for bound in found.bounds]
    engine = [exact.exact16_pj, *(each.axnn_pj for each in judged)]
    memory = [exact.exact16_memory_pj, *(each.axnn_memory_pj for each in judged)]
    most, unit = scaled_energy(max(engine) + max(memory))
    scale = (max(engine) + max(memory)) / most
    colours = [GREY, *_bound_colours(found)]

    def fill(figure: "Figure") -> None:
        axis = figure.subplots()
        rows = np.arange(len(names))[::-1]
        axis.barh(rows, np.divide(engine, scale), color=colours, height=0.62)
        left = np.divide(engine, scale)
        axis.barh(
            rows, np.divide(memory, scale), left=left, color=LIGHT, height=0.62, label="memory"
        )
        for row, here, more in zip(rows, left, np.divide(memory, scale), strict=True):
            axis.annotate(
                f"{here:.3g} + {more:.3g}",
                (here + more, row),
                (4, 0),
                textcoords="offset points",
                va="center",
            )
        axis.set_yticks(rows, names)
        axis.set_xlim(0, most * 1.3)
        axis.set_xlabel(f"energy of a sample, {unit}: engine + memory")
        axis.grid(axis="y", visible=False)
        legend_above(axis, columns=1)

    said = [f"{name} {energy(value)}" for name, value in zip(names, engine, strict=True)]
    ratios = [times(exact.exact16_pj / value) for value in engine[1:]]
    return Picture(
        name=f"{found.name}-energy-by-bound",
        caption=(
            "Energy of one sample on the engine, exact and under each bound on the loss of "
            "accuracy. Light: the on-chip memories, which are priced separately."
        ),
        alt=f"Bars of the engine's energy: {', '.join(said)}. Savings: {', '.join(ratios)}.",
        drawing=draw(fill, height=0.75 + 0.36 * len(names)),
    )


def by_layer(found: Findings) -> Picture:
    """Energy of each layer, exact and under each bound."""
    exact = found.exact_layers_pj or {}
    names = list(exact)
    series = {"exact 16 bit": exact}
    series |= {
        bound_points(bound): found.judged[bound_name(bound)].layers_pj for bound in found.bounds
    }
    most, unit = scaled_energy(max(exact.values()))
    scale = max(exact.values()) / most
    colours = [GREY, *_bound_colours(found)]

    def fill(figure: "Figure") -> None:
        axis = figure.subplots()
        thickness = 0.8 / len(series)
        for index, ((label, layers), colour) in enumerate(
            zip(series.items(), colours, strict=True)
        ):
            rows = [-place - thickness * index for place in range(len(names))]
            values = [layers[name] / scale for name in names]
            axis.barh(rows, values, height=thickness * 0.92, color=colour, label=label)
        middle = thickness * (len(series) - 1) / 2
        axis.set_yticks([-place - middle for place in range(len(names))], names)
        axis.set_xlabel(f"energy of a sample, {unit}")
        axis.grid(axis="y", visible=False)
        legend_above(axis, columns=2)

    said = [
        f"{name} {energy(exact[name])} to {energy(layers[name])}"
        for layers in list(series.values())[-1:]
        for name in names
    ]
    return Picture(
        name=f"{found.name}-energy-by-layer",
        caption="The engine's energy by layer, exact and under each bound, without memory.",
        alt=f"Bars by layer, from exact to the loosest bound: {', '.join(said)}.",
        drawing=draw(fill, height=1.0 + 0.46 * len(names)),
    )


def _bound_colours(found: Findings) -> list[str]:
    return [
        colour for bound, colour in zip(BOUNDS, BOUND_COLOURS, strict=True) if bound in found.bounds
    ]


def log_energy_axis(axis: "Axes", largest: float) -> None:
    """Set a logarithmic axis of savings, with readable ticks."""
    ticks = [tick for tick in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32) if tick <= largest * 1.15]
    axis.set_xscale("log")
    axis.set_xticks(ticks, [f"{tick:g}{TIMES}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlim(0.8, largest * 1.2)
