"""Which values each neuron of a layer reads: windows of one map, or of several that are summed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import lcm, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.errors import FormatError

MAX_VALUES = 1 << 22
"""Largest number of inputs, and of results before pooling, of a layer for one sample."""

MAX_OPERANDS = 1 << 25
"""Largest number of different operands that a layer gathers for one sample."""

MAX_WINDOW = 4
"""Largest number of positions in a pooling window."""

NETWORK_INPUT = -1
"""In place of a layer's index: the input of the network."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Which inputs each neuron of a layer reads; a dense layer is a 1x1 kernel on a 1x1 map.

    Attributes
    ----------
    input_shape : (channels, height, width) of what the layer reads
    channels : output channels (units of a dense layer)
    kernel, stride, dilation : (vertical, horizontal)
    padding : (top, left, bottom, right) zeros around the map; given as (vertical, horizontal),
        those of both sides
    groups : blocks of channels that read only their own block of inputs (depth-wise: channels)
    pool : (height, width) of the window whose maximum is taken after the activation; at most
        `MAX_WINDOW` positions
    pool_stride : between the windows; by default that of windows side by side
    pool_padding : as `padding`; a window's positions outside the map do not count
    """

    input_shape: tuple[int, int, int]
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, ...] = (0, 0, 0, 0)
    groups: int = 1
    pool: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pool_stride: tuple[int, int] | None = None
    pool_padding: tuple[int, ...] = (0, 0, 0, 0)

    @classmethod
    def dense(cls, inputs: int, neurons: int) -> "Geometry":
        """Every one of `neurons` reads all `inputs`."""
        return cls(input_shape=(inputs, 1, 1), channels=neurons)

    def __post_init__(self) -> None:
        for name in _SIZES:
            check_size(name, getattr(self, name))
        for name in ("padding", "pool_padding"):
            object.__setattr__(self, name, four_sides(getattr(self, name)))
        if self.pool_stride == self.pool:
            object.__setattr__(self, "pool_stride", None)  # one way to say one thing
        self._check_signs()
        self._check_pool()
        if min(*self.map_shape, *self.output_shape) < 1:
            raise FormatError(f"kernel or pool is larger than the map: {self}")
        if max(self._padded_inputs, prod((self.channels, *self.map_shape))) > MAX_VALUES:
            raise FormatError(f"a layer has at most {MAX_VALUES} inputs and results: {self}")
        if self.groups * self.outputs * self.window * self.fan_in > MAX_OPERANDS:
            raise FormatError(f"a layer gathers at most {MAX_OPERANDS} operands: {self}")

    def _check_signs(self) -> None:
        positive = (
            *self.input_shape, self.channels, *self.kernel, *self.stride, *self.dilation,
            *self.pool, *self._pool_steps, self.groups,
        )  # fmt: skip
        if min(positive) < 1 or min(*self.padding, *self.pool_padding) < 0:
            raise FormatError(f"layer sizes must be positive: {self}")
        if self.input_shape[0] % self.groups or self.channels % self.groups:
            raise FormatError(f"groups must divide input and output channels: {self}")

    def _check_pool(self) -> None:
        if prod(self.pool) > MAX_WINDOW:
            raise FormatError(f"pool must cover at most {MAX_WINDOW} positions: {self}")
        top, left, bottom, right = self.pool_padding
        if max(top, bottom) >= self.pool[0] or max(left, right) >= self.pool[1]:
            raise FormatError(f"pool_padding must be less than pool: {self}")

    @property
    def inputs(self) -> int:
        """Number of values that the layer reads for one sample."""
        return prod(self.input_shape)

    @property
    def _padded_inputs(self) -> int:
        """Number of those values with the zeros around them."""
        top, left, bottom, right = self.padding
        channels, height, width = self.input_shape
        return channels * (height + top + bottom) * (width + left + right)

    @property
    def fan_in(self) -> int:
        """Inputs, and weights, of one neuron."""
        return self.input_shape[0] // self.groups * self.kernel[0] * self.kernel[1]

    @property
    def map_shape(self) -> tuple[int, int]:
        """(height, width) of a channel before pooling."""
        return self._map_size(0), self._map_size(1)

    def _map_size(self, axis: int) -> int:
        padded = self.input_shape[1 + axis] + self.padding[axis] + self.padding[2 + axis]
        reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1
        return (padded - reach) // self.stride[axis] + 1

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the results after pooling."""
        return self.channels, self._output_size(0), self._output_size(1)

    def _output_size(self, axis: int) -> int:
        padding = self.pool_padding[axis] + self.pool_padding[2 + axis]
        padded = self.map_shape[axis] + padding
        return (padded - self.pool[axis]) // self._pool_steps[axis] + 1

    @property
    def _pool_steps(self) -> tuple[int, int]:
        return self.pool_stride or self.pool

    @property
    def outputs(self) -> int:
        """Results of one channel for one sample, after pooling."""
        return self.output_shape[1] * self.output_shape[2]

    @property
    def is_dense(self) -> bool:
        """Whether every neuron reads all inputs in their order."""
        return self == Geometry.dense(self.inputs, self.channels)

    @property
    def pools_side_by_side(self) -> bool:
        """Whether pooling windows neither overlap, leave gaps nor reach over the edge."""
        return self.pool_stride is None and not any(self.pool_padding)

    @property
    def window(self) -> int:
        """Positions that the engine computes for one pooling window: a power of two."""
        return 1 << (prod(self.pool) - 1).bit_length()

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
        and must read zero. A window of three positions has one of them twice, which does not
        change its maximum.
        """
        depth, height, width = self.input_shape
        depth //= self.groups
        y, x = self._reach(0), self._reach(1)
        # axes: group, out row, out col, pool row, pool col, channel, kernel row, kernel col
        rows = y[None, :, None, :, None, None, :, None]
        cols = x[None, None, :, None, :, None, None, :]
        channel = np.arange(self.groups * depth).reshape(self.groups, 1, 1, 1, 1, depth, 1, 1)
        index = (channel * height + rows) * width + cols
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        index = np.where(inside, index, self.inputs)
        index = index.reshape(self.groups, self.outputs, prod(self.pool), self.fan_in)
        return np.ascontiguousarray(index[:, :, self._window_places], np.int32)

    @cached_property
    def corners(self) -> NDArray[np.int64]:
        """(outputs, window, 2) row and column in the map of the first kernel element's operand."""
        y, x = self._reach(0)[:, :, 0], self._reach(1)[:, :, 0]
        shape = (*y.shape, *x.shape)
        rows = np.broadcast_to(y[:, :, None, None], shape).transpose(0, 2, 1, 3)
        cols = np.broadcast_to(x[None, None], shape).transpose(0, 2, 1, 3)
        found = np.stack([rows, cols], axis=-1).reshape(self.outputs, prod(self.pool), 2)
        return found[:, self._window_places]

    @property
    def _window_places(self) -> NDArray[np.intp]:
        """Number of the pooling window's position that each position of `window` computes."""
        return np.minimum(np.arange(self.window), prod(self.pool) - 1)

    def operands(self, block: int, outputs: NDArray[np.intp]) -> NDArray[np.int32]:
        """As `Wiring.operands`."""
        return self.gather[block, outputs]

    def _reach(self, axis: int) -> NDArray[np.int64]:
        """(outputs, pool, kernel) coordinate that each kernel element reads along one axis.

        A window's positions outside the map are moved to the edge, which the window covers, too.
        """
        starts = np.arange(self.output_shape[1 + axis]) * self._pool_steps[axis]
        position = starts[:, None] + np.arange(self.pool[axis]) - self.pool_padding[axis]
        position = position.clip(0, self.map_shape[axis] - 1)
        taps = np.arange(self.kernel[axis]) * self.dilation[axis]
        return position[:, :, None] * self.stride[axis] + taps - self.padding[axis]


