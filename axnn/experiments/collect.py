"""The figures of all experiments as one flat document: `results/apps.json`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from axnn.errors import RunError
from axnn.experiments.bounds import BOUNDS, UNIFORM_WIDTHS, choice_name, choices_of
from axnn.experiments.documents import (
    ABLATION,
    DROPOUT,
    EDGES,
    HARDWARE,
    ORDERING,
    OVERFITTING,
    Dropped,
    Overfitting,
)
from axnn.experiments.folder import AppFolder
from axnn.experiments.ordering import accuracy_at_equal_energy, shared_grid
from axnn.experiments.stages import SEEDS, seeds
from axnn.flow.apps import find_app
from axnn.flow.evaluate import ENERGY_RATIOS, Evaluation
from axnn.flow.run_folder import BOUND, bound_name, uniform_name
from axnn.flow.steps import evaluate_step
from qcnpe.prices import EnergyPrices
from qcnpe.spec.results import package_versions, results_document

PAPER_APPS = ("digits", "objects", "garments", "faces", "census", "letters")
"""Applications that count in the means."""

ALL_APPS = ("resnet8", *PAPER_APPS)
"""Applications of `all`, the one that takes longest first."""

TOOLS = ("numpy",)


def named_apps(names: Sequence[str]) -> list[str]:
    """Names of applications; `all` stands for `ALL_APPS`."""
    return list(ALL_APPS) if list(names) == ["all"] else [find_app(name).name for name in names]


def collect(
    folder: Path,
    names: Sequence[str],
    prices: EnergyPrices,
    *,
    earlier: Mapping[str, float] | None = None,
    may_be_empty: bool = False,
) -> dict[str, Any]:
    """All figures that exist so far of these applications.

    Accuracies and their differences are percentages on the test part; energy ratios are over the
    exact network on the engine that is not configurable.

    Parameters
    ----------
    folder : of the experiments
    names : of the applications
    prices : of the engine's events
    earlier : figures that were collected before; those of other applications stay
    may_be_empty : whether there may be none, as in a report on what is only trained yet

    Raises
    ------
    RunError
        If the folder holds nothing of any of them, unless it may.
    """
    found = {name: _app_figures(folder, name, prices) for name in names}
    if not may_be_empty and not any(found.values()):
        raise RunError(
            f"{folder}: holds no experiments of {', '.join(names)}; "
            "run `axnn experiments` with this folder first"
        )
    by_app = _by_app(earlier or {}) | {name: each for name, each in found.items() if each}
    figures: dict[str, float] = {}
    for name in sorted(by_app, key=_place):
        figures |= by_app[name]
    figures |= dict(_means(figures))
    rounded = {key: round(value, 4) for key, value in figures.items()}
    versions = package_versions(TOOLS)
    return results_document("make apps", rounded, seed=SEEDS[0], versions=versions)


def _by_app(figures: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Figures by application, without the means."""
    found: dict[str, dict[str, float]] = {}
    for key, value in figures.items():
        found.setdefault(key.split(".")[0], {})[key] = value
    found.pop("mean", None)
    return found


def _place(name: str) -> int:
    """Where an application's figures stand among the others'."""
    return PAPER_APPS.index(name) if name in PAPER_APPS else len(PAPER_APPS)


def _app_figures(folder: Path, name: str, prices: EnergyPrices) -> dict[str, float]:
    place = AppFolder(folder, name, SEEDS[0])
    figures: dict[str, float] = {}
    judged = judge_variants(place, prices)
    if not judged:
        return {}
    first = next(iter(judged.values()))
    figures[f"{name}.float_accuracy"] = 100 * first.float_accuracy
    figures[f"{name}.exact16_accuracy"] = 100 * first.exact16_accuracy
    for variant, each in judged.items():
        short = variant.removeprefix(BOUND)
        figures |= {f"{name}.{short}.{key}": value for key, value in _figures(each).items()}
    for bound in BOUNDS:
        best = over_best_uniform(place, bound, judged)
        if best is not None:
            figures[f"{name}.{bound:g}.over_best_uniform"] = best
    figures |= {f"{name}.{key}": value for key, value in _ordering(place).items()}
    figures |= {f"{name}.{key}": value for key, value in _edges(place).items()}
    figures |= {f"{name}.{key}": value for key, value in _hardware(place).items()}
    figures |= {f"{name}.{key}": value for key, value in _studies(place).items()}
    figures |= {f"{name}.{key}": value for key, value in _ablation(place).items()}
    figures |= {f"{name}.{key}": value for key, value in _training_cost(place, judged).items()}
    figures |= {f"{name}.{key}": value for key, value in _spread(folder, name, prices).items()}
    return figures


def judge_variants(place: AppFolder, prices: EnergyPrices) -> dict[str, Evaluation]:
    """The judgement of every variant that is there, by its name."""
    if not place.trained.network.exists():
        return {}
    place.check()
    names = [
        *map(bound_name, BOUNDS),
        *map(uniform_name, UNIFORM_WIDTHS),
        *map(choice_name, choices_of(place.app)),
    ]
    runs = {name: place.variant(name) for name in names}
    return {name: evaluate_step(run, prices) for name, run in runs.items() if run.axnn.exists()}


