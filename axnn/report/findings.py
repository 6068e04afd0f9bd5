"""Reads the results that an application's folder holds so far, for the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from axnn.approximation.loop import Approximation
from axnn.approximation.resilience import Scores
from axnn.approximation.widths import Trial
from axnn.errors import DataError
from axnn.experiments.bounds import BOUNDS
from axnn.experiments.collect import judge_variants
from axnn.experiments.documents import (
    ABLATION,
    DROPOUT,
    EDGES,
    HARDWARE,
    ORDERING,
    OVERFITTING,
    Ablated,
    Dropped,
    Edges,
    Hardware,
    Ordering,
    Overfitting,
)
from axnn.experiments.folder import AppFolder
from axnn.experiments.stages import stages
from axnn.flow.energy import EnergyModel
from axnn.flow.evaluate import Evaluation
from axnn.flow.run_folder import Trained, bound_name
from axnn.flow.steps import characterize_step, energy_model
from axnn.report.runs.page import FILE as RUN_PAGE
from qcnpe.prices import EnergyPrices
from qcnpe.spec.qnet import QuantNet


@dataclass(frozen=True, kw_only=True)
class Documents:
    """The documents of the stages that have been run, by the stage's name; None of the others."""

    ordering: Ordering | None
    edges: Edges | None
    overfitting: Mapping[str, Overfitting] | None
    dropout: Mapping[str, Dropped] | None
    ablation: Mapping[str, Ablated] | None
    hardware: Hardware | None

    @classmethod
    def read(cls, place: AppFolder) -> "Documents":
        """What an application's folder holds."""
        return cls(
            ordering=place.figures(ORDERING),
            edges=place.figures(EDGES),
            overfitting=place.figures(OVERFITTING),
            dropout=place.figures(DROPOUT),
            ablation=place.figures(ABLATION),
            hardware=place.figures(HARDWARE),
        )


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
    documents : of the stages that have been run
    figures : the application's collected figures, by key without the application's name
    """

    place: AppFolder
    prices: EnergyPrices
    trained: Trained
    judged: Mapping[str, Evaluation]
    found: Mapping[str, Approximation]
    scores: Mapping[str, Scores] | None
    exact_layers_pj: Mapping[str, float] | None
    documents: Documents
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
        documents=Documents.read(place),
        figures={
            key.removeprefix(prefix): value
            for key, value in figures.items()
            if key.startswith(prefix)
        },
    )


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
