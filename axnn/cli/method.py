"""The commands of the method: characterize, approximate, evaluate."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated

import typer

from axnn import report
from axnn.approximation.resilience import CRITERIA
from axnn.approximation.widths import Trial
from axnn.cli.app import cli
from axnn.cli.notes import warn_on_stderr
from axnn.cli.options import PricesOption, RunOption
from axnn.flow.energy import EnergyModel
from axnn.flow.evaluate import ENERGY_RATIOS
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import (
    approximate_step,
    characterize_step,
    energy_model,
    evaluate_step,
)
from qcnpe.options import JsonOption, QuietOption
from qcnpe.prices import EnergyPrices
from qcnpe.terminal import show, show_progress


@cli.command(epilog="Example: axnn characterize --run build/digits")
def characterize(run: RunOption, quiet: QuietOption = False, as_json: JsonOption = False) -> None:
    """Measure how resilient every neuron is: one backward pass over the training set."""
    folder = RunFolder(run)
    with show_progress("characterizing", quiet=quiet or as_json) as update:
        scores = characterize_step(folder, progress=update, notify=warn_on_stderr(quiet=quiet))
    names = [layer.name for layer in folder.trained().network.neuron_layers]
    document = {
        criterion: {name: layer.tolist() for name, layer in zip(names, layers, strict=True)}
        for criterion, layers in scores.items()
    }
    table = report.resilience_table(scores, names)
    show(table, document, quiet=quiet, as_json=as_json)


@cli.command(
    epilog="Example: axnn approximate --run build/digits --bound 0.5 --criterion quantisation"
)
def approximate(
    run: RunOption,
    bound: Annotated[
        float | None,
        typer.Option(
            help="Accuracy that may be lost on validation, in percentage points.",
            show_default="the application's: 0.5",
        ),
    ] = None,
    criterion: Annotated[
        str | None,
        typer.Option(
            help=f"What neurons are sorted by: {', '.join(CRITERIA)}.",
            show_default="the application's",
        ),
    ] = None,
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Lower the precision of resilient neurons and retrain, as long as the bound holds."""
    folder = RunFolder(run)
    trained = folder.trained()
    plan = trained.app.approximation
    if bound is not None:
        plan = replace(plan, bound_percent=bound)
    if criterion is not None:
        plan = replace(plan, criterion=criterion)
    energy = energy_model(EnergyPrices.load(prices), trained.app, folder.samples())
    with show_progress("approximating", quiet=quiet or as_json) as update:
        tell = _trial_note(update, energy)
        found = approximate_step(folder, plan, on_trial=tell, notify=warn_on_stderr(quiet=quiet))
    document = {
        **asdict(folder.facts()),
        "plan": asdict(plan),
        "exact_pj": energy.exact_cost(found.exact).energy_pj,
        "steps": [
            {**asdict(trial), "energy_pj": energy.price(trial.events)} for trial in found.trials
        ],
    }
    show(report.trials_table(found, energy), document, quiet=quiet, as_json=as_json)


def _trial_note(update: Callable[..., None], energy: EnergyModel) -> Callable[[Trial], None]:
    def note(trial: Trial) -> None:
        verdict = "kept" if trial.kept else "taken back"
        price = f"{energy.price(trial.events):,.0f} pJ a sample"
        update(trial.number, f"validation {trial.accuracy:.2%}, {price}, {verdict}")

    return note


@cli.command(epilog="Example: axnn evaluate --run build/digits --json")
def evaluate(
    run: RunOption,
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge the networks on the test set and price them."""
    folder = RunFolder(run)
    evaluation = evaluate_step(
        folder, EnergyPrices.load(prices), notify=warn_on_stderr(quiet=quiet)
    )
    facts = folder.facts()
    summary = report.make_summary(evaluation, facts, seconds={})
    ratios = {name: getattr(evaluation, name) for name in ENERGY_RATIOS}
    document = {**asdict(facts), **asdict(evaluation), **ratios}
    shown = report.summary_table(folder.record().app.title, summary)
    show(shown, document, quiet=quiet, as_json=as_json)
