"""The approximations of an application: the paper's three bounds, and the controls.

The bounds form a chain: a looser one goes on from where the tighter one ended.
"""

from collections.abc import Callable
from dataclasses import replace

from axnn.approximation.widths import ApproximationPlan, Trial
from axnn.experiments.folder import AppFolder
from axnn.experiments.uniform import approximate_uniformly, same_budget
from axnn.flow.energy import EnergyPrices
from axnn.flow.notes import ApproximationNotes
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import (
    approximate_step,
    approximation_ancestry,
    evaluate_step,
    event_counter,
    save_approximation,
)
from axnn.nn.train import TrainingPlan

BOUNDS = (0.5, 2.5, 7.5)
"""Loss of accuracy in percentage points (the paper's three quality constraints)."""

UNIFORM_WIDTHS = (16, 8, 4, 2)
"""Widths of the uniform controls; 16 is the exact network with the same extra training."""

CHOICES = ("gradient", "quantisation", "logits", "weight", "random", "layers")
"""Controls at the tightest bound: other criteria than the application's own, the paper's among
them, and whole layers in place of tiles."""

Notify = Callable[[str], None]
"""Called with what has just been done."""


def bound_name(bound: float) -> str:
    """Name of the variant for a bound."""
    return f"bound-{bound:g}"


def uniform_name(width: int) -> str:
    """Name of the variant with one width."""
    return f"uniform-{width}"


def choice_name(choice: str) -> str:
    """Name of the variant with another choice of what is lowered."""
    return f"choice-{choice}"


def choices_of(plan: ApproximationPlan) -> tuple[str, ...]:
    """The controls of an application: `CHOICES` without its own criterion."""
    return tuple(choice for choice in CHOICES if choice != plan.criterion)


def run_bounds(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    """Approximate under each bound, the tightest first, and judge each on the test part."""
    before = None
    for bound in BOUNDS:
        run = folder.variant(bound_name(bound))
        plan = replace(folder.app.approximation, bound_percent=bound)
        approximate_step(run, plan, start=before, on_trial=_tell(bound_name(bound), notify))
        evaluate_step(run, prices)
        before = run


def run_choices(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    """Approximate under the tightest bound by other choices of what is lowered."""
    for choice in choices_of(folder.app.approximation):
        run = folder.variant(choice_name(choice))
        plan = replace(folder.app.approximation, bound_percent=BOUNDS[0])
        if choice == "layers":
            plan = replace(plan, unit="layer")
        else:
            plan = replace(plan, criterion=choice)
        approximate_step(run, plan, on_trial=_tell(choice_name(choice), notify))
        evaluate_step(run, prices)


def run_uniform(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    """Approximate all neurons alike, with the retraining that the loosest bound's AxNN had."""
    axnn = folder.variant(bound_name(BOUNDS[-1])).approximated()
    retraining = same_budget(axnn, len(folder.trained.samples().train))
    for width in UNIFORM_WIDTHS:
        run = folder.variant(uniform_name(width))
        accuracy = _lower_uniformly(run, width, retraining)
        if accuracy is not None:
            notify(f"{uniform_name(width)}: validation {accuracy:.2%}")
        evaluate_step(run, prices)


def _lower_uniformly(run: RunFolder, width: int, retraining: TrainingPlan) -> float | None:
    """Approximate with one width; the accuracy on validation, None if that was done before."""
    trained = run.trained()  # anew: each width retrains the network
    made_from = approximation_ancestry(run, retraining=retraining, width=width)
    part = made_from.unfinished(run.axnn, "uniform")
    if run.axnn.exists() and ApproximationNotes.ancestry(run.axnn) == made_from:
        part.unlink(missing_ok=True)
        return None
    samples = run.samples()
    found = approximate_uniformly(
        trained.network,
        samples,
        event_counter(trained.app.engine, samples),
        retraining,
        width=width,
        seed=trained.seed,
        checkpoint=part,
    )
    save_approximation(run, found, made_from)
    part.unlink(missing_ok=True)
    return found.last_kept.accuracy


def _tell(name: str, notify: Notify) -> Callable[[Trial], None]:
    def tell(step: Trial) -> None:
        verdict = "kept" if step.kept else "taken back"
        notify(f"{name}: step {step.number}, validation {step.accuracy:.2%}, {verdict}")

    return tell
