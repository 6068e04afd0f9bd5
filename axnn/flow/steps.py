"""The steps of the chain over a run folder.

Each step reads files of the steps before and writes its own. A file carries a key: a hash of all
that it was made from. A step whose file has the right key already is not done again; one that was
interrupted goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn import data
from axnn.approximation.event_counter import EventCounter
from axnn.approximation.loop import Approximation, ApproximationPlan, Step, approximate
from axnn.approximation.resilience import CRITERIA, Scores, characterize
from axnn.data import DataSet
from axnn.errors import RunError
from axnn.flow.apps import App, find_app
from axnn.flow.energy import EnergyModel, EnergyTable
from axnn.flow.evaluate import Evaluation, evaluate, integer_samples
from axnn.nn.network import Network
from axnn.nn.train import Epoch, train
from axnn.quantisation.quantize import QuantisedNetwork, calibrate, uniform_precision
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.documents import Natural, convert_document, read_document, write_document
from qcnpe.spec.npz import ArrayType, read_npz, read_npz_header, write_npz
from qcnpe.spec.qnet import QuantNet

_RESILIENCE_KIND = "axnn-resilience-1"

ACTIVITY_SAMPLES = 16
"""Validation samples whose operands' activity is counted for the energy."""


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its files.

    Attributes
    ----------
    path : the folder
    trained_in : the folder of the trained network, if several runs share one
    """

    path: Path
    trained_in: Path | None = None

    @property
    def network(self) -> Path:
        """The trained network in floating point."""
        return (self.trained_in or self.path) / "network.npz"

    @property
    def resilience(self) -> Path:
        """Score of every neuron by every criterion."""
        return (self.trained_in or self.path) / "resilience.npz"

    @property
    def state(self) -> Path:
        """Where the approximation ended, for a run under a looser bound to go on from."""
        return self.path / "state.npz"

    @property
    def exact16(self) -> Path:
        """The exact network in integers."""
        return self.path / "exact16.npz"

    @property
    def axnn(self) -> Path:
        """The approximate network in integers."""
        return self.path / "axnn.npz"

    @property
    def test_inputs(self) -> Path:
        """The test part in integers, see `qcnpe.spec.samples`."""
        return self.path / "test_inputs.npz"

    @property
    def evaluation(self) -> Path:
        """Accuracies on the test part and costs."""
        return self.path / "evaluation.json"

    @property
    def summary(self) -> Path:
        """The figures of the whole run."""
        return self.path / "summary.json"

    def unfinished(self, step: str, key: str) -> Path:
        """Where a step that takes long keeps what it has so far."""
        return self.path / f"{step}-{key[:12]}.part.npz"

    def approximated(self) -> Approximation:
        """What the approximation found."""
        if not (self.exact16.exists() and self.axnn.exists()):
            raise RunError(f"{self.path}: holds no approximation; run `axnn approximate` first")
        exact, axnn = QuantNet.load(self.exact16), QuantNet.load(self.axnn)
        notes = convert_document(axnn.notes, ApproximationNotes, where=f"{self.axnn}: notes")
        return Approximation(plan=notes.plan, exact=exact, axnn=axnn, steps=notes.steps)

    def trained(self) -> "Trained":
        """The trained network and what it was trained for."""
        if not self.network.exists():
            raise RunError(f"{self.path}: holds no trained network; run `axnn train` first")
        network, found = Network.load(self.network)
        notes = convert_document(found, TrainingNotes, where=f"{self.network}: notes")
        return Trained(network, find_app(notes.app), notes.seed, notes.epochs)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network, its application, the seed of the run and the training's epochs."""

    network: Network
    app: App
    seed: int
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True, kw_only=True)
class TrainingNotes:
    """Notes in the file of a trained network: what it was made from and how that went."""

    key: str
    app: str
    seed: Natural
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True, kw_only=True)
class ApproximationNotes:
    """Notes in the file of an approximate network: what it was made from and how that went."""

    key: str
    app: str
    seed: Natural
    plan: ApproximationPlan
    steps: tuple[Step, ...]


def make_key(**parts: Any) -> str:
    """Hash of everything that a step's result depends on: JSON-compatible values and files."""

    def plain(value: Any) -> Any:
        return _digest(value) if isinstance(value, Path) else asdict(value)

    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=plain).encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def train_step(
    run: RunFolder, app: App, *, seed: int, on_epoch: Callable[[Epoch], None] | None = None
) -> Trained:
    """Train the application's network in floating point."""
    samples = data.load(app.data, seed=seed)
    key = make_key(network=app.network, plan=app.training, data=samples.digest, seed=seed)
    if run.network.exists() and Network.load(run.network)[1].get("key") == key:
        return run.trained()
    network = Network(app.network, seed=seed)
    part = run.unfinished("training", key)
    history = train(network, samples, app.training, seed=seed, checkpoint=part, on_epoch=on_epoch)
    notes = TrainingNotes(key=key, app=app.name, seed=seed, epochs=history.epochs)
    network.save(run.network, asdict(notes))
    part.unlink(missing_ok=True)
    return run.trained()


