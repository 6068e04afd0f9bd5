"""Networks that the units around an engine are measured with, and a trained one that checks them.

The probes have random weights; half of their inputs are zero, as after a ReLU. They differ in
width, geometry, number of channels, and in how often they load, read and store.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qcnpe.placement.build import place_network
from qcnpe.spec.activation import CURVES, table_knots
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry, Source
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands
from qcnpe.spec.samples import Samples
from synth.engine_check import INPUTS, network_file
from synth.memory_runs import ImageInputs

_GEOMETRIES: dict[str, tuple[int, tuple[Geometry, ...]]] = {
    "convolution": (
        1,
        (
            Geometry(input_shape=(2, 7, 7), channels=12, kernel=(3, 3), padding=(1, 1)),
            Geometry(
                input_shape=(12, 7, 7), channels=8, kernel=(3, 3), stride=(2, 2), padding=(1, 1)
            ),
        ),
    ),
    "pooled": (
        1,
        (
            Geometry(input_shape=(1, 9, 9), channels=6, kernel=(2, 2), pool=(2, 2)),
            Geometry(input_shape=(6, 4, 4), channels=20),
        ),
    ),
    "depthwise": (
        1,
        (
            Geometry(input_shape=(8, 6, 6), channels=8, kernel=(3, 3), padding=(1, 1), groups=8),
            Geometry(input_shape=(8, 6, 6), channels=16),
        ),
    ),
    "dense": (12, (Geometry.dense(90, 40), Geometry.dense(40, 10))),
    "sample": (1, (Geometry.dense(150, 24), Geometry.dense(24, 24))),
    "small": (
        1,
        (
            Geometry(input_shape=(2, 4, 4), channels=4, kernel=(3, 3), padding=(1, 1)),
            Geometry.dense(64, 3),
        ),
    ),
}
"""By name: samples of a run, and layers."""

_WIDTHS = {
    "convolution": (16, 4),
    "pooled": (16, 8, 2),
    "depthwise": (16, 2),
    "dense": (16, 8, 4, 2),
    "sample": (4,),
    "small": (8,),
}

_FUNCTIONS = {"pooled": "tanh", "small": "tanh"}
"""Of each layer, a ReLU by default; a tanh loads its table."""


def probes(
    config: MemoryConfig, *, seed: int, names: Sequence[str] = tuple(_GEOMETRIES)
) -> list[ImageInputs]:
    """Programs of two runs each: one that loads what stays, and a further one.

    Parameters
    ----------
    config : the memories
    seed : of all operands
    names : of the networks
    """
    rng = np.random.default_rng(seed)
    found = []
    for name in names:
        batch, geometries = _GEOMETRIES[name]
        for width in _WIDTHS[name]:
            net = QuantNet(
                name=name,
                input_fraction_bits=12,
                layers=tuple(
                    _layer(rng, each, width, _FUNCTIONS.get(name, "relu")) for each in geometries
                ),
                notes={},
            )
            shape = (2 * batch, net.inputs)
            inputs = rng.integers(0, 1 << 15, shape) * rng.integers(0, 2, shape)
            image = place_network(net, config, batch).image
            found.append(ImageInputs(f"{name} {width} bit", image, inputs.astype(np.int16)))
    return found


def checks(config: MemoryConfig, widths: Sequence[int]) -> list[ImageInputs]:
    """The trained network that checks prices, at each width, two pictures one by one."""
    inputs: NDArray[np.int16] = Samples.load(INPUTS).draw(2, seed=0).inputs
    return [
        ImageInputs(
            str(width), place_network(QuantNet.load(network_file(width)), config, 1).image, inputs
        )
        for width in widths
    ]


def _layer(rng: np.random.Generator, geometry: Geometry, width: int, function: str) -> QuantLayer:
    """A layer of random weights of one width; its sums use all 16 bits."""
    half = 1 << (width - 1)
    sum_bits = 2 * width - 2 + geometry.fan_in.bit_length() // 2
    operands = WidthOperands(
        weights=rng.integers(-half, half, (geometry.channels, geometry.fan_in)).astype(np.int16),
        shift=np.full(geometry.channels, sum_bits - 15, np.int8),
        input_shifts=(0 if width == 16 else 15 - width,),
    )
    return QuantLayer(
        name="layer",
        sources=(Source(geometry),),
        function=function,
        table=table_knots(function, EngineConfig().table_segments) if function in CURVES else None,
        bias=np.zeros(geometry.channels, np.int16),
        precision=np.full((geometry.channels, geometry.outputs), width, np.uint8),
        input_unsigned=False,
        widths={width: operands},
    )
