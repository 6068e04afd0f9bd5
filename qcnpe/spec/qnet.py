"""`QuantNet`: a trained network in integers only, the interface between training and the engine."""

from collections import defaultdict
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
from qcnpe.spec.documents import Exponent
from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.fixed import limits, quantize
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry, Source, Wiring
from qcnpe.spec.inputs import check_reals
from qcnpe.spec.npz import ArrayType, npz_kind, read_npz, write_npz

_KIND = "qcnpe-network-2"
_CHAIN_KIND = "qcnpe-network-1"
"""Of earlier versions: each layer reads the one before it, and nothing else."""

FRACTION_BITS = (-64, 64)
"""Range of `QuantNet.input_fraction_bits`."""

_QUANTISED_SAMPLES = 64
"""Samples quantised at once: few, so that intermediate results stay in the cache."""


@dataclass(frozen=True)
class WidthOperands:
    """Operands of the neurons of one layer at one operand width.

    Attributes
    ----------
    weights : int16 (channels, fan_in), each within the width's two's-complement range
    shift : int8 (channels,), right shift from the accumulator to the pre-activation
    input_shifts : for each source, the right shift that makes this width's copy of the 16-bit
        input; 0 at 16 bits
    """

    weights: NDArray[np.int16]
    shift: NDArray[np.int8]
    input_shifts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class QuantLayer:
    """One layer in integers.

    Attributes
    ----------
    name : for reports
    sources : what its neurons read and sum; see `Wiring`
    function : name of the activation function, one of `activation.FUNCTION_NAMES`
    table : int16 knots if the function is a table, else None
    bias : int16 (channels,), in units of the pre-activation
    precision : uint8 (channels, outputs), operand width of each neuron in bits
    input_unsigned : the narrow copies of the inputs are unsigned (their values are never negative)
    widths : operands by width; has every width that `precision` uses
    """

    name: str
    sources: tuple[Source, ...]
    function: str
    table: NDArray[np.int16] | None
    bias: NDArray[np.int16]
    precision: NDArray[np.uint8]
    input_unsigned: bool
    widths: Mapping[int, WidthOperands]

    def __post_init__(self) -> None:
        where, wiring = f"layer {self.name}", self.wiring
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
        _check_array(f"{where}: bias", self.bias, np.int16, (wiring.channels,))
        shape = (wiring.channels, wiring.outputs)
        _check_array(f"{where}: precision", self.precision, np.uint8, shape)
        missing = set(np.unique(self.precision).tolist()) - set(self.widths)
        if missing:
            raise FormatError(f"{where}: no operands for width {sorted(missing)}")
        for width, operands in self.widths.items():
            self._check_width(f"{where}, {width} bits", width, operands)

    def _check_width(self, where: str, width: int, operands: WidthOperands) -> None:
        wiring = self.wiring
        if not 2 <= width <= OPERAND_BITS:
            raise FormatError(f"{where}: width must be 2..{OPERAND_BITS}")
        shape = (wiring.channels, wiring.fan_in)
        _check_array(f"{where}: weights", operands.weights, np.int16, shape)
        _check_array(f"{where}: shift", operands.shift, np.int8, (wiring.channels,))
        low, high = limits(width)
        if operands.weights.min() < low or operands.weights.max() > high:
            raise FormatError(f"{where}: weights must be {low}..{high}")
        if operands.shift.min() < SHIFT_RANGE[0] or operands.shift.max() > SHIFT_RANGE[1]:
            raise FormatError(f"{where}: shift must be {SHIFT_RANGE[0]}..{SHIFT_RANGE[1]}")
        self._check_input_shifts(where, width, operands.input_shifts)

    def _check_input_shifts(self, where: str, width: int, shifts: tuple[int, ...]) -> None:
        if len(shifts) != len(self.sources):
            raise FormatError(f"{where}: needs an input shift for each of its sources")
        most = OPERAND_BITS - 1 if width < OPERAND_BITS else 0
        if not all(0 <= shift <= most for shift in shifts):
            raise FormatError(f"{where}: input shifts {shifts} must be 0..{most}")
        by_layer: dict[int | None, int] = {}
        for source, shift in zip(self.sources, shifts, strict=True):
            if by_layer.setdefault(source.layer, shift) != shift:
                raise FormatError(f"{where}: sources of one layer have different input shifts")

    @cached_property
    def wiring(self) -> Wiring:
        """Which values each neuron reads."""
        return Wiring(self.sources)

    @property
    def code(self) -> Function:
        """The code of the activation function in commands."""
        return function_code(self.function)

    @cached_property
    def is_monotone(self) -> bool:
        """Whether a larger sum never has a smaller result: then pooling may come first."""
        return self.table is None or bool((np.diff(self.table) >= 0).all())

    @cached_property
    def narrow_widths(self) -> tuple[int, ...]:
        """Widths below 16 bits that its neurons have: those of the copies that they read."""
        found = np.unique(self.precision).tolist()
        return tuple(width for width in found if width < OPERAND_BITS)

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


