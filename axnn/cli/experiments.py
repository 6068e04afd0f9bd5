"""The commands for reports, for the paper's experiments and for processors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from axnn import report
from axnn.cli.app import cli
from axnn.cli.notes import warn_on_stderr
from axnn.cli.options import AppsArgument, FolderOption, PricesOption, RunOption
from axnn.cpu.benchmark.speed_report import speed_table
from axnn.cpu.benchmark.speed_step import speed_step
from axnn.cpu.benchmark.subjects import SUBJECTS
from axnn.errors import RunError
from axnn.experiments.bounds import BOUNDS
from axnn.experiments.collect import collect, named_apps
from axnn.experiments.run import Finished, Job, plan_jobs, run_jobs
from axnn.experiments.stages import SEEDS, STAGE_NAMES, check_seeds, check_stages
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import evaluate_step
from qcnpe.options import JsonOption, ProcessesOption, QuietOption, SchedulerOption
from qcnpe.prices import EnergyPrices
from qcnpe.spec.documents import write_document
from qcnpe.spec.results import read_figures
from qcnpe.tasks import Workplace
from qcnpe.terminal import show, show_progress


@cli.command(
    name="report",
    epilog="Example: axnn report --run build/digits (all experiments: axnn report "
    "--folder build/apps --out build/report --engine results/energy.json)",
)
def report_command(
    run: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of one run's files; repeated, the page compares the runs."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of all applications, as `experiments` fills it.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the page goes; with --run, by default the first run's folder."),
    ] = None,
    engine: Annotated[
        Path | None,
        typer.Option(help="With --folder: results/energy.json, the cost of configurability."),
    ] = None,
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the interactive page on runs, or one page on all applications."""
    if run and folder is None and engine is None:
        _report_runs(run, out, EnergyPrices.load(prices), quiet=quiet, as_json=as_json)
    elif folder is not None and out is not None and not run:
        _report_apps(folder, out, engine, EnergyPrices.load(prices), quiet=quiet, as_json=as_json)
    else:
        raise RunError("report needs either --run, or --folder with --out")


def _report_runs(
    paths: Sequence[Path], out: Path | None, prices: EnergyPrices, *, quiet: bool, as_json: bool
) -> None:
    """Evaluate and summarise the runs that have an approximation of their own; write the page."""
    folders = [RunFolder(path) for path in paths]
    for folder in folders:
        report.find_sources(folder)  # raises before the lock makes a folder
    readings, summaries = [], []
    with show_progress("report", quiet=quiet or as_json) as update:
        for folder in folders:
            with folder.lock():
                readings.append(report.read_run(folder, prices, partial(_tell, update, folder)))
                if folder.axnn.exists():
                    summaries.append(_summarise(folder, prices, quiet=quiet))
    page = report.write_run_page(out or paths[0], readings)
    table, document = report.run_page_table(page), {"page": str(page.path)}
    if len(folders) == len(summaries) == 1:
        table = report.summary_table(readings[0].title, summaries[0])
        table.add_row("page", str(page.path))
        document = {**summaries[0], **document}
    show(table, document, quiet=quiet, as_json=as_json)


def _summarise(folder: RunFolder, prices: EnergyPrices, *, quiet: bool) -> dict[str, Any]:
    """Write `summary.json`."""
    evaluation = evaluate_step(folder, prices, notify=warn_on_stderr(quiet=quiet))
    summary = report.make_summary(evaluation, folder.facts(), seconds={})
    report.write_summary(folder, summary)
    return summary


def _tell(update: Callable[[int, str], None], folder: RunFolder, note: str) -> None:
    update(0, f"{folder.path}: {note}")


