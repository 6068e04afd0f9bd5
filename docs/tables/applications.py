"""Tables of the applications: `results/apps.json`. A table has those whose experiment is done."""

import re
from collections.abc import Callable, Mapping, Sequence

from docs.tables.cells import Figures, markdown, percent, read_figures, times

APPLICATIONS = {
    "digits": "digits, LeNet",
    "garments": "garments, LeNet",
    "faces": "faces, LeNet",
    "objects": "objects, 5-layer CNN",
    "census": "census, 14-10-2",
    "letters": "letters, 16-64-26",
}
RESNET = {"resnet8": "ResNet-8, pictures of objects"}
"""Beside the six, and not in their mean."""

BOUNDS = ("0.5", "2.5", "7.5")

_OWN_CRITERION = {"garments": "logits"}
"""Of applications whose loop does not use `quantisation`."""

_PAPER_SAVINGS = ("1.43 x", "1.58 x", "1.75 x")  # its abstract, at its three quality constraints


def applications() -> str:
    """Accuracy and saving of the applications under three bounds."""
    apps = read_figures("apps")
    head = ["application", "float", "exact 16 bit", *(f"{bound} points" for bound in BOUNDS)]
    rows = [
        *(_application(apps, name, title) for name, title in APPLICATIONS.items()),
        [
            "mean of the six",
            "",
            "",
            *_means(apps, "energy_ratio"),
            times(apps, "mean.0.5.over_best_uniform"),
        ],
        ["mean, with on-chip memories", "", "", *_means(apps, "energy_ratio_with_memory"), ""],
        ["mean, with external memory, too", "", "", *_means(apps, "energy_ratio_of_system"), ""],
        ["the paper, its own six and engine", "", "", *_PAPER_SAVINGS, ""],
        *(_application(apps, name, title) for name, title in RESNET.items()),
    ]
    return markdown([*head, "over best uniform width, 0.5"], rows)


def _application(apps: Figures, name: str, title: str) -> list[str]:
    return [
        title,
        percent(apps, f"{name}.float_accuracy"),
        percent(apps, f"{name}.exact16_accuracy"),
        *(_saving(apps, f"{name}.{bound}") for bound in BOUNDS),
        times(apps, f"{name}.0.5.over_best_uniform"),
    ]


def _saving(apps: Figures, variant: str) -> str:
    """Energy and accuracy of a network."""
    return f"{times(apps, f'{variant}.energy_ratio')}, {percent(apps, f'{variant}.accuracy')}"


def uniform() -> str:
    """Energy and accuracy of networks of one width."""
    apps = read_figures("apps")
    widths = (8, 4, 2)
    variants = [f"uniform-{width}" for width in widths]

    def row(name: str, title: str) -> list[str]:
        return [title, *(_saving(apps, f"{name}.{variant}") for variant in variants)]

    rows = [
        *(row(name, title) for name, title in APPLICATIONS.items()),
        ["mean of the six", *_means(apps, "energy_ratio", variants)],
        *(row(name, title) for name, title in RESNET.items()),
    ]
    return markdown(["application", *(f"all at {width} bit" for width in widths)], rows)


def savings() -> str:
    """The mean saving alone, for README."""
    apps = read_figures("apps")
    return markdown(
        ["mean of six applications", *(f"{bound} points" for bound in BOUNDS)],
        [
            ["engine", *_means(apps, "energy_ratio")],
            ["engine and on-chip memories", *_means(apps, "energy_ratio_with_memory")],
            ["system, with external memory", *_means(apps, "energy_ratio_of_system")],
            ["the paper, its own six and engine", *_PAPER_SAVINGS],
        ],
    )


def _means(apps: Figures, key: str, variants: Sequence[str] = BOUNDS) -> list[str]:
    """Mean saving of the six under each bound, or of other variants."""
    return [times(apps, f"mean.{variant}.{key}") for variant in variants]


def cost() -> str:
    """Passes over the training part of each network's own retrainings."""
    apps = read_figures("apps")
    networks = [*(f"uniform-{width}" for width in (8, 4, 2)), *BOUNDS]
    rows = [
        [name, *(f"{apps[f'{name}.{key}.passes']:,.1f}" for key in networks)]
        for name in _with(apps, f"{BOUNDS[0]}.passes")
    ]
    head = ["all at 8 bit", "4 bit", "2 bit", *(f"{bound} points" for bound in BOUNDS)]
    return markdown(["application", *head], rows)


def _with(apps: Figures, ending: str) -> list[str]:
    """Applications that have such a figure."""
    return [name for name in (*APPLICATIONS, *RESNET) if f"{name}.{ending}" in apps]


def _by_application(
    names: list[str], labels: Mapping[str, str], cell: Callable[[str, str], str], head: str
) -> str:
    """A table with a row for each label and a column for each application."""
    rows = [[label, *(cell(name, key) for name in names)] for key, label in labels.items()]
    return markdown([head, *names], rows)


