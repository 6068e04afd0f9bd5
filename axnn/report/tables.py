"""Reports of a run: tables for the terminal and `summary.json`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from axnn.approximation.loop import Approximation
from axnn.approximation.resilience import Scores
from axnn.flow.ancestry import MADE_FROM, Ancestry
from axnn.flow.energy import EnergyModel
from axnn.flow.evaluate import ENERGY_RATIOS, Evaluation
from axnn.flow.importing import ImportedRun, KeptIntegers
from axnn.flow.judgement import RunFacts
from axnn.flow.run_folder import RunFolder, Trained
from axnn.report.book import Book
from axnn.report.numbers import bound_points
from axnn.report.runs import RunPage
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document

_ENERGY_LINES = {
    "energy_ratio": "energy of the engine, exact over AxNN",
    "energy_ratio_with_memory": "energy with on-chip memories",
    "energy_ratio_of_system": "energy with external memory, too",
}


@dataclass(frozen=True, kw_only=True)
class HardwareCheck:
    """Results of the simulated engine on the test part.

    Attributes
    ----------
    images_checked : samples that were run with each network
    mismatches : results that differ from the bit-exact model, of both networks together
    exact16_cycles, axnn_cycles : of the engine for all samples
    """

    images_checked: int
    mismatches: int
    exact16_cycles: int
    axnn_cycles: int


def make_summary(
    evaluation: Evaluation,
    facts: RunFacts,
    *,
    seconds: Mapping[str, float],
    hardware: HardwareCheck | None = None,
) -> dict[str, Any]:
    """The facts and the figures of a run, as `summary.json` holds them.

    Accuracies are fractions. Without a hardware check, `images_checked` is 0, `mismatches` is null,
    and the cycles are the compiled programs', for one sample.
    """
    if hardware is None:
        cycles = {"exact16": evaluation.exact16_cycles, "axnn": evaluation.axnn_cycles}
    else:
        cycles = {"exact16": hardware.exact16_cycles, "axnn": hardware.axnn_cycles}
    return {
        **asdict(facts),
        "accuracy": {
            "float": evaluation.float_accuracy,
            "exact16": evaluation.exact16_accuracy,
            "axnn": evaluation.axnn_accuracy,
        },
        "images_checked": hardware.images_checked if hardware else 0,
        "mismatches": hardware.mismatches if hardware else None,
        "precision_histogram": evaluation.precision_histogram,
        "cycles": cycles,
        **{name: getattr(evaluation, name) for name in ENERGY_RATIOS},
        "seconds": {step: round(value, 3) for step, value in seconds.items()},
    }


def write_summary(run: RunFolder, summary: Mapping[str, Any]) -> None:
    """Write `summary.json`, with the figures' ancestry."""
    made_from = Ancestry.of(run.summary, [run.evaluation])
    write_document(run.summary, {**summary, MADE_FROM: asdict(made_from)})


def summary_table(title: str, summary: Mapping[str, Any]) -> Table:
    """The summary as a table for the terminal."""
    table = Table(title=title, show_header=False)
    table.add_column("figure")
    table.add_column("value", justify="right")
    accuracy, cycles = summary["accuracy"], summary["cycles"]
    table.add_row("application, seed", f"{summary['app']}, {summary['seed']}")
    bound = bound_points(summary["bound_percent"])
    table.add_row("bound, criterion", f"{bound}, {summary['criterion']}")
    table.add_row("engine", EngineConfig(**summary["engine"]).title)
    quality = f"test {summary['quality']}"
    table.add_row(f"{quality}, floating point", f"{accuracy['float']:.2%}")
    table.add_row(f"{quality}, exact 16 bit", f"{accuracy['exact16']:.2%}")
    table.add_row(f"{quality}, AxNN", f"{accuracy['axnn']:.2%}")
    histogram = summary["precision_histogram"].items()
    table.add_row("neurons by width", ", ".join(f"{n} at {w} bit" for w, n in histogram))
    for name, title in _ENERGY_LINES.items():
        ratio = summary[name]
        table.add_row(title, "not priced" if ratio is None else f"{ratio:.2f} x")
    images = summary["images_checked"]
    of = f"{images:,} samples" if images else "a sample"
    table.add_row(
        f"cycles, {of}, exact / AxNN", f"{cycles['exact16']:,.0f} / {cycles['axnn']:,.0f}"
    )
    if summary["mismatches"] is None:
        table.add_row("images checked on the simulated engine", "none")
    else:
        table.add_row("images checked on the simulated engine", f"{summary['images_checked']:,}")
        table.add_row("results that differ", str(summary["mismatches"]))
    for step, seconds in summary["seconds"].items():
        table.add_row(f"seconds, {step}", f"{seconds:.1f}")
    return table


