"""Random networks whose results use the whole range, and the parts to build special ones."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from qcnpe.spec.activation import CURVES, table_knots
from qcnpe.spec.qnet import Geometry, QuantLayer, QuantNet, WidthOperands

SEGMENTS = 32


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Legal geometries of small layers."""
    groups = draw(st.integers(1, 3))
    pool = draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)]))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 1)))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    smallest = [kernel[i] + (pool[i] - 1) * stride[i] for i in (0, 1)]
    size = [draw(st.integers(smallest[i], smallest[i] + 3)) for i in (0, 1)]
    return Geometry(
        input_shape=(groups * draw(st.integers(1, 2)), size[0], size[1]),
        channels=groups * draw(st.integers(1, 2)),
        kernel=kernel,
        stride=stride,
        padding=padding,
        groups=groups,
        pool=pool,
    )


def random_operands(rng: np.random.Generator, geometry: Geometry, width: int) -> WidthOperands:
    """Weights over the whole range of `width` bits, shifts that bring the sums to 16 bits."""
    shape = (geometry.channels, geometry.fan_in)
    half = 1 << (width - 1)
    sum_bits = 2 * width - 2 + geometry.fan_in.bit_length() // 2
    input_shift = 0 if width == 16 else int(rng.integers(14 - width, 17 - width))
    return WidthOperands(
        weights=rng.integers(-half, half, shape).astype(np.int16),
        shift=(sum_bits - 15 + rng.integers(-1, 3, geometry.channels)).astype(np.int8),
        input_shift=max(input_shift, 0),
    )


def random_layer(
    rng: np.random.Generator,
    geometry: Geometry,
    *,
    name: str = "layer",
    function: str = "identity",
    widths: Sequence[int] = (16, 8, 4, 2),
    precision: NDArray[np.uint8] | None = None,
    input_unsigned: bool = False,
) -> QuantLayer:
    """A layer of random operands; each neuron has one of `widths` unless `precision` is given."""
    if precision is None:
        shape = (geometry.channels, geometry.outputs)
        precision = rng.choice(np.array(widths, np.uint8), shape)
    return QuantLayer(
        name=name,
        geometry=geometry,
        function=function,
        table=table_knots(function, SEGMENTS) if function in CURVES else None,
        bias=rng.integers(-8192, 8192, geometry.channels).astype(np.int16),
        precision=precision,
        input_unsigned=input_unsigned,
        widths={width: random_operands(rng, geometry, width) for width in widths},
    )


def by_channel(widths: Sequence[int], geometry: Geometry) -> NDArray[np.uint8]:
    """The same precision at all positions of a channel."""
    column = np.array(widths, np.uint8)[:, None]
    return np.broadcast_to(column, (geometry.channels, geometry.outputs)).copy()


def dense_layer(
    inputs: int, neurons: int, *, name: str = "dense", weight: int = 1, width: int = 16
) -> QuantLayer:
    """A dense layer of one precision and one weight, without bias or shift."""
    geometry = Geometry.dense(inputs, neurons)
    operands = WidthOperands(
        weights=np.full((neurons, inputs), weight, np.int16),
        shift=np.zeros(neurons, np.int8),
        input_shift=0,
    )
    return QuantLayer(
        name=name,
        geometry=geometry,
        function="identity",
        table=None,
        bias=np.zeros(neurons, np.int16),
        precision=np.full((neurons, 1), width, np.uint8),
        input_unsigned=False,
        widths={width: operands},
    )


def network(*layers: QuantLayer, name: str = "net") -> QuantNet:
    """A network of these layers."""
    return QuantNet(name=name, input_fraction_bits=12, layers=layers, notes={"seed": 1})


def random_inputs(rng: np.random.Generator, net: QuantNet, batch: int) -> NDArray[np.int16]:
    """16-bit inputs for a batch."""
    shape = (batch, net.layers[0].geometry.inputs)
    return rng.integers(-32768, 32768, shape).astype(np.int16)
