"""What early stopping, weight decay and augmentation do to a network, and to its AxNN.

The same network is trained with each of them left out. The gap between the losses on the training
and on the validation part is the overfitting; the AxNN of each shows whether approximation adds to
it or takes from it.
"""

from dataclasses import replace

from axnn.experiments.bounds import BOUNDS, Notify
from axnn.experiments.documents import Overfitting
from axnn.experiments.folder import AppFolder
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, evaluate_step, train_step
from axnn.nn.train import TrainingPlan
from qcnpe.prices import EnergyPrices


def ways(plan: TrainingPlan) -> dict[str, TrainingPlan]:
    """The plan, and what is left of it without each method; without those it does not use."""
    without = {
        "none left out": plan,
        "no early stopping": replace(plan, patience=plan.epochs),
        "no decay": replace(plan, weight_decay=0.0),
        "no augmentation": replace(plan, shift_pixels=0, flip=False),
    }
    left_out = {name: way for name, way in without.items() if way != plan}
    return {"none left out": plan, **left_out}


def way_runs(folder: AppFolder) -> dict[str, RunFolder]:
    """The run of each way."""
    names = ways(folder.app.training)
    return {name: folder.retrained(f"overfitting-{name.replace(' ', '-')}") for name in names}


def compare_ways(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> dict[str, Overfitting]:
    """Train, approximate and judge the application in each way."""
    app = folder.app
    found = {}
    runs = way_runs(folder)
    for name, plan in ways(app.training).items():
        run = runs[name]
        trained = train_step(run, replace(app, training=plan), seed=folder.seed)
        approximate_step(run, replace(app.approximation, bound_percent=BOUNDS[0]))
        judged = evaluate_step(run, prices)
        found[name] = Overfitting(
            epochs=trained.epochs,
            float_accuracy=judged.float_accuracy,
            axnn_accuracy=judged.axnn_accuracy,
            energy_ratio=judged.energy_ratio,
        )
        notify(f"overfitting: {name}")
    return found