_SIZES = {
    "input_shape": (3,), "channels": (1,), "kernel": (2,), "stride": (2,), "padding": (2, 4),
    "groups": (1,), "pool": (2,), "dilation": (2,), "pool_stride": (0, 2), "pool_padding": (2, 4),
}  # fmt: skip
"""How many numbers each size of a geometry may have; 0: None."""


def check_size(name: str, size: Any) -> None:
    """Refuse a size of a geometry that would be read in part, or rounded; `name` is its field's."""
    counts = _SIZES[name]
    if size is None and 0 in counts:
        return
    numbers = (size,) if counts == (1,) else size
    if not (isinstance(numbers, tuple) and len(numbers) in counts and all(map(_is_int, numbers))):
        shown = " or ".join(str(count) for count in counts if count)
        expected = "an integer" if counts == (1,) else f"{shown} integers"
        raise FormatError(f"{name} of a layer must be {expected}, not {size!r}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def four_sides(padding: tuple[int, ...]) -> tuple[int, ...]:
    """(top, left, bottom, right) of a padding that may be given as (vertical, horizontal)."""
    return padding if len(padding) == 4 else (*padding, *padding)


@dataclass(frozen=True)
class Source:
    """A map that the neurons of a layer read, and how.

    Attributes
    ----------
    geometry : which of its values each neuron reads
    layer : index of the layer whose results it holds, or `NETWORK_INPUT`; None is the layer before
    """

    geometry: Geometry
    layer: int | None = None

    def reads(self, reader: int) -> int:
        """Index of the layer that layer `reader` reads by this source, or `NETWORK_INPUT`."""
        return reader - 1 if self.layer is None else self.layer


@dataclass(frozen=True)
class Wiring:
    """What the neurons of a layer read: sources that are summed in one accumulator.

    The results of the different layers that the sources read are put one after another; that is the
    layer's flat input. A neuron's operands are those of the first source, then of the second, ...

    Attributes
    ----------
    sources : at least one; their results have the same shape and pooling
    """

    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        if not self.sources:
            raise FormatError("a layer needs at least one source")
        shapes = {_result_shape(source.geometry) for source in self.sources}
        if len(shapes) > 1:
            raise FormatError(f"the sources of a layer must make maps of one shape, not {shapes}")
        for source in self.sources:
            if source.layer is not None and not (
                _is_int(source.layer) and source.layer >= NETWORK_INPUT
            ):
                raise FormatError(f"a source must be the index of a layer, not {source.layer!r}")
        sizes: dict[int | None, int] = {}
        for source in self.sources:
            size = source.geometry.inputs
            if sizes.setdefault(source.layer, size) != size:
                raise FormatError("the sources of a layer read another layer in different sizes")
        if self.groups * self.outputs * self.window * self.fan_in > MAX_OPERANDS:
            raise FormatError(f"a layer gathers at most {MAX_OPERANDS} operands")

    @property
    def _first(self) -> Geometry:
        return self.sources[0].geometry

    @property
    def channels(self) -> int:
        """Output channels."""
        return self._first.channels

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the results after pooling."""
        return self._first.output_shape

    @property
    def outputs(self) -> int:
        """Results of one channel for one sample, after pooling."""
        return self._first.outputs

    @property
    def window(self) -> int:
        """Positions in one pooling window."""
        return self._first.window

    @property
    def groups(self) -> int:
        """Blocks of channels that read the same inputs."""
        return lcm(*(source.geometry.groups for source in self.sources))

    @property
    def fan_in(self) -> int:
        """Inputs, and weights, of one neuron."""
        return sum(source.geometry.fan_in for source in self.sources)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        return sum(source.geometry.macs for source in self.sources)

    @property
    def is_dense(self) -> bool:
        """Whether every neuron reads all inputs in their order."""
        return len(self.sources) == 1 and self._first.is_dense

    @cached_property
    def layers(self) -> dict[int | None, int]:
        """Where the results of each layer that is read begin in the flat input, in order."""
        starts: dict[int | None, int] = {}
        end = 0
        for source in self.sources:
            if source.layer not in starts:
                starts[source.layer] = end
                end += source.geometry.inputs
        return starts

    def reads(self, reader: int) -> tuple[int, ...]:
        """The layers, or `NETWORK_INPUT`, whose results make up the flat input of a layer."""
        return tuple(reader - 1 if layer is None else layer for layer in self.layers)

    @property
    def inputs(self) -> int:
        """Number of values of the flat input."""
        return sum({source.layer: source.geometry.inputs for source in self.sources}.values())

    def columns(self) -> Iterator[tuple[Source, slice]]:
        """Each source and where its operands are among those of a neuron."""
        start = 0
        for source in self.sources:
            yield source, slice(start, start + source.geometry.fan_in)
            start += source.geometry.fan_in

    def operands(self, block: int, outputs: NDArray[np.intp]) -> NDArray[np.int32]:
        """(outputs, window, fan_in) index of each operand in the flat input.

        Parameters
        ----------
        block : of the channels that read the same inputs, 0 to `groups` - 1
        outputs : positions

        Returns
        -------
        The index `inputs` stands for padding and must read zero.
        """
        found = [self._operands(source, block, outputs) for source in self.sources]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=2)

    def _operands(self, source: Source, block: int, outputs: NDArray[np.intp]) -> NDArray[np.int32]:
        geometry = source.geometry
        return self._in_flat_input(
            source, geometry.gather[block * geometry.groups // self.groups, outputs]
        )

    def _in_flat_input(self, source: Source, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """Indices into the map of a source, as indices into the flat input."""
        if len(self.layers) == 1:
            return rows
        start, size = self.layers[source.layer], source.geometry.inputs
        return np.where(rows == size, self.inputs, rows + start).astype(np.int32)

    @cached_property
    def ungrouped(self) -> "Wiring":
        """The same sources, of which every neuron reads all channels.

        An operand of any block is one of its operands, see `block_operands`.
        """
        if all(source.geometry.groups == 1 for source in self.sources):
            return self
        return Wiring(
            tuple(replace(each, geometry=replace(each.geometry, groups=1)) for each in self.sources)
        )

    def block_operands(self, block: int) -> NDArray[np.intp]:
        """(fan_in,) indices of a block's operands among those of `ungrouped`."""
        found, start = [], 0
        for source in self.sources:
            geometry = source.geometry
            first = start + block * geometry.groups // self.groups * geometry.fan_in
            found.append(np.arange(first, first + geometry.fan_in))
            start += geometry.groups * geometry.fan_in
        return np.concatenate(found)

    def chosen_operands(
        self, outputs: NDArray[np.intp], operands: NDArray[np.intp]
    ) -> NDArray[np.int32]:
        """(outputs, window, operands) index of some operands of `ungrouped` in the flat input.

        Parameters
        ----------
        outputs : positions
        operands : indices; the one after the last operand stands for no operand at all

        Returns
        -------
        The index `inputs` stands for padding, or no operand, and must read zero.
        """
        wiring = self.ungrouped
        found = np.full((len(outputs), self.window, len(operands)), self.inputs, np.int32)
        for source, place in wiring.columns():
            here = np.flatnonzero((operands >= place.start) & (operands < place.stop))
            chosen = np.ix_(outputs, np.arange(self.window), operands[here] - place.start)
            found[:, :, here] = wiring._in_flat_input(source, source.geometry.gather[0][chosen])
        return found


def _result_shape(geometry: Geometry) -> tuple[Any, ...]:
    pooling = geometry.pool, geometry.pool_stride, geometry.pool_padding
    return geometry.output_shape, geometry.map_shape, *pooling
