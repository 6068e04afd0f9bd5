"""The declarative description of a network: enough to build it, and to write it to a file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import accumulate
from math import prod

from qcnpe.spec.activation import FUNCTION_NAMES
from qcnpe.spec.errors import ConfigError, QcnpeError
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry, Source, Wiring, check_size

KINDS = ("dense", "convolution", "subsampling", "average", "identity")
"""Kinds of layers; the last three keep their channels. The windows of `subsampling` and `average`
lie side by side; `identity` passes on what it reads, or the largest value of each window."""

SOURCE_KINDS = ("identity", "convolution", "dense")
"""Kinds of further sources of a layer."""

MAX_PARAMETERS = 1 << 26
"""Largest number of a network's parameters: 256 MB, and as much for their gradients."""

Shape = tuple[int, ...]
MapShape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """What a layer reads besides its first source: its sums are added to the layer's.

    A shortcut of a residual network is one; so is the second map of a convolution that reads two
    maps as if they were one.

    Attributes
    ----------
    layer : index of the layer whose results it reads, or -1: the network's input
    kind : one of `SOURCE_KINDS`; `identity` adds the values as they are
    kernel, stride, padding, dilation, groups : of a convolution, as in `Geometry`
    batch_norm : whether training normalises its sums, see `axnn.nn.layers.BatchNorm`
    """

    layer: int
    kind: str = "identity"
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, ...] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    batch_norm: bool = False

    def __post_init__(self) -> None:
        if self.kind not in SOURCE_KINDS:
            allowed = " or ".join(SOURCE_KINDS)
            raise ConfigError(f"kind of a source must be {allowed}, not {self.kind!r}")
        for name in _KERNEL_FIELDS:
            check_size(name, getattr(self, name))
        _refuse_unused(self, _KERNEL_FIELDS if self.kind == "convolution" else ())
        _check_batch_norm(self)

    def geometry(self, input_shape: MapShape, channels: int, groups: int) -> Geometry:
        """Which inputs each neuron reads.

        Parameters
        ----------
        input_shape : of what the source reads
        channels : of the layer
        groups : of the layer's first source, whose blocks an identity follows
        """
        if self.kind == "identity":
            if input_shape[0] != channels:
                raise ConfigError(
                    f"an identity keeps its channels: it reads {input_shape[0]}, the layer"
                    f" has {channels}"
                )
            return Geometry(input_shape=input_shape, channels=channels, groups=groups)
        if self.kind == "dense":
            return Geometry.dense(prod(input_shape), channels)
        fields_used = {name: getattr(self, name) for name in _KERNEL_FIELDS}
        return Geometry(input_shape=input_shape, channels=channels, **fields_used)


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """One layer of a network's description.

    Attributes
    ----------
    kind : one of `KINDS`
    function : activation function, one of `qcnpe.spec.activation.FUNCTION_NAMES`
    channels : neurons of a dense layer, channels of a convolution; None for the other kinds
    kernel : (height, width) of a convolution's kernel, or of the other kinds' windows
    stride, padding, dilation : of a convolution, as in `Geometry`
    groups : of a convolution, blocks of channels that read only their own block of inputs
    pool : (height, width) of the window whose largest result a convolution or identity returns
    pool_stride, pool_padding : of an identity's windows, as in `Geometry`
    dropout : share of the results that training drops
    reads : index of the layer whose results it reads, or -1: the network's input; None is the
        layer before
    adds : further sources, whose sums are added
    batch_norm : whether training normalises the sums of the first source, see
        `axnn.nn.layers.BatchNorm`
    """

    kind: str
    function: str
    channels: int | None = None
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, ...] = (0, 0)
    groups: int = 1
    pool: tuple[int, int] = (1, 1)
    dropout: float = 0.0
    dilation: tuple[int, int] = (1, 1)
    pool_stride: tuple[int, int] | None = None
    pool_padding: tuple[int, ...] = (0, 0)
    reads: int | None = None
    adds: tuple[SourceSpec, ...] = ()
    batch_norm: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"kind of a layer must be {' or '.join(KINDS)}, not {self.kind!r}")
        if self.function not in FUNCTION_NAMES:
            allowed = ", ".join(FUNCTION_NAMES)
            raise ConfigError(f"function must be one of {allowed}, not {self.function!r}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be 0 or more and less than 1, not {self.dropout}")
        for name in _WINDOW_FIELDS:
            check_size(name, getattr(self, name))
        self._check_channels()
        _refuse_unused(self, _USED_FIELDS[self.kind])
        _check_batch_norm(self)
        if self.adds and (self.kind not in ("convolution", "dense") or self.pool != (1, 1)):
            raise ConfigError("a layer that adds sources must be a convolution or dense, unpooled")

    def _check_channels(self) -> None:
        if self.kind in ("dense", "convolution"):
            if self.channels is not None:
                check_size("channels", self.channels)
            if self.channels is None or self.channels < 1:
                raise ConfigError(f"channels must be at least 1, not {self.channels}")
        elif self.channels is not None:
            raise ConfigError(f"channels of kind {self.kind} must be None, not {self.channels}")

    def wiring(self, index: int, shapes: Mapping[int, MapShape]) -> Wiring:
        """What its neurons read.

        Parameters
        ----------
        index : of the layer
        shapes : of the results of all earlier layers by their index, of the network's input by -1

        Raises
        ------
        ConfigError
            If it reads another layer.
        """
        before = index - 1 if self.reads is None else self.reads
        for read in (before, *(spec.layer for spec in self.adds)):
            if read not in shapes:
                raise ConfigError(
                    f"a layer must read an earlier one, or -1, the network's input, not {read}"
                )
        first = self._geometry(shapes[before])
        others = tuple(
            Source(spec.geometry(shapes[spec.layer], first.channels, first.groups), spec.layer)
            for spec in self.adds
        )
        return Wiring((Source(first, before), *others))

    def _geometry(self, input_shape: MapShape) -> Geometry:
        """Which inputs each neuron reads by the first source."""
        if self.kind == "dense":
            return Geometry.dense(prod(input_shape), self.channels or 0)
        if self.kind in ("subsampling", "average"):
            channels = input_shape[0]
            return Geometry(
                input_shape=input_shape,
                channels=channels,
                kernel=self.kernel,
                stride=self.kernel,
                groups=channels,
            )
        fields_used = {name: getattr(self, name) for name in _WINDOW_FIELDS}
        channels = self.channels or input_shape[0]
        return Geometry(input_shape=input_shape, channels=channels, **fields_used)

    def parameter_shapes(self, wiring: Wiring) -> dict[str, Shape]:
        """Shape of each parameter of the layer, by its name in the layer."""
        if self.kind in ("average", "identity"):
            return {}
        shapes: dict[str, Shape] = {}
        specs: tuple[LayerSpec | SourceSpec, ...] = (self, *self.adds)
        for number, (spec, source) in enumerate(zip(specs, wiring.sources, strict=True)):
            if spec.kind != "identity":
                weights = 1 if spec.kind == "subsampling" else source.geometry.fan_in
                shapes[parameter_name("weights", number)] = (wiring.channels, weights)
            if spec.batch_norm:
                for name in _BATCH_NORM_PARAMETERS:
                    shapes[parameter_name(name, number)] = (wiring.channels,)
        return {**shapes, "bias": (wiring.channels,)}

    @property
    def folded(self) -> "LayerSpec":
        """The same layer without batch normalisation."""
        adds = tuple(replace(spec, batch_norm=False) for spec in self.adds)
        return replace(self, batch_norm=False, adds=adds)


