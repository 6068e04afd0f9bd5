"""The commands that bring a network into a run: fetch, train, import, describe."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from axnn import data, report
from axnn.cli.app import cli
from axnn.cli.notes import epoch_note, warn_on_stderr
from axnn.cli.options import (
    CategoryOption,
    ClassWeightsOption,
    DataOption,
    DropOption,
    GroupOption,
    LabelOption,
    MissingOption,
    RunOption,
    SideOption,
    SplitOption,
    TargetOption,
)
from axnn.data import DataSet, OwnData
from axnn.data.fetch import cache_folder, cache_path
from axnn.data.fetch import fetch as bring
from axnn.errors import RunError
from axnn.flow.apps import APPS, App, find_app
from axnn.flow.defaults import default_app
from axnn.flow.description import describe, read_app
from axnn.flow.importing import import_step
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import (
    train_step,
)
from axnn.frontend import LIMIT
from qcnpe.options import JsonOption, QuietOption
from qcnpe.terminal import show, show_progress


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
    warn = warn_on_stderr(quiet=quiet)
    samples = data.load(chosen.data, seed=seed)
    data_line = [_data_line(samples)] if isinstance(chosen.data, OwnData) else []
    network_line = [_network_line(chosen, run)] if own and not network else []
    for line in (*data_line, *samples.notes, *network_line):
        warn(line)
    with show_progress("training", chosen.training.epochs, quiet=quiet or as_json) as update:
        tell = epoch_note(update)
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
    warn = warn_on_stderr(quiet=quiet)
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
