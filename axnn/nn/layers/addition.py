"""The layer whose neurons sum over several sources."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from axnn.nn.layers.neuron import FloatArray, NeuronLayer, Parameter, SourceLayer
from axnn.nn.spec import parameter_name
from qcnpe.spec.geometry import Wiring


class Addition(NeuronLayer):
    """Adds the sums of layers that read different maps, then one bias and one function.

    It reads its flat input, see `qcnpe.spec.geometry.Wiring`. Its weights are those of its parts,
    side by side.

    Parameters
    ----------
    name, function, bias : see `NeuronLayer`
    wiring : what it reads
    parts : for each source a layer, of which only weights and sums are used
    """

    def __init__(
        self,
        *,
        name: str,
        wiring: Wiring,
        function: str,
        parts: Sequence[SourceLayer],
        bias: FloatArray,
    ) -> None:
        super().__init__(
            name=name,
            geometry=wiring,
            function=function,
            weights=parts[0].weights.value,
            bias=bias,
        )
        self.weights = parts[0].weights
        self.wiring = wiring
        self.parts = tuple(parts)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Those of the parts, but for their biases, and the bias."""
        found = {
            parameter_name(name, number): parameter
            for number, part in enumerate(self.parts)
            for name, parameter in part.parameters.items()
            if name != "bias"
        }
        return {**found, "bias": self.bias}

    def set_training(self, generator: np.random.Generator | None) -> None:
        """The same for each part."""
        for part in self.parts:
            part.set_training(generator)

    def folded(self) -> dict[str, FloatArray]:
        """The folded weights of the parts; what they shift their sums by is added to the bias."""
        found = {"bias": self.bias.value.copy()}
        for number, part in enumerate(self.parts):
            for name, value in part.folded().items():
                if name == "bias":
                    found[name] += value
                else:
                    found[parameter_name(name, number)] = value
        return found

    def operand_weights(self) -> FloatArray:
        """Those of the parts, side by side."""
        return np.concatenate([part.operand_weights() for part in self.parts], axis=1)

    def set_weight_gradient(self, gradient: FloatArray) -> None:
        """Each part has its own columns."""
        for part, _, columns in self.places():
            part.set_weight_gradient(gradient[:, columns])

    def places(self) -> Iterator[tuple[SourceLayer, slice, slice]]:
        """Each part, where its values are in the flat input, and its weights among all."""
        for part, (source, columns) in zip(self.parts, self.wiring.columns(), strict=True):
            start = self.wiring.layers[source.layer]
            yield part, slice(start, start + source.geometry.inputs), columns

    def sums(self, inputs: FloatArray, weights: FloatArray) -> tuple[FloatArray, Any]:
        """The parts' sums, added up."""
        total: FloatArray | None = None
        saved = []
        for part, rows, columns in self.places():
            found, kept = part.sums(inputs[rows], weights[:, columns])
            total = found if total is None else np.add(total, found, out=total)
            saved.append(kept)
        assert total is not None  # there is at least one source
        return total, saved

    def sum_gradients(
        self,
        gradient: FloatArray,
        weights: FloatArray,
        saved: Any,
        *,
        inputs: bool = True,
        own: bool = True,
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """The gradient goes to every part."""
        by_inputs = None
        if inputs:
            by_inputs = np.empty((self.wiring.inputs, gradient.shape[-1]), gradient.dtype)
        seen = set()  # where maps begin of which one source's gradient is there already
        by_weights = np.zeros_like(weights) if own else None
        for (part, rows, columns), kept in zip(self.places(), saved, strict=True):
            found, own_found = part.sum_gradients(
                gradient, weights[:, columns], kept, inputs=inputs, own=own
            )
            if by_inputs is not None and found is not None:
                if rows.start in seen:
                    by_inputs[rows] += found
                else:
                    by_inputs[rows] = found
                seen.add(rows.start)
            if by_weights is not None and own_found is not None:
                by_weights[:, columns] = own_found
        return by_inputs, by_weights
