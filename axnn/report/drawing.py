"""The style of all figures, and their rendering as PNG: the same figure gives the same bytes."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from qcnpe.tools.extras import require_modules

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_WIDTH = 4.1
"""Width in inches of the page's figures, narrow enough for their text to be read on a phone."""

BLUE, DARK, AMBER, RED, GREEN, GREY = (
    "#2f6f9f",
    "#1b3a5c",
    "#d9932a",
    "#c04a36",
    "#4c8c5a",
    "#7d8590",
)
LIGHT = "#c9d3dd"
"""For what is not the subject of a figure."""

BOUND_COLOURS = ("#7fb3d5", "#2f6f9f", "#1b3a5c")
"""Colours of the three bounds, the tightest bound first."""

_WIDTH_COLOURS = {16: "#1b3a5c", 8: "#3f7cac", 4: "#e0a030", 2: "#c8553d"}
_DPI = 170

_STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "axes.edgecolor": "#57606a",
    "axes.labelcolor": "#24292f",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6eaee",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "text.color": "#24292f",
    "text.parse_math": False,
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


def width_colour(width: int) -> str:
    """The colour that stands for an operand width in every figure."""
    return _WIDTH_COLOURS.get(width, GREY)


def draw(fill: "Callable[[Figure], None]", *, height: float, width: float = PAGE_WIDTH) -> bytes:
    """PNG of a figure that `fill` draws on; sizes are in inches.

    The user's own matplotlib settings have no effect.
    """
    require_modules("matplotlib")
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        fill(figure)
        stream = io.BytesIO()
        # Without the software's name the file depends on the figure only.
        figure.savefig(stream, dpi=_DPI, format="png", metadata={"Software": None})
    return stream.getvalue()


def legend_above(axis: "Axes", *, columns: int) -> None:
    """A legend above the axes, where it covers nothing."""
    axis.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.2,
    )
