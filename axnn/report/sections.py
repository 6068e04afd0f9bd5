"""The sections of an application's chapter: each shows its findings, or what has not been run."""

from collections.abc import Callable, Iterator, Mapping

from axnn.experiments.ablation import OURS, OURS_TITLE, SETTINGS
from axnn.experiments.bounds import BOUNDS, CHOICES, UNIFORM_WIDTHS, choice_name, choices_of
from axnn.experiments.documents import Overfitting
from axnn.flow.run_folder import bound_name, uniform_name
from axnn.report.content import Section, Table
from axnn.report.figures import edges, energy, ordering, resilience, trade, training, widths
from axnn.report.findings import Findings
from axnn.report.numbers import NONE, TIMES, bound_points, percent, points, times


def app_sections(found: Findings, notify: Callable[[str], None]) -> tuple[Section, ...]:
    """All sections of an application, in order.

    Parameters
    ----------
    found : its findings
    notify : called with the title of each finished section
    """
    built = [section for build in _BUILDERS if (section := _tell(build(found), notify))]
    shown = tuple(
        section for section in built if section.pictures or section.tables or section.text
    )
    missing = tuple(entry for section in built for entry in section.missing)
    if missing:
        shown += (Section(title="Not run yet", missing=missing),)
    return shown


def _tell(section: Section | None, notify: Callable[[str], None]) -> Section | None:
    if section is not None:
        notify(section.title)
    return section


def _not_run(title: str, found: Findings, stage: str) -> Section | None:
    """A section with the stage's command; None if the application has no such stage."""
    if not found.plans(stage):
        return None
    return Section(title=title, missing=((title, found.command(stage)),))


def _bounds(found: Findings) -> Section | None:
    title = "Energy under each bound"
    if not found.bounds:
        return _not_run(title, found, "bounds")
    text = (
        "A bound is the accuracy that may be lost on the validation part, in percentage points. "
        "The test part was read once, at the end: the loss there can be larger or smaller."
    )
    return Section(title=title, text=(text,), pictures=(energy.by_bound(found),))


def _variants(found: Findings) -> Table:
    """Every evaluated network, the exact one first."""
    exact = found.exact
    titles = {bound_name(bound): f"AxNN, {bound_points(bound)}" for bound in BOUNDS}
    titles |= {uniform_name(width): f"uniform, {width} bit" for width in UNIFORM_WIDTHS}
    titles |= {choice_name(c): f"0.5 points, {trade.choice_title(c)}" for c in CHOICES}
    rows = [("exact, plain16", percent(exact.exact16_accuracy), NONE, times(1), times(1), times(1))]
    for name, title in titles.items():
        if name in found.judged:
            judged = found.judged[name]
            lost = 100 * (judged.axnn_accuracy - judged.exact16_accuracy)
            rows.append(
                (
                    title,
                    percent(judged.axnn_accuracy),
                    points(lost),
                    times(judged.energy_ratio),
                    times(judged.energy_ratio_with_memory),
                    times(judged.energy_ratio_of_system),
                )
            )
    return Table(
        caption=f"Evaluated on {exact.samples:,} test samples",
        head=("network", "accuracy", "change, points", "energy", "with memory", "system"),
        rows=tuple(rows),
    )


def _controls(found: Findings) -> Section | None:
    title = "Comparison with uniform widths and other choices"
    if not found.bounds:
        return _not_run(title, found, "uniform")
    controls = {
        "uniform": list(map(uniform_name, UNIFORM_WIDTHS)),
        "choices": list(map(choice_name, choices_of(found.place.app))),
    }
    return Section(
        title=title,
        text=tuple(_on_controls(found)),
        pictures=(trade.against_controls(found),),
        tables=(_variants(found),),
        missing=tuple(
            (f"Controls, {stage}", found.command(stage))
            for stage, names in controls.items()
            if any(name not in found.judged for name in names)
        ),
    )


