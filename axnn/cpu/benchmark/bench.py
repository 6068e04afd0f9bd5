"""Measures what approximation gains on an ordinary processor, and writes one file of results.

`python -m axnn.cpu.benchmark.bench --out results/cpu.json` remakes the committed figures. After an
interruption, training and approximation are resumed; only the timing is repeated.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from axnn.cpu.benchmark.compare import Choice
from axnn.cpu.benchmark.run import BOUNDS_PERCENT, open_run
from axnn.cpu.benchmark.speed import (
    EXACT,
    ORT,
    ORT_INT8,
    PACKAGES,
    TORCH,
    UNIFORM,
    Speed,
    axnn_label,
    machine,
)
from axnn.cpu.benchmark.speed_report import speed_table
from axnn.cpu.benchmark.speed_step import choices_step, speed_step
from axnn.cpu.benchmark.subjects import SUBJECTS, find_subject
from axnn.flow.apps import APPS
from qcnpe.command_line import command
from qcnpe.spec.documents import write_document
from qcnpe.spec.results import package_versions, results_document
from qcnpe.terminal import Console

_APPS = [name for name in SUBJECTS if name in APPS]
_BOUND = axnn_label(BOUNDS_PERCENT[0])
_LENET, _MLP = "digits", "mlp"
_BATCH = {_MLP: 256}
_USUAL_BATCH = 64
_COMPARED = ("digits", "letters", "mlp")
"""Subjects on which ways of choosing channels are compared."""

Figures = dict[str, float]


def figures_of(result: Speed) -> Figures:
    """The flat figures of one subject, one thread, at its batch size."""
    name, quality = result.app, result.accuracy
    batch = _BATCH.get(name, _USUAL_BATCH)
    labels = (EXACT, _BOUND, ORT, ORT_INT8, TORCH, *(label for label, _ in _further()))
    timed = {label: result.timing(label, threads=1, batch=batch) for label in labels}
    figures: Figures = {
        f"{name}.batch": batch,
        f"{name}.speedup_vs_exact": timed[_BOUND].speedup,
        f"{name}.speedup_vs_onnxruntime": timed[_BOUND].over_onnxruntime,
        f"{name}.loss": _points(quality[EXACT] - quality[_BOUND]),
        f"{name}.exact_speedup_vs_onnxruntime": timed[EXACT].over_onnxruntime,
        f"{name}.onnxruntime_int8_loss": _points(quality[EXACT] - quality[ORT_INT8]),
        f"{name}.first_call_seconds": result.first_call.seconds,
        f"{name}.first_call_processor_seconds": result.first_call.processor_seconds,
        f"{name}.cached_call_seconds": result.cached_call.seconds,
    }
    for label in (EXACT, _BOUND, ORT, ORT_INT8, TORCH):
        figures[f"{name}.us.{label}"] = timed[label].median_us
    for label, key in _further():
        figures[f"{name}.{key}.speedup_vs_exact"] = timed[label].speedup
        figures[f"{name}.{key}.loss"] = _points(quality[EXACT] - quality[label])
    figures[f"{name}.exact_accuracy"] = _points(quality[EXACT])
    return figures


def _further() -> list[tuple[str, str]]:
    others = [(axnn_label(bound), f"bound_{bound:g}") for bound in BOUNDS_PERCENT[1:]]
    return [*others, (UNIFORM, "uniform")]


def _points(fraction: float) -> float:
    return round(100 * fraction, 3)


def means(figures: Figures) -> Figures:
    """Means over the applications."""
    keys = ("speedup_vs_exact", "speedup_vs_onnxruntime", "loss", "uniform.loss",
            "uniform.speedup_vs_exact")  # fmt: skip
    return {
        f"mean.{key}": round(sum(figures[f"{app}.{key}"] for app in _APPS) / len(_APPS), 3)
        for key in keys
    }


def choice_figures(name: str, choices: Sequence[Choice]) -> Figures:
    """Accuracies in percent and times in microseconds of networks with the same target cost."""
    figures: Figures = {}
    for choice in choices:
        key = f"choice.{name}.{choice.share:g}.{choice.way}"
        for part in ("before_retraining", "validation", "test"):
            figures[f"{key}.{part}"] = _points(getattr(choice, part))
        figures[f"{key}.us"] = round(choice.median_us, 3)
    return figures


def measure(names: list[str], folder: Path, seed: int, console: Console, *, timed: bool) -> Figures:
    """The figures of these subjects, and their means if all applications are among them.

    With `timed`, timings of the same networks that the folder already holds are not repeated.
    """
    figures: Figures = {}
    for name in names:
        place = folder / name / f"seed-{seed}"

        def notify(message: str, name: str = name) -> None:
            console.print(f"{name}: {message}")

        result = speed_step(name, place, seed=seed, notify=notify, repeat=not timed)
        console.print(speed_table(result))
        figures |= figures_of(result)
        if name in _COMPARED:
            run = open_run(find_subject(name), place, seed=seed, notify=notify)
            figures |= choice_figures(name, choices_step(run, notify=notify))
    if _LENET in names:
        for key in ("speedup_vs_exact", "speedup_vs_onnxruntime", "loss"):
            figures[f"lenet.{key}"] = figures[f"{_LENET}.{key}"]
    return figures | (means(figures) if set(_APPS) <= set(names) else {})


def main() -> None:
    """Measure everything and write the file."""
    parser = argparse.ArgumentParser(
        description="Measure approximate networks on this processor.",
        epilog="Example: python -m axnn.cpu.benchmark.bench --out results/cpu.json",
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write (JSON)")
    parser.add_argument("--folder", type=Path, default=Path("build/cpu"), help="folder of the runs")
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of data splits, weights and sample order"
    )
    parser.add_argument("--app", action="append", help="measure only this one; may be repeated")
    parser.add_argument(
        "--timed", action="store_true", help="do not repeat timings that the folder already holds"
    )
    options = parser.parse_args()
    names = [find_subject(name).name for name in options.app or SUBJECTS]
    console = Console(stderr=True)
    figures = measure(names, options.folder, options.seed, console, timed=options.timed)
    document = results_document(
        " ".join(["python -m axnn.cpu.benchmark.bench", *sys.argv[1:]]),
        figures,
        seed=options.seed,
        versions=package_versions(PACKAGES),
        machine=machine(),
        load_average=round(os.getloadavg()[1], 1),
    )
    write_document(options.out, document)
    print(f"{options.out}: {len(figures)} figures", file=sys.stderr)


if __name__ == "__main__":
    with command("bench"):
        main()