def _figures(judged: Evaluation) -> dict[str, float]:
    return {
        "accuracy": 100 * judged.axnn_accuracy,
        **{name: ratio for name in ENERGY_RATIOS if (ratio := getattr(judged, name)) is not None},
    }


def over_best_uniform(
    place: AppFolder, bound: float, judged: Mapping[str, Evaluation]
) -> float | None:
    """How many times less energy than the cheapest uniform network that holds the bound, too.

    Which ones hold it is decided on validation, as for the AxNN. None without all the networks.
    """
    wanted = [bound_name(bound), *map(uniform_name, UNIFORM_WIDTHS)]
    if any(name not in judged for name in wanted):
        return None
    energies = []
    for name in wanted[1:]:
        found = place.variant(name).approximated()
        floor = found.trials[0].accuracy - bound / 100
        if found.last_kept.accuracy >= floor or name == uniform_name(UNIFORM_WIDTHS[0]):
            energies.append(judged[name].axnn_pj)
    return min(energies) / judged[wanted[0]].axnn_pj


def _ordering(place: AppFolder) -> dict[str, float]:
    document = place.figures(ORDERING) if place.trained.network.exists() else None
    if document is None:
        return {}
    grid = shared_grid(document.curves)
    return {
        f"ordering.{criterion}.accuracy": 100 * accuracy_at_equal_energy(entry, grid)
        for criterion, entry in document.curves.items()
    }


def _edges(place: AppFolder) -> dict[str, float]:
    """Accuracy on validation with half of each map's positions lowered, by width and order."""
    document = place.figures(EDGES)
    if document is None:
        return {}
    half = document.shares.index(0.5)
    return {
        f"edges.{width}b.{order}.accuracy": 100 * accuracies[half]
        for width, orders in document.accuracy.items()
        for order, accuracies in orders.items()
    }


def _hardware(place: AppFolder) -> dict[str, float]:
    found = place.figures(HARDWARE)
    if found is None:
        return {}
    return {
        "rtl_images_checked": found.images_checked,
        "rtl_mismatches": found.mismatches,
        "rtl_miscounts": found.miscounts,
    }


def _studies(place: AppFolder) -> dict[str, float]:
    found: dict[str, Mapping[str, Overfitting | Dropped] | None] = {
        OVERFITTING.name: place.figures(OVERFITTING),
        DROPOUT.name: place.figures(DROPOUT),
    }
    figures = {}
    for study, trainings in found.items():
        for name, entry in (trainings or {}).items():
            for key, value in vars(entry).items():
                if isinstance(value, float):
                    percent = 100 if key.endswith("accuracy") else 1
                    figures[f"{study}.{name.replace(' ', '_')}.{key}"] = percent * value
    return figures


def _ablation(place: AppFolder) -> dict[str, float]:
    """Accuracy on test and energy of each setting of the method, by bound."""
    figures = {}
    for setting, entry in (place.figures(ABLATION) or {}).items():
        for bound, (accuracy, ratio) in entry.bounds.items():
            figures[f"ablation.{setting}.{bound}.accuracy"] = 100 * accuracy
            figures[f"ablation.{setting}.{bound}.energy_ratio"] = ratio
    return figures


def _training_cost(place: AppFolder, names: Iterable[str]) -> dict[str, float]:
    """Passes over the training part of each variant's retrainings, and minutes of each stage."""
    figures = {
        f"{name.removeprefix('bound-')}.passes": place.variant(name).approximated().passes
        for name in names
    }
    minutes = {stage: seconds / 60 for stage, seconds in place.spent().items()}
    return figures | {f"minutes.{stage}": value for stage, value in minutes.items()}


def _spread(folder: Path, name: str, prices: EnergyPrices) -> dict[str, float]:
    """Mean and sample standard deviation over the seeds, where there are several."""
    figures: dict[str, float] = {}
    for bound in BOUNDS:
        runs = [AppFolder(folder, name, seed).variant(bound_name(bound)) for seed in seeds(name)]
        judged = [evaluate_step(run, prices) for run in runs if run.axnn.exists()]
        if len(judged) < 2 or len(judged) < len(runs):
            continue
        for key in ("energy_ratio", "accuracy"):
            values = [_figures(each)[key] for each in judged]
            figures |= _mean_and_deviation(f"{bound:g}.seeds.{key}", values)
    orderings = [_ordering(AppFolder(folder, name, seed)) for seed in seeds(name)]
    for key in orderings[0] if len(orderings) > 1 and all(orderings) else ():
        values = [ordering[key] for ordering in orderings]
        figures |= _mean_and_deviation(key.replace("ordering.", "ordering.seeds.", 1), values)
    return figures


def _mean_and_deviation(key: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{key}_mean": mean(values), f"{key}_deviation": stdev(values)}


def _means(figures: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Means over the paper's applications, of what every one of them has."""
    variants = [*(f"{bound:g}" for bound in BOUNDS), *map(uniform_name, UNIFORM_WIDTHS)]
    for variant in variants:
        for key in (*ENERGY_RATIOS, "over_best_uniform"):
            wanted = [f"{name}.{variant}.{key}" for name in PAPER_APPS]
            if all(each in figures for each in wanted):
                yield f"mean.{variant}.{key}", mean(figures[each] for each in wanted)
