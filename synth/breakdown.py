"""Draws the energy of an array by part."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qcnpe.spec.files import replace_file
from qcnpe.tools.extras import require_modules

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = {
    "adder tree": ("tree", "products", "masks"),
    "accumulator": ("accumulator",),
    "operand registers": ("registers",),
    "control": ("other",),
    "clock": ("clock",),
    "leakage": ("leakage",),
    "clock and leakage of other units": ("other_units_clock_and_leakage",),
    "queues and skew": ("queue", "skew"),
    "sequencer": ("sequencer",),
    "rows' ORs, carries added": ("row",),
    "AFU": ("afu",),
    "copies, result queues, collector": ("result",),
}
"""Parts that the figure shows, each with the parts of the results that it adds up."""

_COLOURS = (
    "#4477aa",
    "#66ccee",
    "#228833",
    "#999933",
    "#ccbb44",
    "#bbbbbb",
    "#888888",
    "#ee6677",
    "#dd9999",
    "#ee8866",
    "#aa3377",
    "#663355",
)
_DPI = 150

Arrays = Mapping[int, Mapping[str, float]]
"""Energy by part in fJ for a cycle of a working neural compute unit, by operand width."""


def grouped(parts: Mapping[str, float]) -> dict[str, float]:
    """Energy by part of the figure; every part of the results is in one of them."""
    return {name: sum(parts.get(part, 0.0) for part in of) for name, of in PARTS.items()}


def draw(arrays: Arrays, path: Path) -> None:
    """Write a PNG: a stacked bar for each operand width.

    Raises
    ------
    ToolMissingError
        If matplotlib is missing.
    """
    require_modules("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    _fill(figure, arrays)

    def save(temporary: Path) -> None:
        # Without the software's name the file depends on the figure alone.
        figure.savefig(temporary, dpi=_DPI, format="png", metadata={"Software": None})

    replace_file(path, save)


def _fill(figure: "Figure", arrays: Arrays) -> None:
    axis = figure.subplots()
    names = [f"{width} bit" for width in arrays]
    bottom = [0.0] * len(names)
    for (part, _), colour in zip(PARTS.items(), _COLOURS, strict=True):
        heights = [grouped(parts)[part] for parts in arrays.values()]
        axis.bar(names, heights, bottom=bottom, label=part, color=colour, width=0.6)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    for place, total in enumerate(bottom):
        axis.annotate(f"{total:,.0f}", (place, total), ha="center", va="bottom")
    axis.set_ylabel("fJ for a cycle of a working NCU")
    axis.set_title("Energy of a 16 x 16 array, LeNet's operands, 500 MHz")
    axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center", frameon=False)
