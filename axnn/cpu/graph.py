"""Networks that are no chain of plain layers, on ordinary processors: kernel by kernel.

Each sum over a source is a network of one layer for the kernels; what stands between them (adding
sources, activation functions, the largest of windows that overlap) is numpy's, element by element.
So a result does not depend, to the last bit, on how samples are divided into batches.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from axnn.nn.layers import Addition, FloatArray, Identity, NeuronLayer, SourceLayer, activate
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.graph import run_joined_graph

Float32 = NDArray[np.float32]
Engine = Callable[[Float32], Float32]
"""Results (samples, ...) of inputs (samples, features)."""


class GraphEngine:
    """Computes a network of any shape.

    Parameters
    ----------
    network : the network
    build : makes the engine of a network of one plain layer without function
    """

    def __init__(self, network: Network, build: Callable[[Network], Engine]) -> None:
        self._reads = network.spec.reads
        self._layers = [_GraphLayer(layer, build) for layer in network.neuron_layers]

    def __call__(self, inputs: Float32) -> Float32:
        """Logits (samples, classes) of (samples, features)."""

        def run(index: int, flat: Float32) -> Float32:
            return self._layers[index].run(np.ascontiguousarray(flat.T)).T

        return np.ascontiguousarray(run_joined_graph(self._reads, inputs.T, run).T)


class _GraphLayer:
    """One layer: the sums of its sources, its bias, its function.

    Parameters
    ----------
    layer : with its parameters
    build : see `GraphEngine`
    """

    def __init__(self, layer: NeuronLayer, build: Callable[[Network], Engine]) -> None:
        self._layer = layer
        if isinstance(layer, Addition):
            self._parts = [(_source(part, build), rows) for part, rows, _ in layer.places()]
        else:
            assert isinstance(layer, SourceLayer)  # there is no other kind
            self._parts = [(_source(layer, build), slice(None))]

    def run(self, flat: Float32) -> Float32:
        """Results (samples, features) of the flat input (samples, features)."""
        first, *others = [engine(flat[:, rows]) for engine, rows in self._parts]
        sums: FloatArray = first.reshape(len(flat), self._layer.geometry.channels, -1)
        for found in others:
            sums = sums + found.reshape(sums.shape)
        sums = sums + self._layer.bias.value[:, None]
        return activate(self._layer.function, sums).reshape(len(flat), -1).astype(np.float32)


def _source(layer: SourceLayer, build: Callable[[Network], Engine]) -> Engine:
    """Sums (samples, ...) over one source."""
    if isinstance(layer, Identity):
        return lambda flat: layer.sums(flat.T, layer.weights.value)[0].transpose(2, 0, 1)
    padding, geometry = layer.geometry.padding, _plain(layer.geometry)
    engine = build(_one_layer(layer, geometry))
    if not any(padding):
        return lambda flat: engine(np.ascontiguousarray(flat))
    top, left, bottom, right = padding
    shape = layer.geometry.input_shape

    def padded(flat: Float32) -> Float32:
        maps = flat.reshape(-1, *shape)
        wide = np.pad(maps, ((0, 0), (0, 0), (top, bottom), (left, right)))
        return engine(wide.reshape(len(flat), -1))

    return padded


def _plain(geometry: Geometry) -> Geometry:
    """The geometry with its padding as part of the map, and its dilation as part of the kernel."""
    depth, height, width = geometry.input_shape
    top, left, bottom, right = geometry.padding
    kernel = tuple(
        (size - 1) * step + 1 for size, step in zip(geometry.kernel, geometry.dilation, strict=True)
    )
    return replace(
        geometry,
        input_shape=(depth, height + top + bottom, width + left + right),
        kernel=(kernel[0], kernel[1]),
        padding=(0, 0),
        dilation=(1, 1),
    )


def _one_layer(layer: SourceLayer, geometry: Geometry) -> Network:
    """A network whose only layer forms the sums of a layer; its kernel has zeros for dilation."""
    window = {name: getattr(geometry, name) for name in ("kernel", "stride", "groups", "pool")}
    spec = LayerSpec(kind="convolution", function="identity", channels=geometry.channels, **window)
    network = Network(
        NetworkSpec(name=layer.name, input_shape=geometry.input_shape, layers=(spec,)), seed=0
    )
    own = layer.geometry
    depth = own.input_shape[0] // own.groups
    kernels = np.zeros((own.channels, depth, *geometry.kernel), np.float32)
    down, right = own.dilation
    kernels[:, :, ::down, ::right] = layer.operand_weights().reshape(
        own.channels, depth, *own.kernel
    )
    weights = network.neuron_layers[0].weights.value
    weights[...] = kernels.reshape(weights.shape)
    return network
