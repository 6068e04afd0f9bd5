"""Layers of neurons, forward beside backward, in float32.

The batch is the innermost axis: a layer reads (features, batch) and returns (features, batch),
features in (channel, row, column) order. With the batch innermost every product of matrices and
every shifted copy of a convolution runs over contiguous memory.
"""

from axnn.layers.convolution import Convolution
from axnn.layers.dense import Dense
from axnn.layers.dropout import Dropout
from axnn.layers.neuron import SLOPES, FloatArray, Layer, NeuronLayer, Parameter, activate
from axnn.layers.subsampling import AveragePooling, Subsampling, WindowSums

__all__ = [
    "SLOPES",
    "AveragePooling",
    "Convolution",
    "Dense",
    "Dropout",
    "FloatArray",
    "Layer",
    "NeuronLayer",
    "Parameter",
    "Subsampling",
    "WindowSums",
    "activate",
]
