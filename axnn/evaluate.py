"""The final judgement on the test part, which nothing before has read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.approximate import histogram, integer_accuracy
from axnn.data import Split
from axnn.energy import EnergyModel
from axnn.network import Network
from axnn.train import validate
from qcnpe.spec.archive import write_archive
from qcnpe.spec.qnet import QuantNet

INPUTS_KIND = "qcnpe-inputs-1"
"""Kind of the archive that holds a network's integer inputs and their labels."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good and how costly the networks are.

    Attributes
    ----------
    samples : of the test part
    float_accuracy, exact16_accuracy, axnn_accuracy : fraction right on the test part
    exact16_pj, axnn_pj : energy of a sample; exact on the engine that is not configurable
    exact16_cycles, axnn_cycles : of the engine for a sample, in a long batch
    layers_pj : of the approximate network, by layer name
    precision_histogram : neurons of the approximate network by width
    """

    samples: int
    float_accuracy: float
    exact16_accuracy: float
    axnn_accuracy: float
    exact16_pj: float
    axnn_pj: float
    exact16_cycles: float
    axnn_cycles: float
    layers_pj: dict[str, float]
    precision_histogram: dict[str, int]

    @property
    def energy_ratio(self) -> float:
        """How many times less energy the approximate network takes."""
        return self.exact16_pj / self.axnn_pj


def evaluate(
    network: Network, exact: QuantNet, axnn: QuantNet, test: Split, energy: EnergyModel
) -> Evaluation:
    """Judge the trained network, its exact and its approximate integer form on the test part."""
    exact_cost, axnn_cost = energy.exact_cost(exact), energy.cost(axnn)
    names = [layer.name for layer in axnn.layers]
    return Evaluation(
        samples=len(test),
        float_accuracy=validate(network, test)[1],
        exact16_accuracy=integer_accuracy(exact, test),
        axnn_accuracy=integer_accuracy(axnn, test),
        exact16_pj=exact_cost.energy_pj,
        axnn_pj=axnn_cost.energy_pj,
        exact16_cycles=exact_cost.cycles,
        axnn_cycles=axnn_cost.cycles,
        layers_pj=dict(zip(names, axnn_cost.layers_pj, strict=True)),
        precision_histogram=histogram(tuple(layer.precision for layer in axnn.layers)),
    )


def write_inputs(path: Path, net: QuantNet, split: Split) -> None:
    """Write a split as the integers that the engine reads, for simulation without this package.

    The archive is of kind `INPUTS_KIND`. Its header has the `name` of the network; its arrays are
    `inputs`, int16 (samples, features), and `labels`, int64 (samples,).
    """
    arrays: dict[str, NDArray[Any]] = {
        "inputs": net.quantize_inputs(split.inputs),
        "labels": split.labels.astype(np.int64),
    }
    write_archive(path, INPUTS_KIND, {"name": net.name}, arrays)