def parameter_name(name: str, source: int) -> str:
    """Name in its layer of a parameter of a source, counted from 0."""
    return f"{name}_{source}" if source else name


_BATCH_NORM_PARAMETERS = ("gain", "mean", "variance")
"""What batch normalisation adds to the parameters of a source."""


def _check_batch_norm(spec: LayerSpec | SourceSpec) -> None:
    if spec.batch_norm and spec.kind not in ("dense", "convolution"):
        raise ConfigError(f"batch_norm of kind {spec.kind} must be False, not True")


_KERNEL_FIELDS = ("kernel", "stride", "padding", "dilation", "groups")
_POOL_FIELDS = ("pool", "pool_stride", "pool_padding")
_WINDOW_FIELDS = (*_KERNEL_FIELDS, *_POOL_FIELDS)
_USED_FIELDS = {
    "dense": (),
    "convolution": (*_KERNEL_FIELDS, "pool"),
    "subsampling": ("kernel",),
    "average": ("kernel",),
    "identity": _POOL_FIELDS,
}
"""What each kind of layer heeds."""


def _refuse_unused(spec: LayerSpec | SourceSpec, used: tuple[str, ...]) -> None:
    """Refuse what the kind would ignore."""
    for entry in fields(spec):
        value = getattr(spec, entry.name)
        if entry.name in _WINDOW_FIELDS and entry.name not in used and value != entry.default:
            raise ConfigError(
                f"{entry.name} of kind {spec.kind} must be {entry.default}, not {value}"
            )


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A network's description: enough to build it.

    Attributes
    ----------
    name : for reports
    input_shape : (channels, height, width) of a sample
    layers : in order; the last one returns the logits
    """

    name: str
    input_shape: MapShape
    layers: tuple[LayerSpec, ...]

    def __post_init__(self) -> None:
        check_size("input_shape", self.input_shape)
        if not self.layers:
            raise ConfigError(f"network {self.name}: needs at least one layer")
        if self.layers[-1].function != "identity":
            raise ConfigError(f"network {self.name}: the last layer must be identity (logits)")
        self._check_readers()
        parameters = sum(prod(shape) for shape in self.parameter_shapes.values())
        if parameters > MAX_PARAMETERS:
            raise ConfigError(
                f"network {self.name}: has {parameters} parameters, more than {MAX_PARAMETERS}"
            )

    def _check_readers(self) -> None:
        read = {index for layer in self.reads for index in layer}
        idle = sorted({NETWORK_INPUT, *range(len(self.layers) - 1)} - read)
        if idle:
            what = "its input" if idle[0] == NETWORK_INPUT else f"layer {idle[0]}"
            raise ConfigError(f"network {self.name}: no layer reads {what}; leave it out")

    @cached_property
    def wirings(self) -> tuple[Wiring, ...]:
        """What the neurons of each layer read."""
        shapes = {NETWORK_INPUT: self.input_shape}
        found = []
        for index, layer in enumerate(self.layers):
            try:
                wiring = layer.wiring(index, shapes)
            except QcnpeError as error:
                raise ConfigError(f"network {self.name}: layer {index}: {error}") from error
            shapes[index] = wiring.output_shape
            found.append(wiring)
        return tuple(found)

    @cached_property
    def reads(self) -> tuple[tuple[int, ...], ...]:
        """The layers, or -1, whose results make up the flat input of each layer, see `Wiring`."""
        return tuple(wiring.reads(index) for index, wiring in enumerate(self.wirings))

    @property
    def is_chain(self) -> bool:
        """Whether each layer reads the one before it, and nothing else."""
        return self.reads == tuple((index - 1,) for index in range(len(self.layers)))

    @property
    def folded(self) -> "NetworkSpec":
        """The same network without batch normalisation."""
        return replace(self, layers=tuple(layer.folded for layer in self.layers))

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """Shape of each parameter, by its name in the network."""
        shapes: dict[str, Shape] = {}
        for place, layer, wiring in zip(self.places, self.layers, self.wirings, strict=True):
            for name, shape in layer.parameter_shapes(wiring).items():
                shapes[f"{place}.{name}"] = shape
        return shapes

    @property
    def places(self) -> tuple[int, ...]:
        """Where each layer stands in the network, in which dropout is a layer of its own."""
        steps = (2 if layer.dropout else 1 for layer in self.layers)
        return tuple(accumulate(steps, initial=0))[:-1]
