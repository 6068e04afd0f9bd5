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
    """Quantised inputs, and their classes if they have some.

    Attributes
    ----------
    inputs : int16 (samples, features), see `QuantNet.quantize_inputs`
    labels : int64 (samples,); None for samples of a regression
    fitted_to : SHA-256 of the data to which networks that are evaluated on these samples were
        fitted; None if unknown
    """

    inputs: NDArray[np.int16]
    labels: NDArray[np.int64] | None
    fitted_to: str | None = None

    def __post_init__(self) -> None:
        numbers = np.zeros(len(self.inputs), np.int64) if self.labels is None else self.labels
        good = self.inputs.ndim == 2 and numbers.shape == self.inputs.shape[:1]
        if not good or self.inputs.dtype != np.int16 or numbers.dtype != np.int64:
            raise FormatError(
                "samples must be int16 (samples, features) with int64 (samples,) labels, not"
                f" {self.inputs.dtype} {self.inputs.shape}, {numbers.dtype} {numbers.shape}"
            )
        if not len(numbers) or numbers.min() < 0:
            raise FormatError("samples must be at least one, and their labels 0 or more")

    def draw(self, count: int | None, *, seed: int) -> "Samples":
        """`count` of the samples, drawn at random, or all; see `qcnpe.spec.draws.draw`."""
        chosen = draw(len(self.inputs), count, seed=seed)
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, inputs=self.inputs[chosen], labels=labels)

    def accuracy(self, results: NDArray[Any]) -> float | None:
        """Fraction whose largest result (samples, classes) is that of their class, if they have."""
        if self.labels is None:
            return None
        return float(np.mean(results.argmax(axis=1) == self.labels))

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
        if self.labels is not None and self.labels.max() >= net.outputs:
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
        arrays: dict[str, NDArray[Any]] = {"inputs": self.inputs}
        if self.labels is not None:
            arrays["labels"] = self.labels
        write_npz(path, _KIND, _Header(self.fitted_to, self.labels is not None), arrays)

    @classmethod
    def load(cls, path: Path) -> "Samples":
        """Read an .npz file; `FormatError` if it is damaged or foreign."""
        header, arrays = read_npz(path, _KIND, _Header, _layout)
        try:
            return cls(arrays["inputs"], arrays.get("labels"), header.fitted_to)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _Header:
    """The header of a file."""

    fitted_to: str | None = None  # earlier versions did not write it
    has_labels: bool = True  # nor this


def _layout(header: _Header) -> dict[str, ArrayType]:
    inputs = {"inputs": ArrayType(np.int16, (None, None))}
    labels = {"labels": ArrayType(np.int64, (None,), low=0)}
    return inputs | labels if header.has_labels else inputs
