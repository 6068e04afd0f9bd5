"""The final evaluation on the test part, which no earlier step reads."""

from dataclasses import dataclass

import numpy as np

from axnn.approximation.widths import histogram, integer_accuracy
from axnn.data import Split
from axnn.flow.energy import EnergyModel
from axnn.nn.network import Network
from axnn.nn.train import validate
from qcnpe.spec.documents import Fraction, Natural, NotNegative, Positive
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples

ENERGY_RATIOS = ("energy_ratio", "energy_ratio_with_memory", "energy_ratio_of_system")
"""Ratios of an `Evaluation`: the engine, with on-chip memories, and with external memory."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How good and how costly the networks are.

    Attributes
    ----------
    samples : of the test part
    float_accuracy, exact16_accuracy, axnn_accuracy : fraction right on the test part
    exact16_pj, axnn_pj : energy of a sample; of the exact network, on the engine that computes 16
        bits only
    exact16_memory_pj, axnn_memory_pj : energy of the on-chip memories, not included above
    exact16_cycles, axnn_cycles : of the engine for a sample, in a long batch
    layers_pj : of the approximate network, by layer name
    precision_histogram : neurons of the approximate network by width
    exact16_external_pj, axnn_external_pj : energy of the external memory, not included above; None
        in files of earlier versions
    """

    samples: Natural
    float_accuracy: Fraction
    exact16_accuracy: Fraction
    axnn_accuracy: Fraction
    exact16_pj: Positive
    axnn_pj: Positive
    exact16_memory_pj: NotNegative
    axnn_memory_pj: NotNegative
    exact16_cycles: Positive
    axnn_cycles: Positive
    layers_pj: dict[str, float]
    precision_histogram: dict[str, int]
    exact16_external_pj: NotNegative | None = None
    axnn_external_pj: NotNegative | None = None

    @property
    def energy_ratio(self) -> float:
        """How many times less energy the approximate network takes."""
        return self.exact16_pj / self.axnn_pj

    @property
    def energy_ratio_with_memory(self) -> float:
        """The same with the on-chip memories."""
        exact = self.exact16_pj + self.exact16_memory_pj
        return exact / (self.axnn_pj + self.axnn_memory_pj)

    @property
    def energy_ratio_of_system(self) -> float | None:
        """The same with on-chip and external memories."""
        if self.exact16_external_pj is None or self.axnn_external_pj is None:
            return None
        exact = self.exact16_pj + self.exact16_memory_pj + self.exact16_external_pj
        return exact / (self.axnn_pj + self.axnn_memory_pj + self.axnn_external_pj)


def evaluate(
    network: Network, exact: QuantNet, axnn: QuantNet, test: Split, energy: EnergyModel
) -> Evaluation:
    """Evaluate the trained network, its exact and its approximate integer form on the test part."""
    exact_cost, axnn_cost = energy.exact_cost(exact), energy.cost(axnn)
    names = [layer.name for layer in axnn.layers]
    return Evaluation(
        samples=len(test),
        float_accuracy=validate(network, test)[1],
        exact16_accuracy=integer_accuracy(exact, test),
        axnn_accuracy=integer_accuracy(axnn, test),
        exact16_pj=exact_cost.energy_pj,
        axnn_pj=axnn_cost.energy_pj,
        exact16_memory_pj=exact_cost.memory_pj,
        axnn_memory_pj=axnn_cost.memory_pj,
        exact16_external_pj=exact_cost.external_pj,
        axnn_external_pj=axnn_cost.external_pj,
        exact16_cycles=exact_cost.cycles,
        axnn_cycles=axnn_cost.cycles,
        layers_pj=dict(zip(names, axnn_cost.layers_pj, strict=True)),
        precision_histogram=histogram(tuple(layer.precision for layer in axnn.layers)),
    )


def integer_samples(net: QuantNet, split: Split) -> Samples:
    """A split as the integers that the engine reads, for simulation without this package."""
    codes = net.quantize_inputs(split.inputs)
    classes = split.labels if split.labels.dtype == np.int64 else None
    return Samples(codes, classes, net.fitted_to)
