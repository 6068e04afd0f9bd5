"""The stages of an application: what is run, in which order, and what each writes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from axnn.approximation.resilience import CRITERIA
from axnn.experiments.ablation import ablation_runs, compare_settings
from axnn.experiments.bounds import Notify, run_bounds, run_choices, run_uniform
from axnn.experiments.dropout import compare_dropout, rate_runs
from axnn.experiments.edges import find_edges
from axnn.experiments.folder import AppFolder
from axnn.experiments.ordering import compare_criteria
from axnn.experiments.overfitting import compare_ways, way_runs
from axnn.flow.apps import APPS
from axnn.flow.energy import EnergyModel
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import characterize_step, train_step
from qcnpe.prices import EnergyPrices
from qcnpe.spec.errors import ConfigError

SMALL = ("census", "letters", "faces")
"""Applications whose bounds, uniform controls and criteria are run with every one of `SEEDS`."""

RANKED = ("digits", "garments", "objects")
"""Applications that are trained with every one of `SEEDS` to compare the criteria."""

SEEDS = (1, 2, 3)
STUDIED = ("letters", "faces", "digits8x8")
"""Applications that are trained anew for the questions about overfitting and dropout."""

ABLATED = ("digits8x8", "census", "faces")
"""Applications on which each change of the paper's method is measured."""

JUDGED = 2000
"""Validation samples that judge without retraining, at most."""

CHARACTERISED = 10_000
"""Training samples that rank neurons for the comparison of criteria, at most."""

ORDERING_WIDTH = 2


@dataclass(frozen=True)
class Stage:
    """One experiment.

    Attributes
    ----------
    name : of the stage and of its document
    run : does it
    """

    name: str
    run: Callable[[AppFolder, EnergyPrices, Notify], None]


def stages(name: str, seed: int) -> tuple[Stage, ...]:
    """What is run for an application and a seed, in order."""
    train, ordering = Stage("train", _train), Stage("ordering", _ordering)
    core = (train, Stage("uniform", run_uniform), Stage("bounds", run_bounds), ordering)
    if seed != SEEDS[0]:
        return core if name in SMALL else (train, ordering)
    rest = (Stage("edges", _edges), Stage("choices", run_choices))
    studies = (Stage("overfitting", _overfitting), Stage("dropout", _dropout))
    ablation = (Stage("ablation", _ablation),)
    return (
        core + rest + (studies if name in STUDIED else ()) + (ablation if name in ABLATED else ())
    )


def check_stages(names: Collection[str]) -> None:
    """Raise `ConfigError` if there is no such stage."""
    for name in names:
        if name not in STAGE_NAMES:
            raise ConfigError(f"stage must be one of {', '.join(STAGE_NAMES)}, not {name!r}")


def check_seeds(numbers: Collection[int]) -> None:
    """Raise `ConfigError` if a seed is none of those that any application is run with."""
    for number in numbers:
        if number not in SEEDS:
            raise ConfigError(f"seed must be one of {', '.join(map(str, SEEDS))}, not {number}")


def seeds(name: str) -> tuple[int, ...]:
    """Seeds of an application."""
    return SEEDS if name in SMALL or name in RANKED else SEEDS[:1]


def _train(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    run = folder.trained
    trained = train_step(
        run,
        folder.app,
        seed=folder.seed,
        on_epoch=lambda epoch: notify(
            f"epoch {epoch.number + 1}, validation {epoch.validation_accuracy:.2%}"
        ),
    )
    notify(f"trained in {len(trained.epochs)} epochs")
    characterize_step(run)


def _ordering(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    def measure() -> dict[str, Any]:
        trained = folder.trained.trained()
        return {
            "width": ORDERING_WIDTH,
            "curves": compare_criteria(
                trained.network,
                folder.trained.samples(),
                EnergyModel(prices, trained.app.engine),
                width=ORDERING_WIDTH,
                seed=folder.seed,
                judged=JUDGED,
                characterised=CHARACTERISED,
                progress=lambda done: notify(f"point {done}"),
            ),
        }

    _document(
        folder,
        "ordering",
        measure,
        prices=dict(prices.pj),
        criteria=CRITERIA,
        samples=[JUDGED, CHARACTERISED],
    )


def _edges(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    def measure() -> dict[str, Any]:
        def progress(done: int) -> None:
            notify(f"measurement {done}")

        return asdict(find_edges(folder, judged=JUDGED, progress=progress))

    _document(folder, "edges", measure, samples=[JUDGED])


def _overfitting(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    found = compare_ways(folder, prices, notify)
    _compared(folder, "overfitting", way_runs(folder), found)


def _dropout(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    found = compare_dropout(folder, prices, notify)
    _compared(folder, "dropout", rate_runs(folder), found)


def _ablation(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    found = compare_settings(folder, prices, notify)
    runs = {f"{name}-{bound:g}": run for name, bound, run in ablation_runs(folder)}
    _compared(folder, "ablation", runs, found)


def _compared(
    folder: AppFolder, stage: str, runs: Mapping[str, RunFolder], found: Mapping[str, Any]
) -> None:
    """Write the figures of runs that were compared."""
    files = [file for run in runs.values() for file in (run.network, run.axnn, run.evaluation)]
    folder.write(stage, found, folder.ancestry(stage, files))


def _document(
    folder: AppFolder, stage: str, measure: Callable[[], dict[str, Any]], **values: Any
) -> None:
    """Write a stage's figures, unless they are there already for this network."""
    made_from = folder.ancestry(stage, **values)
    if not folder.holds(stage, made_from):
        folder.write(stage, measure(), made_from)


STAGE_NAMES = tuple(dict.fromkeys(stage.name for name in APPS for stage in stages(name, SEEDS[0])))
"""Names of all stages of all applications."""
