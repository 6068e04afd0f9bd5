"""Layers of neurons, forward beside backward, in float32.

The batch is the innermost axis: a layer reads (features, batch) and returns (features, batch),
features in (channel, row, column) order. With the batch innermost every product of matrices and
every shifted copy of a convolution runs over contiguous memory.
"""

from axnn.nn.layers.addition import Addition
from axnn.nn.layers.batch_norm import BatchNorm
from axnn.nn.layers.convolution import Convolution
from axnn.nn.layers.dense import Dense
from axnn.nn.layers.dropout import Dropout
from axnn.nn.layers.identity import Identity
from axnn.nn.layers.neuron import (
    SLOPES,
    FloatArray,
    Layer,
    NeuronLayer,
    Parameter,
    SourceLayer,
    activate,
)
from axnn.nn.layers.subsampling import AveragePooling, Subsampling, WindowSums

__all__ = [
    "SLOPES",
    "Addition",
    "AveragePooling",
    "BatchNorm",
    "Convolution",
    "Dense",
    "Dropout",
    "FloatArray",
    "Identity",
    "Layer",
    "NeuronLayer",
    "Parameter",
    "SourceLayer",
    "Subsampling",
    "WindowSums",
    "activate",
]