def _report_apps(
    folder: Path,
    out: Path,
    engine: Path | None,
    prices: EnergyPrices,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    names = report.app_names(folder)
    with show_progress("report", len(names), quiet=quiet or as_json) as update:
        book = report.make_book(folder, out, prices, engine=engine, notify=update)
        update(len(names))
    document = {
        "page": str(book.page),
        "pictures": [str(path) for path in book.pictures],
        "apps": list(book.apps),
    }
    show(report.book_table(book), document, quiet=quiet, as_json=as_json)


@cli.command(epilog="Example: axnn experiments letters census --folder build/apps")
def experiments(
    apps: AppsArgument,
    folder: FolderOption,
    stage: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this stage; may be repeated: {', '.join(STAGE_NAMES)}."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help=f"Only this seed; may be repeated: {', '.join(map(str, SEEDS))}."),
    ] = None,
    processes: ProcessesOption = 1,
    scheduler: SchedulerOption = None,
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the paper's experiments and their controls; what is finished is not done again."""
    check_stages(stage or [])
    check_seeds(seed or [])
    where = Workplace(workers=processes, scheduler=scheduler)
    costs = EnergyPrices.load(prices)
    jobs = plan_jobs(named_apps(apps), stage or [], seed or [])
    done: list[Finished] = []
    with show_progress("experiments", len(jobs), quiet=quiet or as_json) as update:

        def finish(job: Finished) -> None:
            done.append(job)
            update(len(done), job.job.title)

        def tell(job: Job, note: str) -> None:
            update(len(done), f"{job.title}: {note}")

        run_jobs(jobs, folder, costs, where=where, notify=tell, on_finished=finish)
    document = {"jobs": [_job_document(job) for job in done]}
    show(minutes_table(done), document, quiet=quiet, as_json=as_json)
    failed = [f"{job.job.title}: {job.error}" for job in done if job.error is not None]
    if failed:
        raise RunError("; ".join(failed))


def _job_document(finished: Finished) -> dict[str, Any]:
    return {
        "job": finished.job.title,
        "seconds": {stage: round(value, 1) for stage, value in finished.seconds.items()},
        "error": finished.error,
    }


def minutes_table(finished: Sequence[Finished]) -> Table:
    """How long each job took, and its stages."""
    table = Table("application", Column("minutes", justify="right"), "of which")
    for job in finished:
        parts = [f"{stage} {seconds / 60:.1f}" for stage, seconds in job.seconds.items()]
        total = sum(job.seconds.values()) / 60
        table.add_row(job.job.title, f"{total:.1f}", ", ".join(parts))
    return table


@cli.command(name="collect", epilog="Example: axnn collect all --folder build/apps --out a.json")
def collect_command(
    apps: AppsArgument,
    folder: FolderOption,
    out: Annotated[Path, typer.Option(help="JSON file to write.")],
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the figures of all experiments that have been run; those of other applications stay."""
    earlier = read_figures(out) if out.exists() else None
    names = named_apps(apps)
    document = collect(folder, names, EnergyPrices.load(prices), earlier=earlier)
    write_document(out, document)
    show(figures_table(out, names, document["figures"]), document, quiet=quiet, as_json=as_json)


def figures_table(path: Path, names: Sequence[str], figures: Mapping[str, float]) -> Table:
    """How many figures of each application a result file holds, and the headline ones."""
    table = Table("application", title=str(path))
    for bound in BOUNDS:
        table.add_column(f"{bound:g} points", justify="right")
    table.add_column("figures", justify="right")
    for name in names:
        ratios = [figures.get(f"{name}.{bound:g}.energy_ratio") for bound in BOUNDS]
        count = sum(key.split(".")[0] == name for key in figures)
        shown = ["" if ratio is None else f"{ratio:.2f} x" for ratio in ratios]
        table.add_row(name, *shown, str(count))
    return table


@cli.command(epilog="Example: axnn speed letters --run build/cpu/letters/seed-1")
def speed(
    app: Annotated[str, typer.Argument(help=f"Application, or mlp: {', '.join(SUBJECTS)}.")],
    run: RunOption,
    seed: Annotated[int, typer.Option(min=0, help="Seed of split, weights and order.")] = 1,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Race approximate networks on this processor against exact ones and other tools."""
    with show_progress("speed", quiet=quiet or as_json) as update:
        found = speed_step(app, run, seed=seed, notify=partial(update, 0))
    show(speed_table(found), asdict(found), quiet=quiet, as_json=as_json)
