"""What all layers have in common, and the layer of neurons as the engine computes it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import CURVES
from qcnpe.spec.geometry import Geometry, Wiring

FloatArray = NDArray[np.floating]
"""float32 in training; the layers compute in whatever type they are given."""

SLOPES: dict[str, Callable[[FloatArray], Any]] = {
    "identity": lambda y: np.float32(1),
    "relu": lambda y: (y > 0).astype(y.dtype),  # a product of two types goes through a buffer
    "tanh": lambda y: 1 - y * y,
    "sigmoid": lambda y: y * (1 - y),
}
"""Derivative of each activation function, from its value: nothing else need be kept."""


def activate(function: str, pre_activation: FloatArray) -> FloatArray:
    """The smooth activation function, as training without quantisation uses it."""
    if function == "identity":
        return pre_activation
    if function == "relu":
        return np.maximum(pre_activation, 0)
    with np.errstate(over="ignore"):  # a sigmoid far below zero is 1 / (1 + inf) = 0, as it should
        return CURVES[function].value(pre_activation)  # type: ignore[arg-type]


@dataclass(eq=False)
class Parameter:
    """An array that training changes, and the gradient of the loss by it.

    Attributes
    ----------
    value : float32
    decays : whether weight decay pulls it to zero
    gradient : of the latest backward pass, in the shape of `value`
    """

    value: FloatArray
    decays: bool
    gradient: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.gradient = np.zeros_like(self.value)


class Layer(ABC):
    """Something that has a forward and a backward pass.

    Attributes
    ----------
    training : whether it computes as in training
    """

    training = False

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Parameter]:
        """What training changes, by name."""

    def set_training(self, generator: np.random.Generator | None) -> None:
        """Compute as in training, at random by this generator, or, given None, as outside it."""
        self.training = generator is not None

    @abstractmethod
    def forward(self, inputs: FloatArray) -> FloatArray:
        """(features, batch) results; what the backward pass needs is kept until the next call."""

    @abstractmethod
    def backward(self, gradient: FloatArray, *, inputs: bool = True) -> FloatArray | None:
        """Set the parameters' gradients and return the gradient by the inputs.

        Parameters
        ----------
        gradient : of the loss by the results of the latest forward pass
        inputs : False for the first layer, whose input gradient nobody reads
        """


class NeuronLayer(Layer):
    """A layer as the engine computes it: sums of products, a bias, an activation function.

    Subclasses say how the sums are formed.

    Parameters
    ----------
    name : for reports and files
    geometry : which values of the flat input each neuron reads
    function : activation function, one of `qcnpe.spec.activation.FUNCTION_NAMES`
    weights, bias : float32 start values
    """

    def __init__(
        self,
        *,
        name: str,
        geometry: Geometry | Wiring,
        function: str,
        weights: FloatArray,
        bias: FloatArray,
    ) -> None:
        self.name = name
        self.geometry = geometry
        self.function = function
        self.weights = Parameter(weights, decays=True)
        self.bias = Parameter(bias, decays=False)
        self._saved: Any = None
        self._results: FloatArray | None = None

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Weights and bias."""
        return {"weights": self.weights, "bias": self.bias}

    def folded(self) -> dict[str, FloatArray]:
        """Values of the parameters of the same layer without batch normalisation."""
        return {name: parameter.value.copy() for name, parameter in self.parameters.items()}

    @property
    def results(self) -> FloatArray:
        """(channels, outputs, batch) results of the latest forward pass."""
        if self._results is None:
            raise RuntimeError(f"layer {self.name}: call forward before backward")
        return self._results

    @abstractmethod
    def operand_weights(self) -> FloatArray:
        """(channels, fan_in) weights that the neurons multiply by."""

    @abstractmethod
    def set_weight_gradient(self, gradient: FloatArray) -> None:
        """Set the parameters' gradient from the gradient by `operand_weights`."""

    @abstractmethod
    def sums(self, inputs: FloatArray, weights: FloatArray) -> tuple[FloatArray, Any]:
        """Sums of products (channels, outputs, batch), and what to save.

        The caller may change the sums in place.

        Where the geometry has a pooling window, the largest sum in it: every activation function
        rises, so that the largest result is that of the largest sum.

        Parameters
        ----------
        inputs : (features, batch)
        weights : (channels, fan_in)
        """

    @abstractmethod
    def sum_gradients(
        self,
        gradient: FloatArray,
        weights: FloatArray,
        saved: Any,
        *,
        inputs: bool = True,
        own: bool = True,
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Gradients by the inputs and by the layer's own weights, of what `sums` returned.

        Parameters
        ----------
        gradient : (channels, outputs, batch), by the sums
        weights : as they were given to `sums`
        saved : what it returned
        inputs, own : which of the two are wanted; the other is None
        """

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Smooth forward pass."""
        sums, self._saved = self.sums(inputs, self.operand_weights())
        sums += self.bias.value[:, None, None]
        self._results = activate(self.function, sums)
        return self._results.reshape(-1, inputs.shape[1])

    def pre_activation_gradient(self, gradient: FloatArray) -> FloatArray:
        """(channels, outputs, batch) gradient by the pre-activations."""
        by_results = gradient.reshape(self.results.shape)
        if self.function == "identity":
            return by_results
        return by_results * SLOPES[self.function](self.results)

    def backward(self, gradient: FloatArray, *, inputs: bool = True) -> FloatArray | None:
        """Backward pass of the smooth forward pass."""
        by_sums = self.pre_activation_gradient(gradient)
        self.bias.gradient = by_sums.sum(axis=(1, 2))
        by_inputs, by_weights = self.sum_gradients(
            by_sums, self.operand_weights(), self._saved, inputs=inputs
        )
        if by_weights is not None:
            self.set_weight_gradient(by_weights)
        return by_inputs


class SourceLayer(NeuronLayer):
    """A layer that reads one map.

    Unless a subclass says otherwise, its neurons multiply by its weights as they are.

    Parameters
    ----------
    name, geometry, function, weights, bias : see `NeuronLayer`
    """

    geometry: Geometry

    def operand_weights(self) -> FloatArray:
        """The weights themselves."""
        return self.weights.value

    def set_weight_gradient(self, gradient: FloatArray) -> None:
        """The gradient itself."""
        self.weights.gradient = gradient
