"""The state file of the loop: all that a search for an engine remembers from trial to trial."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.search import Progress, nothing_frozen
from axnn.approximation.widths import ApproximationPlan, Trial, WidthPoint
from axnn.errors import RunError
from axnn.nn.network import Network
from axnn.quantisation.scales import LayerScale, ScaleDocument
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import Share
from qcnpe.spec.errors import FormatError
from qcnpe.spec.npz import ArrayType, add_prefix, read_npz, take_prefix, write_npz

_STATE_KIND = "axnn-approximation-2"

Array = TypeVar("Array", bound=NDArray[Any])


@dataclass(frozen=True)
class Identity:
    """What a run that goes on must have in common with the one that wrote the file.

    Attributes
    ----------
    plan, seed, engine : how, and for what
    data, network : SHA-256 of what training sees, and of the trained network
    """

    plan: ApproximationPlan
    seed: int
    data: str
    engine: EngineConfig
    network: str


@dataclass(frozen=True)
class _State:
    """What a state file says besides its arrays."""

    identity: Identity
    share: Share
    steps: tuple[Trial, ...]
    scales: tuple[ScaleDocument, ...]

    def __post_init__(self) -> None:
        numbers = [trial.number for trial in self.steps]
        if not numbers or numbers != list(range(len(numbers))) or not self.steps[0].kept:
            raise FormatError("its steps are not in order; delete it")


def save_state(path: Path, identity: Identity, progress: Progress[WidthPoint, Trial]) -> None:
    """Write everything to a state file."""
    point = progress.point
    arrays = (
        add_prefix("value.", point.network.state())
        | add_prefix("precision.", _numbered(point.precision))
        | add_prefix("frozen.", _numbered(progress.frozen))
    )
    header = _State(
        identity=identity,
        share=progress.share,
        steps=tuple(progress.trials),
        scales=tuple(scale.document() for scale in point.scales),
    )
    write_npz(path, _STATE_KIND, header, arrays)


def resume(path: Path, identity: Identity, start: WidthPoint) -> Progress[WidthPoint, Trial]:
    """Where an interrupted run of the same identity was."""

    def check(theirs: Identity) -> None:
        if theirs != identity:
            raise RunError(
                f"{path}: of a run with another plan, engine, data, network or seed; delete it"
            )

    return _read(path, check, start)


def continue_tighter(
    path: Path, identity: Identity, start: WidthPoint
) -> Progress[WidthPoint, Trial]:
    """Where a run under a tighter bound ended; everything may be lowered again."""
    progress = read_end(path, identity, start)
    progress.share = identity.plan.share
    progress.frozen = nothing_frozen(start.precision)
    return progress


def read_end(path: Path, identity: Identity, start: WidthPoint) -> Progress[WidthPoint, Trial]:
    """Where a run of the same network under a tighter bound ended, whatever its plan."""
    return _read(path, partial(_check_tighter, path, identity), start)


def _check_tighter(path: Path, identity: Identity, theirs: Identity) -> None:
    if replace(theirs, plan=identity.plan) != identity:
        raise RunError(f"{path}: of a run with another engine, data, network or seed; delete it")
    if theirs.plan.bound_percent > identity.plan.bound_percent:
        raise RunError(f"{path}: of a run under a looser bound; start from a tighter one")


def _read(
    path: Path, check: Callable[[Identity], None], start: WidthPoint
) -> Progress[WidthPoint, Trial]:
    """Read a state file whose identity `check` does not refuse."""

    def layout(header: _State) -> dict[str, ArrayType]:
        check(header.identity)
        shapes = {name: widths.shape for name, widths in _numbered(start.precision).items()}
        return (
            add_prefix("value.", start.network.state_types())
            | add_prefix("precision.", {n: ArrayType(np.uint8, s) for n, s in shapes.items()})
            | add_prefix("frozen.", {n: ArrayType(np.bool_, s) for n, s in shapes.items()})
        )

    header, arrays = read_npz(path, _STATE_KIND, _State, layout)
    precision = take_prefix("precision.", arrays)
    _check_widths(path, header, precision, start.network)
    point = WidthPoint(
        network=start.network.copy(take_prefix("value.", arrays)),
        precision=tuple(precision.values()),
        scales=tuple(LayerScale.from_document(entry) for entry in header.scales),
        config=start.config,
    )
    frozen = tuple(take_prefix("frozen.", arrays).values())
    return Progress(point=point, frozen=frozen, share=header.share, trials=list(header.steps))


def _check_widths(
    path: Path, header: _State, precision: Mapping[str, NDArray[np.uint8]], network: Network
) -> None:
    allowed = header.identity.engine.precisions
    if not all(np.isin(widths, allowed).all() for widths in precision.values()):
        raise FormatError(f"{path}: holds widths that the engine does not have; delete it")
    wirings = network.spec.wirings
    if len(header.scales) != len(wirings) or not all(
        scale.fits(wiring, allowed) for scale, wiring in zip(header.scales, wirings, strict=True)
    ):
        raise FormatError(f"{path}: its scales are those of another network; delete it")


def _numbered(arrays: tuple[Array, ...]) -> dict[str, Array]:
    """The arrays of the layers by the layers' numbers."""
    return {str(index): array for index, array in enumerate(arrays)}
