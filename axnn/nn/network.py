"""Networks: layers built from a description, and their file."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers import (
    Addition,
    AveragePooling,
    BatchNorm,
    Convolution,
    Dense,
    Dropout,
    FloatArray,
    Identity,
    Layer,
    NeuronLayer,
    Parameter,
    SourceLayer,
    Subsampling,
)
from axnn.nn.spec import LayerSpec, NetworkSpec, Shape, SourceSpec
from qcnpe.spec.errors import FormatError
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry, Wiring
from qcnpe.spec.graph import run_joined_graph
from qcnpe.spec.npz import ArrayType, read_npz, write_npz

NETWORK_KIND = "axnn-network-1"
"""The kind of a file that `Network.save` writes."""

_PREDICT_BATCH = 512

BackwardStep = Callable[[int, FloatArray, bool], FloatArray | None]
"""A layer's part of a backward pass, see `LayerStack.propagate`."""


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
    reads : for each layer the earlier ones, or -1: the network's input, whose results one after
        another are its input; by default the layer before
    """

    def __init__(
        self, layers: Sequence[Layer], reads: Sequence[tuple[int, ...]] | None = None
    ) -> None:
        self.layers = tuple(layers)
        self.reads = tuple(reads or ((index - 1,) for index in range(len(self.layers))))
        self._sizes: dict[int, int] = {}  # features of what each layer returned

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter; the name begins with the layer's index."""
        return {
            f"{index}.{name}": parameter
            for index, layer in enumerate(self.layers)
            for name, parameter in layer.parameters.items()
        }

    @contextmanager
    def training(self, generator: np.random.Generator) -> Iterator[None]:
        """Within this context the layers compute as in training, at random by this generator."""
        for layer in self.layers:
            layer.set_training(generator)
        try:
            yield
        finally:
            for layer in self.layers:
                layer.set_training(None)

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Logits (classes, batch) of (features, batch) inputs."""
        self._sizes = {NETWORK_INPUT: len(inputs)}

        def run(index: int, flat: FloatArray) -> FloatArray:
            results = self.layers[index].forward(flat)
            self._sizes[index] = len(results)
            return results

        return run_joined_graph(self.reads, inputs, run)

    def backward(self, gradient: FloatArray) -> None:
        """Set all parameters' gradients from the gradient by the logits."""

        def step(index: int, by_results: FloatArray, inputs: bool) -> FloatArray | None:
            return self.layers[index].backward(by_results, inputs=inputs)

        self.propagate(gradient, step)

    def propagate(self, gradient: FloatArray, step: BackwardStep) -> None:
        """Take a gradient back through all layers, the last one first.

        Parameters
        ----------
        gradient : by the results of the last layer
        step : given a layer's index, the gradient by its results, and whether the one by its input
            is wanted, returns that
        """
        waiting = {len(self.layers) - 1: gradient}
        for index in range(len(self.layers) - 1, -1, -1):
            by_results = waiting.pop(index)
            read = self.reads[index]
            by_input = step(index, by_results, read != (NETWORK_INPUT,))
            if by_input is None:
                continue
            for place, part in zip(read, self._split(by_input, read), strict=True):
                if place != NETWORK_INPUT:
                    waiting[place] = waiting[place] + part if place in waiting else part

    def _split(self, by_input: FloatArray, read: tuple[int, ...]) -> list[FloatArray]:
        """The gradient by a layer's input, cut into those by what it reads."""
        if len(read) == 1:
            return [by_input]
        ends = np.cumsum([self._sizes[place] for place in read])
        return np.split(by_input, ends[:-1])

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
        reads: list[tuple[int, ...]] = []
        neuron_layers = []
        results = {NETWORK_INPUT: NETWORK_INPUT}  # where those of each layer are made
        for index, (entry, wiring) in enumerate(zip(spec.layers, spec.wirings, strict=True)):
            layer = _build_layer(entry, f"{entry.kind}{index + 1}", wiring, rng)
            neuron_layers.append(layer)
            layers.append(layer)
            reads.append(tuple(results[read] for read in spec.reads[index]))
            if entry.dropout:
                reads.append((len(layers) - 1,))
                layers.append(Dropout(entry.dropout))
            results[index] = len(layers) - 1
        super().__init__(layers, reads)
        self.spec = spec
        self.neuron_layers: tuple[NeuronLayer, ...] = tuple(neuron_layers)

    def copy(self, state: Mapping[str, NDArray[Any]] | None = None) -> "Network":
        """A network of its own with the same parameters, or with those of a state."""
        network = deepcopy(self)
        if state is not None:
            network.set_state(state)
        return network

    def folded(self) -> "Network":
        """A network without batch normalisation that computes the same as this one."""
        network = Network(self.spec.folded, seed=0)
        state = {
            f"{place}.{name}": value
            for place, layer in zip(self.spec.places, self.neuron_layers, strict=True)
            for name, value in layer.folded().items()
        }
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
    spec: LayerSpec, name: str, wiring: Wiring, rng: np.random.Generator
) -> NeuronLayer:
    parts = []
    entries: tuple[LayerSpec | SourceSpec, ...] = (spec, *spec.adds)
    for entry, source in zip(entries, wiring.sources, strict=True):
        part = _build_part(entry.kind, name, source.geometry, spec.function, rng)
        parts.append(BatchNorm(part) if entry.batch_norm else part)
    if len(parts) == 1:
        return parts[0]
    bias = np.zeros(wiring.channels, np.float32)
    return Addition(name=name, wiring=wiring, function=spec.function, parts=parts, bias=bias)


def _build_part(
    kind: str, name: str, geometry: Geometry, function: str, rng: np.random.Generator
) -> SourceLayer:
    if kind == "average":
        return AveragePooling(name=name, geometry=geometry, function=function)
    if kind == "identity":
        return Identity(name=name, geometry=geometry, function=function)
    kinds: dict[str, type[Dense | Convolution | Subsampling]] = {
        "dense": Dense,
        "convolution": Convolution,
        "subsampling": Subsampling,
    }
    if kind == "subsampling":
        weights = np.full((geometry.channels, 1), 1 / geometry.fan_in, np.float32)
    else:
        weights = _start_weights(geometry, function, rng)
    bias = np.zeros(geometry.channels, np.float32)
    return kinds[kind](name=name, geometry=geometry, function=function, weights=weights, bias=bias)


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
