"""The declarative description of a network: enough to build it, and to write it to a file."""

from dataclasses import dataclass, fields
from functools import cached_property
from math import prod

from qcnpe.spec.activation import FUNCTION_NAMES
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.qnet import Geometry, check_size

KINDS = ("dense", "convolution", "subsampling", "average")
"""Kinds of layers; the last two keep their channels, and their windows lie side by side."""

MAX_PARAMETERS = 1 << 26
"""Largest number of a network's parameters: 256 MB, and as much for their gradients."""

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """One layer of a network's description.

    Attributes
    ----------
    kind : one of `KINDS`
    function : activation function, one of `qcnpe.spec.activation.FUNCTION_NAMES`
    channels : neurons of a dense layer, channels of a convolution; None for the other kinds
    kernel : (height, width) of a convolution's kernel, or of the other kinds' windows
    stride, padding : of a convolution, vertical and horizontal
    groups : of a convolution, blocks of channels that read only their own block of inputs
    pool : (height, width) of the window whose largest result a convolution returns
    dropout : share of the results that training drops
    """

    kind: str
    function: str
    channels: int | None = None
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    pool: tuple[int, int] = (1, 1)
    dropout: float = 0.0

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
        self._check_unused()

    def _check_channels(self) -> None:
        if self.kind in ("dense", "convolution"):
            if self.channels is not None:
                check_size("channels", self.channels)
            if self.channels is None or self.channels < 1:
                raise ConfigError(f"channels must be at least 1, not {self.channels}")
        elif self.channels is not None:
            raise ConfigError(f"channels of kind {self.kind} must be None, not {self.channels}")

    def _check_unused(self) -> None:
        """Refuse what the kind would ignore."""
        used = {"dense": (), "convolution": _WINDOW_FIELDS}.get(self.kind, ("kernel",))
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name in _WINDOW_FIELDS and entry.name not in used and value != entry.default:
                raise ConfigError(
                    f"{entry.name} of kind {self.kind} must be {entry.default}, not {value}"
                )

    def geometry(self, input_shape: tuple[int, int, int]) -> Geometry:
        """Which inputs each neuron reads, for results of this shape before the layer."""
        if self.channels is None:
            channels = input_shape[0]
            return Geometry(
                input_shape=input_shape,
                channels=channels,
                kernel=self.kernel,
                stride=self.kernel,
                groups=channels,
            )
        if self.kind == "dense":
            return Geometry.dense(prod(input_shape), self.channels)
        window = {name: getattr(self, name) for name in _WINDOW_FIELDS}
        return Geometry(input_shape=input_shape, channels=self.channels, **window)

    def parameter_shapes(self, geometry: Geometry) -> dict[str, Shape]:
        """Shape of each parameter of the layer, by its name in the layer."""
        if self.kind == "average":
            return {}
        weights = 1 if self.kind == "subsampling" else geometry.fan_in
        return {"weights": (geometry.channels, weights), "bias": (geometry.channels,)}


_WINDOW_FIELDS = ("kernel", "stride", "padding", "groups", "pool")


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
    input_shape: tuple[int, int, int]
    layers: tuple[LayerSpec, ...]

    def __post_init__(self) -> None:
        check_size("input_shape", self.input_shape)
        if not self.layers:
            raise ConfigError(f"network {self.name}: needs at least one layer")
        if self.layers[-1].function != "identity":
            raise ConfigError(f"network {self.name}: the last layer must be identity (logits)")
        parameters = sum(prod(shape) for shape in self.parameter_shapes.values())
        if parameters > MAX_PARAMETERS:
            raise ConfigError(
                f"network {self.name}: has {parameters} parameters, more than {MAX_PARAMETERS}"
            )

    @cached_property
    def geometries(self) -> tuple[Geometry, ...]:
        """Which inputs the neurons of each layer read."""
        found: list[Geometry] = []
        for layer in self.layers:
            before = found[-1].output_shape if found else self.input_shape
            found.append(layer.geometry(before))
        return tuple(found)

    @property
    def parameter_shapes(self) -> dict[str, Shape]:
        """Shape of each parameter, by its name in the network."""
        shapes: dict[str, Shape] = {}
        place = 0
        for layer, geometry in zip(self.layers, self.geometries, strict=True):
            for name, shape in layer.parameter_shapes(geometry).items():
                shapes[f"{place}.{name}"] = shape
            place += 2 if layer.dropout else 1  # in the network dropout is a layer of its own
        return shapes