@dataclass(frozen=True)
class Copies:
    """The narrow copies that are made of a layer's results.

    Attributes
    ----------
    shifts : right shift that makes the copy from the 16-bit result, by width
    unsigned : they saturate to unsigned
    only : the 16-bit results themselves are not read
    """

    shifts: Mapping[int, int]
    unsigned: bool
    only: bool = False


@dataclass(frozen=True, kw_only=True)
class QuantNet:
    """A network in integers: layers, and how its real inputs become 16-bit integers.

    Attributes
    ----------
    name : for reports
    input_fraction_bits : an input x enters as round(x * 2**input_fraction_bits)
    layers : in order; each reads the results of earlier ones or the network's input, and all but
        the last are read by a later one
    notes : free JSON-compatible facts (seed, data set, bound), for reports only
    engine : the engine that the widths were chosen for; None if the file does not say
    fitted_to : SHA-256 of the data that the network was fitted to; None if unknown
    output_fraction_bits : a result r stands for r * 2**-output_fraction_bits; None if unknown
    """

    name: str
    input_fraction_bits: int
    layers: tuple[QuantLayer, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)
    engine: EngineConfig | None = None
    fitted_to: str | None = None
    output_fraction_bits: int | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise FormatError(f"network {self.name}: needs at least one layer")
        if not FRACTION_BITS[0] <= self.input_fraction_bits <= FRACTION_BITS[1]:
            allowed = f"{FRACTION_BITS[0]}..{FRACTION_BITS[1]}"
            raise FormatError(
                f"network {self.name}: input_fraction_bits must be {allowed},"
                f" not {self.input_fraction_bits}"
            )
        for index, layer in enumerate(self.layers):
            for source in layer.sources:
                self._check_source(index, source)
        self._check_copies()

    def _check_source(self, index: int, source: Source) -> None:
        where = f"network {self.name}: layer {self.layers[index].name}"
        read = source.reads(index)
        if read >= index:
            raise FormatError(f"{where} must read earlier layers, not layer {read}")
        if read == NETWORK_INPUT:
            produced, maker = self.inputs, "the network's input has"
        else:
            before = self.layers[read]
            produced, maker = prod(before.wiring.output_shape), f"{before.name} makes"
        if produced != source.geometry.inputs:
            raise FormatError(
                f"{where} reads {source.geometry.inputs} values, but {maker} {produced}"
            )

    def _check_copies(self) -> None:
        """Refuse readers of a layer that want copies of one width which differ."""
        for index in range(NETWORK_INPUT, len(self.layers) - 1):
            if index not in self._readers:
                maker = "its input" if index < 0 else f"layer {self.layers[index].name}"
                raise FormatError(f"network {self.name}: no layer reads {maker}")
            self.copies(index)

    @cached_property
    def _readers(self) -> dict[int, list[tuple[QuantLayer, int]]]:
        """By index of what is read: every (layer, number of its source) that reads it."""
        found: dict[int, list[tuple[QuantLayer, int]]] = defaultdict(list)
        for reader, layer in enumerate(self.layers):
            for number, source in enumerate(layer.sources):
                found[source.reads(reader)].append((layer, number))
        return dict(found)

    def reads(self, index: int) -> tuple[int, ...]:
        """The layers, or `NETWORK_INPUT`, whose results make up the flat input of a layer."""
        return self.layers[index].wiring.reads(index)

    def copies(self, index: int) -> "Copies":
        """The narrow copies of a layer's results, or of the network's input, that are read.

        Raises
        ------
        FormatError
            If readers differ in what they want at one width: the engine makes one copy of each.
        """
        shifts: dict[int, int] = {}
        signs: set[bool] = set()
        for layer, number in self._readers.get(index, ()):
            for width in layer.narrow_widths:
                shift = layer.widths[width].input_shifts[number]
                signs.add(layer.input_unsigned)
                if shifts.setdefault(width, shift) != shift or len(signs) > 1:
                    read = "its input" if index < 0 else f"layer {self.layers[index].name}"
                    raise FormatError(
                        f"network {self.name}: the layers that read {read} want {width}-bit copies"
                        " that differ in scale or sign"
                    )
        return Copies(dict(sorted(shifts.items())), signs == {True}, not self._is_read_whole(index))

    def _is_read_whole(self, index: int) -> bool:
        """Whether the 16-bit results of a layer are read, or are the network's outputs."""
        readers = self._readers.get(index, ())
        return not readers or any(OPERAND_BITS in layer.precision for layer, _ in readers)

    def read_widths(self, index: int) -> tuple[int, ...]:
        """Widths at which a layer's results, or the network's input, are read, descending."""
        found = {
            width
            for layer, _ in self._readers.get(index, ())
            for width in np.unique(layer.precision).tolist()
        }
        return tuple(sorted(found, reverse=True))

    def read_shapes(self, index: int) -> list[tuple[int, int, int]]:
        """Shapes in which a layer's results, or the network's input, are read, one a source."""
        return [
            layer.sources[number].geometry.input_shape
            for layer, number in self._readers.get(index, ())
        ]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the network's input, as windows of it are read."""
        return max(self.read_shapes(NETWORK_INPUT), key=lambda shape: shape[1] * shape[2])

    @property
    def inputs(self) -> int:
        """Number of values that the network reads for one sample."""
        first = self.layers[0].sources[0].geometry
        return first.inputs

    @property
    def outputs(self) -> int:
        """Number of results of the last layer for one sample."""
        return int(np.prod(self.layers[-1].wiring.output_shape))

    @property
    def neurons(self) -> int:
        """Number of neurons (results of all layers for one sample)."""
        return sum(layer.precision.size for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        return sum(layer.wiring.macs for layer in self.layers)

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

    def real_outputs(self, results: NDArray[np.int16]) -> NDArray[np.float32]:
        """The real numbers for results (batch, outputs); the same numbers if that is unknown."""
        return np.ldexp(results.astype(np.float32), -(self.output_fraction_bits or 0))

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
            output_fraction_bits=self.output_fraction_bits,
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
        if npz_kind(path) == _CHAIN_KIND:
            chain, arrays = read_npz(path, _CHAIN_KIND, _ChainHeader, _chain_layout)
            header = chain.graph()
        else:
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
                output_fraction_bits=header.output_fraction_bits,
            )
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error


