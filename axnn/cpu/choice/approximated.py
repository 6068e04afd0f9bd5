"""A network whose channels are of different kinds, the trials that led to it, and its file."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.cpu.choice.model import ApproximateNetwork, input_scales
from axnn.cpu.kinds import Assignment, cost, exact_assignment, ladder
from axnn.data import DataSet
from axnn.flow.ancestry import Ancestry
from axnn.nn.network import Network, parameter_types
from axnn.nn.spec import NetworkSpec
from qcnpe.spec.documents import Positive
from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.npz import ArrayType, add_prefix, read_npz, take_prefix, write_npz

CHOICE_KIND = "axnn-cpu-approximation-1"
"""The kind of a file that `Approximated.save` writes, and of the states of the loop."""


@dataclass(frozen=True)
class KindTrial:
    """One trial of the loop.

    Attributes
    ----------
    lowered : channels whose kind changed
    before_retraining, accuracy : fraction right on validation
    cost : time of a sample, in multiply-accumulates of the float32 kernels
    kept : whether the bound held
    """

    lowered: int
    before_retraining: float
    accuracy: float
    cost: float
    kept: bool


@dataclass(frozen=True, eq=False)
class Approximated:
    """A network and the kind of each of its channels.

    Attributes
    ----------
    network : its parameters include the channels' lines
    assignment : the kind of each channel
    scales : of the bytes of each layer's inputs
    trials : those that led to it
    """

    network: Network
    assignment: Assignment
    scales: tuple[float, ...]
    trials: tuple[KindTrial, ...] = ()

    def __post_init__(self) -> None:
        # The kernels do not check indices, which follow from these values.
        for index, (layer, levels) in enumerate(
            zip(self.network.neuron_layers, self.assignment, strict=True)
        ):
            kinds = len(ladder(self.network, index))
            if levels.shape != (layer.geometry.channels,) or not (levels < kinds).all():
                raise ConfigError(
                    f"layer {index} must have a kind in 0..{kinds - 1} for each channel"
                )
        if len(self.scales) != len(self.assignment) or not all(
            0 < scale < np.inf for scale in self.scales
        ):
            raise ConfigError("scales must be one positive number for each layer")

    @classmethod
    def exact(cls, network: Network, data: DataSet) -> "Approximated":
        """The network as it was trained."""
        scales = input_scales(network, data.train.inputs)
        return cls(network, exact_assignment(network), scales)

    def model(self) -> ApproximateNetwork:
        """A network for training that computes what the kernels do; it shares the parameters."""
        return ApproximateNetwork(self.network, self.assignment, self.scales)

    @property
    def cost(self) -> float:
        """Time of a sample, in multiply-accumulates of the float32 kernels."""
        return cost(self.network, self.assignment)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Parameters and kinds, as stored in files."""
        kinds = {str(index): levels for index, levels in enumerate(self.assignment)}
        return add_prefix("value.", self.network.state()) | add_prefix("kinds.", kinds)

    @classmethod
    def of_arrays(
        cls,
        network: Network,
        arrays: Mapping[str, NDArray[Any]],
        scales: tuple[float, ...],
        *,
        where: Path,
    ) -> "Approximated":
        """Inverse of `arrays`, which come from the file `where`; sets the network's parameters.

        `FormatError` if they do not fit the network.
        """
        network.set_state(take_prefix("value.", arrays))
        kinds = take_prefix("kinds.", arrays)
        assignment = tuple(kinds[str(index)] for index in range(len(network.neuron_layers)))
        try:
            return cls(network, assignment, scales)
        except ConfigError as error:
            raise FormatError(f"{where}: {error}; delete it") from error

    def save(self, path: Path, made_from: Ancestry) -> None:
        """Write it to a file, with its ancestry."""
        write_npz(path, CHOICE_KIND, _Header(self.scales, self.trials, made_from), self.arrays())

    @classmethod
    def load(cls, path: Path, network: Network) -> tuple["Approximated", Ancestry]:
        """What `save` wrote, in a copy of the network, and its ancestry."""
        header, arrays = read_npz(path, CHOICE_KIND, _Header, lambda _: array_types(network.spec))
        own = cls.of_arrays(deepcopy(network), arrays, header.scales, where=path)
        return replace(own, trials=header.steps), header.made_from


def array_types(spec: NetworkSpec) -> dict[str, ArrayType]:
    """Types of the arrays that a file must hold for `Approximated.of_arrays`."""
    kinds = {
        str(index): ArrayType(np.uint8, (wiring.channels,))
        for index, wiring in enumerate(spec.wirings)
    }
    return add_prefix("value.", parameter_types(spec.parameter_shapes)) | add_prefix(
        "kinds.", kinds
    )


@dataclass(frozen=True)
class _Header:
    """Contents of an approximated network's file besides its arrays."""

    scales: tuple[Positive, ...]
    steps: tuple[KindTrial, ...]
    made_from: Ancestry
