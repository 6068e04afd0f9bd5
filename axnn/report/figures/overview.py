"""The savings of all applications."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from axnn.experiments.bounds import BOUNDS
from axnn.report.content import Picture
from axnn.report.drawing import BOUND_COLOURS, draw, legend_above
from axnn.report.numbers import bound_points, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def savings(groups: Mapping[str, Mapping[float, float]]) -> Picture:
    """Bars of the saving under each bound.

    Parameters
    ----------
    groups : for each label, from the top, the saving by bound
    """

    def fill(figure: "Figure") -> None:
        axis = figure.subplots()
        for index, (bound, colour) in enumerate(zip(BOUNDS, BOUND_COLOURS, strict=True)):
            rows = [-place - 0.27 * index for place in range(len(groups))]
            values = [saving.get(bound, 0.0) for saving in groups.values()]
            axis.barh(rows, values, height=0.25, color=colour, label=bound_points(bound))
            for row, value in zip(rows, values, strict=True):
                if value:
                    axis.annotate(
                        f"{value:.2f}",
                        (value, row),
                        (3, 0),
                        textcoords="offset points",
                        va="center",
                    )
        axis.set_yticks([-place - 0.27 for place in range(len(groups))], list(groups))
        axis.axvline(1, color="#57606a", linewidth=1.0)
        axis.margins(x=0.1)
        axis.set_xlabel("times less energy than exact (plain16)")
        axis.grid(axis="y", visible=False)
        legend_above(axis, columns=3)

    said = [
        f"{label} " + ", ".join(times(saving[bound]) for bound in BOUNDS if bound in saving)
        for label, saving in groups.items()
    ]
    return Picture(
        name="overview-savings",
        caption="Energy of the engine, exact over AxNN, for each bound on the loss of accuracy.",
        alt=f"Savings under the bounds of 0.5, 2.5 and 7.5 points: {'; '.join(said)}.",
        drawing=draw(fill, height=0.8 + 0.55 * len(groups)),
    )
