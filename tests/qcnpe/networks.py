"""Random networks whose results use the whole range, and the parts to build special ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from qcnpe.spec.activation import CURVES, table_knots
from qcnpe.spec.geometry import NETWORK_INPUT, Geometry, Source, Wiring
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands

SEGMENTS = 32


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Legal geometries of small layers."""
    groups = draw(st.integers(1, 3))
    pool = draw(st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4), (3, 1)]))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 2)))
    padding = draw(st.tuples(*(st.integers(0, 2) for _ in range(4))))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)))
    pool_stride = draw(st.none() | st.tuples(st.integers(1, 3), st.integers(1, 2)))
    edges = (pool[0] - 1, pool[1] - 1)
    pool_padding = draw(st.tuples(*(st.integers(0, most) for most in (*edges, *edges))))
    smallest = [(kernel[i] - 1) * dilation[i] + 1 + (pool[i] - 1) * stride[i] for i in (0, 1)]
    size = [draw(st.integers(smallest[i], smallest[i] + 3)) for i in (0, 1)]
    return Geometry(
        input_shape=(groups * draw(st.integers(1, 2)), size[0], size[1]),
        channels=groups * draw(st.integers(1, 2)),
        kernel=kernel,
        stride=stride,
        padding=padding,
        groups=groups,
        pool=pool,
        dilation=dilation,
        pool_stride=pool_stride,
        pool_padding=pool_padding,
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
        input_shifts=(max(input_shift, 0),),
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
        sources=(Source(geometry),),
        function=function,
        table=table_knots(function, SEGMENTS) if function in CURVES else None,
        bias=rng.integers(-8192, 8192, geometry.channels).astype(np.int16),
        precision=precision,
        input_unsigned=input_unsigned,
        widths={width: random_operands(rng, geometry, width) for width in widths},
    )


def random_graph(rng: np.random.Generator) -> QuantNet:
    """Layers with a shortcut, with two maps read as one, and with the network's input read late.

    Every neuron has a width of its own; narrow copies are unsigned or signed, as each layer's
    readers agree.
    """
    same: dict[str, Any] = {"kernel": (3, 3), "padding": (1, 1)}
    image = (2, 4, 3)
    first = (Source(Geometry(input_shape=image, channels=3, **same)),)
    second = (
        Source(Geometry(input_shape=(3, 4, 3), channels=3, dilation=(1, 1), groups=3, **same)),
        Source(Geometry(input_shape=image, channels=3), NETWORK_INPUT),
    )
    third = (
        Source(Geometry(input_shape=(3, 4, 3), channels=2, kernel=(2, 2), pool=(1, 2)), 1),
        Source(Geometry(input_shape=(3, 4, 3), channels=2, kernel=(2, 2), pool=(1, 2)), 0),
        Source(Geometry(input_shape=(3, 4, 3), channels=2, kernel=(2, 2), pool=(1, 2)), 0),
    )
    fourth = (Source(Geometry.dense(6, 4), 2), Source(Geometry.dense(24, 4), NETWORK_INPUT))
    unsigned = bool(rng.integers(2))
    functions = ("relu", "sigmoid", "tanh", "identity")
    shifts = {width: int(rng.integers(14 - width, 17 - width)) for width in (8, 4, 2)}
    return network(
        *(
            graph_layer(rng, sources, function, shifts, unsigned)
            for sources, function in zip((first, second, third, fourth), functions, strict=True)
        )
    )


def graph_layer(
    rng: np.random.Generator,
    sources: tuple[Source, ...],
    function: str,
    shifts: Mapping[int, int],
    unsigned: bool,
) -> QuantLayer:
    """A layer of random operands whose copies all have the same scale and sign."""
    wiring = Wiring(sources)
    shape = (wiring.channels, wiring.outputs)
    flat = Geometry.dense(wiring.fan_in, wiring.channels)
    operands = {width: random_operands(rng, flat, width) for width in (16, 8, 4, 2)}
    return QuantLayer(
        name="layer",
        sources=sources,
        function=function,
        table=table_knots(function, SEGMENTS) if function in CURVES else None,
        bias=rng.integers(-8192, 8192, wiring.channels).astype(np.int16),
        precision=rng.choice(np.array([16, 8, 4, 2], np.uint8), shape),
        input_unsigned=unsigned,
        widths={
            width: replace(each, input_shifts=(shifts.get(width, 0),) * len(sources))
            for width, each in operands.items()
        },
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
        input_shifts=(0,),
    )
    return QuantLayer(
        name=name,
        sources=(Source(geometry),),
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
    shape = (batch, net.inputs)
    return rng.integers(-32768, 32768, shape).astype(np.int16)
