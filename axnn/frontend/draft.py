"""Layers in the making: sums over earlier layers, to which operators are added one by one.

A `Draft` is linear as long as it has no function and no pool, so that a batch normalisation, a
constant or another branch is folded into it. A `Value` is a tensor of the foreign graph: results
of drafts, and where in its axes each result is, so that a change of axes costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from axnn.frontend.graph import Array
from axnn.frontend.quantiser import Quantiser
from axnn.frontend.refusal import UnsupportedError
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry

MapShape = tuple[int, int, int]


def map_shape(shape: Sequence[int]) -> MapShape:
    """(channels, height, width) of a sample's tensor; what has one row is a sequence.

    Raises
    ------
    UnsupportedError
        If it has more axes.
    """
    if not 1 <= len(shape) <= 3:
        raise UnsupportedError(f"samples of {len(shape)} axes are not read")
    return shape[0], shape[1] if len(shape) == 3 else 1, shape[-1] if len(shape) > 1 else 1


@dataclass(frozen=True, eq=False)
class Term:
    """A linear map of an earlier layer's results.

    Attributes
    ----------
    layer : index of the layer, or -1: the network's input
    geometry : which of its results each neuron reads
    weights : (channels, fan_in)
    is_dense : whether it reads all results in their order, as a dense layer
    is_average : whether each neuron's weights are equal, and its windows lie side by side
    """

    layer: int
    geometry: Geometry
    weights: Array
    is_dense: bool = False
    is_average: bool = False

    @classmethod
    def scaling(cls, layer: int, shape: MapShape, scale: float | Array = 1.0) -> "Term":
        """Each channel of a layer times a number."""
        channels = shape[0]
        geometry = Geometry(input_shape=shape, channels=channels, groups=channels)
        return cls(layer, geometry, np.broadcast_to(scale, channels).reshape(-1, 1))

    @property
    def is_scaling(self) -> bool:
        """Whether each result is one value of the layer, times a number for its channel."""
        shape = self.geometry.input_shape
        plain = Geometry(input_shape=shape, channels=shape[0], groups=shape[0])
        return not self.is_dense and self.geometry == plain

    @property
    def is_padded_scaling(self) -> bool:
        """As `is_scaling`, perhaps with zeros around the map."""
        return replace(self, geometry=replace(self.geometry, padding=(0, 0, 0, 0))).is_scaling

    @property
    def is_identity(self) -> bool:
        """Whether the results are those of the layer."""
        return self.is_scaling and bool((self.weights == 1).all())

    @property
    def mean(self) -> float:
        """The weight of an average."""
        return 1 / self.geometry.fan_in

    def times(self, scale: Array) -> "Term":
        """The term with each channel multiplied by a number."""
        return replace(self, weights=self.weights * scale[:, None])


@dataclass(frozen=True, eq=False)
class Draft:
    """A layer in the making: terms that are summed, a bias, a function, a pooling window.

    Attributes
    ----------
    terms : at least one; all make maps of one shape
    bias : (channels,)
    function : as in `LayerSpec`
    pool : (height, width) of windows side by side of which the largest result is taken
    quantiser : what rounds the results; which of the two comes first does not matter
    """

    terms: tuple[Term, ...]
    bias: Array
    function: str = "identity"
    pool: tuple[int, int] = (1, 1)
    quantiser: Quantiser | None = None

    @classmethod
    def of(cls, *terms: Term) -> "Draft":
        """The sum of terms, without a bias."""
        return cls(terms, np.zeros(terms[0].geometry.channels))

    @cached_property
    def shape(self) -> MapShape:
        """(channels, height, width) of the results."""
        channels, height, width = self.terms[0].geometry.output_shape
        return channels, height // self.pool[0], width // self.pool[1]

    @property
    def is_linear(self) -> bool:
        """Whether more can be summed or multiplied: nothing but sums has been done yet."""
        plain = self.function == "identity" and self.quantiser is None
        return plain and self.pool == (1, 1)

    @property
    def is_scaling(self) -> bool:
        """Whether it is the sum of scaled layers, which a reader may read in its place."""
        return self.is_linear and all(term.is_scaling for term in self.terms)

    @property
    def is_layer(self) -> bool:
        """Whether it is an earlier layer as it is."""
        return (
            self.is_linear
            and len(self.terms) == 1
            and self.terms[0].is_identity
            and not self.bias.any()
        )

    @property
    def is_input(self) -> bool:
        """Whether it is the network's input, perhaps times one number."""
        return (
            self.is_scaling
            and len(self.terms) == 1
            and self.terms[0].layer == NETWORK_INPUT
            and not self.bias.any()
            and bool((self.terms[0].weights == self.terms[0].weights[0]).all())
        )

    @property
    def can_pool(self) -> bool:
        """Whether the largest result of windows side by side can be taken in the same layer."""
        (first, *others) = self.terms
        return not others and not first.is_dense and self.pool == (1, 1) and not self.is_layer

    def times(self, scale: Array) -> "Draft":
        """The linear draft with each channel multiplied by a number."""
        return replace(
            self, terms=tuple(term.times(scale) for term in self.terms), bias=self.bias * scale
        )

    @property
    def can_reorder(self) -> bool:
        """Whether its channels can be in any order: each reads all channels of every source."""
        return self.quantiser is None and all(term.geometry.groups == 1 for term in self.terms)

    def reordered(self, order: NDArray[np.int64]) -> "Draft":
        """The draft with its channels in another order."""
        terms = tuple(replace(term, weights=term.weights[order]) for term in self.terms)
        return replace(self, terms=terms, bias=self.bias[order])

    def plus(self, bias: Array) -> "Draft":
        """The linear draft with a number added to each channel."""
        return replace(self, bias=self.bias + bias)


