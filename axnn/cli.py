"""The `axnn` command: every step of the chain over a run folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from axnn import data, report
from axnn.approximation.resilience import CRITERIA
from axnn.approximation.widths import Trial
from axnn.cpu.benchmark.speed_report import speed_table
from axnn.cpu.benchmark.speed_step import speed_step
from axnn.cpu.benchmark.subjects import SUBJECTS
from axnn.data import DataSet, OwnData
from axnn.data.fetch import cache_folder, cache_path
from axnn.data.fetch import fetch as bring
from axnn.errors import RunError
from axnn.experiments.bounds import BOUNDS
from axnn.experiments.collect import PAPER_APPS, collect, named_apps
from axnn.experiments.run import Finished, Job, plan_jobs, run_jobs
from axnn.experiments.stages import SEEDS, STAGE_NAMES, check_seeds, check_stages
from axnn.flow.apps import APPS, App, find_app
from axnn.flow.bit_true import check_model, export_step, model_path
from axnn.flow.defaults import default_app
from axnn.flow.description import describe, read_app
from axnn.flow.energy import EnergyModel, EnergyPrices
from axnn.flow.importing import import_step
from axnn.flow.operating_points import PointResult, run_points
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import (
    approximate_step,
    characterize_step,
    energy_model,
    evaluate_step,
    train_step,
)
from axnn.frontend import LIMIT
from axnn.nn.train import Epoch
from qcnpe.command_line import command, say
from qcnpe.interchange import verify as verify_model
from qcnpe.options import JsonOption, QuietOption, make_cli
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.results import read_figures
from qcnpe.spec.samples import Samples
from qcnpe.terminal import show, show_progress

cli = make_cli(
    "axnn", "Approximate neural networks: train, find the resilient neurons, lower their precision."
)

RunOption = Annotated[Path, typer.Option("--run", help="Folder of the run's files.")]
PricesOption = Annotated[
    Path | None,
    typer.Option("--prices", help="Energy prices of events (JSON); default: the committed ones."),
]

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Your own data: a table (.csv, .tsv), arrays (.npz: inputs, labels) or a folder "
        "with a folder of pictures for each class.",
    ),
]
LabelOption = Annotated[str | None, typer.Option(help="Table: column of the labels.")]
TargetOption = Annotated[
    str | None,
    typer.Option(help="Table: instead of labels, column of a quantity, for a regression."),
]
GroupOption = Annotated[
    str | None,
    typer.Option(help="Table: column of what must not be in two parts, such as persons."),
]
SplitOption = Annotated[
    str | None,
    typer.Option(help="Table: column that says train, validation or test; else --seed does."),
]
DropOption = Annotated[
    list[str] | None, typer.Option(help="Table: column to leave out; may be repeated.")
]
CategoryOption = Annotated[
    list[str] | None,
    typer.Option(help="Table: column whose numbers are names; may be repeated."),
]
MissingOption = Annotated[
    str, typer.Option(help="Table: what missing numbers become: median, or refuse.")
]
SideOption = Annotated[
    int | None,
    typer.Option(
        help="Pictures: height and width to resize them to.",
        show_default="their own if all have the same of at most 64 pixels, else 32",
    ),
]
ClassWeightsOption = Annotated[
    bool,
    typer.Option(
        "--class-weights", help="Let every class count the same in training and in the bound."
    ),
]


@cli.command(epilog="Example: axnn fetch census")
def fetch(
    app: Annotated[str, typer.Argument(help=f"Application, or all: {', '.join(APPS)}.")],
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Download an application's data, verify them and keep them in the user's cache."""
    chosen = list(APPS.values()) if app == "all" else [find_app(app)]
    wanted = {need.name: need for entry in chosen for need in data.needs(entry.data)}
    fetched = []
    with show_progress("fetching", len(wanted), quiet=quiet or as_json) as update:
        for index, (name, collection) in enumerate(wanted.items()):
            notify = partial(_fetch_note, update, index, name)
            begin = perf_counter()
            brought = bring(collection, notify)
            seconds = round(perf_counter() - begin, 1) if brought else None
            size = cache_path(collection).stat().st_size
            fetched.append({"name": name, "bytes": size, "seconds": seconds})
        update(len(wanted))
    document = {"folder": str(cache_folder()), "collections": fetched}
    show(report.fetch_table(document), document, quiet=quiet, as_json=as_json)


