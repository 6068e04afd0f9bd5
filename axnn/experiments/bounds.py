"""The approximations of an application: the paper's three bounds, and the controls.

Networks of one width come first: the loop begins with the best of them, or with the result for
the tighter bound, or lower.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from axnn.approximation.widths import Trial
from axnn.experiments.folder import AppFolder
from axnn.flow.apps import App
from axnn.flow.run_folder import bound_name, uniform_name
from axnn.flow.steps import approximate_step, evaluate_step, uniform_step
from qcnpe.prices import EnergyPrices

BOUNDS = (0.5, 2.5, 7.5)
"""Loss of accuracy in percentage points (the paper's three quality constraints)."""

UNIFORM_WIDTHS = (16, 8, 4, 2)
"""Widths of the uniform controls; 16 is the exact network with the same extra training."""

CHOICES = ("gradient", "quantisation", "logits", "weight", "random", "layers")
"""Controls at the tightest bound: other criteria than the application's own, the paper's among
them, and whole layers in place of tiles."""

FEWER_CHOICES: Mapping[str, tuple[str, ...]] = {
    "objects": ("gradient", "random"),
    "resnet8": (),
}
"""The same for applications whose retraining takes most of an hour."""

Notify = Callable[[str], None]
"""Called with what has just been done."""


def choice_name(choice: str) -> str:
    """Name of the variant with another choice of what is lowered."""
    return f"choice-{choice}"


def choices_of(app: App) -> tuple[str, ...]:
    """The controls of an application: those of `CHOICES` but its own criterion."""
    choices = FEWER_CHOICES.get(app.name, CHOICES)
    return tuple(choice for choice in choices if choice != app.approximation.criterion)


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
    for choice in choices_of(folder.app):
        run = folder.variant(choice_name(choice))
        plan = replace(folder.app.approximation, bound_percent=BOUNDS[0])
        if choice == "layers":
            plan = replace(plan, unit="layer")
        else:
            plan = replace(plan, criterion=choice)
        approximate_step(run, plan, on_trial=_tell(choice_name(choice), notify))
        evaluate_step(run, prices)


def run_uniform(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> None:
    """Approximate all neurons alike, with the retraining that all other approximations have."""
    for width in UNIFORM_WIDTHS:
        tell = _tell(uniform_name(width), notify)
        run = uniform_step(folder.trained, folder.app.approximation, width, on_trial=tell)
        evaluate_step(run, prices)


def _tell(name: str, notify: Notify) -> Callable[[Trial], None]:
    def tell(trial: Trial) -> None:
        verdict = "kept" if trial.kept else "taken back"
        notify(f"{name}: trial {trial.number}, validation {trial.accuracy:.2%}, {verdict}")

    return tell
