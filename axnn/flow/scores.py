"""The file of the neurons' scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.approximation.resilience import CRITERIA, Scores
from axnn.flow.ancestry import Ancestry
from axnn.nn.spec import NetworkSpec
from qcnpe.spec.npz import ArrayType, read_npz, read_npz_header, write_npz

_KIND = "axnn-resilience-2"


@dataclass(frozen=True)
class _Header:
    """What the file says besides the scores."""

    made_from: Ancestry


def write_scores(path: Path, scores: Mapping[str, Scores], made_from: Ancestry) -> None:
    """Write the scores of all criteria."""
    arrays: dict[str, NDArray[Any]] = {
        f"{name}.{index}": layer for name in CRITERIA for index, layer in enumerate(scores[name])
    }
    write_npz(path, _KIND, _Header(made_from), arrays)


def scores_made_from(path: Path) -> Ancestry:
    """What the scores in a file were made from."""
    return read_npz_header(path, _KIND, _Header).made_from


def read_scores(path: Path, spec: NetworkSpec) -> dict[str, Scores]:
    """The scores of all criteria of a network of this description."""
    wirings = spec.wirings
    types = {
        f"{name}.{index}": ArrayType(np.float64, (each.channels, each.outputs), finite=False)
        for name in CRITERIA
        for index, each in enumerate(wirings)
    }
    _, arrays = read_npz(path, _KIND, _Header, lambda _: types)
    layers = range(len(wirings))
    return {name: tuple(arrays[f"{name}.{index}"] for index in layers) for name in CRITERIA}
