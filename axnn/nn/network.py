"""Networks: layers built from a description, and their file."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers import (
    AveragePooling,
    Convolution,
    Dense,
    Dropout,
    FloatArray,
    Layer,
    NeuronLayer,
    Parameter,
    Subsampling,
)
from axnn.nn.spec import LayerSpec, NetworkSpec, Shape
from qcnpe.spec.errors import FormatError
from qcnpe.spec.npz import ArrayType, read_npz, write_npz
from qcnpe.spec.qnet import Geometry

NETWORK_KIND = "axnn-network-1"
"""The kind of a file that `Network.save` writes."""

_PREDICT_BATCH = 512


def batch_innermost(inputs: NDArray[np.float32]) -> FloatArray:
    """(batch, ...) samples as the (features, batch) that layers read."""
    return np.ascontiguousarray(inputs.reshape(len(inputs), -1).T)


def parameter_types(shapes: Mapping[str, Shape]) -> dict[str, ArrayType]:
    """What files must hold for parameters of these shapes."""
    return {name: ArrayType(np.float32, shape) for name, shape in shapes.items()}


class LayerStack:
    """Layers that run one after the other; what a trainer trains.

    Parameters
    ----------
    layers : in order
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter; the name begins with the layer's index."""
        return {
            f"{index}.{name}": parameter
            for index, layer in enumerate(self.layers)
            for name, parameter in layer.parameters.items()
        }

    @contextmanager
    def dropping(self, generator: np.random.Generator) -> Iterator[None]:
        """Within this context the dropout layers drop, at random by this generator."""
        layers = [layer for layer in self.layers if isinstance(layer, Dropout)]
        for layer in layers:
            layer.generator = generator
        try:
            yield
        finally:
            for layer in layers:
                layer.generator = None

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Logits (classes, batch) of (features, batch) inputs."""
        values = inputs
        for layer in self.layers:
            values = layer.forward(values)
        return values

    def backward(self, gradient: FloatArray) -> None:
        """Set all parameters' gradients from the gradient by the logits."""
        by_results: FloatArray | None = gradient
        for index in range(len(self.layers) - 1, -1, -1):
            if by_results is not None:
                by_results = self.layers[index].backward(by_results, inputs=index > 0)

    def predict(self, inputs: NDArray[np.float32]) -> FloatArray:
        """Logits (samples, classes) of (samples, ...) inputs, in batches of bounded memory."""
        parts = [
            self.forward(batch_innermost(inputs[start : start + _PREDICT_BATCH])).T
            for start in range(0, len(inputs), _PREDICT_BATCH)
        ]
        return np.concatenate(parts)

    def state(self) -> dict[str, FloatArray]:
        """A copy of all parameters' values."""
        return {name: parameter.value.copy() for name, parameter in self.parameters.items()}

    @property
    def digest(self) -> str:
        """SHA-256 of all parameters' names and values."""
        total = hashlib.sha256()
        for name, parameter in sorted(self.parameters.items()):
            total.update(f"{name} {parameter.value.shape}".encode())
            total.update(np.ascontiguousarray(parameter.value).data)
        return total.hexdigest()

    def state_types(self) -> dict[str, ArrayType]:
        """What files must hold for `set_state`."""
        return parameter_types({name: p.value.shape for name, p in self.parameters.items()})

    def set_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take parameters' values, in place.

        Raises
        ------
        FormatError
            If names, shapes or types are not those of this network.
        """
        parameters = self.parameters
        if set(state) != set(parameters):
            raise FormatError("the parameters are those of another network; train it again")
        for name, parameter in parameters.items():
            value = state[name]
            if value.shape != parameter.value.shape or value.dtype != parameter.value.dtype:
                raise FormatError(
                    f"parameter {name} must be {parameter.value.dtype} {parameter.value.shape}, "
                    f"not {value.dtype} {value.shape}; train the network again"
                )
            parameter.value[...] = value


class Network(LayerStack):
    """A network in floating point, built from its description.

    Parameters
    ----------
    spec : the description
    seed : of the start values of the weights
    """

    def __init__(self, spec: NetworkSpec, *, seed: int) -> None:
        rng = np.random.default_rng(seed)
        layers: list[Layer] = []
        neuron_layers = []
        for index, (entry, geometry) in enumerate(zip(spec.layers, spec.geometries, strict=True)):
            layer = _build_layer(entry, f"{entry.kind}{index + 1}", geometry, rng)
            neuron_layers.append(layer)
            layers.append(layer)
            if entry.dropout:
                layers.append(Dropout(entry.dropout))
        super().__init__(layers)
        self.spec = spec
        self.neuron_layers: tuple[NeuronLayer, ...] = tuple(neuron_layers)

    def copy(self, state: Mapping[str, NDArray[Any]] | None = None) -> "Network":
        """A network of its own with the same parameters, or with those of a state."""
        network = deepcopy(self)
        if state is not None:
            network.set_state(state)
        return network

    def save(self, path: Path, notes: Mapping[str, Any]) -> None:
        """Write description, parameters and notes (JSON-compatible facts) to a file."""
        write_npz(path, NETWORK_KIND, _Header(self.spec, dict(notes)), self.state())

    @classmethod
    def load(cls, path: Path) -> tuple["Network", dict[str, Any]]:
        """Network and notes of a file; `FormatError` if it is damaged or foreign."""
        header, arrays = read_npz(
            path,
            NETWORK_KIND,
            _Header,
            lambda header: parameter_types(header.spec.parameter_shapes),
        )
        network = cls(header.spec, seed=0)
        network.set_state(arrays)
        return network, header.notes


@dataclass(frozen=True)
class _Header:
    """What a file says about a network besides its parameters."""

    spec: NetworkSpec
    notes: dict[str, Any]

    def arrays(self) -> dict[str, ArrayType]:
        """The parameters that the description implies."""
        return parameter_types(self.spec.parameter_shapes)


def _build_layer(
    spec: LayerSpec, name: str, geometry: Geometry, rng: np.random.Generator
) -> NeuronLayer:
    if spec.kind == "average":
        return AveragePooling(name=name, geometry=geometry, function=spec.function)
    kinds: dict[str, type[Dense | Convolution | Subsampling]] = {
        "dense": Dense,
        "convolution": Convolution,
        "subsampling": Subsampling,
    }
    if spec.kind == "subsampling":
        weights = np.full((geometry.channels, 1), 1 / geometry.fan_in, np.float32)
    else:
        weights = _start_weights(geometry, spec.function, rng)
    bias = np.zeros(geometry.channels, np.float32)
    return kinds[spec.kind](
        name=name, geometry=geometry, function=spec.function, weights=weights, bias=bias
    )


def _start_weights(geometry: Geometry, function: str, rng: np.random.Generator) -> FloatArray:
    """Weights that keep the variance from layer to layer.

    Source: X. Glorot and Y. Bengio, 2010 (uniform); K. He et al., 2015 (normal, for ReLU).
    """
    shape = (geometry.channels, geometry.fan_in)
    if function == "relu":
        weights = rng.normal(0, np.sqrt(2 / geometry.fan_in), shape)
    else:
        fan_out = geometry.channels * geometry.kernel[0] * geometry.kernel[1] // geometry.groups
        reach = np.sqrt(6 / (geometry.fan_in + fan_out))
        weights = rng.uniform(-reach, reach, shape)
    return weights.astype(np.float32)
