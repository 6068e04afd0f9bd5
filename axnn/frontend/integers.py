"""Integers of a quantised network, layer by layer, compared with those of its file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.errors import ForeignNetworkError
from axnn.frontend.grading import Quantisation
from axnn.frontend.imported import ImportedNetwork
from qcnpe.spec.fixed import IntArray, narrow
from qcnpe.spec.graph import run_graph
from qcnpe.spec.inference import run_layer
from qcnpe.spec.qnet import QuantNet


@dataclass(frozen=True)
class LayerDifference:
    """How the results of a layer differ from those of the file.

    Attributes
    ----------
    name : of the layer
    results : compared
    different : of them
    largest : difference, in steps of the file's quantiser, or of the engine's 16-bit results
    """

    name: str
    results: int
    different: int
    largest: float


def compare_integers(imported: ImportedNetwork, samples: ArrayLike) -> tuple[LayerDifference, ...]:
    """Compare each layer's results, as its readers read them, with the file's in onnxruntime.

    Parameters
    ----------
    imported : of grade exact or values
    samples : as the file reads them

    Raises
    ------
    ForeignNetworkError
        If the network is not quantised, or is of grade float.
    """
    found = imported.quantisation
    if found is None or found.net is None:
        raise ForeignNetworkError(f"{imported.graph.path}: is not imported with its integers")
    net, theirs = found.net, imported.reference_layers(samples)
    ours = _run_layers(net, net.quantize_inputs(imported.inputs(samples)))
    differences = []
    for index in sorted(theirs):
        read = _as_read(found, net, index, ours[index])
        if read is not None:
            values, fraction_bits = read
            steps = np.abs(values - np.ldexp(theirs[index].astype(np.float64), fraction_bits))
            differences.append(
                LayerDifference(
                    name=net.layers[index].name,
                    results=steps.size,
                    different=int(np.count_nonzero(steps)),
                    largest=float(steps.max()),
                )
            )
    return tuple(differences)


def saturated_shares(imported: ImportedNetwork, samples: ArrayLike) -> dict[str, float]:
    """Share of each layer's results that its quantiser's upper limit cuts off in onnxruntime.

    The network itself has no such limits: many of these results make it another one than the file.

    Parameters
    ----------
    imported : a quantised network
    samples : as the file reads them
    """
    found = imported.quantisation
    if found is None:
        return {}
    shares = {}
    for index, values in imported.reference_layers(samples).items():
        quantiser = found.quantisers.get(index)
        if quantiser is not None:
            limit = (quantiser.high - 0.5) * quantiser.scale
            name = imported.network.neuron_layers[index].name
            shares[name] = float((values >= limit).mean())
    return shares


def _run_layers(net: QuantNet, inputs: NDArray[np.int16]) -> dict[int, NDArray[np.int64]]:
    """(samples, results) 16-bit results of every layer."""
    values: dict[int, NDArray[np.int64]] = {}

    def run(index: int, read: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        values[index] = run_layer(net.layers[index], np.concatenate(read, axis=1))
        return values[index]

    run_graph([net.reads(index) for index in range(len(net.layers))], inputs.astype(np.int64), run)
    return values


def _as_read(
    found: Quantisation, net: QuantNet, index: int, results: NDArray[np.int64]
) -> tuple[IntArray, int] | None:
    """Results as their readers read them, and the fraction bits of these integers.

    None if they are passed on before they are rounded: then a later layer's are compared.
    """
    scale = found.values[index]
    if index not in found.quantisers or index == len(net.layers) - 1:
        return results, scale.fraction_bits
    copies = net.copies(index)
    if not copies.shifts:
        return None
    width, shift = next(iter(copies.shifts.items()))
    return narrow(results, shift, width, unsigned=copies.unsigned), scale.narrow[width]
