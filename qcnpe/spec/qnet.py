"""`QuantNet`: a trained network in integers only, the interface between training and the engine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.activation import FUNCTION_NAMES, Function, function_code
from qcnpe.spec.commands import SHIFT_RANGE
from qcnpe.spec.config import MAX_TABLE_SEGMENTS, OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.fixed import limits, quantize
from qcnpe.spec.inputs import check_reals
from qcnpe.spec.npz import ArrayType, read_npz, write_npz

_KIND = "qcnpe-network-1"

MAX_VALUES = 1 << 22
"""Largest number of inputs, and of results before pooling, of a layer for one sample."""

MAX_OPERANDS = 1 << 25
"""Largest number of different operands that a layer gathers for one sample."""

FRACTION_BITS = (-64, 64)
"""Range of `QuantNet.input_fraction_bits`."""

_QUANTISED_SAMPLES = 64
"""Samples quantised at once: few, so that intermediate results stay in the cache."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Which inputs each neuron of a layer reads; a dense layer is a 1x1 kernel on a 1x1 map.

    Attributes
    ----------
    input_shape : (channels, height, width) of what the layer reads
    channels : output channels (units of a dense layer)
    kernel, stride, padding : (vertical, horizontal); padding is on both sides and reads zero
    groups : blocks of channels that read only their own block of inputs (depth-wise: channels)
    pool : (height, width) of the window whose maximum is taken after the activation; 1, 2 or 4
        positions, without overlap
    """

    input_shape: tuple[int, int, int]
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    pool: tuple[int, int] = (1, 1)

    @classmethod
    def dense(cls, inputs: int, neurons: int) -> "Geometry":
        """A dense layer: each of `neurons` reads all `inputs`."""
        return cls(input_shape=(inputs, 1, 1), channels=neurons)

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            check_size(name, getattr(self, name))
        positive = (*self.input_shape, self.channels, *self.kernel, *self.stride, self.groups)
        if min(positive) < 1 or min(self.padding) < 0:
            raise FormatError(f"layer sizes must be positive: {self}")
        if self.input_shape[0] % self.groups or self.channels % self.groups:
            raise FormatError(f"groups must divide input and output channels: {self}")
        if min(self.pool) < 1 or self.pool[0] * self.pool[1] not in (1, 2, 4):
            raise FormatError(f"pool must cover 1, 2 or 4 positions: {self}")
        if min(self.map_shape) < 1 or min(self.output_shape) < 1:
            raise FormatError(f"kernel or pool is larger than the map: {self}")
        if max(self.inputs, prod((self.channels, *self.map_shape))) > MAX_VALUES:
            raise FormatError(f"a layer has at most {MAX_VALUES} inputs and results: {self}")
        if self.groups * self.outputs * self.window * self.fan_in > MAX_OPERANDS:
            raise FormatError(f"a layer gathers at most {MAX_OPERANDS} operands: {self}")

    @property
    def inputs(self) -> int:
        """Number of values that the layer reads for one sample."""
        return prod(self.input_shape)

    @property
    def fan_in(self) -> int:
        """Inputs, and weights, of one neuron."""
        return self.input_shape[0] // self.groups * self.kernel[0] * self.kernel[1]

    @property
    def map_shape(self) -> tuple[int, int]:
        """(height, width) of a channel before pooling."""
        _, height, width = self.input_shape
        return (
            (height + 2 * self.padding[0] - self.kernel[0]) // self.stride[0] + 1,
            (width + 2 * self.padding[1] - self.kernel[1]) // self.stride[1] + 1,
        )

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the results after pooling."""
        height, width = self.map_shape
        return self.channels, height // self.pool[0], width // self.pool[1]

    @property
    def outputs(self) -> int:
        """Results of one channel for one sample, after pooling."""
        return self.output_shape[1] * self.output_shape[2]

    @property
    def is_dense(self) -> bool:
        """Whether every neuron reads all inputs in their order."""
        return self == Geometry.dense(self.inputs, self.channels)

    @property
    def window(self) -> int:
        """Positions in one pooling window."""
        return self.pool[0] * self.pool[1]

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        return self.channels * self.outputs * self.window * self.fan_in

    def group_of(self, channel: int) -> int:
        """The block of inputs that a channel reads."""
        return channel // (self.channels // self.groups)

    @cached_property
    def gather(self) -> NDArray[np.int32]:
        """(groups, outputs, window, fan_in) index of each operand in the flat input.

        The flat input is in (channel, row, column) order; the index `inputs` stands for padding
        and must read zero.
        """
        depth, height, width = self.input_shape
        depth //= self.groups
        _, out_height, out_width = self.output_shape
        y = _reach(out_height, self.pool[0], self.kernel[0], self.stride[0], self.padding[0])
        x = _reach(out_width, self.pool[1], self.kernel[1], self.stride[1], self.padding[1])
        # axes: group, out row, out col, pool row, pool col, channel, kernel row, kernel col
        rows = y[None, :, None, :, None, None, :, None]
        cols = x[None, None, :, None, :, None, None, :]
        channel = np.arange(self.groups * depth).reshape(self.groups, 1, 1, 1, 1, depth, 1, 1)
        index = (channel * height + rows) * width + cols
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        index = np.where(inside, index, self.inputs)
        return index.reshape(self.groups, self.outputs, self.window, self.fan_in).astype(np.int32)