def _on_controls(found: Findings) -> Iterator[str]:
    if uniform_name(UNIFORM_WIDTHS[0]) in found.judged:
        yield (
            "Each uniform network has its own learning rate and the same long retraining as the "
            "AxNN. At 16 bit it is the exact network with more training, on the configurable "
            "engine: its energy shows what configurability costs, its accuracy what more training "
            "gains."
        )
    best = [
        f"{times(found.figures[key])} at {bound_points(bound)}"
        for bound in BOUNDS
        if (key := f"{bound:g}.over_best_uniform") in found.figures
    ]
    if best:
        yield (
            "Energy of the cheapest uniform network that also holds the bound on validation, over "
            f"the energy of the AxNN: {', '.join(best)}."
        )


def _steps(found: Findings) -> Section | None:
    if not found.bounds:
        return None
    text = (
        "Accuracy before and after retraining at each energy; the line is the accuracy that the "
        "exact network reaches with as much training."
    )
    pictures = (trade.along_the_way(found),)
    return Section(title="With and without retraining", text=(text,), pictures=pictures)


def _layers(found: Findings) -> Section | None:
    if not found.bounds:
        return None
    pictures = [widths.by_layer(found)]
    missing = []
    if found.exact_layers_pj is not None:
        pictures.insert(0, energy.by_layer(found))
    else:
        missing.append(("Energy by layer (needs the data)", f"axnn fetch {found.name}"))
    title = "Energy and width by layer"
    return Section(title=title, pictures=tuple(pictures), missing=tuple(missing))


def _resilience(found: Findings) -> Section | None:
    title = "Resilience of the neurons"
    if found.scores is None:
        return _not_run(title, found, "train")
    if not found.bounds:
        return None
    scores = found.scores["gradient"]
    layers = found.found[bound_name(found.bounds[0])].exact.layers
    pictures = tuple(
        resilience.maps(found, layer, entry)
        for layer, entry in zip(layers, scores, strict=True)
        if layer.wiring.outputs > 1
    )
    text = (
        "The mean of |dE/dy|, the gradient of the loss by the neuron's result, over the training "
        "part, from one backward pass (the paper's criterion)."
    )
    return Section(
        title=title, text=(text,), pictures=pictures or (resilience.ranked(found, scores),)
    )


def _edges(found: Findings) -> Section | None:
    title = "Edges of the maps"
    document = found.documents.edges
    if document is None:
        has_maps = any(each.geometry.outputs > 1 for each in found.trained.network.neuron_layers)
        return _not_run(title, found, "edges") if has_maps else None
    if not document.rings:
        return None
    text = "The paper finds that neurons toward the edges of images are more resilient."
    return Section(title=title, text=(text,), pictures=edges.pictures(found, document))


def _ordering(found: Findings) -> Section | None:
    title = "Which criterion orders neurons best"
    document = found.documents.ordering
    if document is None:
        return _not_run(title, found, "ordering")
    rows = tuple((name, f"{value:.2f} %") for name, value in ordering.mean_accuracies(found))
    table = Table(
        caption="Mean accuracy at equal energy, over the range of energies that all criteria reach",
        head=("criterion", "validation accuracy"),
        rows=rows,
    )
    return Section(title=title, pictures=(ordering.curves(found, document),), tables=(table,))


def _training(found: Findings) -> Section | None:
    title = "Training and overfitting"
    ways = found.documents.overfitting
    if ways is not None:
        picture = training.losses(found, {way: entry.epochs for way, entry in ways.items()})
        return Section(title=title, pictures=(picture,), tables=(_ways(ways),))
    picture = training.losses(found, {"as trained": found.trained.epochs})
    other = _not_run("Training without each of its methods", found, "overfitting")
    return Section(title=title, pictures=(picture,), missing=other.missing if other else ())


def _ways(ways: Mapping[str, Overfitting]) -> Table:
    rows = tuple(
        (
            way,
            str(len(entry.epochs)),
            f"{entry.gap:.3f}",
            percent(entry.float_accuracy),
            percent(entry.axnn_accuracy),
            times(entry.energy_ratio),
        )
        for way, entry in ways.items()
    )
    return Table(
        caption="The same network trained without each method; AxNN under the bound of 0.5 points",
        head=("training", "epochs", "gap, nats", "float", "AxNN", "energy"),
        rows=rows,
    )


