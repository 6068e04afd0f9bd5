"""Reads the results that an application's folder holds so far, for the report."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from axnn.approximation.loop import Approximation
from axnn.approximation.resilience import Scores
from axnn.approximation.widths import Trial
from axnn.errors import DataError
from axnn.experiments.bounds import BOUNDS
from axnn.experiments.collect import judge_variants
from axnn.experiments.documents import HARDWARE
from axnn.experiments.folder import AppFolder
from axnn.experiments.stages import stages
from axnn.flow.energy import EnergyModel
from axnn.flow.evaluate import Evaluation
from axnn.flow.run_folder import Trained, bound_name
from axnn.flow.steps import characterize_step, energy_model
from axnn.report.runs.page import FILE as RUN_PAGE
from qcnpe.prices import EnergyPrices
from qcnpe.spec.qnet import QuantNet

DOCUMENTS = ("ordering", "edges", "overfitting", "dropout", "ablation", HARDWARE)
"""Stages that write their figures to a document."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """The results of an application so far.

    Attributes
    ----------
    place : its folder
    prices : of the engine's events
    trained : the trained network
    judged : evaluation of each variant that has been run, by the variant's name
    found : approximation of each of these variants
    scores : of the neurons, by criterion; None if they have not been computed
    exact_layers_pj : energy of the exact network by layer, which needs the data; None without them
    documents : documents of the stages that have been run, by the stage's name
    figures : the application's collected figures, by key without the application's name
    """

    place: AppFolder
    prices: EnergyPrices
    trained: Trained
    judged: Mapping[str, Evaluation]
    found: Mapping[str, Approximation]
    scores: Mapping[str, Scores] | None
    exact_layers_pj: Mapping[str, float] | None
    documents: Mapping[str, dict[str, Any]]
    figures: Mapping[str, float]

    @property
    def name(self) -> str:
        """The application's name."""
        return self.place.name

    @property
    def bounds(self) -> list[float]:
        """The bounds that have been run, the tightest first."""
        return [bound for bound in BOUNDS if bound_name(bound) in self.judged]

    @property
    def exact(self) -> Evaluation:
        """An evaluation with the exact network's figures, which are the same in all."""
        return next(iter(self.judged.values()))

    @property
    def run_page(self) -> Path:
        """The interactive page on the run, if `axnn report --run` has written it."""
        return self.place.path / RUN_PAGE

    def plans(self, stage: str) -> bool:
        """Whether the stage is one of this application's."""
        return stage in {each.name for each in stages(self.name, self.place.seed)}

    def command(self, stage: str) -> str:
        """The command that runs a stage."""
        return f"axnn experiments {self.name} --folder {self.place.root} --stage {stage}"

    def saving(self, trial: Trial) -> float:
        """How many times less energy the network of a trial takes than the exact one."""
        return self.exact.exact16_pj / self._prices.price(trial.events)

    @cached_property
    def _prices(self) -> EnergyModel:
        return EnergyModel(self.prices, self.trained.app.engine)


def read_findings(
    place: AppFolder,
    prices: EnergyPrices,
    figures: Mapping[str, float],
    notify: Callable[[str], None],
) -> Findings | None:
    """Read the results so far; None if the network has not been trained.

    Parameters
    ----------
    place : the application's folder
    prices : of the engine's events
    figures : collected figures of all applications
    notify : called with what is about to be read
    """
    if not place.trained.network.exists():
        return None
    notify("evaluations")
    judged = judge_variants(place, prices)
    found = {name: place.variant(name).approximated() for name in judged}
    notify("energy by layer")
    exact = next(iter(found.values())).exact if found else None
    prefix = f"{place.name}."
    return Findings(
        place=place,
        prices=prices,
        trained=place.trained.trained(),
        judged=judged,
        found=found,
        scores=characterize_step(place.trained) if place.trained.resilience.exists() else None,
        exact_layers_pj=_exact_layers(place, prices, exact) if exact is not None else None,
        documents=_read_documents(place, DOCUMENTS),
        figures={
            key.removeprefix(prefix): value
            for key, value in figures.items()
            if key.startswith(prefix)
        },
    )


def _read_documents(place: AppFolder, names: Collection[str]) -> dict[str, dict[str, Any]]:
    read = {name: place.figures(name) for name in names}
    return {name: document for name, document in read.items() if document is not None}


def _exact_layers(
    place: AppFolder, prices: EnergyPrices, exact: QuantNet
) -> dict[str, float] | None:
    run = place.trained
    try:
        samples = run.samples()
    except DataError:
        return None
    cost = energy_model(prices, run.record().app, samples).exact_cost(exact)
    return dict(zip((layer.name for layer in exact.layers), cost.layers_pj, strict=True))
