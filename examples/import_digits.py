"""From a network trained in PyTorch to an approximate one, checked by onnxruntime at both ends.

The network is in `torch_digits.onnx`, a residual network with batch normalisation; the script
`torch_digits.py` made it. The samples are the 8x8 digits in an .npz file, as anybody has their own.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from axnn import data, report
from axnn.approximation.widths import Trial
from axnn.data import OwnData
from axnn.flow.bit_true import export_step, model_path
from axnn.flow.importing import import_step
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, evaluate_step
from axnn.nn.train import TrainingPlan
from qcnpe.command_line import command
from qcnpe.interchange import verify
from qcnpe.prices import EnergyPrices
from qcnpe.terminal import Console, show_progress

MODEL = Path(__file__).with_name("torch_digits.onnx")

GREY_LEVELS = 16
"""Of the samples as the network reads them; the data set here has them between 0 and 1."""

RETRAINING = TrainingPlan(epochs=1, batch=32, learning_rate=0.005)

LONG_EPOCHS = 10
"""Of the retraining at the end: enough for a small network."""


def write_samples(path: Path) -> None:
    """The digits as the network reads them, with the parts that it was trained on."""
    samples = data.load("digits8x8", seed=1)
    arrays = {}
    for name in ("train", "validation", "test"):
        part = getattr(samples, name)
        arrays[f"{name}_inputs"] = part.inputs * GREY_LEVELS
        arrays[f"{name}_labels"] = part.labels
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def demonstrate(run: RunFolder) -> None:
    """Do every step and show what it found."""
    console, samples = Console(), run.path.with_suffix(".npz")
    write_samples(samples)
    found = import_step(run, MODEL, OwnData.at(samples), seed=1, notify=console.print)
    console.print(report.import_table(found))
    plan = run.record().app.approximation
    plan = replace(
        plan, rounds=1, smallest_share=0.5, retraining=RETRAINING, long_epochs=LONG_EPOCHS
    )
    with show_progress("approximating") as update:

        def tell(trial: Trial) -> None:
            update(trial.number, f"validation {trial.accuracy:.2%}")

        approximate_step(run, plan, on_trial=tell)
    evaluation = evaluate_step(run, EnergyPrices.load())
    export_step(run, "axnn", model_path(run, "axnn"))
    checked = verify(run.point("axnn"), model_path(run, "axnn"), run.samples().test.inputs)
    summary = report.make_summary(evaluation, run.facts(), seconds={})
    console.print(report.summary_table(found.title, summary))
    for name, value in checked.rows:
        console.print(f"{name}: {value}")
    checked.check()


def main() -> None:
    """Read the arguments; errors that a user can mend are one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run", type=Path, default=Path("build/import"), help="folder of the files"
    )
    arguments = parser.parse_args()
    with command("import_digits"):
        demonstrate(RunFolder(arguments.run))


if __name__ == "__main__":
    main()
