"""Turns drafts into layers, one after another, with their parameters."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.errors import ForeignNetworkError
from axnn.frontend.draft import Draft, MapShape, Term, Value, map_shape
from axnn.frontend.graph import Array
from axnn.frontend.quantiser import Quantiser
from axnn.frontend.refusal import UnsupportedError
from axnn.frontend.windows import Windows
from axnn.nn.layers import FloatArray
from axnn.nn.network import Network
from axnn.nn.spec import MAX_PARAMETERS, LayerSpec, NetworkSpec, SourceSpec, parameter_name
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry

Places = NDArray[np.intp]

_MAX_LAYERS = 10_000


class LayerBuilder:
    """Collects the layers of a network.

    Parameters
    ----------
    input_shape : (channels, height, width) of a sample
    quantises_input : whether the network's input is read by one quantiser and nothing else

    Attributes
    ----------
    quantisers : of each layer's results, and of the network's input, in its own units, at -1, where
        there is one
    drafts : what each layer was made of, where it was made of one
    """

    def __init__(self, input_shape: MapShape, *, quantises_input: bool = False) -> None:
        self.quantisers: dict[int, Quantiser] = {}
        self.drafts: dict[int, Draft] = {}
        self._quantises_input = quantises_input
        self._shapes: dict[int, MapShape] = {NETWORK_INPUT: input_shape}
        self._layers: list[LayerSpec] = []
        self._state: dict[str, FloatArray] = {}
        self._weights = 0

    # From drafts to layers.
    def layer(self, draft: Draft) -> Draft:
        """The draft as a layer of its own, unless it is one already."""
        if draft.is_layer:
            return draft
        made = self._add(*_layer_of(draft))
        index = made.terms[0].layer
        self.drafts[index] = draft
        if draft.quantiser is not None:
            self.quantisers[index] = draft.quantiser
        return made

    def takes_quantiser(self, draft: Draft, quantiser: Quantiser) -> bool:
        """Whether a draft's values have this quantiser, or, as the network's input, get it."""
        if draft.quantiser is not None:
            return draft.quantiser == quantiser
        factor = float(draft.terms[0].weights[0, 0])
        if draft.is_input and self._quantises_input and factor > 0:
            own = replace(quantiser, scale=quantiser.scale / factor)
            return self.quantisers.setdefault(NETWORK_INPUT, own) == own
        return draft.is_layer and self.quantisers.get(draft.terms[0].layer) == quantiser

    def linear(self, draft: Draft) -> Draft:
        """The draft if more can be added to it, else its layer."""
        return draft if draft.is_linear else self.layer(draft)

    def scaling(self, draft: Draft) -> Draft:
        """The draft if it only scales layers, else its layer."""
        return draft if draft.is_scaling else self.layer(draft)

    def logits(self, draft: Draft) -> Draft:
        """The draft as the last layer of a network, which has no function.

        Quantised results are rounded by a layer behind: the engine rounds what a layer reads.
        """
        if not draft.is_linear:
            draft = self.layer(draft)
        if draft.is_layer and not self._is_last(draft.terms[0].layer):
            draft = self._add(*_layer_of(draft))
        return self.layer(draft)

    def _is_last(self, index: int) -> bool:
        is_plain = self._layers[-1:] != [] and self._layers[-1].function == "identity"
        return is_plain and index == len(self._layers) - 1 and index not in self.quantisers

    def shared(self, value: Value) -> Value:
        """A value that several nodes read: what costs more than a scaling is computed once."""
        return value.with_parts(
            [
                part if part.is_scaling and len(part.terms) == 1 else self.layer(part)
                for part in value.parts
            ]
        )

    def _add(self, spec: LayerSpec, parameters: Mapping[str, Array]) -> Draft:
        index = len(self._layers)
        if index >= _MAX_LAYERS:
            raise UnsupportedError(f"the network has more than {_MAX_LAYERS:,} layers")
        if spec.reads == index - 1:
            spec = replace(spec, reads=None)
        wiring = spec.wiring(index, self._shapes)
        self._shapes[index] = wiring.output_shape
        self._layers.append(spec)
        for name, array in parameters.items():
            self._state[f"{index}.{name}"] = _single_precision(array)
        return Draft.of(Term.scaling(index, wiring.output_shape))

    def spend(self, weights: int) -> None:
        """Take account of so many weights before room is made for them."""
        self._weights += weights
        if self._weights > MAX_PARAMETERS:
            raise UnsupportedError(f"the network has more than {MAX_PARAMETERS:,} weights")

    # Maps.
    def as_map(self, value: Value) -> Draft:
        """The value as one draft whose map has the tensor's shape: whole channels, in its order.

        Raises
        ------
        UnsupportedError
            If the map holds its elements in another order.
        """
        shape = map_shape(value.shape)
        if value.is_natural and len(value.parts) == 1 and value.parts[0].shape == shape:
            return value.parts[0]
        terms = []
        bias = np.zeros(shape[0])
        for part, rows, columns in self.channels(value):
            self.spend(shape[0] * part.shape[0])
            chosen = np.zeros((shape[0], part.shape[0]))
            chosen[rows, columns] = 1
            for term in part.terms:
                geometry = Geometry(input_shape=part.shape, channels=shape[0])
                terms.append(Term(term.layer, geometry, chosen * term.weights[:, 0]))
            bias[rows] = part.bias[columns]
        return Draft(tuple(terms), bias)

    def channels(self, value: Value) -> list[tuple[Draft, Places, Places]]:
        """Parts that scale layers, and where their channels are among those of the value.

        Returns
        -------
        For each part its draft, places among the value's channels, and places among its own.

        Raises
        ------
        UnsupportedError
            If the value is not made of whole channels.
        """
        shape = map_shape(value.shape)
        for part in value.parts:
            if part.shape[1:] != shape[1:]:
                raise UnsupportedError(
                    f"it reads {shape[1]}x{shape[2]} places of a map of"
                    f" {part.shape[1]}x{part.shape[2]}"
                )
        size = shape[1] * shape[2]
        places = value.index.reshape(shape[0], size)
        channels = places[:, 0] // size
        if not np.array_equal(places, channels[:, None] * size + np.arange(size)):
            raise UnsupportedError("it reads rows, columns or channels of a map in another order")
        found, start = [], 0
        for part in map(self.scaling, value.parts):
            rows = np.flatnonzero((channels >= start) & (channels < start + part.shape[0]))
            if rows.size:
                found.append((part, rows, channels[rows] - start))
            start += part.shape[0]
        return found

    def largest(self, draft: Draft, windows: Windows) -> Draft:
        """The largest value of each window; windows of more than four positions become stages."""
        for stage in windows.stages(draft.shape):
            if stage.is_side_by_side and draft.can_pool:
                draft = replace(draft, pool=stage.size)
                continue
            spec = LayerSpec(
                kind="identity",
                function="identity",
                reads=self.layer(draft).terms[0].layer,
                pool=stage.size,
                pool_stride=stage.stride,
                pool_padding=stage.padding,
            )
            draft = self._add(spec, {})
            if spec.reads in self.quantisers:  # rounding may stand before or behind the largest
                self.quantisers[draft.terms[0].layer] = self.quantisers[spec.reads]
        return draft

    # The network.
    def network(self, name: str) -> Network:
        """The network of all layers.

        Raises
        ------
        ForeignNetworkError
            If they are none that can be trained and run.
        """
        try:
            spec = NetworkSpec(
                name=name, input_shape=self._shapes[NETWORK_INPUT], layers=tuple(self._layers)
            )
            network = Network(spec, seed=0)
            network.set_state(self._state)
        except QcnpeError as error:
            raise ForeignNetworkError(str(error)) from error
        return network


def _layer_of(draft: Draft) -> tuple[LayerSpec, dict[str, Array]]:
    """A layer that computes a draft, and its parameters."""
    terms, biased = list(draft.terms), bool(draft.bias.any())
    if len(terms) == 1:
        only = terms[0]
        common: dict[str, Any] = {"function": draft.function, "reads": only.layer}
        if only.is_identity and not biased:
            return LayerSpec(kind="identity", pool=draft.pool, **common), {}
        if only.is_average and draft.pool == (1, 1):
            kernel = only.geometry.kernel
            if not biased and np.array_equal(only.weights, np.full_like(only.weights, only.mean)):
                return LayerSpec(kind="average", kernel=kernel, **common), {}
            parameters = {"weights": only.weights[:, :1], "bias": draft.bias}
            return LayerSpec(kind="subsampling", kernel=kernel, **common), parameters
    first = next((place for place, term in enumerate(terms) if not term.is_identity), 0)
    terms.insert(0, terms.pop(first))
    parameters = {"weights": terms[0].weights, "bias": draft.bias}
    for number, term in enumerate(terms[1:], start=1):
        if not term.is_identity:
            parameters[parameter_name("weights", number)] = term.weights
    geometry = terms[0].geometry
    spec = LayerSpec(
        kind="dense" if terms[0].is_dense else "convolution",
        function=draft.function,
        channels=geometry.channels,
        pool=draft.pool,
        reads=terms[0].layer,
        adds=tuple(_source_of(term) for term in terms[1:]),
        **({} if terms[0].is_dense else _kernel(geometry)),
    )
    return spec, parameters


def _source_of(term: Term) -> SourceSpec:
    if term.is_identity:
        return SourceSpec(layer=term.layer)
    if term.is_dense:
        return SourceSpec(layer=term.layer, kind="dense")
    return SourceSpec(layer=term.layer, kind="convolution", **_kernel(term.geometry))


def _kernel(geometry: Geometry) -> dict[str, Any]:
    names = ("kernel", "stride", "padding", "dilation", "groups")
    return {name: getattr(geometry, name) for name in names}


def _single_precision(array: Array) -> FloatArray:
    with np.errstate(over="ignore"):
        found = array.astype(np.float32)
    if not np.isfinite(found).all():
        raise UnsupportedError(
            "its weights, with what is folded into them, are not all finite numbers"
        )
    return found
