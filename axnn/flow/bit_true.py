"""The networks of a run as bit-true ONNX models."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from axnn.flow.ancestry import MADE_FROM, Ancestry, file_digest
from axnn.flow.run_folder import RunFolder
from qcnpe.interchange import export_onnx, read_facts

EXPORT = "`axnn export`"


def model_path(run: RunFolder, point: str) -> Path:
    """Where the model of a network lies unless another place is named."""
    return run.path / f"{point}.onnx"


def export_step(run: RunFolder, point: str, path: Path, *, integers: bool = False) -> None:
    """Write a network of the run as an ONNX model that computes the same integers.

    Parameters
    ----------
    run : the run
    point : name of the network's file, as `axnn` or `exact16`
    path : of the model
    integers : as for `export_onnx`
    """
    net = run.point(point)
    facts = {MADE_FROM: asdict(_ancestry(run, point, path)), **_figures(run, point)}
    shape = run.record().app.network.input_shape
    with run.lock():
        export_onnx(net, path, input_shape=shape, integers=integers, facts=facts)


def check_model(run: RunFolder, point: str, path: Path) -> None:
    """Refuse a model of an earlier network.

    Raises
    ------
    RunError
        If the run's network has changed since the model was exported.
    """
    facts = read_facts(path)
    if MADE_FROM in facts:  # else `qcnpe export` wrote it
        values = {"network": _digest(run, point)}
        Ancestry.recorded(facts, path).check(path, files=(), values=values, remedy=EXPORT)


def _ancestry(run: RunFolder, point: str, path: Path) -> Ancestry:
    return Ancestry.of(path, (), network=_digest(run, point))


def _digest(run: RunFolder, point: str) -> str:
    return file_digest(run.path / f"{point}.npz")


def _figures(run: RunFolder, point: str) -> dict[str, Any]:
    """Quality and costs of a network, if it has been evaluated."""
    if point not in (run.exact16.stem, run.axnn.stem) or not run.evaluation.exists():
        return {}
    judgement = run.judgement()
    found = asdict(judgement.evaluation)
    return {
        "quality": judgement.run.quality,
        "test_quality": found[f"{point}_accuracy"],
        "energy_pj_per_sample": found[f"{point}_pj"],
        "cycles_per_sample": found[f"{point}_cycles"],
    }
