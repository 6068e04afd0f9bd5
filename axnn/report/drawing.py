"""The style of all figures, and their rendering as SVG: the same figure gives the same bytes.

Colours of data are those of M. Okabe and K. Ito, which people with any colour vision tell apart.
"""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from axnn.report.content import Drawing
from qcnpe.tools.extras import require_modules

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_WIDTH = 3.6
"""Width of all figures in inches, which fits a phone."""

BLUE, DARK, AMBER, RED, GREEN, GREY = (
    "#0072b2",
    "#1b3a5c",
    "#e69f00",
    "#d55e00",
    "#009e73",
    "#7d8590",
)
LIGHT = "#c9d3dd"
"""For what is not the subject of a figure."""

BOUND_COLOURS = ("#56b4e9", BLUE, DARK)
"""Colours of the three bounds, the tightest bound first."""

TEXT_SIZE = 9.0
"""Size of all text in points: 12 pixels."""

_WIDTH_COLOURS = {16: BLUE, 8: "#56b4e9", 4: AMBER, 2: RED}
_INK, _SOFT, _GRID, _PAPER = "#24292f", "#57606a", "#e6eaee", "#ffffff"
_IN_THE_DARK = {
    _INK: "#e6eaf0",
    "#000000": "#e6eaf0",
    _SOFT: "#a3aebb",
    _GRID: "#2b333d",
    _PAPER: "#171c23",
    DARK: "#8fb8e0",
    LIGHT: "#4a5561",
}
"""What becomes of a colour where the reader prefers dark pages; other colours stay."""

_PIXELS_PER_INCH = 96
_IMAGE_DPI = 170
_FONTS = "'DejaVu Sans', Verdana, sans-serif"
"""All of them as wide as the first, by which the figures are laid out."""

_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": _SOFT,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.labelsize": TEXT_SIZE,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": TEXT_SIZE,
    "figure.labelsize": TEXT_SIZE,
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT_SIZE,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": TEXT_SIZE,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "axnn",
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _SOFT,
    "xtick.labelsize": TEXT_SIZE,
    "ytick.color": _SOFT,
    "ytick.labelsize": TEXT_SIZE,
}


def width_colour(width: int) -> str:
    """The colour that stands for an operand width in every figure."""
    return _WIDTH_COLOURS.get(width, GREY)


def draw(fill: "Callable[[Figure], None]", *, height: float) -> Drawing:
    """A figure of `PAGE_WIDTH` that `fill` draws on.

    The user's own matplotlib settings have no effect.

    Parameters
    ----------
    fill : draws
    height : in inches
    """
    require_modules("matplotlib")
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(PAGE_WIDTH, height), layout="constrained")
        fill(figure)
        stream = io.StringIO()
        # Without date and the software's name the file depends on the figure only.
        nobody = {"Date": None, "Creator": None}
        figure.savefig(stream, dpi=_IMAGE_DPI, format="svg", metadata=nobody, transparent=True)
    text = stream.getvalue().replace("'DejaVu Sans'", _FONTS)
    return Drawing(
        svg=_with_dark_colours(text).encode(),
        width=round(PAGE_WIDTH * _PIXELS_PER_INCH),
        height=round(height * _PIXELS_PER_INCH),
    )


def _with_dark_colours(svg: str) -> str:
    """The drawing with a style of its own for readers who prefer dark pages."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in _IN_THE_DARK.items()
        for what in ("fill", "stroke")
    )
    text = f"text{{fill:{_IN_THE_DARK[_INK]}}}"
    style = f"@media (prefers-color-scheme:dark){{{text}{rules}}}"
    head, _, rest = svg.partition("<defs>")
    return f"{head}<style>{style}</style>\n<defs>{rest}"


def legend_above(axis: "Axes", *, columns: int) -> None:
    """A legend above all axes of the figure, where it covers nothing."""
    handles, labels = axis.get_legend_handles_labels()
    axis.figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=columns,
        borderpad=0.1,
        borderaxespad=0.2,
        handlelength=1.3,
        handletextpad=0.5,
        columnspacing=1.0,
    )
