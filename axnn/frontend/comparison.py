"""How far an imported network is from what onnxruntime computes of its file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from axnn.errors import ForeignNetworkError
from axnn.frontend.imported import ImportedNetwork

LIMIT = 1e-5
"""Largest difference that an import should show, as a share of the largest output: what sums of
single-precision numbers in another order differ by."""


@dataclass(frozen=True)
class Comparison:
    """How far a network is from the file that it was imported from.

    Attributes
    ----------
    samples : how many were compared
    largest_difference : between two outputs
    largest_output : of the file, in magnitude
    agreement : share of the samples whose largest output is the same one
    """

    samples: int
    largest_difference: float
    largest_output: float
    agreement: float

    @property
    def relative(self) -> float:
        """The largest difference as a share of the largest output."""
        if not self.largest_output:
            return 0.0 if not self.largest_difference else float("inf")
        return self.largest_difference / self.largest_output

    def check(self, limit: float = LIMIT) -> None:
        """Raise `ForeignNetworkError` if the difference is more than a share of the outputs."""
        if not self.relative <= limit:
            raise ForeignNetworkError(
                f"the imported network differs from onnxruntime by {self.relative:.2e} of the"
                f" largest output, more than {limit:g}; a larger --limit accepts that"
            )


def compare(imported: ImportedNetwork, samples: ArrayLike) -> Comparison:
    """Compare an imported network with what onnxruntime computes of its file.

    Parameters
    ----------
    imported : the network
    samples : as the file reads them

    Raises
    ------
    ForeignNetworkError
        If onnxruntime cannot run the file, or makes outputs of another shape.
    """
    ours, theirs = imported.predict(samples), imported.reference(samples)
    if ours.shape != theirs.shape:
        raise ForeignNetworkError(
            f"{imported.graph.path}: for {len(ours)} samples, onnxruntime makes outputs of"
            f" {theirs.shape}, not {ours.shape}: the file mixes or drops samples; export it without"
        )
    flat = theirs.reshape(len(theirs), -1)
    agreeing = ours.reshape(len(ours), -1).argmax(axis=1) == flat.argmax(axis=1)
    return Comparison(
        samples=len(ours),
        largest_difference=float(np.abs(ours - theirs.astype(np.float64)).max()),
        largest_output=float(np.abs(theirs).max()),
        agreement=float(agreeing.mean()),
    )