def characterize_step(
    run: RunFolder, *, progress: Callable[[int], None] | None = None
) -> dict[str, Scores]:
    """Measure every neuron of the exact 16-bit network by every criterion."""
    trained = run.trained()
    key = make_key(network=run.network, engine=trained.app.engine, criteria=CRITERIA)
    found = _read_scores(run.resilience, key, trained.network)
    if found is not None:
        return found
    samples = data.load(trained.app.data, seed=trained.seed).train
    exact = uniform_precision(trained.network, OPERAND_BITS)
    engine = trained.app.engine
    scales = calibrate(trained.network, samples.inputs, exact, engine)
    model = QuantisedNetwork(trained.network, scales, exact, engine)
    scores = characterize(model, samples, engine, seed=trained.seed, progress=progress)
    arrays: dict[str, NDArray[Any]] = {
        f"{name}.{index}": layer for name in CRITERIA for index, layer in enumerate(scores[name])
    }
    write_npz(run.resilience, _RESILIENCE_KIND, _ResilienceHeader(key), arrays)
    return scores


@dataclass(frozen=True)
class _ResilienceHeader:
    """What a file of scores says besides them."""

    key: str


def _read_scores(path: Path, key: str, network: Network) -> dict[str, Scores] | None:
    """The scores in a file, if they have this key."""
    if not path.exists() or read_npz_header(path, _RESILIENCE_KIND, _ResilienceHeader).key != key:
        return None
    geometries = network.spec.geometries
    types = {
        f"{name}.{index}": ArrayType(np.float64, (each.channels, each.outputs), finite=False)
        for name in CRITERIA
        for index, each in enumerate(geometries)
    }
    _, arrays = read_npz(path, _RESILIENCE_KIND, _ResilienceHeader, lambda _: types)
    layers = range(len(geometries))
    return {name: tuple(arrays[f"{name}.{index}"] for index in layers) for name in CRITERIA}


def approximate_step(
    run: RunFolder,
    plan: ApproximationPlan,
    *,
    start: RunFolder | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Approximation:
    """Approximate the trained network under the plan's bound, or go on from a tighter one's."""
    trained = run.trained()
    engine = trained.app.engine
    origin = start.state if start is not None else None
    key = make_key(network=run.network, plan=plan, engine=engine, start=origin)
    if run.axnn.exists() and QuantNet.load(run.axnn).notes.get("key") == key:
        return run.approximated()
    samples = data.load(trained.app.data, seed=trained.seed)
    part = run.unfinished("approximation", key)
    found = approximate(
        trained.network,
        samples,
        plan,
        event_counter(trained.app, samples),
        seed=trained.seed,
        state=part,
        start=origin,
        on_step=on_step,
        on_epoch=on_epoch,
    )
    part.replace(run.state)
    save_approximation(run, trained, found, key=key)
    return run.approximated()


def event_counter(app: App, samples: DataSet) -> EventCounter:
    """Counts events of the application's engine, with the operands of its validation samples."""
    return EventCounter(app.engine, samples.validation.inputs[:ACTIVITY_SAMPLES])


def energy_model(table: EnergyTable, app: App, samples: DataSet) -> EnergyModel:
    """Prices for the application's engine, with the operands of its validation samples."""
    return EnergyModel(table, app.engine, event_counter(app, samples).samples)


def save_approximation(run: RunFolder, trained: Trained, found: Approximation, *, key: str) -> None:
    """Write the networks in integers and how they came about."""
    app, seed = trained.app.name, trained.seed
    replace(found.exact, notes={"app": app, "seed": seed}).save(run.exact16)
    notes = ApproximationNotes(key=key, app=app, seed=seed, plan=found.plan, steps=found.steps)
    # Last, since its key says that the step is finished.
    replace(found.axnn, notes=asdict(notes)).save(run.axnn)


def evaluate_step(run: RunFolder, table: EnergyTable) -> Evaluation:
    """Judge all networks on the test part; write its integers for simulation."""
    trained, found = run.trained(), run.approximated()
    key = make_key(network=run.network, exact16=run.exact16, axnn=run.axnn, prices=dict(table.pj))
    if run.evaluation.exists() and run.test_inputs.exists():
        document = read_document(run.evaluation, dict[str, Any])
        if document.pop("key", None) == key:
            return convert_document(document, Evaluation, where=str(run.evaluation))
    samples = data.load(trained.app.data, seed=trained.seed)
    energy = energy_model(table, trained.app, samples)
    evaluation = evaluate(trained.network, found.exact, found.axnn, samples.test, energy)
    integer_samples(found.axnn, samples.test).save(run.test_inputs)
    write_document(run.evaluation, {"key": key, **asdict(evaluation)})
    return evaluation
