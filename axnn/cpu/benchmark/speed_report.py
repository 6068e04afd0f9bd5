"""Speed and accuracy as a table on the terminal and as a figure."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from axnn.cpu.benchmark.speed import Speed
from qcnpe.spec.files import replace_file
from qcnpe.tools.extras import require_modules

_OURS = "#3f7cac"
_OTHERS = "#777777"
_DPI = 150


def speed_table(document: Speed) -> Table:
    """For each contestant, accuracy and microseconds a sample by threads and batch size."""
    timings = document.timings
    columns = list(dict.fromkeys((entry.threads, entry.batch) for entry in timings))
    table = Table(title=f"{document.app}: microseconds a sample", box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("test", justify="right")
    for threads, batch in columns:
        table.add_column(f"{batch}, {threads} thr.", justify="right")
    cells = {(t.label, t.threads, t.batch): t.median_us for t in timings}
    for label, quality in document.accuracy.items():
        values = [cells.get((label, *column)) for column in columns]
        shown = ["" if value is None else f"{value:,.2f}" for value in values]
        table.add_row(label, f"{quality:.2%}", *shown)
    return table


def draw_speed(document: Speed, path: Path, *, batch: int) -> None:
    """Accuracy against time of a sample, one thread, one batch size."""
    require_modules("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axis = figure.subplots()
    for entry in document.timings:
        if (entry.threads, entry.batch) != (1, batch):
            continue
        label, middle = entry.label, entry.median_us
        own = label in document.cost
        percent = 100 * document.accuracy[label]
        spread = [[middle - entry.low_us], [entry.high_us - middle]]
        colour = _OURS if own else _OTHERS
        axis.errorbar([middle], [percent], xerr=spread, fmt="o" if own else "s", color=colour)
        axis.annotate(label, (middle, percent), (4, 5), textcoords="offset points", fontsize=8)
    axis.set_xscale("log")
    axis.set_xlabel(f"microseconds a sample, one thread, batch {batch}")
    axis.set_ylabel("test accuracy, %")
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(f"{document.app}: speed against quality on an ordinary processor")
    replace_file(
        path,
        lambda temporary: figure.savefig(
            temporary, dpi=_DPI, format="png", metadata={"Software": None}
        ),
    )