def _fetch_note(update: Callable[..., None], index: int, name: str, doing: str) -> None:
    update(index, f"{name}: {doing}")


@cli.command(
    epilog="Example: axnn train digits8x8 --run build/digits --seed 1\n\n"
    "Example: axnn train --data wine.csv --label class --run build/wine\n\n"
    "Example: axnn train --data pictures --network my.toml --run build/mine"
)
def train(
    run: RunOption,
    app: Annotated[
        str | None, typer.Argument(help=f"Built-in application: {', '.join(APPS)}.")
    ] = None,
    data_path: DataOption = None,
    label: LabelOption = None,
    target: TargetOption = None,
    group: GroupOption = None,
    split: SplitOption = None,
    drop: DropOption = None,
    category: CategoryOption = None,
    missing: MissingOption = "median",
    side: SideOption = None,
    class_weights: ClassWeightsOption = False,
    network: Annotated[
        Path | None,
        typer.Option(help="Network, plans and engine (TOML), as `axnn describe` prints them."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of split, weights and order.")] = 1,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network in floating point: an application's, or one on your own data."""
    table: dict[str, Any] = {"label": label, "target": target, "group": group, "split": split}
    table |= {"drop": tuple(drop or ()), "category": tuple(category or ()), "missing": missing}
    own = _own_data(data_path, {**table, "side": side, "class_weights": class_weights})
    chosen = _choose_app(app, own, network, seed)
    warn = _warn(quiet=quiet)
    samples = data.load(chosen.data, seed=seed)
    data_line = [_data_line(samples)] if isinstance(chosen.data, OwnData) else []
    network_line = [_network_line(chosen, run)] if own and not network else []
    for line in (*data_line, *samples.notes, *network_line):
        warn(line)
    with show_progress("training", chosen.training.epochs, quiet=quiet or as_json) as update:
        tell = _epoch_note(update)
        trained = train_step(RunFolder(run), chosen, seed=seed, on_epoch=tell, notify=warn)
    document = {
        "app": chosen.name,
        "seed": seed,
        "notes": samples.notes,
        "epochs": len(trained.epochs),
        "best": asdict(max(trained.epochs, key=lambda epoch: epoch.rank)),
    }
    show(report.training_table(trained), document, quiet=quiet, as_json=as_json)


def _own_data(path: Path | None, how: Mapping[str, Any]) -> OwnData | None:
    """The user's data, and how to read them, if some are given."""
    if path is not None:
        return OwnData.at(path, **how)
    plain = OwnData(path="")
    if wrong := [name for name, value in how.items() if value != getattr(plain, name)]:
        option = wrong[0].replace("_", "-")
        raise RunError(f"--{option} says how to read --data; give both")
    return None


def _choose_app(name: str | None, own: OwnData | None, network: Path | None, seed: int) -> App:
    """The application that the command line names."""
    if name is not None:
        if own is not None or network is not None:
            raise RunError(
                f"train takes application {name} with its own data and network, or --data and"
                f" --network; `axnn describe {name}` prints what to change"
            )
        return find_app(name)
    if network is not None:
        return read_app(network, own, seed=seed)
    if own is not None:
        return default_app(own, own.load(seed))
    raise RunError(f"train needs an application ({', '.join(APPS)}), --data or --network")


def _data_line(samples: DataSet) -> str:
    """How many samples of what there are, and in which parts."""
    parts = (len(samples.train), len(samples.validation), len(samples.test))
    names = samples.classes.names
    shown = ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")
    answer = f"a quantity, {shown}" if samples.quantity else f"{len(names)} classes, {shown}"
    return (
        f"data: {sum(parts):,} samples ({parts[0]:,} for training, {parts[1]:,} for validation,"
        f" {parts[2]:,} for the test), {answer}"
    )


def _network_line(app: App, run: Path) -> str:
    """The network that was chosen, and how to have another one."""
    layers = ", ".join(
        f"{layer.channels} {layer.function} ({layer.kind})" for layer in app.network.layers
    )
    inputs = " x ".join(map(str, app.network.input_shape))
    return f"network: {inputs} inputs, {layers}; `axnn describe --run {run}` prints it to change it"


@cli.command(
    name="import",
    epilog="Example: axnn import lenet.onnx --data digits.npz --run build/lenet\n\n"
    "Example: axnn import lenet.onnx --calibrate pictures --run build/lenet",
)
def import_command(
    model: Annotated[Path, typer.Argument(help="Network in an ONNX file.")],
    run: RunOption,
    data_path: Annotated[
        Path | None,
        typer.Option("--data", help="Samples as the network reads them, as for `axnn train`."),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Samples without labels, in place of --data: what counts is agreement with the"
            " network's own answers."
        ),
    ] = None,
    label: LabelOption = None,
    target: TargetOption = None,
    group: GroupOption = None,
    split: SplitOption = None,
    drop: DropOption = None,
    category: CategoryOption = None,
    missing: MissingOption = "median",
    side: SideOption = None,
    class_weights: ClassWeightsOption = False,
    limit: Annotated[
        float,
        typer.Option(help="Largest difference from onnxruntime, as a share of the largest output."),
    ] = LIMIT,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split.")] = 1,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Import a trained network from an ONNX file and compare it with onnxruntime."""
    if (data_path is None) == (calibrate is None):
        raise RunError("import needs samples: --data with labels, or --calibrate without")
    own = OwnData.at(
        data_path or calibrate or Path(),
        unlabelled=calibrate is not None,
        label=label,
        target=target,
        group=group,
        split=split,
        drop=tuple(drop or ()),
        category=tuple(category or ()),
        missing=missing,
        side=side,
        class_weights=class_weights,
    )
    warn = _warn(quiet=quiet)
    found = import_step(RunFolder(run), model, own, seed=seed, limit=limit, notify=warn)
    document = {**asdict(found), "relative_difference": found.comparison.relative}
    show(report.import_table(found), document, quiet=quiet, as_json=as_json)


@cli.command(
    name="describe",
    epilog="Example: axnn describe digits8x8 > my.toml\n\n"
    "Example: axnn describe --run build/wine > my.toml\n\n"
    "Example: axnn describe --data wine.csv --label class > my.toml",
)
def describe_command(
    app: Annotated[
        str | None, typer.Argument(help=f"Built-in application: {', '.join(APPS)}.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Folder of a run: its application.")] = None,
    data_path: DataOption = None,
    label: LabelOption = None,
    target: TargetOption = None,
    group: GroupOption = None,
    split: SplitOption = None,
    drop: DropOption = None,
    category: CategoryOption = None,
    missing: MissingOption = "median",
    side: SideOption = None,
    class_weights: ClassWeightsOption = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split.")] = 1,
) -> None:
    """Print an application in TOML: data, network, plans and engine, for `train --network`.

    With --data it is what `axnn train` would choose for your own data.
    """
    table: dict[str, Any] = {"label": label, "target": target, "group": group, "split": split}
    table |= {"drop": tuple(drop or ()), "category": tuple(category or ()), "missing": missing}
    own = _own_data(data_path, {**table, "side": side, "class_weights": class_weights})
    if [app, run, own].count(None) != 2:
        raise RunError("describe needs an application, --run or --data, one of them")
    if own is not None:
        chosen = default_app(own, own.load(seed))
    else:
        chosen = find_app(app) if app is not None else RunFolder(run or Path()).record().app
    typer.echo(describe(chosen), nl=False)


def _warn(*, quiet: bool) -> Callable[[str], None]:
    """Prints a line for the user on stderr, above a progress bar."""

    def warn(line: str) -> None:
        if not quiet:
            say("axnn", line)

    return warn


def _epoch_note(update: Callable[..., None]) -> Callable[[Epoch], None]:
    return lambda epoch: update(epoch.number + 1, f"validation {epoch.validation_accuracy:.2%}")


@cli.command(epilog="Example: axnn characterize --run build/digits")
def characterize(run: RunOption, quiet: QuietOption = False, as_json: JsonOption = False) -> None:
    """Measure how resilient every neuron is: one backward pass over the training set."""
    folder = RunFolder(run)
    with show_progress("characterizing", quiet=quiet or as_json) as update:
        scores = characterize_step(folder, progress=update, notify=_warn(quiet=quiet))
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
        tell = _step_note(update, energy)
        found = approximate_step(folder, plan, on_trial=tell, notify=_warn(quiet=quiet))
    document = {
        **asdict(folder.facts()),
        "plan": asdict(plan),
        "exact_pj": energy.exact_cost(found.exact).energy_pj,
        "steps": [
            {**asdict(trial), "energy_pj": energy.price(trial.events)} for trial in found.trials
        ],
    }
    show(report.steps_table(found, energy), document, quiet=quiet, as_json=as_json)


def _step_note(update: Callable[..., None], energy: EnergyModel) -> Callable[[Trial], None]:
    def note(step: Trial) -> None:
        verdict = "kept" if step.kept else "taken back"
        price = f"{energy.price(step.events):,.0f} pJ a sample"
        update(step.number, f"validation {step.accuracy:.2%}, {price}, {verdict}")

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
    evaluation = evaluate_step(folder, EnergyPrices.load(prices), notify=_warn(quiet=quiet))
    facts = folder.facts()
    summary = report.make_summary(evaluation, facts, seconds={})
    ratio = {"energy_ratio": evaluation.energy_ratio}
    document = {**asdict(facts), **asdict(evaluation), **ratio}
    shown = report.summary_table(folder.record().app.title, summary)
    show(shown, document, quiet=quiet, as_json=as_json)


@cli.command(
    name="report",
    epilog="Example: axnn report --folder build/apps --out build/report "
    "--engine results/energy.json (one run: axnn report --run build/digits)",
)
def report_command(
    run: Annotated[Path | None, typer.Option(help="Folder of one run's files.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of all applications, as `experiments` fills it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --folder: where the page and its figures go.")
    ] = None,
    engine: Annotated[
        Path | None,
        typer.Option(help="With --folder: results/energy.json, the cost of configurability."),
    ] = None,
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write summary.json and the figures of a run, or one HTML page on all applications."""
    if run is not None and folder is None and out is None and engine is None:
        _report_run(RunFolder(run), EnergyPrices.load(prices), quiet=quiet, as_json=as_json)
    elif folder is not None and out is not None and run is None:
        _report_apps(folder, out, engine, EnergyPrices.load(prices), quiet=quiet, as_json=as_json)
    else:
        raise RunError("report needs either --run, or --folder with --out")


def _report_run(folder: RunFolder, prices: EnergyPrices, *, quiet: bool, as_json: bool) -> None:
    app, found = folder.trained().app, folder.approximated()
    warn = _warn(quiet=quiet)
    with folder.lock():
        evaluation = evaluate_step(folder, prices, notify=warn)
        scores = characterize_step(folder, notify=warn)
        energy = energy_model(prices, app, folder.samples())
        summary = report.make_summary(evaluation, folder.facts(), seconds={})
        report.write_summary(folder, summary)
        report.draw_figures(folder, scores, found, energy)
    shown = report.summary_table(app.title, summary)
    show(shown, summary, quiet=quiet, as_json=as_json)


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


AppsArgument = Annotated[
    list[str], typer.Argument(help=f"Applications, or all: {', '.join(PAPER_APPS)}.")
]
FolderOption = Annotated[Path, typer.Option(help="Folder of all applications.")]


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
    processes: Annotated[int, typer.Option(min=1, help="Applications at once.")] = 1,
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the paper's experiments and their controls; what is finished is not done again."""
    check_stages(stage or [])
    check_seeds(seed or [])
    costs = EnergyPrices.load(prices)
    jobs = plan_jobs(named_apps(apps), stage or [], seed or [])
    done: list[Finished] = []
    with show_progress("experiments", len(jobs), quiet=quiet or as_json) as update:

        def finish(job: Finished) -> None:
            done.append(job)
            update(len(done), job.job.title)

        def tell(job: Job, note: str) -> None:
            update(len(done), f"{job.title}: {note}")

        run_jobs(jobs, folder, costs, processes=processes, notify=tell, on_finished=finish)
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


PointOption = Annotated[str, typer.Option(help="Network of the run: axnn or exact16.")]
ModelOption = Annotated[
    Path | None,
    typer.Option("--onnx", help="The model (.onnx).", show_default="in the run's folder"),
]


@cli.command(epilog="Example: axnn export --run build/demo --onnx build/digits.onnx")
def export(
    run: RunOption,
    onnx: ModelOption = None,
    point: PointOption = "axnn",
    integers: Annotated[
        bool, typer.Option("--integers", help="The model reads int16 instead of real numbers.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a network as a standard ONNX model that computes the same integers."""
    folder = RunFolder(run)
    path = onnx or model_path(folder, point)
    export_step(folder, point, path, integers=integers)
    size = path.stat().st_size
    table = _plain_table(point, ("model", f"{path}, {size / 1000:,.0f} kB"))
    show(table, {"model": str(path), "bytes": size}, quiet=quiet, as_json=as_json)


@cli.command(epilog="Example: axnn verify --run build/demo --onnx build/digits.onnx")
def verify(
    run: RunOption,
    onnx: ModelOption = None,
    point: PointOption = "axnn",
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a model of `export` in onnxruntime on the test part; compare every result."""
    folder = RunFolder(run)
    path = onnx or model_path(folder, point)
    net = folder.point(point)
    check_model(folder, point, path)
    inputs = folder.samples().test.inputs
    with show_progress("verifying", len(inputs), quiet=quiet or as_json) as update:
        found = verify_model(net, path, inputs, progress=update)
    document = {"model": str(path), **asdict(found)}
    show(_plain_table(str(path), *found.rows), document, quiet=quiet, as_json=as_json)
    found.check()


def _plain_table(title: str, *rows: tuple[str, str]) -> Table:
    table = Table(title=title, show_header=False)
    for row in rows:
        table.add_row(*row)
    return table


@cli.command(
    name="run", epilog="Example: axnn run --run build/demo --port /dev/ttyUSB0 --point axnn"
)
def run_command(
    run: RunOption,
    port: Annotated[str, typer.Option(help="Serial port of the board.")],
    point: Annotated[
        list[str] | None,
        typer.Option(help="Operating point: a network of the run, as exact16 or axnn; repeat it."),
    ] = None,
    baud: Annotated[
        int, typer.Option(min=1, help="Rate of the port in bits a second.")
    ] = 3_000_000,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Run only so many samples, drawn at random.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Samples sent to the board at once.")] = 64,
    prices: PricesOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Classify the test samples on an FPGA board, at one operating point after another."""
    from qcnpe.boards.serial_port import SerialPort
    from qcnpe.boards.transport import BoardTransport

    folder = RunFolder(run)
    names = point or [folder.exact16.stem, folder.axnn.stem]
    facts = folder.judgement().run
    points = {name: folder.point(name) for name in names}
    samples = Samples.load(folder.test_inputs).draw(limit, seed=0)
    total = len(points) * len(samples.inputs)
    with (
        BoardTransport(SerialPort(port, baud=baud)) as engine,
        show_progress("running", total, quiet=quiet or as_json) as update,
    ):
        costs = EnergyPrices.load(prices)
        results = run_points(engine, points, samples, costs, batch=batch, progress=update)
        document = {
            "run": asdict(facts),
            "engine": asdict(engine.config),
            "points": [
                {**asdict(result), "approximated_for": _engine_document(points[result.point])}
                for result in results
            ],
            "restarts": engine.restarts,
            "counters": engine.counters(),
        }
    shown = points_table(engine.config, results)
    others = sorted({_engine_title(net) for net in points.values() if net.engine != engine.config})
    if others:
        shown.caption = f"Approximated for {', '.join(others)}"
    show(shown, document, quiet=quiet, as_json=as_json)
    if any(result.mismatches for result in results):
        raise QcnpeError("outputs of the board differ from the model; build its bitstream again")


def _engine_document(net: QuantNet) -> dict[str, Any] | None:
    return None if net.engine is None else asdict(net.engine)


def _engine_title(net: QuantNet) -> str:
    return "an engine that the file does not name" if net.engine is None else net.engine.title


def points_table(engine: EngineConfig, results: Sequence[PointResult]) -> Table:
    """Operating points as a table."""
    table = Table(title=f"One engine of {engine.title}")
    table.add_column("point")
    numbers = ("samples", "accuracy", "differ", "cycles a sample", "pJ a sample", "samples/s")
    for heading in numbers:
        table.add_column(heading, justify="right")
    for result in results:
        table.add_row(
            result.point,
            f"{result.samples:,}",
            "" if result.accuracy is None else f"{result.accuracy:.2%}",
            str(result.mismatches),
            f"{result.cycles:,.1f}",
            f"{result.energy_pj:,.0f}",
            f"{1 / result.seconds:,.0f}",
        )
    return table


def main() -> None:
    """Entry point: errors that a user can mend are one line on stderr and status 1."""
    with command("axnn"):
        cli()