def is_natural(index: NDArray[np.int64]) -> bool:
    """Whether each element of a tensor has the place that it is counted by."""
    return np.array_equal(index.reshape(-1), np.arange(index.size))


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the foreign graph.

    Attributes
    ----------
    parts : drafts whose flat results, one after another, hold its elements
    index : in the shape of one sample's tensor, where each element is among them; each is there
        once
    codes : the quantiser whose integers the tensor holds in place of the numbers they stand for
    border : (top, left, bottom, right) copies of the edge around the map, which MaxPool alone reads
    """

    parts: tuple[Draft, ...]
    index: NDArray[np.int64]
    codes: Quantiser | None = None
    border: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def of(cls, draft: Draft, shape: Sequence[int] | None = None) -> "Value":
        """All results of a draft in their order; by default in the shape of its map."""
        count = prod(draft.shape)
        return cls((draft,), np.arange(count).reshape(tuple(shape or draft.shape)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of one sample's tensor."""
        return self.index.shape

    @property
    def is_natural(self) -> bool:
        """Whether its elements are in the order of the results."""
        return is_natural(self.index)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where each part's results begin, and where the last part's end."""
        return np.cumsum([0, *(prod(part.shape) for part in self.parts)])

    def with_parts(self, parts: Sequence[Draft]) -> "Value":
        """The same tensor of other drafts of the same shapes."""
        return replace(self, parts=tuple(parts))

    def by_channel(self, constant: Array) -> list[Array]:
        """A constant that fits the tensor, as one number for each channel of each part.

        Raises
        ------
        UnsupportedError
            If it differs within a channel.
        """
        plain = constant
        if plain.ndim == len(self.shape) + 1 and len(plain) == 1:  # the axis of the samples
            plain = plain[0]
        try:
            spread = np.broadcast_to(plain, self.shape).reshape(-1)
        except ValueError:
            raise UnsupportedError(
                f"a constant of shape {constant.shape} does not fit samples of {self.shape}"
            ) from None
        flat = np.zeros(self.starts[-1])
        flat[self.index.reshape(-1)] = spread
        found = []
        for part, start in zip(self.parts, self.starts[:-1], strict=True):
            rows = flat[start : start + prod(part.shape)].reshape(part.shape[0], -1)
            found.append(rows[:, 0])
            if not np.array_equal(rows, np.broadcast_to(rows[:, :1], rows.shape)):
                raise UnsupportedError("its constant differs from place to place within a channel")
        return found
