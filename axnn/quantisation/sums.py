"""Sums of products as the engine forms them, each neuron with operands of its own width.

Forward beside backward, with straight-through gradients: rounding counts as the identity and
saturation stops the gradient. The sums are those before the bias.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers import (
    Addition,
    BatchNorm,
    FloatArray,
    Identity,
    NeuronLayer,
    SourceLayer,
    WindowSums,
)
from axnn.nn.layers.products import product, weight_gradient
from axnn.quantisation.scales import Grid, SourceScale
from qcnpe.spec.blocks import Block, operand_rows, width_blocks
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.fixed import limits

_GATHERED_BYTES = 3 << 18
"""Gathered operands held at once; see `axnn.nn.layers.columns`."""

NO_NEURON = 0
"""As a width: nobody asks for this neuron's sum, which stays zero."""


class QuantisedSums(ABC):
    """The sums of a layer's neurons at given widths.

    Parameters
    ----------
    layer : in floating point; its weights are read anew at each forward pass
    scale : fixed scales of what it reads
    precision : uint8 (channels, outputs) width of each neuron, or `NO_NEURON`
    """

    def __init__(
        self, layer: SourceLayer, scale: SourceScale, precision: NDArray[np.uint8]
    ) -> None:
        self.layer = layer
        self.scale = scale
        self.widths = [width for width in np.unique(precision).tolist() if width != NO_NEURON]
        self._input_grids = {
            width: Grid.of_width(
                scale.value.narrow[width], width, unsigned=scale.value.reads_unsigned(width)
            )
            for width in self.widths
        }

    def narrow(self, inputs: FloatArray, width: int) -> tuple[FloatArray, NDArray[np.bool_] | None]:
        """Inputs as neurons of a width read them, and which are not saturated; None is all."""
        if width == OPERAND_BITS:
            return inputs, None
        return self._input_grids[width].round(inputs)

    def weight_grid(self, width: int) -> Grid:
        """Of the weights (channels, fan_in) of neurons of a width."""
        return Grid.of_width(self.scale.weights[width][:, None], width)

    @abstractmethod
    def forward(self, inputs: FloatArray) -> FloatArray:
        """(channels, outputs, batch) sums of (features, batch) inputs on the 16-bit grid.

        Where the geometry has a pooling window, the largest sum in it. The caller may change them.
        """

    @abstractmethod
    def backward(
        self, by_sums: FloatArray, *, inputs: bool = True, own: bool = True
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Gradients by the inputs and by `NeuronLayer.operand_weights`, of the latest forward pass.

        Parameters
        ----------
        by_sums : gradient by what `forward` returned
        inputs, own : which of the two are wanted; the other is None
        """


def quantised_sums(
    layer: NeuronLayer, scales: Sequence[SourceScale], precision: NDArray[np.uint8]
) -> "QuantisedSums | QuantisedAddition":
    """The way that suits the layer.

    Parameters
    ----------
    layer, precision : see `QuantisedSums`
    scales : fixed scales of what each source reads
    """
    if isinstance(layer, Addition):
        return QuantisedAddition(layer, scales, precision)
    if not isinstance(layer, SourceLayer) or isinstance(layer, BatchNorm):
        raise TypeError(f"layer {layer.name} is of a kind without quantised sums: {type(layer)}")
    return _source_sums(layer, scales[0], precision)


def _source_sums(
    layer: SourceLayer, scale: SourceScale, precision: NDArray[np.uint8]
) -> QuantisedSums:
    if isinstance(layer, Identity):
        return QuantisedIdentity(layer, scale, precision)
    if isinstance(layer, WindowSums):
        return QuantisedWindows(layer, scale, precision)
    if np.all(precision == precision.flat[0]) and precision.flat[0] != NO_NEURON:
        return UniformProducts(layer, scale, precision)
    return QuantisedProducts(layer, scale, precision)


class UniformProducts(QuantisedSums):
    """Dense layers and convolutions of one width: the layer's own sums, of rounded operands.

    Parameters
    ----------
    layer, scale, precision : see `QuantisedSums`
    """

    def __init__(
        self, layer: SourceLayer, scale: SourceScale, precision: NDArray[np.uint8]
    ) -> None:
        super().__init__(layer, scale, precision)
        (self._width,) = self.widths
        self._weight_grid = self.weight_grid(self._width)
        self._inside: NDArray[np.bool_] | None = None
        self._weights: FloatArray | None = None
        self._weights_inside: NDArray[np.bool_] | None = None
        self._saved: Any = None

    def forward(self, inputs: FloatArray) -> FloatArray:
        """The layer's forward pass up to the sums."""
        narrow, self._inside = self.narrow(inputs, self._width)
        self._weights, self._weights_inside = self._weight_grid.round(self.layer.operand_weights())
        sums, self._saved = self.layer.sums(narrow, self._weights)
        return sums

    def backward(
        self, by_sums: FloatArray, *, inputs: bool = True, own: bool = True
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """The layer's backward pass; what was saturated has no gradient."""
        if self._weights is None or self._weights_inside is None:
            raise RuntimeError(f"layer {self.layer.name}: call forward before backward")
        by_inputs, by_weights = self.layer.sum_gradients(
            by_sums, self._weights, self._saved, inputs=inputs, own=own
        )
        if by_inputs is not None and self._inside is not None:
            by_inputs *= self._inside
        if by_weights is not None:
            by_weights *= self._weights_inside
        return by_inputs, by_weights


@dataclass(frozen=True, eq=False)
class _Part:
    """Neurons of one block that one product of matrices computes.

    Attributes
    ----------
    width : in bits
    place : indices of the block's neurons in an array (channels, outputs, ...)
    weights : indices of its channels' rows among the weights of all widths
    rows : (taps, depth, outputs, window) of its operands in the padded input; None if dense
    """

    width: int
    place: tuple[NDArray[np.intp], NDArray[np.intp]]
    weights: NDArray[np.intp]
    rows: NDArray[np.intp] | None


class QuantisedProducts(QuantisedSums):
    """Dense layers and convolutions: a product of matrices for each block of neurons of a width.

    Only the operands that a block reads are gathered. They are ordered by the kernel's element,
    then by the channel: the inputs of one element are all different, so that gradients can be added
    to them at once.

    Parameters
    ----------
    layer, scale, precision : see `QuantisedSums`
    """

    def __init__(
        self, layer: SourceLayer, scale: SourceScale, precision: NDArray[np.uint8]
    ) -> None:
        super().__init__(layer, scale, precision)
        geometry = layer.geometry
        self._taps = geometry.kernel[0] * geometry.kernel[1]
        self._pads = any(geometry.padding)
        # A channel has a row of weights for each width that any of its neurons has.
        widths = np.array(self.widths, np.uint8)
        rows, self._channels = np.nonzero((precision == widths[:, None, None]).any(axis=2))
        self._row_widths = widths[rows]
        self._weight_grid = self._grid_of_rows()
        self._blocks = [
            (block, self._rows(block))
            for block in width_blocks(precision, geometry.groups)
            if block.width != NO_NEURON
        ]
        self._parts_by_batch: dict[int, list[_Part]] = {}
        self._operands: dict[int, FloatArray] = {}
        self._inside: dict[int, NDArray[np.bool_]] = {}
        self._weights: FloatArray | None = None
        self._weights_inside: NDArray[np.bool_] | None = None
        self._values: FloatArray | None = None
        self._largest: FloatArray | None = None

    def _grid_of_rows(self) -> Grid:
        """Of all rows of weights, each with the scale of its width and channel."""
        widths = self._row_widths.tolist()
        exponents = [
            self.scale.weights[width][channel]
            for width, channel in zip(widths, self._channels, strict=True)
        ]
        low, high = np.reshape([limits(width) for width in widths], (-1, 2)).T[:, :, None]
        return Grid.of(np.reshape(exponents, (-1, 1)), low, high)

    def _rows(self, block: Block) -> NDArray[np.intp] | None:
        geometry = self.layer.geometry
        if geometry.is_dense:
            return None
        shape = (-1, self._taps, len(block.outputs), geometry.window)
        rows = operand_rows(geometry, block).reshape(shape)
        return np.ascontiguousarray(rows.swapaxes(0, 1))

    def _parts(self, batch: int) -> list[_Part]:
        """The blocks, cut so that their gathered operands stay in the cache."""
        if batch not in self._parts_by_batch:
            self._parts_by_batch[batch] = list(self._cut_blocks(batch))
        return self._parts_by_batch[batch]

    def _cut_blocks(self, batch: int) -> Iterator[_Part]:
        geometry = self.layer.geometry
        step = max(1, _GATHERED_BYTES // max(1, geometry.fan_in * geometry.window * batch * 4))
        for block, rows in self._blocks:
            of_width = np.flatnonzero(self._row_widths == block.width)
            weights = of_width[np.searchsorted(self._channels[of_width], block.channels)]
            for start in range(0, len(block.outputs), step):
                end = start + step
                place = (block.channels[:, None], block.outputs[start:end])
                cut = None if rows is None else rows[:, :, start:end]
                yield _Part(block.width, place, weights, cut)

    def _by_element(self, weights: FloatArray) -> FloatArray:
        """(rows, fan_in) in the order of `Geometry.gather` in that of the gathered operands."""
        shape = (len(weights), -1, self._taps)
        return weights.reshape(shape).swapaxes(1, 2).reshape(len(weights), -1)

    def _by_channel(self, weights: FloatArray) -> FloatArray:
        """Inverse of `_by_element`."""
        shape = (len(weights), self._taps, -1)
        return weights.reshape(shape).swapaxes(1, 2).reshape(len(weights), -1)

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Product after product; then the largest in each window."""
        self._quantise_inputs(inputs)
        rounded, self._weights_inside = self._weight_grid.round(
            self.layer.operand_weights()[self._channels]
        )
        self._weights = self._by_element(rounded)
        geometry, batch = self.layer.geometry, inputs.shape[1]
        values = self._new_values((geometry.channels, geometry.outputs, geometry.window, batch))
        for part in self._parts(batch):
            found = product(self._weights[part.weights], self._gathered(part))
            values[part.place] = found.reshape(len(found), -1, geometry.window, batch)
        if geometry.window == 1:
            return values[:, :, 0]
        self._values = values
        self._largest = values.max(axis=2)
        return self._largest.copy()

    def _new_values(self, shape: tuple[int, ...]) -> FloatArray:
        """Zeros; whatever comes, if all of it is going to be set."""
        covered = sum(len(block.channels) * len(block.outputs) for block, _ in self._blocks)
        new = np.empty if covered == shape[0] * shape[1] else np.zeros
        return new(shape, np.float32)

    def _quantise_inputs(self, inputs: FloatArray) -> None:
        """Keep the inputs as each width reads them."""
        for width in self.widths:
            narrow, inside = self.narrow(inputs, width)
            if inside is not None:
                self._inside[width] = inside
            self._operands[width] = self._padded(narrow)

    def _padded(self, inputs: FloatArray) -> FloatArray:
        """With a row of zeros at the end if the geometry has padding, which reads it."""
        if not self._pads:
            return inputs
        return np.concatenate([inputs, np.zeros((1, inputs.shape[1]), np.float32)])

    def _gathered(self, part: _Part) -> FloatArray:
        """(fan_in, outputs * window * batch) operands."""
        operands = self._operands[part.width]
        if part.rows is None:
            return operands
        # All indices are inside: another mode than "raise" spares a buffer.
        gathered = operands.take(part.rows, axis=0, mode="clip")
        return gathered.reshape(self.layer.geometry.fan_in, -1)

    def backward(
        self, by_sums: FloatArray, *, inputs: bool = True, own: bool = True
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """The gradient goes to the largest of each window, then through the products."""
        if self._weights is None or self._weights_inside is None:
            raise RuntimeError(f"layer {self.layer.name}: call forward before backward")
        by_values = self._spread(by_sums)
        by_operands = {width: np.zeros_like(array) for width, array in self._operands.items()}
        by_weights = np.zeros_like(self._weights)
        for part in self._parts(by_sums.shape[-1]):
            chosen = by_values[part.place].reshape(len(part.weights), -1)
            if own:
                by_weights[part.weights] += weight_gradient(chosen, self._gathered(part))
            if inputs:
                by_gathered = self._weights[part.weights].T @ chosen
                self._add_to_operands(by_operands[part.width], by_gathered, part)
        return (
            self._input_gradient(by_operands) if inputs else None,
            self._weight_gradient(by_weights, self._weights_inside) if own else None,
        )

    def _spread(self, by_sums: FloatArray) -> FloatArray:
        """(channels, outputs, window, batch): all of it goes to the first of the largest."""
        if self._values is None or self._largest is None:
            return by_sums[:, :, None]
        spread = np.empty_like(self._values)
        waiting = np.ones(by_sums.shape, np.bool_)
        for place in range(self.layer.geometry.window):
            chosen = self._values[:, :, place] == self._largest
            chosen &= waiting
            np.multiply(by_sums, chosen, out=spread[:, :, place])
            waiting &= ~chosen
        return spread

    @staticmethod
    def _add_to_operands(by_operands: FloatArray, by_gathered: FloatArray, part: _Part) -> None:
        """Add gradients by gathered operands to those that were gathered."""
        if part.rows is None:
            by_operands += by_gathered
            return
        by_elements = by_gathered.reshape(*part.rows.shape, -1)
        for rows, gradient in zip(part.rows, by_elements, strict=True):
            by_operands[rows] += gradient

    def _input_gradient(self, by_operands: dict[int, FloatArray]) -> FloatArray:
        """Sum over the widths; what a width's copy saturated has no gradient through it."""
        features = self.layer.geometry.inputs
        total: FloatArray | None = None
        for width, gradient in by_operands.items():
            found = gradient[:features]
            if width in self._inside:
                found *= self._inside[width]
            total = found if total is None else np.add(total, found, out=total)
        if total is None:
            raise RuntimeError(
                f"layer {self.layer.name}: has no neurons, or forward was not called"
            )
        return total

    def _weight_gradient(self, by_rows: FloatArray, inside: NDArray[np.bool_]) -> FloatArray:
        """Sum over the widths; weights that a width saturates have no gradient through it."""
        total = np.zeros_like(self.layer.operand_weights())
        found = self._by_channel(by_rows) * inside
        for width in self.widths:
            rows = self._row_widths == width
            total[self._channels[rows]] += found[rows]
        return total


class QuantisedWindows(QuantisedSums):
    """Windows side by side: each input is read by one neuron, and is rounded to that one's width.

    Parameters
    ----------
    layer, scale, precision : see `QuantisedSums`
    """

    layer: WindowSums

    def __init__(self, layer: WindowSums, scale: SourceScale, precision: NDArray[np.uint8]) -> None:
        super().__init__(layer, scale, precision)
        self._chosen = {width: (precision == width) for width in self.widths}
        self._grid = self._grid_of_features()
        self._weight_grids = {width: self.weight_grid(width) for width in self.widths}
        self._inside: NDArray[np.bool_] | None = None
        self._totals: FloatArray | None = None
        self._weights: FloatArray | None = None
        self._weights_inside: dict[int, NDArray[np.bool_]] = {}

    def _grid_of_features(self) -> Grid:
        """Of each input, with the scale of the neuron that reads it; 0 alone if none does."""
        grids = self._input_grids.items()
        return Grid(
            **{
                part.name: self._by_feature(
                    {width: getattr(grid, part.name) for width, grid in grids}
                )
                for part in fields(Grid)
            }
        )

    def _by_feature(self, numbers: Mapping[int, FloatArray]) -> FloatArray:
        """(features, 1) number of the width of the neuron that reads each input; 0 if none does."""
        _, rows, columns = self.layer.geometry.output_shape
        maps = np.zeros((*self.layer.geometry.input_shape, 1), np.float32)
        by_neuron = self._by_neuron(numbers).reshape(-1, rows, columns, 1)
        for place in self.layer.places(maps):
            place[...] = by_neuron
        return maps.reshape(-1, 1)

    def _by_neuron(self, numbers: Mapping[int, FloatArray]) -> FloatArray:
        """(channels, outputs) number of each neuron's width; they broadcast against that shape."""
        geometry = self.layer.geometry
        found = np.zeros((geometry.channels, geometry.outputs), np.float32)
        for width, chosen in self._chosen.items():
            np.copyto(found, numbers[width], where=chosen, casting="same_kind")
        return found

    def forward(self, inputs: FloatArray) -> FloatArray:
        """Sums of the windows of rounded inputs, times the neuron's weight."""
        narrow = inputs
        if self.widths != [OPERAND_BITS]:
            narrow, self._inside = self._grid.round(inputs)
        self._totals = self.layer.window_totals(narrow)
        self._weights = self._quantised_weights()
        return self._totals * self._weights

    def _quantised_weights(self) -> FloatArray:
        """(channels, outputs, 1) weight of each neuron at its width."""
        weights = {}
        for width, grid in self._weight_grids.items():
            weights[width], self._weights_inside[width] = grid.round(self.layer.weights.value)
        return self._by_neuron(weights)[:, :, None]

    def backward(
        self, by_sums: FloatArray, *, inputs: bool = True, own: bool = True
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """Every input of a window has the gradient of its sum, unless it was saturated."""
        if self._totals is None or self._weights is None:
            raise RuntimeError(f"layer {self.layer.name}: call forward before backward")
        by_inputs = None
        if inputs:
            by_inputs = self.layer.spread(by_sums * self._weights)
            if self._inside is not None:
                by_inputs *= self._inside
        return by_inputs, self._weight_gradient(by_sums, self._totals) if own else None

    def _weight_gradient(self, by_sums: FloatArray, totals: FloatArray) -> FloatArray:
        by_neuron = np.einsum("cpn,cpn->cp", by_sums, totals, optimize=True)
        by_weight = np.zeros_like(self.layer.weights.value)
        for width, chosen in self._chosen.items():
            found = (by_neuron * chosen).sum(axis=1, keepdims=True)
            by_weight += found * self._weights_inside[width]
        fan_in = self.layer.geometry.fan_in
        return np.repeat(by_weight / fan_in, fan_in, axis=1)


class QuantisedIdentity(QuantisedSums):
    """What a neuron reads, rounded to its width, or the largest of its window.

    Its operands add up to exactly 1.0 at each width (`axnn.quantisation.integers`), so that no
    weight is rounded.

    Parameters
    ----------
    layer, scale, precision : see `QuantisedSums`
    """

    layer: Identity

    def __init__(self, layer: Identity, scale: SourceScale, precision: NDArray[np.uint8]) -> None:
        super().__init__(layer, scale, precision)
        self._chosen = {width: (precision == width)[:, :, None] for width in self.widths}
        self._inside: dict[int, NDArray[np.bool_] | None] = {}
        self._saved: dict[int, Any] = {}

    def forward(self, inputs: FloatArray) -> FloatArray:
        """The layer's forward pass at each width; each neuron takes that of its own."""
        geometry = self.layer.geometry
        total = np.zeros((geometry.channels, geometry.outputs, inputs.shape[1]), np.float32)
        for width, chosen in self._chosen.items():
            narrow, self._inside[width] = self.narrow(inputs, width)
            found, self._saved[width] = self.layer.sums(narrow, self.layer.weights.value)
            np.copyto(total, found, where=chosen)
        return total

    def backward(
        self, by_sums: FloatArray, *, inputs: bool = True, own: bool = True
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """The gradient passes where the input was not saturated."""
        if not inputs:
            return None, None
        by_inputs = np.zeros((self.layer.geometry.inputs, by_sums.shape[-1]), np.float32)
        for width, chosen in self._chosen.items():
            found = self.layer.input_gradient(by_sums * chosen, self._saved[width])
            inside = self._inside[width]
            by_inputs += found if inside is None else found * inside
        return by_inputs, None


class QuantisedAddition:
    """The sums of an `Addition`: each source at its own scales.

    Parameters
    ----------
    layer : the layer
    scales : of each source
    precision : see `QuantisedSums`
    """

    def __init__(
        self, layer: Addition, scales: Sequence[SourceScale], precision: NDArray[np.uint8]
    ) -> None:
        self._layer = layer
        self._parts = [
            (_source_sums(part, scale, precision), rows, columns)
            for (part, rows, columns), scale in zip(layer.places(), scales, strict=True)
        ]

    def forward(self, inputs: FloatArray) -> FloatArray:
        """As `QuantisedSums.forward`, of the flat input."""
        first, *others = [sums.forward(inputs[rows]) for sums, rows, _ in self._parts]
        for found in others:
            first += found
        return first

    def backward(
        self, by_sums: FloatArray, *, inputs: bool = True, own: bool = True
    ) -> tuple[FloatArray | None, FloatArray | None]:
        """As `QuantisedSums.backward`."""
        wiring = self._layer.wiring
        by_inputs = np.zeros((wiring.inputs, by_sums.shape[-1]), np.float32) if inputs else None
        by_weights = np.zeros((wiring.channels, wiring.fan_in), np.float32) if own else None
        for sums, rows, columns in self._parts:
            found, own_found = sums.backward(by_sums, inputs=inputs, own=own)
            if by_inputs is not None and found is not None:
                by_inputs[rows] += found
            if by_weights is not None and own_found is not None:
                by_weights[:, columns] = own_found
        return by_inputs, by_weights
