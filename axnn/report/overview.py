"""The first chapter: all applications, the paper's figures, and what configurability costs."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean

from axnn.experiments.bounds import BOUNDS
from axnn.experiments.collect import PAPER_APPS
from axnn.flow.evaluate import ENERGY_RATIOS
from axnn.report.content import Chapter, Section, Table
from axnn.report.figures.overview import savings
from axnn.report.numbers import NONE, bound_points, points, times

PAPER_SAVINGS = {0.5: 1.43, 2.5: 1.58, 7.5: 1.75}
"""Mean energy saving over six applications, by bound (S. Venkataramani et al., ISLPED 2014)."""

_RATIOS = (*ENERGY_RATIOS, "over_best_uniform")

Figures = Mapping[str, float]
"""Figures by key, as `axnn.experiments.collect.collect` returns them."""


def overview(
    figures: Figures, names: Sequence[str], folder: str, engine: Figures | None
) -> Chapter:
    """The chapter on all applications.

    Parameters
    ----------
    figures : of the experiments
    names : of the applications on the page
    folder : the experiments' folder
    engine : figures of the hardware, which hold what configurability costs; None if not given
    """
    done = [name for name in names if f"{name}.{BOUNDS[0]:g}.energy_ratio" in figures]
    sections = [_cost(engine)]
    if done:
        sections.insert(0, _results(figures, done))
    missing = [name for name in PAPER_APPS if not _complete(figures, name)]
    if missing:
        command = f"axnn experiments {' '.join(missing)} --folder {folder}"
        entry = (", ".join(missing), command)
        sections.append(Section(title="Not run yet, or not finished", missing=(entry,)))
    return Chapter(name="overview", title="All applications", sections=tuple(sections))


def _complete(figures: Figures, name: str) -> bool:
    return all(f"{name}.{bound:g}.over_best_uniform" in figures for bound in BOUNDS)


def _results(figures: Figures, done: Sequence[str]) -> Section:
    text = (
        "An energy ratio is the energy of the exact 16-bit network over that of the AxNN. The "
        "exact network runs on an engine whose neural compute units (NCUs) are not configurable "
        "(plain16), the AxNN on the configurable engine: every ratio includes what configurability "
        "costs. Bounds are held on validation; the accuracies here are on the test part."
    )
    groups = {name: _savings(figures, name) for name in done}
    counted = [name for name in done if name in PAPER_APPS]
    means = {key: _means(figures, counted, key) for key in _RATIOS}
    if means[_RATIOS[0]]:
        groups[f"mean of {len(counted)}"] = means[_RATIOS[0]]
    groups["paper"] = PAPER_SAVINGS
    table = Table(
        caption="Test accuracy and energy under each bound",
        head=(
            "application",
            "bound",
            "energy",
            "accuracy",
            "change, points",
            "with memory",
            "system",
            "best uniform",
        ),
        rows=(
            *(row for name in done for row in _app_rows(figures, name)),
            *_mean_rows(f"mean of {len(counted)}", means),
            *_mean_rows("paper", {_RATIOS[0]: PAPER_SAVINGS}),
        ),
    )
    note = (
        "Best uniform: the energy of the cheapest network of a single width that holds the bound, "
        "over that of the AxNN. The paper's figures are means over its own six networks, on its "
        "own engine, against another baseline: only the trend can be compared."
    )
    return Section(
        title="Energy saved", text=(text, note), pictures=(savings(groups),), tables=(table,)
    )


def _savings(figures: Figures, name: str) -> dict[float, float]:
    keys = {bound: f"{name}.{bound:g}.energy_ratio" for bound in BOUNDS}
    return {bound: figures[key] for bound, key in keys.items() if key in figures}


def _app_rows(figures: Figures, name: str) -> list[tuple[str, ...]]:
    rows = []
    for bound in BOUNDS:
        start = f"{name}.{bound:g}."
        if f"{start}accuracy" in figures:
            accuracy = figures[f"{start}accuracy"]
            energy, *others = [times(figures.get(f"{start}{key}")) for key in _RATIOS]
            rows.append(
                (
                    name,
                    bound_points(bound),
                    energy,
                    f"{accuracy:.2f} %",
                    points(accuracy - figures[f"{name}.exact16_accuracy"]),
                    *others,
                )
            )
    return rows


def _means(figures: Figures, names: Sequence[str], key: str) -> dict[float, float]:
    """Mean by bound, for the bounds that all of two or more applications have."""
    means = {}
    for bound in BOUNDS:
        wanted = [f"{name}.{bound:g}.{key}" for name in names]
        if len(wanted) > 1 and all(each in figures for each in wanted):
            means[bound] = mean(figures[each] for each in wanted)
    return means


def _mean_rows(label: str, means: Mapping[str, Mapping[float, float]]) -> Iterator[tuple[str, ...]]:
    for bound in BOUNDS:
        cells = [times(means.get(key, {}).get(bound)) for key in _RATIOS]
        if any(cell != NONE for cell in cells):
            energy, *others = cells
            yield (label, bound_points(bound), energy, NONE, NONE, *others)


def _cost(engine: Figures | None) -> Section:
    """What a configurable NCU costs at 16 bits, which belongs beside every saving."""
    title = "What configurability costs"
    keys = {part: f"fused_over_plain16_{part}_percent" for part in ("energy", "area", "path")}
    if engine is None or not all(key in engine for key in keys.values()):
        command = "axnn report --folder ... --out ... --engine results/energy.json"
        return Section(title=title, missing=(("Not given", command),))
    shown = {part: f"{points(engine[key], 1)} %" for part, key in keys.items()}
    text = (
        f"A configurable NCU at 16 bits, compared with one that is not configurable: energy "
        f"{shown['energy']}, area {shown['area']}, longest path {shown['path']}. The savings above "
        "include this energy; they do not include the area."
    )
    return Section(title=title, text=(text,))
