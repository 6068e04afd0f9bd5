"""Files of quantised samples, for running a network outside the trainer."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.draws import draw
from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.inputs import check_codes
from qcnpe.spec.npz import ArrayType, read_npz, write_npz
from qcnpe.spec.qnet import QuantNet

_KIND = "qcnpe-inputs-1"


@dataclass(frozen=True)
class Samples:
    """Quantised inputs and their classes.

    Attributes
    ----------
    inputs : int16 (samples, features), see `QuantNet.quantize_inputs`
    labels : int64 (samples,)
    fitted_to : SHA-256 of the data to which networks that are evaluated on these samples were
        fitted; None if unknown
    """

    inputs: NDArray[np.int16]
    labels: NDArray[np.int64]
    fitted_to: str | None = None

    def __post_init__(self) -> None:
        good = self.inputs.ndim == 2 and self.labels.shape == self.inputs.shape[:1]
        if not good or self.inputs.dtype != np.int16 or self.labels.dtype != np.int64:
            raise FormatError(
                "samples must be int16 (samples, features) with int64 (samples,) labels, not"
                f" {self.inputs.dtype} {self.inputs.shape}, {self.labels.dtype} {self.labels.shape}"
            )
        if not len(self.labels) or self.labels.min() < 0:
            raise FormatError("samples must be at least one, and their labels 0 or more")

    def draw(self, count: int | None, *, seed: int) -> "Samples":
        """`count` of the samples, drawn at random, or all; see `qcnpe.spec.draws.draw`."""
        chosen = draw(len(self.labels), count, seed=seed)
        return replace(self, inputs=self.inputs[chosen], labels=self.labels[chosen])

    def check(self, net: QuantNet) -> None:
        """Check that the network reads such inputs and has their classes.

        Raises
        ------
        InputError
            If it does not, or if the network was fitted to another split of the data and may have
            seen the samples.
        """
        where = f"network {net.name}"
        check_codes(self.inputs, net.inputs, where=where)
        if self.labels.max() >= net.outputs:
            sample = int(np.argmax(self.labels))
            raise InputError(
                f"{where} has {net.outputs} classes, but sample {sample} is of class"
                f" {self.labels[sample]}; give the samples of its own application"
            )

        if None not in (self.fitted_to, net.fitted_to) and self.fitted_to != net.fitted_to:
            raise InputError(
                f"{where} was fitted to other data than the split that these samples are of, "
                "perhaps to some of them; run `axnn evaluate` again"
            )

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        arrays: dict[str, NDArray[Any]] = {"inputs": self.inputs, "labels": self.labels}
        write_npz(path, _KIND, _Header(self.fitted_to), arrays)

    @classmethod
    def load(cls, path: Path) -> "Samples":
        """Read an .npz file; `FormatError` if it is damaged or foreign."""
        header, arrays = read_npz(path, _KIND, _Header, lambda _: _LAYOUT)
        try:
            return cls(arrays["inputs"], arrays["labels"], header.fitted_to)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _Header:
    """The header of a file."""

    fitted_to: str | None = None  # earlier versions did not write it


_LAYOUT = {
    "inputs": ArrayType(np.int16, (None, None)),
    "labels": ArrayType(np.int64, (None,), low=0),
}
