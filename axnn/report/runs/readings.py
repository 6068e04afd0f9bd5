"""Reads everything that the page shows of a run."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from axnn.approximation.loop import Approximation
from axnn.approximation.widths import ApproximationPlan, Trial, integer_accuracy
from axnn.data import DataSet
from axnn.errors import RunError
from axnn.exploration import pareto_front, read_candidates
from axnn.flow.ancestry import digest_of
from axnn.flow.energy import EnergyModel
from axnn.flow.provenance import Provenance
from axnn.flow.run_folder import BOUND, UNIFORM, RunFolder
from axnn.flow.steps import characterize_step, energy_model, evaluate_step
from axnn.report.numbers import bound_points
from axnn.report.runs.points import UNITS, PointCost, point_cost, words_per_cycle
from axnn.report.runs.systems import PARTS
from qcnpe.prices import EnergyPrices
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.text import printable

PAPER_CRITERION = "gradient"
"""The criterion whose scores are shown besides those of the run's own."""

OWN = "axnn"
"""The name of the operating point of the run's own approximation."""

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """An approximation of a run.

    Attributes
    ----------
    name, title : of its operating point
    run : its folder
    bound : on the loss of accuracy, in percentage points; None for a network of one width
    """

    name: str
    title: str
    run: RunFolder
    bound: float | None


@dataclass(frozen=True, kw_only=True)
class Point:
    """An operating point.

    Attributes
    ----------
    name, title : of the point
    bound : see `Source`
    validation, test : fraction right on these parts
    cost : for one sample
    """

    name: str
    title: str
    bound: float | None
    validation: float
    test: float
    cost: PointCost


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer of the network.

    Attributes
    ----------
    name : of the layer
    shape : (channels, height, width) of its results
    fan_in : operands of a neuron
    function : its activation function
    """

    name: str
    shape: tuple[int, int, int]
    fan_in: int
    function: str


@dataclass(frozen=True, kw_only=True)
class RunReading:
    """A run, as the page shows it and as its JSON document holds it.

    Attributes
    ----------
    name, title : of the application
    folder : name of the run's folder
    quality : name of what is called accuracy elsewhere
    seed : of the run
    float_accuracy : fraction right on the test part, in floating point; None if nothing is judged
    units : titles of the units of energy
    system_parts : titles of the parts of the energy of an autonomous engine and its memories
    words_per_cycle : of the bus to the external memory
    layers : of the network
    points : operating points, the one that takes most energy first
    trials : of each approximation, by the name of its point
    scores : of each neuron, by criterion and layer; None where a score is not a finite number
    criterion : the one by which neurons were sorted
    candidates : of the exploration, with the boards that they fit and `front`: no other beats it
    provenance : (name, value) pairs
    """

    name: str
    title: str
    folder: str
    quality: str
    seed: int
    float_accuracy: float | None
    units: dict[str, str]
    system_parts: dict[str, str]
    words_per_cycle: int
    layers: tuple[Layer, ...]
    points: tuple[Point, ...]
    trials: dict[str, tuple[dict[str, Any], ...]]
    scores: dict[str, tuple[tuple[float | None, ...], ...]]
    criterion: str
    candidates: tuple[dict[str, Any], ...]
    provenance: tuple[tuple[str, str], ...]


def read_run(
    run: RunFolder, prices: EnergyPrices, notify: Notify = lambda note: None
) -> RunReading:
    """Read a run with all of its operating points.

    Parameters
    ----------
    run : the run; its folder holds an approximation, or folders of some as `axnn explore` and
        `axnn experiments` make them
    prices : of the engine's events
    notify : called with what is about to be done

    Raises
    ------
    RunError
        If there is no approximation, or its ancestors have changed.
    """
    record, sources = run.record(), find_sources(run)
    samples = run.samples()
    energy = energy_model(prices, record.app, samples)
    found = {source.name: source.run.approximated() for source in sources}
    notify("scores of the neurons")
    scores = characterize_step(RunFolder(run.root))
    points = list(_points(sources, found, energy, samples, notify))
    first = sources[0]
    plan = found[first.name].plan
    judged = [source.run for source in sources if source.run.evaluation.exists()]
    return RunReading(
        name=record.name,
        title=printable(record.app.title),
        folder=printable(run.path.resolve().name),
        quality=record.quality,
        seed=record.seed,
        float_accuracy=judged[0].judgement().evaluation.float_accuracy if judged else None,
        units=UNITS,
        system_parts=PARTS,
        words_per_cycle=words_per_cycle(),
        layers=_layers(found[first.name].exact),
        points=tuple(sorted(points, key=lambda point: -point.cost.energy_pj)),
        trials={
            name: tuple(_trial(trial, energy) for trial in each.trials)
            for name, each in found.items()
        },
        scores={
            name: tuple(_rounded(layer) for layer in scores[name])
            for name in dict.fromkeys((plan.criterion, PAPER_CRITERION))
        },
        criterion=plan.criterion,
        candidates=tuple(_candidates(run)),
        provenance=tuple(
            (name, printable(text)) for name, text in _provenance(run, judged, prices, plan)
        ),
    )


def find_sources(run: RunFolder) -> list[Source]:
    """The approximations in a run's folder: its own, of other bounds, of one width.

    Raises
    ------
    RunError
        If there is none, or the ancestors of one have changed.
    """
    run.trained()
    found = list(_sources(run))
    if not found:
        raise RunError(f"{run.path}: holds no approximation; run `axnn approximate` first")
    return found


def _sources(run: RunFolder) -> Iterator[Source]:
    if run.axnn.exists():
        bound = run.approximated().plan.bound_percent
        yield Source(OWN, bound_points(bound), run, bound)
    for path in sorted(run.path.glob(f"{BOUND}*"), key=_number):
        if (variant := RunFolder(path, trained_in=run.root)).axnn.exists():
            bound = variant.approximated().plan.bound_percent
            yield Source(path.name, bound_points(bound), variant, bound)
    for path in sorted(run.path.glob(f"{UNIFORM}*"), key=_number, reverse=True):
        if (variant := RunFolder(path, trained_in=run.root)).axnn.exists():
            variant.approximated()
            width = path.name.removeprefix(UNIFORM)
            yield Source(path.name, f"all {width} bit", variant, None)


def _number(path: Path) -> float:
    """The number at the end of a folder's name."""
    text = path.name.partition("-")[2]
    try:
        return float(text)
    except ValueError:
        return math.inf