def ordering() -> str:
    """Accuracy before retraining, by criterion; over the seeds where there are several."""
    apps = read_figures("apps")
    criteria = ("logits", "quantisation", "gradient", "fisher", "weight", "random")
    labels = {name: f"`{name}`" for name in criteria} | {
        "gradient": "`gradient`, the paper",
        "random": "random",
    }

    def cell(name: str, key: str) -> str:
        spread = f"{name}.ordering.seeds.{key}.accuracy"
        if f"{spread}_mean" not in apps:
            return percent(apps, f"{name}.ordering.{key}.accuracy", 1)
        return f"{apps[f'{spread}_mean']:.1f} ± {apps[f'{spread}_deviation']:.1f} %"

    return _by_application(_with(apps, "ordering.logits.accuracy"), labels, cell, "criterion")


def choices() -> str:
    """Saving at 0.5 points with other criteria; a cell is empty where none was run."""
    apps = read_figures("apps")
    labels = {
        "quantisation": "`quantisation`",
        "logits": "`logits`",
        "gradient": "`gradient`, the paper",
        "weight": "`weight`",
        "random": "random",
        "layers": "whole layers",
    }

    def cell(name: str, key: str) -> str:
        own = _OWN_CRITERION.get(name, "quantisation")
        variant = "0.5" if key == own else f"choice-{key}"
        figure = f"{name}.{variant}.energy_ratio"
        return times(apps, figure) if figure in apps else ""

    names = _with(apps, "choice-gradient.energy_ratio")
    return _by_application(names, labels, cell, "choice")


def edges() -> str:
    """Accuracy with half of each map's positions at 2 bits, by their place."""
    apps = read_figures("apps")
    names = _with(apps, "edges.2b.edges.accuracy")
    rows = [
        [label, *(percent(apps, f"{name}.edges.2b.{key}.accuracy", 1) for name in names)]
        for key, label in (
            ("edges", "edges first"),
            ("random", "positions at random"),
            ("centre", "centre first"),
        )
    ]
    return markdown(["half of each map at 2 bits", *names], rows)


def seeds() -> str:
    """Mean and deviation over three seeds, for applications with several."""
    apps = read_figures("apps")
    names = _with(apps, "0.5.seeds.energy_ratio_mean")

    def cell(name: str, bound: str) -> str:
        start = f"{name}.{bound}.seeds"
        ratio, accuracy = f"{start}.energy_ratio", f"{start}.accuracy"
        return (
            f"{apps[f'{ratio}_mean']:.2f} ± {apps[f'{ratio}_deviation']:.2f} x, "
            f"{apps[f'{accuracy}_mean']:.2f} ± {apps[f'{accuracy}_deviation']:.2f} %"
        )

    rows = [[name, *(cell(name, bound) for bound in BOUNDS)] for name in names]
    return markdown(["three seeds", *(f"{bound} points" for bound in BOUNDS)], rows)


def ablation() -> str:
    """Energy under each bound, from the paper's method to this project's."""
    apps = read_figures("apps")
    names = _with(apps, "ablation.paper.0.5.energy_ratio")

    def cell(name: str, key: str) -> str:
        start = f"{name}.ablation.{key}"
        return " / ".join(times(apps, f"{start}.{bound}.energy_ratio") for bound in BOUNDS)

    labels = {
        "paper": "the paper: `gradient`, short retraining, precision scaling on `gated`",
        "packed": "narrow lanes packed into the multiplier (`fused`)",
        "criterion": "own criterion, trials retrained again",
        "retraining": "learning rate by width, long retraining",
        "ladder": "begins with the best network of one width, or lower",
    }
    rows = [[label, *(cell(name, key) for name in names)] for key, label in labels.items()]
    return markdown(["each with those above it", *names], rows)


def dropout() -> str:
    """Training with dropout."""
    apps = read_figures("apps")
    rows = [
        [
            name,
            rate,
            percent(apps, f"{name}.dropout.{rate}.float_accuracy"),
            percent(apps, f"{name}.dropout.{rate}.axnn_accuracy"),
            times(apps, f"{name}.dropout.{rate}.energy_ratio"),
            f"{apps[f'{name}.dropout.{rate}.same_ranking']:.2f}",
        ]
        for name in _with(apps, "dropout.0.5.energy_ratio")
        for rate in ("0", "0.2", "0.5")
    ]
    head = ["application", "dropout", "float", "AxNN, 0.5 points", "saving"]
    return markdown([*head, "rank correlation with no dropout"], rows)


def overfitting() -> str:
    """Training without one of the methods against overfitting."""
    apps = read_figures("apps")
    found = re.compile(r"(\w+)\.overfitting\.(\w+)\.energy_ratio")
    rows = []
    for key in apps:
        if match := found.fullmatch(key):
            start = key.removesuffix(".energy_ratio")
            rows.append(
                [
                    match[1],
                    match[2].replace("_", " "),
                    percent(apps, f"{start}.float_accuracy"),
                    percent(apps, f"{start}.axnn_accuracy"),
                    times(apps, key),
                ]
            )
    return markdown(["application", "training", "float", "AxNN, 0.5 points", "saving"], rows)
