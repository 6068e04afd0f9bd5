"""The dense layer."""

from typing import Any

from axnn.nn.layers.neuron import FloatArray, SourceLayer


class Dense(SourceLayer):
    """Every neuron reads every input."""

    def sums(self, inputs: FloatArray, weights: FloatArray) -> tuple[FloatArray, Any]:
        """One product of matrices; its inputs are saved."""
        return (weights @ inputs)[:, None, :], inputs

    def sum_gradients(
        self,
        gradient: FloatArray,
        weights: FloatArray,
        saved: Any,
        *,
        inputs: bool = True,
        own: bool = True,
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """The two products of matrices of the backward pass."""
        flat = gradient[:, 0, :]
        return weights.T @ flat if inputs else None, flat @ saved.T if own else None