@dataclass(frozen=True)
class _LayerHeader:
    """The part of a file's header about a layer.

    Attributes
    ----------
    input_shifts : by width, of each source; the layer has operands for these widths
    """

    name: str
    sources: tuple[Source, ...]
    function: str
    input_unsigned: bool
    input_shifts: dict[int, tuple[int, ...]]

    def __post_init__(self) -> None:
        function_code(self.function)  # unknown ones are refused before any array is read


@dataclass(frozen=True)
class _Header:
    """The header of a file: everything about a network except its arrays."""

    name: str
    input_fraction_bits: int
    layers: tuple[_LayerHeader, ...]
    notes: dict[str, Any]
    engine: EngineConfig | None = None
    fitted_to: str | None = None
    output_fraction_bits: Exponent | None = None  # the earliest files of the format lack it


@dataclass(frozen=True)
class _ChainLayerHeader:
    """A layer of a file of `_CHAIN_KIND`."""

    name: str
    geometry: Geometry
    function: str
    input_unsigned: bool
    input_shift: dict[int, int]

    def graph(self) -> _LayerHeader:
        """The layer as files of today say it."""
        shifts: dict[int, tuple[int, ...]] = {
            width: (shift,) for width, shift in self.input_shift.items()
        }
        sources = (Source(self.geometry),)
        return _LayerHeader(self.name, sources, self.function, self.input_unsigned, shifts)


@dataclass(frozen=True)
class _ChainHeader:
    """The header of a file of `_CHAIN_KIND`."""

    name: str
    input_fraction_bits: int
    layers: tuple[_ChainLayerHeader, ...]
    notes: dict[str, Any]
    engine: EngineConfig | None = None  # the earliest versions wrote neither this
    fitted_to: str | None = None  # nor this

    def graph(self) -> _Header:
        """The header as files of today say it."""
        return _Header(
            name=self.name,
            input_fraction_bits=self.input_fraction_bits,
            layers=tuple(layer.graph() for layer in self.layers),
            notes=self.notes,
            engine=self.engine,
            fitted_to=self.fitted_to,
        )


def _layer_header(layer: QuantLayer) -> _LayerHeader:
    shifts = {width: operands.input_shifts for width, operands in layer.widths.items()}
    return _LayerHeader(layer.name, layer.sources, layer.function, layer.input_unsigned, shifts)


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


def _chain_layout(header: _ChainHeader) -> dict[str, ArrayType]:
    return _layout(header.graph())


def _layer_layout(layer: _LayerHeader) -> Iterator[tuple[str, ArrayType]]:
    wiring = Wiring(layer.sources)
    channels = wiring.channels
    yield "bias", ArrayType(np.int16, (channels,))
    yield "precision", ArrayType(np.uint8, (channels, wiring.outputs))
    if function_code(layer.function) is Function.TABLE:
        yield "table", ArrayType(np.int16, (None,))
    for width in layer.input_shifts:
        yield f"weights_{width}", ArrayType(np.int16, (channels, wiring.fan_in))
        yield f"shift_{width}", ArrayType(np.int8, (channels,))


def _load_layer(
    header: _LayerHeader, prefix: str, arrays: Mapping[str, NDArray[Any]]
) -> QuantLayer:
    return QuantLayer(
        name=header.name,
        sources=header.sources,
        function=header.function,
        table=arrays.get(f"{prefix}table"),
        bias=arrays[f"{prefix}bias"],
        precision=arrays[f"{prefix}precision"],
        input_unsigned=header.input_unsigned,
        widths={
            width: WidthOperands(
                arrays[f"{prefix}weights_{width}"], arrays[f"{prefix}shift_{width}"], shifts
            )
            for width, shifts in header.input_shifts.items()
        },
    )