def trials_table(found: Approximation, energy: EnergyModel) -> Table:
    """The trials of the approximation as a table for the terminal."""
    title = f"Approximation, bound {bound_points(found.plan.bound_percent)} on validation"
    table = Table(title=title, box=SIMPLE_HEAD)  # narrow enough for a terminal of 80 columns
    for heading in ("trial", "lowered", "before", "retrained", "energy"):
        table.add_column(heading, justify="right")
    table.add_column("stage")
    table.add_column("")
    table.add_column("neurons by width")
    for trial in found.trials:
        table.add_row(
            str(trial.number),
            str(trial.lowered),
            f"{trial.before_retraining:.2%}",
            f"{trial.accuracy:.2%}",
            f"1/{energy.saving(found.exact, trial.events):.2f}",
            trial.stage,
            "kept" if trial.kept else "taken back",
            "  ".join(f"{width}:{count}" for width, count in trial.histogram.items()),
        )
    return table


def fetch_table(fetched: Mapping[str, Any]) -> Table:
    """The fetched collections as a table for the terminal."""
    table = Table(title=f"Data in {fetched['folder']}", box=SIMPLE_HEAD)
    for heading in ("collection", "MB", "seconds"):
        table.add_column(heading, justify="left" if heading == "collection" else "right")
    for entry in fetched["collections"]:
        seconds = "cached" if entry["seconds"] is None else f"{entry['seconds']:.1f}"
        table.add_row(entry["name"], f"{entry['bytes'] / 1e6:.1f}", seconds)
    return table


def training_table(trained: Trained) -> Table:
    """The results of a training as a table for the terminal."""
    best = max(trained.epochs, key=lambda epoch: epoch.rank)
    table = Table(title=f"{trained.app.title}, trained", show_header=False)
    table.add_row("epochs", str(len(trained.epochs)))
    table.add_row("best epoch", str(best.number + 1))
    table.add_row(f"validation {trained.quality}", f"{best.validation_accuracy:.2%}")
    table.add_row("validation loss", f"{best.validation_loss:.4f}")
    return table


def import_table(found: ImportedRun) -> Table:
    """An imported network, and how far it is from its file, as a table for the terminal."""
    compared = found.comparison
    table = Table(title=f"{found.title}, imported", show_header=False)
    table.add_row("layers", str(found.layers))
    table.add_row("inputs are divided by", f"{found.span:g}")
    table.add_row("samples compared with onnxruntime", f"{compared.samples:,}")
    table.add_row("largest difference", f"{compared.largest_difference:.2e}")
    table.add_row("as a share of the largest output", f"{compared.relative:.2e}")
    table.add_row("largest output is the same one", f"{compared.agreement:.2%}")
    table.add_row(f"validation {found.quality_name}", f"{found.validation_quality:.2%}")
    if found.integers is not None:
        _add_integers(table, found.integers)
    return table


_WORTH_TELLING = 0.001
"""Share of saturated results."""


def _add_integers(table: Table, found: KeptIntegers) -> None:
    """Rows on what is kept of a quantised file."""
    table.add_row("grade of the file's integers", f"{found.grade}: {found.grade.meaning}")
    for reason in found.reasons:
        table.add_row("not exact, since", reason)
    for layer in found.layers:
        differing = f"{layer.different:,} of {layer.results:,} results differ"
        largest = f", by up to {layer.largest:g} steps" if layer.different else ""
        table.add_row(layer.name, f"{differing}{largest}")
    for name, share in found.saturated.items():
        if share >= _WORTH_TELLING:
            table.add_row(f"{name}, cut off by the file", f"{share:.1%} of the results")


def resilience_table(scores: Mapping[str, Scores], names: list[str]) -> Table:
    """Mean and spread of |dE/dy| by layer as a table for the terminal."""
    table = Table(title="Resilience: mean |dE/dy| of the neurons")
    for heading in ("layer", "neurons", "least", "mean", "most"):
        table.add_column(heading, justify="left" if heading == "layer" else "right")
    for name, layer in zip(names, scores["gradient"], strict=True):
        shown = [f"{value:.3g}" for value in (layer.min(), layer.mean(), layer.max())]
        table.add_row(name, str(layer.size), *shown)
    return table


def book_table(book: Book) -> Table:
    """The files of a report as a table for the terminal."""
    table = Table(title="Report", show_header=False)
    table.add_row("page", str(book.page))
    table.add_row("applications", ", ".join(book.apps))
    table.add_row("figures (SVG)", str(len(book.pictures)))
    return table


def run_page_table(page: RunPage) -> Table:
    """The page on runs as a table for the terminal."""
    table = Table(title="Report", show_header=False)
    table.add_row("page", str(page.path))
    table.add_row("runs", ", ".join(page.runs))
    table.add_row("operating points", str(page.points))
    return table
