"""The step that takes up a network from an ONNX file in place of training one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from axnn import data
from axnn.data import Agreement, DataSet, OwnData
from axnn.data.labels import Label
from axnn.errors import ForeignNetworkError
from axnn.flow.ancestry import Ancestry, file_digest
from axnn.flow.defaults import default_app
from axnn.flow.notes import TrainingNotes
from axnn.flow.record import ForeignNetwork, RunRecord
from axnn.flow.run_folder import RunFolder
from axnn.frontend import (
    LIMIT,
    Comparison,
    Grade,
    ImportedNetwork,
    LayerDifference,
    compare,
    compare_integers,
    import_onnx,
    saturated_shares,
)
from axnn.frontend.outputs import with_scaled_output, with_two_outputs
from axnn.frontend.refusal import UnsupportedError
from axnn.nn.network import Network
from qcnpe.spec.draws import draw
from qcnpe.tools.extras import require_modules

COMPARED_SAMPLES = 256
"""Samples, drawn at random, for which the network is compared with onnxruntime."""

_FEW_AGREE = 0.9
"""Share of equal answers below which an imported quantised network is not what its file was."""


@dataclass(frozen=True, kw_only=True)
class KeptIntegers:
    """What is kept of the integers of a quantised file.

    Attributes
    ----------
    grade : how much
    reasons : why it is not more
    layers : differences of each layer's results from the file's; none in grade float
    saturated : by layer, share of its results that the file's quantiser cuts off at its upper limit
    """

    grade: Grade
    reasons: tuple[str, ...]
    layers: tuple[LayerDifference, ...]
    saturated: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class ImportedRun:
    """A run whose network was imported.

    Attributes
    ----------
    title : of the application
    layers : of the network
    span : what inputs are divided by
    comparison : of the network with onnxruntime
    integers : of a quantised file; else None
    quality_name : how quality is measured
    validation_quality : of the network on the validation part
    """

    title: str
    layers: int
    span: float
    comparison: Comparison
    integers: KeptIntegers | None
    quality_name: str
    validation_quality: float


def import_step(
    run: RunFolder,
    path: Path,
    own: OwnData,
    *,
    seed: int,
    limit: float = LIMIT,
    notify: Callable[[str], None] | None = None,
) -> ImportedRun:
    """Import a network and make it the trained network of a run.

    That of a quantised file has the numbers that its weights stand for, and no quantisers: its
    integers are chosen anew. Those of the file are kept in `run.imported`, as far as they can be.

    Parameters
    ----------
    run : the folder
    path : of the ONNX file
    own : samples as the network reads them; classes in the order of its outputs; without labels,
        the network's own answers take their place
    seed : of the split
    limit : largest difference from onnxruntime, as a share of the largest output; it does not
        hold for a quantised file, whose roundings the network leaves out
    notify : called with each line that the user should know

    Raises
    ------
    ForeignNetworkError
        If the network cannot run, does not fit the samples, or differs by more than the limit:
        before anything is written.
    """
    require_modules("onnx", "onnxruntime")
    inputs = own.inputs(seed)
    imported = import_onnx(path, inputs)
    own = replace(own, span=imported.span, reads=_reads(imported, inputs.shape[1:]))
    samples = data.load(own, seed=seed)
    if own.unlabelled:
        samples = samples.answered(imported.network.predict)
    network = _fitted(imported, samples, path)
    drawn = inputs[draw(len(inputs), COMPARED_SAMPLES, seed=seed)]
    if own.reads is not None:
        drawn = drawn.reshape(len(drawn), *own.reads)
    comparison, integers = compare(imported, drawn), _kept_integers(imported, drawn)
    told = [*imported.notes, *samples.notes]
    if integers is None:
        comparison.check(limit)
    else:
        told += _disagreement(comparison)
    for line in told:
        if notify is not None:
            notify(line)
    app = replace(default_app(own, samples), title=path.stem, network=network.spec)
    source = ForeignNetwork(path=str(path.absolute()), sha256=file_digest(path))
    _write(run, RunRecord.of(app, seed, samples, source), imported, network)
    validation = samples.validation
    logits = network.predict(validation.inputs)
    return ImportedRun(
        title=app.title,
        layers=len(network.spec.layers),
        span=imported.span,
        comparison=comparison,
        integers=integers,
        quality_name=samples.task.quality_name,
        validation_quality=samples.task.quality(logits, validation.labels),
    )


def _disagreement(comparison: Comparison) -> tuple[str, ...]:
    """What the user should know if the network answers otherwise than its quantised file."""
    if comparison.agreement >= _FEW_AGREE:
        return ()
    return (
        f"answers as the file does for {comparison.agreement:.0%} of {comparison.samples} samples"
        " only: the file's quantisers cut off or round what the network without them computes; a"
        " file from before the quantisation is imported as it is",
    )


def _write(run: RunFolder, record: RunRecord, imported: ImportedNetwork, network: Network) -> None:
    """Write the run's record, the file's integers and the network, which says that it is done."""
    with run.lock():
        record.claim(run.root)
        made_from = Ancestry.of(run.network, (), **record.training)
        notes = TrainingNotes(
            made_from=made_from, seed=record.seed, epochs=(), encoding=record.encoding
        )
        _save_integers(run, imported, notes)
        network.save(run.network, asdict(notes))


def _kept_integers(imported: ImportedNetwork, samples: NDArray[Any]) -> KeptIntegers | None:
    """What is kept of a quantised file, measured with samples."""
    found = imported.quantisation
    if found is None:
        return None
    layers = () if found.net is None else compare_integers(imported, samples)
    return KeptIntegers(
        grade=found.grade,
        reasons=found.reasons,
        layers=layers,
        saturated=saturated_shares(imported, samples),
    )


def _save_integers(run: RunFolder, imported: ImportedNetwork, notes: TrainingNotes) -> None:
    found = imported.quantisation
    if found is not None and found.net is not None:
        replace(found.net, notes=asdict(notes)).save(run.imported)
    else:
        run.imported.unlink(missing_ok=True)


def _reads(imported: ImportedNetwork, given: tuple[int, ...]) -> tuple[int, int, int] | None:
    """The network's input shape, if the data have the same values in the same order in another."""
    channels, height, width = imported.network.spec.input_shape
    foreign = [size for size in imported.graph.input_shape if size > 1]
    same = foreign == [size for size in given if size > 1]
    if given == (channels, height, width) or not same or not imported.keeps_input_order:
        return None
    return channels, height, width