def _dropout(found: Findings) -> Section | None:
    title = "Not the same as dropout"
    rates = found.documents.dropout
    if rates is None:
        return _not_run(title, found, "dropout")
    rows = tuple(
        (
            rate,
            percent(entry.float_accuracy),
            percent(entry.axnn_accuracy),
            times(entry.energy_ratio),
            f"{entry.same_ranking:.2f}",
            f"{entry.removal_ranking:.2f}",
        )
        for rate, entry in rates.items()
    )
    table = Table(
        caption="Training with dropout, then AxNN under the bound of 0.5 points",
        head=("rate", "float", "AxNN", "energy", "no dropout", "removal"),
        rows=rows,
    )
    text = (
        "Dropout removes random neurons during training; AxNN lowers chosen ones permanently. The "
        "last two columns are rank correlations of the neurons' resilience: with the network that "
        "was trained without dropout, and, within the network, with resilience to removal."
    )
    return Section(title=title, text=(text,), tables=(table,))


def _ablation(found: Findings) -> Section | None:
    title = "From the paper's method to this one"
    document = found.documents.ablation
    if document is None:
        return _not_run(title, found, "ablation")
    titles = {setting.name: setting.title for setting in SETTINGS} | {OURS: OURS_TITLE}
    rows = tuple(
        (titles[name], *(times(ratio) for _, ratio in entry.bounds.values()))
        for name, entry in document.items()
    )
    table = Table(
        caption="Energy under each bound; each row has the changes of the rows before it, too",
        head=("setting", *map(bound_points, BOUNDS)),
        rows=rows,
    )
    return Section(title=title, tables=(table,))


def _cost(found: Findings) -> Section | None:
    minutes = [
        (key.split(".")[1], f"{value:.1f}")
        for key, value in found.figures.items()
        if key.startswith("minutes.")
    ]
    passes = [
        (key.removesuffix(".passes"), f"{value:.1f}")
        for key, value in found.figures.items()
        if key.endswith(".passes")
    ]
    if not minutes:
        return None
    tables = (
        Table(caption="Time of the stages", head=("stage", "minutes"), rows=tuple(minutes)),
        Table(
            caption="Retraining of each network, in passes over the training part",
            head=("network", "passes"),
            rows=tuple(passes),
        ),
    )
    return Section(title="What training costs", tables=tables)


def _page(found: Findings) -> Section | None:
    if not found.bounds or found.run_page.is_file():
        return None
    title = "Interactive page"
    return Section(title=title, missing=((title, f"axnn report --run {found.place.path}"),))


def _seeds(found: Findings) -> Section | None:
    figures = found.figures
    rows = []
    for bound in BOUNDS:
        start = f"{bound:g}.seeds."
        if f"{start}energy_ratio_mean" in figures:
            rows.append(
                (
                    bound_points(bound),
                    *(
                        f"{figures[f'{start}{key}_mean']:.2f}{unit} "
                        f"± {figures[f'{start}{key}_deviation']:.2f}"
                        for key, unit in (("accuracy", " %"), ("energy_ratio", TIMES))
                    ),
                )
            )
    if not rows:
        return None
    table = Table(
        caption="Mean and sample standard deviation over the seeds",
        head=("bound", "test accuracy", "energy"),
        rows=tuple(rows),
    )
    text = "Each seed has its own split of the data, initial weights and order of samples."
    return Section(title="Spread over seeds", text=(text,), tables=(table,))


def _engine(found: Findings) -> Section | None:
    title = "On the simulated engine"
    document = found.documents.hardware
    if document is None:
        command = f"python -m sim.check_apps --folder {found.place.root} {found.name}"
        return Section(title=title, missing=((title, command),))
    text = (
        f"{document.images_checked:,} test samples ran on the simulated engine (Verilator) with "
        f"the network of each bound: {document.mismatches:,} results differ from the bit-exact "
        f"model, and the engine's cycles differ from the compiler's count by "
        f"{document.miscounts:,}."
    )
    return Section(title=title, text=(text,))


_BUILDERS = (
    _bounds,
    _steps,
    _controls,
    _layers,
    _resilience,
    _edges,
    _ordering,
    _training,
    _dropout,
    _ablation,
    _cost,
    _seeds,
    _engine,
    _page,
)