_NUMBERS = {
    "input_shape": 3, "channels": 1, "kernel": 2, "stride": 2, "padding": 2, "groups": 1, "pool": 2,
}  # fmt: skip
"""How many numbers each size of a geometry has."""


def check_size(name: str, size: Any) -> None:
    """Refuse a size that is not the right number of integers; `name` is its field of `Geometry`."""
    count = _NUMBERS[name]
    numbers = (size,) if count == 1 else size
    if not (isinstance(numbers, tuple) and len(numbers) == count and all(map(_is_int, numbers))):
        expected = "an integer" if count == 1 else f"{count} integers"
        raise FormatError(f"{name} of a layer must be {expected}, not {size!r}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _reach(outputs: int, pool: int, kernel: int, stride: int, padding: int) -> NDArray[np.int64]:
    """(outputs, pool, kernel) coordinate that each kernel element reads along one axis."""
    position = np.arange(outputs)[:, None] * pool + np.arange(pool)
    return position[:, :, None] * stride + np.arange(kernel) - padding


@dataclass(frozen=True)
class WidthOperands:
    """Operands of the neurons of one layer at one operand width.

    Attributes
    ----------
    weights : int16 (channels, fan_in), each within the width's two's-complement range
    shift : int8 (channels,), right shift from the accumulator to the pre-activation
    input_shift : right shift that makes this width's copy of the 16-bit input; 0 at 16 bits
    """

    weights: NDArray[np.int16]
    shift: NDArray[np.int8]
    input_shift: int


@dataclass(frozen=True, kw_only=True)
class QuantLayer:
    """One layer in integers.

    Attributes
    ----------
    name : for reports
    geometry : which inputs each neuron reads
    function : name of the activation function, one of `activation.FUNCTION_NAMES`
    table : int16 knots if the function is a table, else None
    bias : int16 (channels,), in units of the pre-activation
    precision : uint8 (channels, outputs), operand width of each neuron in bits
    input_unsigned : the narrow copies of the input are unsigned (its values are never negative)
    widths : operands by width; has every width that `precision` uses
    """

    name: str
    geometry: Geometry
    function: str
    table: NDArray[np.int16] | None
    bias: NDArray[np.int16]
    precision: NDArray[np.uint8]
    input_unsigned: bool
    widths: Mapping[int, WidthOperands]

    def __post_init__(self) -> None:
        where, geometry = f"layer {self.name}", self.geometry
        if self.function not in FUNCTION_NAMES:
            raise FormatError(f"{where}: unknown activation function {self.function!r}")
        if (self.code is Function.TABLE) != (self.table is not None):
            raise FormatError(f"{where}: function {self.function} and its table do not match")
        if self.table is not None:
            segments = len(self.table) - 1
            _check_array(f"{where}: table", self.table, np.int16, (segments + 1,))
            if not 1 <= segments <= MAX_TABLE_SEGMENTS or segments & (segments - 1):
                allowed = f"2**n segments, {MAX_TABLE_SEGMENTS} at most"
                raise FormatError(f"{where}: a table has {allowed}, not {segments}")
        _check_array(f"{where}: bias", self.bias, np.int16, (geometry.channels,))
        shape = (geometry.channels, geometry.outputs)
        _check_array(f"{where}: precision", self.precision, np.uint8, shape)
        missing = set(np.unique(self.precision).tolist()) - set(self.widths)
        if missing:
            raise FormatError(f"{where}: no operands for width {sorted(missing)}")
        for width, operands in self.widths.items():
            self._check_width(f"{where}, {width} bits", width, operands)

    def _check_width(self, where: str, width: int, operands: WidthOperands) -> None:
        geometry = self.geometry
        if not 2 <= width <= OPERAND_BITS:
            raise FormatError(f"{where}: width must be 2..{OPERAND_BITS}")
        shape = (geometry.channels, geometry.fan_in)
        _check_array(f"{where}: weights", operands.weights, np.int16, shape)
        _check_array(f"{where}: shift", operands.shift, np.int8, (geometry.channels,))
        low, high = limits(width)
        if operands.weights.min() < low or operands.weights.max() > high:
            raise FormatError(f"{where}: weights must be {low}..{high}")
        if operands.shift.min() < SHIFT_RANGE[0] or operands.shift.max() > SHIFT_RANGE[1]:
            raise FormatError(f"{where}: shift must be {SHIFT_RANGE[0]}..{SHIFT_RANGE[1]}")
        if not 0 <= operands.input_shift <= (OPERAND_BITS - 1 if width < OPERAND_BITS else 0):
            raise FormatError(f"{where}: input shift {operands.input_shift} is out of range")

    @property
    def code(self) -> Function:
        """The AFU's code of the activation function."""
        return function_code(self.function)

    def reads_unsigned(self, width: int) -> bool:
        """Whether operands of this width are unsigned; 16-bit results are always signed."""
        return self.input_unsigned and width < OPERAND_BITS

    def accumulator_bound(self, width: int) -> int:
        """Largest magnitude that any accumulator can reach at `width`, for any input.

        It is the sum of |w| times the largest activation; an accumulator that holds it never
        overflows.
        """
        low, high = limits(width, unsigned=self.reads_unsigned(width))
        sums = np.abs(self.widths[width].weights.astype(np.int64)).sum(axis=1)
        return int(sums.max()) * max(-low, high)


def _check_array(where: str, array: Any, dtype: type, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array)
        raise FormatError(f"{where} must be {np.dtype(dtype)} {shape}, not {found}")


@dataclass(frozen=True, kw_only=True)
class QuantNet:
    """A network in integers: layers, and how its real inputs become 16-bit integers.

    Attributes
    ----------
    name : for reports
    input_fraction_bits : an input x enters as round(x * 2**input_fraction_bits)
    layers : in order; each reads the whole result of the one before
    notes : free JSON-compatible facts (seed, data set, bound), for reports only
    engine : the engine that the widths were chosen for; None if the file does not say
    fitted_to : SHA-256 of the data that the network was fitted to; None if unknown
    """

    name: str
    input_fraction_bits: int
    layers: tuple[QuantLayer, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)
    engine: EngineConfig | None = None
    fitted_to: str | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise FormatError(f"network {self.name}: needs at least one layer")
        if not FRACTION_BITS[0] <= self.input_fraction_bits <= FRACTION_BITS[1]:
            allowed = f"{FRACTION_BITS[0]}..{FRACTION_BITS[1]}"
            raise FormatError(
                f"network {self.name}: input_fraction_bits must be {allowed},"
                f" not {self.input_fraction_bits}"
            )
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            produced = prod(before.geometry.output_shape)
            if produced != after.geometry.inputs:
                raise FormatError(
                    f"network {self.name}: layer {after.name} reads {after.geometry.inputs} values,"
                    f" but {before.name} makes {produced}"
                )

    @property
    def inputs(self) -> int:
        """Number of values that the network reads for one sample."""
        return self.layers[0].geometry.inputs

    @property
    def outputs(self) -> int:
        """Number of results of the last layer for one sample."""
        return int(np.prod(self.layers[-1].geometry.output_shape))

    @property
    def neurons(self) -> int:
        """Number of neurons (results of all layers for one sample)."""
        return sum(layer.precision.size for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        return sum(layer.geometry.macs for layer in self.layers)

    def quantize_inputs(self, inputs: NDArray[np.floating]) -> NDArray[np.int16]:
        """Real inputs as the 16-bit integers that the engine reads.

        Parameters
        ----------
        inputs : floating-point (batch, ...), scaled as for the training: of a magnitude of at most
            2**(15 - input_fraction_bits), which is 1 for networks of `axnn`. The largest one
            saturates by one unit.

        Returns
        -------
        int16 (batch, features).

        Raises
        ------
        InputError
            If type or size of a sample differ, or a value is not a number or out of range.
        """
        where = f"network {self.name}"
        if int(np.prod(inputs.shape[1:])) != self.inputs:
            raise InputError(f"{where} reads {self.inputs} values a sample, not {inputs.shape}")
        check_reals(inputs, 2.0 ** (OPERAND_BITS - 1 - self.input_fraction_bits), where=where)
        flat = inputs.reshape(len(inputs), -1)
        codes = np.empty(flat.shape, np.int16)
        for start in range(0, len(flat), _QUANTISED_SAMPLES):
            part = slice(start, start + _QUANTISED_SAMPLES)
            codes[part] = quantize(flat[part], self.input_fraction_bits, OPERAND_BITS)
        return codes

    def save(self, path: Path) -> None:
        """Write the network to an .npz file."""
        layers = tuple(_layer_header(layer) for layer in self.layers)
        header = _Header(
            name=self.name,
            input_fraction_bits=self.input_fraction_bits,
            layers=layers,
            notes=dict(self.notes),
            engine=self.engine,
            fitted_to=self.fitted_to,
        )
        arrays = {
            f"{index}.{name}": array
            for index, layer in enumerate(self.layers)
            for name, array in _layer_arrays(layer)
        }
        write_npz(path, _KIND, header, arrays)

    @classmethod
    def load(cls, path: Path) -> "QuantNet":
        """Read a network; `FormatError` if the file is damaged or foreign."""
        header, arrays = read_npz(path, _KIND, _Header, _layout)
        try:
            return cls(
                name=header.name,
                input_fraction_bits=header.input_fraction_bits,
                layers=tuple(
                    _load_layer(layer, f"{index}.", arrays)
                    for index, layer in enumerate(header.layers)
                ),
                notes=header.notes,
                engine=header.engine,
                fitted_to=header.fitted_to,
            )
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _LayerHeader:
    """The part of a file's header about a layer.

    Attributes
    ----------
    input_shift : by width; the layer has operands for these widths
    """

    name: str
    geometry: Geometry
    function: str
    input_unsigned: bool
    input_shift: dict[int, int]

    def __post_init__(self) -> None:
        function_code(self.function)  # unknown ones are refused before any array is read


@dataclass(frozen=True)
class _Header:
    """The header of a file: everything about a network except its arrays."""

    name: str
    input_fraction_bits: int
    layers: tuple[_LayerHeader, ...]
    notes: dict[str, Any]
    engine: EngineConfig | None = None  # earlier versions wrote neither this
    fitted_to: str | None = None  # nor this


def _layer_header(layer: QuantLayer) -> _LayerHeader:
    shifts = {width: operands.input_shift for width, operands in layer.widths.items()}
    return _LayerHeader(layer.name, layer.geometry, layer.function, layer.input_unsigned, shifts)


def _layer_arrays(layer: QuantLayer) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "bias", layer.bias
    yield "precision", layer.precision
    if layer.table is not None:
        yield "table", layer.table
    for width, operands in layer.widths.items():
        yield f"weights_{width}", operands.weights
        yield f"shift_{width}", operands.shift


def _layout(header: _Header) -> dict[str, ArrayType]:
    return {
        f"{index}.{name}": kind
        for index, layer in enumerate(header.layers)
        for name, kind in _layer_layout(layer)
    }


def _layer_layout(layer: _LayerHeader) -> Iterator[tuple[str, ArrayType]]:
    channels = layer.geometry.channels
    yield "bias", ArrayType(np.int16, (channels,))
    yield "precision", ArrayType(np.uint8, (channels, layer.geometry.outputs))
    if function_code(layer.function) is Function.TABLE:
        yield "table", ArrayType(np.int16, (None,))
    for width in layer.input_shift:
        yield f"weights_{width}", ArrayType(np.int16, (channels, layer.geometry.fan_in))
        yield f"shift_{width}", ArrayType(np.int8, (channels,))


def _load_layer(
    header: _LayerHeader, prefix: str, arrays: Mapping[str, NDArray[Any]]
) -> QuantLayer:
    return QuantLayer(
        name=header.name,
        geometry=header.geometry,
        function=header.function,
        table=arrays.get(f"{prefix}table"),
        bias=arrays[f"{prefix}bias"],
        precision=arrays[f"{prefix}precision"],
        input_unsigned=header.input_unsigned,
        widths={
            width: WidthOperands(
                arrays[f"{prefix}weights_{width}"], arrays[f"{prefix}shift_{width}"], shift
            )
            for width, shift in header.input_shift.items()
        },
    )
