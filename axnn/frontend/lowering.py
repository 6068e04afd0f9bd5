"""From a foreign graph to layers, node after node; all that cannot run is collected."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from axnn.errors import ForeignNetworkError
from axnn.frontend.builder import LayerBuilder
from axnn.frontend.constants import FOLDED, fold
from axnn.frontend.draft import Draft, Term, Value, map_shape
from axnn.frontend.graph import Array, Graph, Node
from axnn.frontend.operators import REFUSED, RULES
from axnn.frontend.operators.context import Argument, Call
from axnn.frontend.operators.known import reason
from axnn.frontend.quantiser_nodes import QUANT_NAMES
from axnn.frontend.refusal import Refusal, RefusedNodesError, UnsupportedError
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.geometry import NETWORK_INPUT

_MAP_READERS = ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MatMul")
"""Operators that fix which axes of the input are channels, rows and columns."""

_QUANTISERS = (*QUANT_NAMES, "QuantizeLinear")
_BEFORE_MAPS = (
    *_QUANTISERS, "DequantizeLinear", "Add", "Sub", "Mul", "Div", "Cast", "Identity", "Pad",
)  # fmt: skip
"""Operators on the input that leave the order of its axes as it is."""

_WORK = 1 << 29
"""Most elements of all tensors together."""


@dataclass(frozen=True, eq=False)
class Lowered:
    """A graph as layers.

    Attributes
    ----------
    builder : holds the layers
    input_order : (channels, height, width) place of each of the network's inputs in the foreign one
    output_order : in the shape of the foreign output, place of each element in the network's
    tensors : by layer, where there is one, the foreign tensor that holds its results
    """

    builder: LayerBuilder
    input_order: NDArray[np.int64]
    output_order: NDArray[np.int64]
    tensors: Mapping[int, "ForeignTensor"]


@dataclass(frozen=True, eq=False)
class ForeignTensor:
    """A tensor of the graph that holds the results of a layer.

    Attributes
    ----------
    name : of the tensor
    order : in its shape, place of each element among the layer's results
    """

    name: str
    order: NDArray[np.int64]


def lower(graph: Graph, scale: float, samples: tuple[int, ...] = ()) -> Lowered:
    """The layers of a graph.

    Parameters
    ----------
    graph : as it was read
    scale : what the network's inputs are multiplied by to become those of the graph
    samples : (channels, height, width) of the samples, which become those of the network's input if
        the graph does not say which axes are which, since it flattens them

    Raises
    ------
    RefusedNodesError
        Names every node that cannot run.
    """
    order = np.arange(prod(graph.input_shape)).reshape(map_shape(graph.input_shape))
    reader = _Walk(graph, order, scale).first_map()
    if reader is None and samples != order.shape:
        reader = _order_of(graph.input_shape, samples)
    walk = _Walk(graph, order if reader is None else reader, scale)
    for node in graph.nodes:
        walk.step(node)
    return walk.finish()


def _order_of(shape: tuple[int, ...], samples: tuple[int, ...]) -> NDArray[np.int64] | None:
    """Place in a foreign sample of each value of a map, if their shapes say so."""
    places = np.arange(prod(shape))
    if prod(samples) != prod(shape) or len(samples) != len(map_shape(shape)):
        return None
    channels, height, width = samples
    if shape == (height, width, channels):
        return places.reshape(shape).transpose(2, 0, 1)
    longer = [[size for size in sizes if size > 1] for sizes in (shape, samples)]
    is_flat = len(longer[0]) <= 1 or len(longer[1]) <= 1
    if longer[0] == longer[1] or (is_flat and (channels == 1 or height == width == 1)):
        return places.reshape(samples)
    return None


class _Walk:
    """Goes through the nodes of a graph in their order.

    Parameters
    ----------
    graph, scale : as of `lower`
    order : (channels, height, width) place of each of the network's inputs in the graph's
    """

    def __init__(self, graph: Graph, order: NDArray[np.int64], scale: float) -> None:
        self._graph, self._order = graph, order
        shape = map_shape(order.shape)
        self._builder = LayerBuilder(shape, quantises_input=_quantises_input(graph))
        draft = Draft.of(Term.scaling(NETWORK_INPUT, shape, scale))
        index = np.argsort(order.reshape(-1)).reshape(graph.input_shape)
        self._tensors: dict[str, Value | Array | None] = {
            **graph.constants,
            graph.input: Value((draft,), index),
        }
        self._refusals: list[Refusal] = []
        self._readers = Counter(name for node in graph.nodes for name in node.inputs)
        self._work = 0

    def first_map(self) -> NDArray[np.int64] | None:
        """The order in which the first node that needs a map of the input reads it, if any does."""
        for node in self._graph.nodes:
            found = [self._tensors.get(name) for name in node.inputs]
            values = [one for one in found if isinstance(one, Value) and _is_input(one)]
            if values and node.operator in _MAP_READERS and values[0].index.ndim > 1:
                read = (
                    np.moveaxis(values[0].index, -1, 0)
                    if node.operator == "MatMul"
                    else values[0].index
                )
                return self._order.reshape(-1)[read].reshape(map_shape(read.shape))
            if len(values) == 1 and node.operator in _BEFORE_MAPS:
                self._tensors[node.outputs[0]] = values[0]
            else:
                self.step(node)
        return None

    def step(self, node: Node) -> None:
        """Take up one node."""
        arguments = [self._tensors.get(name) if name else None for name in node.inputs]
        known = all(
            argument is not None or not name
            for argument, name in zip(arguments, node.inputs, strict=True)
        )
        results: Sequence[Value | Array | None] = [None] * len(node.outputs)
        try:
            if node.operator in REFUSED:
                raise UnsupportedError(reason(node.operator))
            if known:
                with np.errstate(all="ignore"):  # what is not finite is refused when it is used
                    found = self._result(node, arguments)
                results = [self._shared(node, place, each) for place, each in enumerate(found)]
            elif node.operator not in RULES and node.operator not in FOLDED:
                raise UnsupportedError(reason(node.operator))
        except (UnsupportedError, QcnpeError) as error:
            self._refusals.append(Refusal.of(node, error))
        except (ValueError, IndexError) as error:  # what numpy finds in axes and shapes
            self._refusals.append(Refusal.of(node, f"its axes or shapes do not fit ({error})"))
        for name, result in zip(node.outputs, results, strict=False):
            self._tensors[name] = result

    def _result(self, node: Node, arguments: Sequence[Argument]) -> tuple[Value | Array, ...]:
        """What a node makes; nothing if it reads what cannot be made."""
        if not any(isinstance(argument, Value) for argument in arguments):
            constants = [one for one in arguments if not isinstance(one, Value)]
            return (fold(node, constants),)
        if node.operator not in RULES:
            raise UnsupportedError(reason(node.operator))
        if node.operator != "DequantizeLinear" and any(map(_is_coded, arguments)):
            raise UnsupportedError("it computes with integers; let a DequantizeLinear come before")
        if node.operator != "MaxPool" and any(map(_is_bordered, arguments)):
            raise UnsupportedError("it reads copies of a map's edge (Pad), which only MaxPool may")
        found = RULES[node.operator](Call(node, arguments, self._builder, self._graph.batch or 1))
        return found if isinstance(found, tuple) else (found,)

    def _shared(self, node: Node, place: int, result: Value | Array) -> Value | Array:
        """A result that several nodes read is computed once."""
        self._work += result.index.size if isinstance(result, Value) else result.size
        if self._work > _WORK:
            raise ForeignNetworkError(f"{self._graph.path}: its tensors have too many elements")
        name = node.outputs[place] if place < len(node.outputs) else ""
        if isinstance(result, Value) and self._readers[name] > 1:
            return self._builder.shared(result)
        return result

    def finish(self) -> Lowered:
        """The layers, if all nodes can run."""
        if self._refusals:
            raise RefusedNodesError(self._graph.path, self._refusals)
        value = self._tensors.get(self._graph.output)
        if not isinstance(value, Value):
            raise ForeignNetworkError(
                f"{self._graph.path}: its output does not depend on its input"
            )
        if any(value.border):
            raise ForeignNetworkError(f"{self._graph.path}: its output is padded with copies")
        try:
            return self._finished(value)
        except (UnsupportedError, QcnpeError) as error:
            raise ForeignNetworkError(f"{self._graph.path}: output: {error}") from error

    def _finished(self, value: Value) -> Lowered:
        if len(value.parts) > 1:
            value = Value.of(self._builder.as_map(value), value.shape)
        value = self._in_order(value)
        last = self._builder.logits(value.parts[0]).terms[0].layer
        tensors = dict(self._foreign_tensors())
        tensors[last] = ForeignTensor(self._graph.output, value.index)
        return Lowered(self._builder, self._order, value.index, tensors)

    def _in_order(self, value: Value) -> Value:
        """The output with its channels in the file's order, if each is one result.

        So class k is output k.
        """
        (part,) = value.parts
        if value.is_natural or part.shape[1:] != (1, 1):
            return value
        order = value.index.reshape(-1)
        if part.can_reorder:
            return Value.of(part.reordered(order), value.shape)
        return Value.of(self._builder.as_map(Value(value.parts, order)), value.shape)

    def _foreign_tensors(self) -> Iterator[tuple[int, ForeignTensor]]:
        """Each layer that is a tensor of the graph, and that tensor."""
        layers = {id(draft): index for index, draft in self._builder.drafts.items()}
        for name, value in self._tensors.items():
            if not isinstance(value, Value) or len(value.parts) > 1 or value.codes is not None:
                continue
            if any(value.border):
                continue
            (part,) = value.parts
            index = part.terms[0].layer if part.is_layer else layers.get(id(part), NETWORK_INPUT)
            if index != NETWORK_INPUT:
                yield index, ForeignTensor(name, value.index)


def _quantises_input(graph: Graph) -> bool:
    """Whether only one node reads the input, and it is, perhaps behind others, a quantiser."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in set(node.inputs):
            readers.setdefault(name, []).append(node)
    tensor = graph.input
    for _ in graph.nodes:
        (reader, *others) = readers.get(tensor) or (None,)
        if reader is None or others or len(reader.outputs) != 1:
            return False
        if reader.operator in _QUANTISERS:
            return True
        tensor = reader.outputs[0]
    return False


def _is_bordered(argument: Argument) -> bool:
    """Whether an argument has copies of its edge around it."""
    return isinstance(argument, Value) and any(argument.border)


def _is_coded(argument: Argument) -> bool:
    """Whether an argument holds integers of a quantiser."""
    return isinstance(argument, Value) and argument.codes is not None


def _is_input(value: Value) -> bool:
    """Whether a value holds all of the network's inputs, in some order, and nothing else."""
    (part, *others) = value.parts
    return (
        not others
        and part.is_scaling
        and len(part.terms) == 1
        and part.terms[0].layer == NETWORK_INPUT
        and value.index.size == prod(part.shape)
    )
