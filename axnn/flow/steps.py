"""The steps of a run: training, characterisation, approximation, evaluation.

Each step reads the files of earlier steps and writes its own; each file says what it was made from.
A step is skipped if its file was made from the present inputs, continued if it was interrupted, and
repeated, with a notice, if its inputs have changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from axnn import data
from axnn.approximation.event_counter import EventCounter
from axnn.approximation.loop import Approximation, approximate
from axnn.approximation.resilience import CRITERIA, Scores, characterize
from axnn.approximation.uniform import approximate_uniformly, next_wider, uniform_widths
from axnn.approximation.widths import ApproximationPlan, Trial
from axnn.data import Agreement, DataSet
from axnn.errors import RunError
from axnn.flow.ancestry import Ancestry
from axnn.flow.apps import App
from axnn.flow.energy import EnergyModel
from axnn.flow.evaluate import Evaluation, evaluate, integer_samples
from axnn.flow.judgement import Judgement
from axnn.flow.notes import ApproximationNotes, TrainingNotes
from axnn.flow.provenance import Provenance
from axnn.flow.record import RunRecord
from axnn.flow.run_folder import RunFolder, Trained
from axnn.flow.scores import read_scores, scores_made_from, write_scores
from axnn.nn.network import Network
from axnn.nn.spec import NetworkSpec
from axnn.nn.train import Epoch, TrainingPlan, train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.quantize import QuantisedNetwork, uniform_precision
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import replace_bytes

ACTIVITY_SAMPLES = 128
"""Validation samples, drawn at random, on whose operands activity is counted for the energy: enough
for 1 % at two standard deviations where it was measured, see `axnn.experiments.energy_spread`."""

_ACTIVITY_SEED = 0
_ACTIVITY = (ACTIVITY_SAMPLES, _ACTIVITY_SEED)

Told = TypeVar("Told")

Notify = Callable[[str], None]
"""Called with one line when a step is repeated because its inputs have changed."""


def _is_made(
    path: Path, recorded: Callable[[Path], Ancestry], now: Ancestry, notify: Notify | None
) -> bool:
    """Whether a step's file was made from the present inputs; notifies if it was from others.

    Raises
    ------
    RunError
        If the file is damaged: whatever it is, it is not overwritten.
    """
    if not path.exists():
        return False
    try:
        found = recorded(path)
    except FormatError as error:
        raise RunError(f"{error}: delete it, and run this command again") from error
    if found != now and notify is not None:
        notify(f"{path}: was made {found.difference(now) or 'otherwise'}; it is made again")
    return found == now


def train_step(
    run: RunFolder,
    app: App,
    *,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
    notify: Notify | None = None,
) -> Trained:
    """Train the application's network in floating point.

    Raises
    ------
    RunError
        If the folder is of another application, or in use, or the network does not have an output
        for each class.
    """
    samples = data.load(app.data, seed=seed)
    if isinstance(samples.task, Agreement):
        raise RunError(f"{app.data_title}: samples without labels teach no network; give labels")
    _check_outputs(app, samples)
    record = RunRecord.of(app, seed, samples)
    with run.lock() as check:
        record.claim(run.root)
        made_from = Ancestry.of(run.network, (), **record.training)
        if not _is_made(run.network, TrainingNotes.ancestry, made_from, notify):
            train_into(
                run.network,
                app.network,
                samples,
                app.training,
                seed=seed,
                made_from=made_from,
                on_epoch=_checked(check, on_epoch),
            )
        made_from.unfinished(run.network, "training").unlink(missing_ok=True)
    return run.trained()


def _check_outputs(app: App, samples: DataSet) -> None:
    """Refuse a network with too few outputs for the data, or with some that have no name."""
    last = app.network.wirings[-1]
    outputs, asked = last.channels * last.outputs, len(samples.classes)
    if outputs != asked:
        answers = "are one quantity" if samples.quantity else f"have {asked} classes"
        raise RunError(
            f"{app.title}: the network has {outputs} outputs, but the data {answers}; give its last"
            " layer as many channels"
        )


def train_into(
    path: Path,
    spec: NetworkSpec,
    samples: DataSet,
    plan: TrainingPlan,
    *,
    seed: int,
    made_from: Ancestry,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> None:
    """Train a network and write it to a file, folded; an interrupted training goes on where it was.

    Parameters
    ----------
    path : of the file
    spec, samples, plan, seed : what is trained, on what, and how
    made_from : the ancestry that the file records
    on_epoch : called after each epoch, also for those of an interrupted training
    """
    network = Network(spec, seed=seed)
    part = made_from.unfinished(path, "training")
    history = train(network, samples, plan, seed=seed, checkpoint=part, on_epoch=on_epoch)
    notes = TrainingNotes(
        made_from=made_from, seed=seed, epochs=history.epochs, encoding=samples.encoding
    )
    network.folded().save(path, asdict(notes))


def characterize_step(
    run: RunFolder,
    *,
    progress: Callable[[int], None] | None = None,
    notify: Notify | None = None,
) -> dict[str, Scores]:
    """Score every neuron of the exact 16-bit network by every criterion."""
    trained = run.trained()
    made_from = Ancestry.of(
        run.resilience, [run.network], criteria=CRITERIA, **run.record().approximation
    )
    if not _is_made(run.resilience, scores_made_from, made_from, notify):
        with run.lock():
            samples, engine = run.samples().train, trained.app.engine
            exact = uniform_precision(trained.network, OPERAND_BITS)
            scales = calibrate(trained.network, samples.inputs, exact, engine)
            model = QuantisedNetwork(trained.network, scales, exact, engine)
            scores = characterize(model, samples, engine, seed=trained.seed, progress=progress)
            write_scores(run.resilience, scores, made_from)
    return read_scores(run.resilience, trained.network.spec)


def approximate_step(
    run: RunFolder,
    plan: ApproximationPlan,
    *,
    start: RunFolder | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    notify: Notify | None = None,
) -> Approximation:
    """Approximate the trained network under the plan's bound.

    Networks of one width that the plan needs are made first. It begins as the plan says, or with
    the result for a tighter bound in the folder `start`.
    """
    with run.lock() as check:
        trained = run.trained()
        uniform = _uniform_states(run, plan, on_trial=on_trial, on_epoch=on_epoch)
        if start is not None:
            start.approximated()  # raises if its ancestors have changed
        origin = start.state if start is not None else None
        files = [*uniform, *([] if origin is None else [origin])]
        made_from = approximation_ancestry(run, files, plan=plan)
        part = made_from.unfinished(run.axnn, "approximation")
        if not _is_made(run.axnn, ApproximationNotes.ancestry, made_from, notify):
            found = approximate(
                trained.network,
                samples := run.samples(),
                plan,
                event_counter(trained.app.engine, samples),
                seed=trained.seed,
                state=part,
                start=origin,
                uniform=uniform,
                on_trial=_checked(check, on_trial),
                on_epoch=_checked(check, on_epoch),
            )
            save_approximation(run, found, made_from, state=part)
        _forget(part)
    return run.approximated()


def _uniform_states(
    run: RunFolder,
    plan: ApproximationPlan,
    *,
    on_trial: Callable[[Trial], None] | None,
    on_epoch: Callable[[Epoch], None] | None,
) -> list[Path]:
    """State files of the networks of one width that an approximation needs."""
    if not plan.needs_uniform:
        return []
    widths = uniform_widths(run.record().app.engine)
    for width in widths:
        uniform_step(run, plan, width, on_trial=on_trial, on_epoch=on_epoch)
    return [run.uniform(width).state for width in widths]


def uniform_step(
    run: RunFolder,
    plan: ApproximationPlan,
    width: int,
    *,
    on_trial: Callable[[Trial], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> RunFolder:
    """Lower every neuron to one width and retrain; the folder of the result.

    The network of the next wider width, which it begins with, is made first.

    Parameters
    ----------
    run : any run of the trained network
    plan : the retraining, its learning rates, and the long retraining
    width : in bits
    on_trial : called after each trial
    on_epoch : called after each epoch of a retraining
    """
    plan, uniform = plan.of_uniform, run.uniform(width)
    wider = next_wider(width, run.record().app.engine)
    origin = None
    if wider is not None:
        origin = uniform_step(run, plan, wider, on_trial=on_trial, on_epoch=on_epoch).state
    with uniform.lock() as check:
        origins = [] if origin is None else [origin]
        made_from = approximation_ancestry(uniform, origins, plan=plan, width=width)
        part = made_from.unfinished(uniform.axnn, "uniform")
        if not _is_made(uniform.axnn, ApproximationNotes.ancestry, made_from, None):
            trained, samples = run.trained(), run.samples()
            session = approximate_uniformly(
                trained.network,
                samples,
                plan,
                event_counter(trained.app.engine, samples),
                width=width,
                seed=trained.seed,
                wider=origin,
                state=part,
                on_trial=_checked(check, on_trial),
                on_epoch=_checked(check, on_epoch),
            )
            save_approximation(uniform, session.result(), made_from, state=part)
        _forget(part)
    return uniform


def approximation_ancestry(run: RunFolder, starts: Sequence[Path] = (), **how: Any) -> Ancestry:
    """The present ancestry of an approximation's networks.

    Parameters
    ----------
    run : the run
    starts : state files that the approximation may begin with
    how : the plan, or what takes its place
    """
    files = [run.network, *starts]
    return Ancestry.of(run.axnn, files, activity=_ACTIVITY, **how, **run.record().approximation)


def event_counter(engine: EngineConfig, samples: DataSet) -> EventCounter:
    """Counts events of an engine, with the operands of validation samples."""
    drawn = samples.validation.draw(ACTIVITY_SAMPLES, seed=_ACTIVITY_SEED)
    return EventCounter(engine, drawn.inputs)


def energy_model(prices: EnergyPrices, app: App, samples: DataSet) -> EnergyModel:
    """Prices for the application's engine, with the operands of its validation samples.

    Raises
    ------
    FormatError
        If one of the engine's widths has no price.
    """
    energy = EnergyModel(prices, app.engine, event_counter(app.engine, samples).samples)
    energy.check_prices()
    return energy


def save_approximation(
    run: RunFolder, found: Approximation, made_from: Ancestry, *, state: Path | None = None
) -> None:
    """Write the integer networks with their notes, and the state in which the loop ended.

    The approximate network is written last, since it marks the step as finished. `state` is the
    loop's state file, from which the rest can be made again; it is kept until then.
    """
    record = run.record()
    notes = ApproximationNotes(
        made_from=made_from,
        app=record.name,
        seed=record.seed,
        encoding=record.encoding,
        plan=found.plan,
        steps=found.trials,
    )
    exact, axnn = (
        replace(net, notes=asdict(notes), fitted_to=record.digests.fitted)
        for net in (found.exact, found.axnn)
    )
    exact.save(run.exact16)
    if state is not None:
        replace_bytes(run.state, state.read_bytes())
    axnn.save(run.axnn)


def evaluate_step(
    run: RunFolder, prices: EnergyPrices, *, notify: Notify | None = None
) -> Evaluation:
    """Evaluate all networks on the test part; write the part's integers for simulation."""
    run.approximated()
    if run.test_inputs.exists() and _is_made(
        run.evaluation, recorded_judgement, judgement_ancestry(run, prices), notify
    ):
        return run.judgement().evaluation
    with run.lock():
        trained, found, samples = run.trained(), run.approximated(), run.samples()
        energy = energy_model(prices, trained.app, samples)
        evaluation = evaluate(trained.network, found.exact, found.axnn, samples.test, energy)
        integer_samples(found.axnn, samples.test).save(run.test_inputs)
        made_from = judgement_ancestry(run, prices)
        judgement = Judgement(made_from=made_from, run=run.facts(), evaluation=evaluation)
        Provenance.now().write(run.path)
        write_document(run.evaluation, judgement)  # the last file: it marks the step as finished
    return evaluation


def judgement_ancestry(run: RunFolder, prices: EnergyPrices) -> Ancestry:
    """The present ancestry of the evaluation."""
    values = {"prices": dict(prices.pj), "activity": _ACTIVITY, **run.record().judgement}
    return Ancestry.of(run.evaluation, run.judged, **values)


def recorded_judgement(path: Path) -> Ancestry:
    """The ancestry of the evaluation in a file."""
    return Judgement.read(path).made_from


def _forget(part: Path) -> None:
    """Delete the state of a step, and the epochs of its long retrainings."""
    for path in part.parent.glob(f"{part.stem}.*"):
        path.unlink(missing_ok=True)


def _checked(
    check: Callable[[], None], tell: Callable[[Told], None] | None
) -> Callable[[Told], None]:
    """`tell`, after a check that ends the step if its folder has been deleted."""

    def told(news: Told) -> None:
        check()
        if tell is not None:
            tell(news)

    return told
