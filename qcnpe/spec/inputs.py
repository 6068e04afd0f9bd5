"""Checks of the inputs of a network, the same wherever samples are read.

Nothing is converted: a byte, a 32-bit integer or a number out of range does not mean what the
network was trained on, and a wrong result would look like any other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.errors import InputError

_FEW_VALUES = 1 << 14
"""Up to this size a copy is faster than a second pass, which matters for single samples."""


def check_codes(
    codes: NDArray[Any], features: int, *, where: str, batch: int | None = None
) -> None:
    """Check the integers that an engine reads.

    Parameters
    ----------
    codes : int16 (batch, features), see `qcnpe.spec.qnet.QuantNet.quantize_inputs`
    features : values of one sample
    where : what reads them, for the message
    batch : required number of samples; None: any number

    Raises
    ------
    InputError
        If type or shape differ.
    """
    if codes.ndim != 2 or codes.shape[1] != features or batch not in (None, len(codes)):
        samples = "batch" if batch is None else batch
        raise InputError(f"{where} reads ({samples}, {features}) inputs, not {codes.shape}")
    if codes.dtype != np.int16:
        raise InputError(
            f"{where} reads int16 inputs, not {codes.dtype}; QuantNet.quantize_inputs makes them"
        )


def check_reals(reals: NDArray[Any], limit: float, *, where: str) -> None:
    """Check real inputs before they become integers.

    Parameters
    ----------
    reals : floating-point (samples, ...)
    limit : largest magnitude
    where : what reads them, for the message

    Raises
    ------
    InputError
        If they are not floating-point, not finite or larger; the message names the first such
        sample.
    """
    if reals.dtype.kind != "f":
        raise InputError(
            f"{where}: inputs must be floating-point numbers, scaled as for the training,"
            f" not {reals.dtype}"
        )
    if not reals.size or _all_within(reals, limit):
        return
    wrong = ~(np.abs(reals) <= limit)
    sample = int(np.flatnonzero(wrong.reshape(len(reals), -1).any(axis=1))[0])
    place = np.unravel_index(int(np.argmax(wrong[sample])), reals.shape[1:])
    value = reals[sample][place]
    raise InputError(
        f"{where}: inputs must lie in {-limit:g}..{limit:g}, scaled as for the training, but sample"
        f" {sample} holds {value:g} at {tuple(int(index) for index in place)}"
    )


def _all_within(reals: NDArray[Any], limit: float) -> bool:
    """Whether no magnitude exceeds the limit; a NaN does."""
    if reals.size <= _FEW_VALUES:
        return bool(np.maximum.reduce(np.abs(reals), axis=None) <= limit)
    return bool(reals.min() >= -limit and reals.max() <= limit)
