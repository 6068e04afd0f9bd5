"""Accuracy against energy: of the final networks, and of the loop's trials."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from axnn.approximation.loop import Approximation
from axnn.approximation.widths import Trial
from axnn.experiments.bounds import BOUNDS, UNIFORM_WIDTHS, choice_name
from axnn.flow.evaluate import Evaluation
from axnn.flow.run_folder import bound_name, uniform_name
from axnn.report.content import Picture
from axnn.report.drawing import AMBER, BLUE, DARK, GREEN, GREY, RED, draw, legend_above
from axnn.report.figures.energy import log_energy_axis
from axnn.report.findings import Findings
from axnn.report.numbers import percent, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN_POINTS = 12.0
"""Networks that lose more than this many percentage points are drawn at the lower edge, so that the
others can be told apart."""

_CHOICE_MARKS = {
    "gradient": ("^", GREEN),
    "quantisation": (">", DARK),
    "logits": ("<", DARK),
    "weight": ("v", AMBER),
    "random": ("D", RED),
    "layers": ("P", GREY),
}


def choice_title(choice: str) -> str:
    """The name of a control in figures and tables."""
    return {
        "gradient": "by |dE/dy| (paper)",
        "quantisation": "by change of the error",
        "logits": "by change of the logits",
        "weight": "by mean |weight|",
        "random": "random choice",
        "layers": "whole layers",
    }[choice]


def against_controls(found: Findings) -> Picture:
    """Test accuracy against saving: bounds, uniform widths and other choices."""
    exact = 100 * found.exact.exact16_accuracy
    shown = [100 * each.axnn_accuracy for each in found.judged.values()]
    floor = max(min(shown), exact - _SHOWN_POINTS)

    def fill(figure: "Figure") -> None:
        axis = figure.subplots()
        axis.plot([1], [exact], "*", color=DARK, markersize=10, label="exact 16 bit")
        judged = found.judged
        uniform = {f"{width}": judged.get(uniform_name(width)) for width in UNIFORM_WIDTHS}
        _draw_series(axis, uniform, floor, "s--", GREY)
        for choice, (mark, colour) in _CHOICE_MARKS.items():
            if (other := judged.get(choice_name(choice))) is not None:
                x, y = other.energy_ratio, max(100 * other.axnn_accuracy, floor)
                axis.plot([x], [y], mark, color=colour, label=choice_title(choice), alpha=0.85)
        bounds = {f"{bound:g}": judged.get(bound_name(bound)) for bound in BOUNDS}
        _draw_series(axis, bounds, floor, "o-", BLUE)
        log_energy_axis(axis, max(each.energy_ratio for each in found.judged.values()))
        span = max(max(shown), exact) - floor
        axis.set_ylim(floor - 0.12 * span - 0.05, max(max(shown), exact) + 0.14 * span + 0.05)
        axis.set_xlabel("times less energy than exact (plain16)")
        axis.set_ylabel("test accuracy, %")
        legend_above(axis, columns=2)

    said = [
        f"{name} {percent(each.axnn_accuracy)} at {times(each.energy_ratio)}"
        for name, each in found.judged.items()
    ]
    low = any(value < floor for value in shown)
    more = f" Those below {floor:.1f} % are at the lower edge, with their values." if low else ""
    return Picture(
        name=f"{found.name}-against-controls",
        caption=(
            "Up and right is better. Numbers: bounds of the AxNN in percentage points, widths of "
            f"the uniform networks in bits.{more}"
        ),
        alt=f"Test accuracy against saving: {', '.join(said)}.",
        drawing=draw(fill, height=3.6),
    )


def _draw_series(
    axis: "Axes", members: Mapping[str, Evaluation | None], floor: float, style: str, colour: str
) -> None:
    """Draw a line through the members that are not None, each a point with its name beside it."""
    there = {name: judged for name, judged in members.items() if judged is not None}
    if not there:
        return
    label = "AxNN" if style.startswith("o") else "uniform"
    x = [judged.energy_ratio for judged in there.values()]
    y = [max(100 * judged.axnn_accuracy, floor) for judged in there.values()]
    axis.plot(x, y, style, color=colour, label=label)
    for text, place in _notes(there, floor):
        axis.annotate(
            text,
            place,
            (0, 7 if label == "AxNN" else -13),
            textcoords="offset points",
            ha="center",
            color=colour,
            bbox={"boxstyle": "square,pad=0.08", "color": "white", "alpha": 0.75},
        )


def _notes(
    members: Mapping[str, Evaluation], floor: float
) -> list[tuple[str, tuple[float, float]]]:
    """(text, place) of the notes; members at the same place share a note."""
    texts: dict[tuple[float, float], str] = {}
    for name, judged in members.items():
        value = 100 * judged.axnn_accuracy
        place = (judged.energy_ratio, max(value, floor))
        text = name + (f" ({value:.1f} %)" if value < floor else "")
        texts[place] = f"{texts[place]}, {text}" if place in texts else text
    return [(text, place) for place, text in texts.items()]


def along_the_way(found: Findings) -> Picture:
    """Validation accuracy of every trial against its saving, before and after retraining."""
    loosest = found.bounds[-1]
    approximation = found.found[bound_name(loosest)]
    control = found.found.get(uniform_name(16))
    savings = {trial.number: found.saving(trial) for trial in approximation.trials}
    more_training = None if control is None else control.last_kept.accuracy

    def fill(figure: "Figure") -> None:
        axis = figure.subplots()
        draw_quality(axis, approximation, savings, more_training, bounds=found.bounds)
        log_energy_axis(axis, max(savings.values()))
        axis.set_xlabel("times less energy than exact (plain16)")
        legend_above(axis, columns=2)

    kept = [trial for trial in approximation.trials if trial.kept]
    said = [
        f"{times(savings[trial.number])}: {percent(trial.before_retraining)} before, "
        f"{percent(trial.accuracy)} after"
        for trial in kept[1:]
    ]
    return Picture(
        name=f"{found.name}-along-the-way",
        caption=(
            "Validation accuracy of every trial of the loop. Before retraining, a network still "
            "has the weights of the last trial that was kept, which were retrained."
        ),
        alt=f"Accuracy of the kept trials against saving: {'; '.join(said)}.",
        drawing=draw(fill, height=3.4),
    )


def draw_quality(
    axis: "Axes",
    found: Approximation,
    savings: Mapping[int, float],
    more_training: float | None = None,
    *,
    bounds: Iterable[float],
) -> None:
    """Every trial: validation accuracy against saving, before and after retraining.

    Parameters
    ----------
    axis : to draw on
    found : the approximation
    savings : by the trial's number
    more_training : validation accuracy of the exact network with as much training
    bounds : in percentage points, each drawn as a line
    """

    def plot(trials: Iterable[Trial], quality: str, style: str, colour: str, label: str) -> None:
        chosen = list(trials)
        x = [savings[trial.number] for trial in chosen]
        axis.plot(x, [100 * getattr(t, quality) for t in chosen], style, color=colour, label=label)

    trials = found.trials
    plot(trials[1:], "before_retraining", ".", GREY, "before retraining")
    plot((t for t in trials if t.kept), "accuracy", "o-", BLUE, "retrained, kept")
    plot((t for t in trials if not t.kept), "accuracy", "x", RED, "retrained, taken back")
    if more_training is not None:
        title = "exact, as much training"
        axis.axhline(100 * more_training, color=GREEN, linestyle="--", label=title)
    for index, bound in enumerate(bounds):
        floor = 100 * trials[0].accuracy - bound
        label = "bounds" if index == 0 else "_"
        axis.axhline(floor, color=DARK, linestyle=":", linewidth=1.0, label=label)
    axis.set_ylabel("validation accuracy, %")