def _points(
    sources: Sequence[Source],
    found: dict[str, Approximation],
    energy: EnergyModel,
    samples: DataSet,
    notify: Notify,
) -> Iterator[Point]:
    first = found[sources[0].name]
    notify("exact network")
    yield Point(
        name="exact16",
        title="exact, 16 bit",
        bound=0.0,
        validation=first.trials[0].accuracy,
        test=integer_accuracy(first.exact, samples.test),
        cost=point_cost(first.exact, energy, exact=True),
    )
    for source in sources:
        notify(source.title)
        net = found[source.name].axnn
        yield Point(
            name=source.name,
            title=source.title,
            bound=source.bound,
            validation=found[source.name].last_kept.accuracy,
            test=_test_accuracy(source, net, energy.prices, samples),
            cost=point_cost(net, energy, exact=False),
        )


def _test_accuracy(source: Source, net: QuantNet, prices: EnergyPrices, samples: DataSet) -> float:
    """From the evaluation, which the run's own network always has."""
    if source.name == OWN or source.run.evaluation.exists():
        return evaluate_step(source.run, prices).axnn_accuracy
    return integer_accuracy(net, samples.test)


def _layers(net: QuantNet) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            name=printable(layer.name),
            shape=layer.wiring.output_shape,
            fan_in=layer.wiring.fan_in,
            function=layer.function,
        )
        for layer in net.layers
    )


def _trial(trial: Trial, energy: EnergyModel) -> dict[str, Any]:
    kept = asdict(trial)
    del kept["events"]
    return {**kept, "energy_pj": energy.price(trial.events)}


def _rounded(layer: Any) -> tuple[float | None, ...]:
    """Scores to four digits, by channel, then by position."""
    return tuple(
        float(f"{value:.4g}") if math.isfinite(value) else None
        for value in layer.reshape(-1).tolist()
    )


def _candidates(run: RunFolder) -> Iterator[dict[str, Any]]:
    """Candidates with what is derived from them."""
    candidates = read_candidates(run)
    front = set(pareto_front(candidates, "energy"))
    for each in candidates:
        yield {
            **asdict(each),
            "engine": each.engine,
            "boards": [name for name, answer in each.boards.items() if answer == "yes"],
            "front": each in front,
        }


def _provenance(
    run: RunFolder, judged: Sequence[RunFolder], prices: EnergyPrices, plan: ApproximationPlan
) -> Iterator[tuple[str, str]]:
    """What the figures depend on, and who made them when."""
    record = run.record()
    yield "application", f"{record.name} ({record.app.title})"
    yield "data", f"{record.app.data_title}, {_short(record.digests.fitted)}"
    yield "test part", _short(record.digests.test)
    yield "seed", str(record.seed)
    yield "engine", record.app.engine.title
    yield "criterion, unit", f"{plan.criterion}, {plan.unit}"
    title = prices.provenance.get("status") or prices.provenance.get("source") or "of a file"
    yield "prices", f"{title}; {_short(digest_of(dict(prices.pj)))}"
    made = next(
        (each for folder in judged if (each := Provenance.of_run(folder.path)) is not None), None
    )
    if made is None:
        yield "made with", "not recorded: evaluated by an earlier version"
        return
    yield "evaluated", made.date
    yield "commit", made.commit or "not recorded: no git checkout"
    yield "versions", ", ".join(f"{name} {text}" for name, text in made.versions.items())
    yield "machine", made.machine


def _short(digest: str) -> str:
    """The beginning of a digest, enough to compare."""
    return f"SHA-256 {digest[:16]}"