def _check_names(theirs: Sequence[str], ours: Sequence[Label], path: Path) -> None:
    """Refuse classes that the file has in another order than the data."""
    names = [str(name) for name in ours]
    if list(theirs) != names and sorted(theirs) == sorted(names):
        raise ForeignNetworkError(
            f"{path}: its outputs are the classes {', '.join(theirs[:5])}, but in order the labels"
            f" are {', '.join(names[:5])}; give the data labels that sort alike, such as 0, 1, 2"
        )


def _fitted(imported: ImportedNetwork, samples: DataSet, path: Path) -> Network:
    """The network with the outputs that the data ask for; other shapes and numbers are refused."""
    spec = imported.network.spec
    if samples.input_shape != spec.input_shape:
        raise ForeignNetworkError(
            f"{path}: reads samples of {spec.input_shape}, but the data are of"
            f" {samples.input_shape}; save them in that shape (channels, height, width)"
        )
    if imported.graph.input_shape == spec.input_shape and not imported.keeps_input_order:
        raise ForeignNetworkError(
            f"{path}: reads (height, width, channels), but samples of {spec.input_shape} may have"
            " their channels first or last; export it with channels first"
        )
    if not imported.keeps_order and not isinstance(samples.task, Agreement):
        raise ForeignNetworkError(
            f"{path}: exchanges axes of its output at the end (Transpose); export it without, so"
            " that class k is output k"
        )
    outputs = spec.wirings[-1].channels * spec.wirings[-1].outputs
    asked, quantity = len(samples.classes), samples.quantity
    if imported.quantisation is not None and (quantity is not None or outputs < asked):
        raise ForeignNetworkError(f"{path}: quantised files must have an output for each class")
    try:
        if quantity is not None and outputs == 1:
            return with_scaled_output(imported.network, quantity.offset, quantity.span)
        if (outputs, asked) == (1, 2):
            return with_two_outputs(imported.network)
    except UnsupportedError as error:
        raise ForeignNetworkError(f"{path}: {error}") from error
    if outputs == asked and quantity is None:
        _check_names(imported.graph.classes, samples.classes.names, path)
    if outputs != asked:
        classes = "of one quantity" if quantity is not None else f"of {asked} classes"
        raise ForeignNetworkError(
            f"{path}: has {outputs} outputs, but the data are {classes}; export it with an output"
            " for each"
        )
    return imported.network
