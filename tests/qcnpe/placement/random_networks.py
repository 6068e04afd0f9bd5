"""Random networks of three layers on random autonomous engines, drawn fast and compared in full.

The space is that of the properties in `test_build`: kernels, strides, dilations, four paddings,
groups, pooling windows with strides and paddings of their own, arrays from 1x1 to 16x16, widths of
layers, channels or neurons, buses, lists of descriptors in one or many parts, batches, memories of
activations and weights that hold everything or less: maps in strips, weights that alternate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qcnpe.driver import program_streams
from qcnpe.placement.build import Placement, place_network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.machine import run_image
from qcnpe.spec.qnet import QuantLayer, QuantNet
from tests.qcnpe.networks import by_channel, network, random_inputs, random_layer
from tests.qcnpe.placement.memories import memories

T = TypeVar("T")

DESCRIPTOR_ROWS = (8, 16, 64, 2048)
"""Rows of the memory of descriptors: from a list in many parts to one in a single part."""

SMALL_ROWS = (4, 8, 16, 32, 64)
"""Rows of a bank, and of the memory of weights, in small memories."""

_POOLS = {(1, 1): 1, (2, 1): 2, (1, 2): 2, (2, 2): 4, (4, 1): 4, (1, 4): 4, (3, 1): 4}
"""Pooling windows, and the rows of the array that each needs."""

_FUNCTIONS = ("identity", "relu", "tanh", "sigmoid")
_STREAMS = ("commands", "activations", "weights", "parameters")


@dataclass(frozen=True, eq=False)
class RandomNetwork:
    """A network, the engine it runs on, and inputs of two runs.

    Attributes
    ----------
    net : three layers; the second one has a random geometry
    config : the engine and memories that hold everything
    small : the same engine and memories that may be too small for maps and weights
    inputs : int16, of two batches
    is_late : loads and stores are done as late as the descriptors allow
    """

    net: QuantNet
    config: MemoryConfig
    small: MemoryConfig
    inputs: NDArray[np.int16]
    is_late: bool

    @classmethod
    def draw(cls, seed: int, number: int) -> "RandomNetwork":
        """The network of a number; the same for the same seed and number."""
        draws = _Draws(np.random.default_rng((seed, number)))
        engine = draws.engine()
        net = draws.network(engine)
        config = memories(
            engine,
            bus_bits=draws.one_of((64, 128)),
            descriptor_rows=draws.one_of(DESCRIPTOR_ROWS),
        )
        small = config.with_depths(
            {
                memory: draws.one_of(SMALL_ROWS)
                for memory in (Memory.ACTIVATIONS, Memory.WEIGHTS)
                if draws.between(0, 3) == 0
            }
        )
        inputs = random_inputs(draws.rng, net, 2 * draws.between(1, 3))
        return cls(net, config, small, inputs, bool(draws.between(0, 1)))

    def place(self) -> Placement:
        """Place the network in the small memories; where it does not fit them, in the others."""
        batch = len(self.inputs) // 2
        try:
            return place_network(self.net, self.small, batch)
        except CapacityError:
            return place_network(self.net, self.config, batch)

    def compare(self) -> Placement:
        """Compare the image's streams with the driver's, and its results with the network's.

        Raises
        ------
        AssertionError
            If they differ.
        CapacityError
            If the network does not fit the memories.
        """
        placement = self.place()
        streamed = [
            streams
            for inputs in np.split(self.inputs, 2)
            for streams in program_streams(placement.program, inputs)
        ]
        results, machine = run_image(placement.image, self.inputs, is_late=self.is_late)
        made = machine.joined_streams()
        for name in _STREAMS:
            sent = np.concatenate([getattr(streams, name) for streams in streamed])
            np.testing.assert_array_equal(getattr(made, name), sent, err_msg=name)
        assert made.results == sum(streams.results for streams in streamed)
        np.testing.assert_array_equal(results, infer(self.net, self.inputs), err_msg="results")
        return placement


@dataclass(frozen=True)
class _Draws:
    """Draws the parts of a network.

    Attributes
    ----------
    rng : source of all draws
    """

    rng: np.random.Generator

    def between(self, least: int, most: int) -> int:
        return int(self.rng.integers(least, most + 1))

    def one_of(self, values: Sequence[T]) -> T:
        return values[self.between(0, len(values) - 1)]

    def engine(self) -> EngineConfig:
        ncu = self.one_of(("fused", "gated", "dsp"))
        widths = (16, 9, 4) if ncu == "gated" and self.rng.random() < 0.2 else (16, 8, 4, 2)
        rows, cols = self.between(1, 16), self.between(1, 16)
        return EngineConfig(rows=rows, cols=cols, ncu=ncu, precisions=widths)

    def network(self, engine: EngineConfig) -> QuantNet:
        """A layer that computes a map, one of any geometry, and one that reads all its results."""
        geometry = self.geometry(engine.rows)
        depth, height, width = geometry.input_shape
        before = Geometry(input_shape=(2, height, width), channels=depth)
        after = Geometry.dense(geometry.channels * geometry.outputs, 3)
        function = self.one_of(("relu", "identity"))
        return network(
            self.layer(before, engine, function),
            self.layer(
                geometry, engine, self.one_of(_FUNCTIONS), input_unsigned=function == "relu"
            ),
            self.layer(after, engine, self.one_of(_FUNCTIONS)),
        )

    def geometry(self, rows: int) -> Geometry:
        between = self.between
        groups = between(1, 3)
        pool = self.one_of([pool for pool, needed in _POOLS.items() if needed <= rows])
        stride, kernel = (between(1, 3), between(1, 2)), (between(1, 3), between(1, 3))
        dilation = between(1, 2), between(1, 3)
        least = [(kernel[i] - 1) * dilation[i] + 1 + (pool[i] - 1) * stride[i] for i in (0, 1)]
        edges = (pool[0] - 1, pool[1] - 1)
        top, left, bottom, right = (between(0, most) for most in (*edges, *edges))
        depth, height, width = between(1, 2), least[0] + between(0, 3), least[1] + between(0, 3)
        return Geometry(
            input_shape=(groups * depth, height, width),
            channels=groups * between(1, 2),
            kernel=kernel,
            stride=stride,
            padding=(between(0, 2), between(0, 2), between(0, 2), between(0, 2)),
            groups=groups,
            pool=pool,
            dilation=dilation,
            pool_stride=self.one_of((None, (between(1, 3), between(1, 2)))),
            pool_padding=(top, left, bottom, right),
        )

    def layer(
        self,
        geometry: Geometry,
        engine: EngineConfig,
        function: str,
        *,
        input_unsigned: bool = False,
    ) -> QuantLayer:
        """Of one width, or of widths by channel, or by neuron."""
        kind = self.rng.choice(("layer", "channel", "neuron"), p=(0.84, 0.12, 0.04))
        widths = [self.one_of(engine.precisions)] if kind == "layer" else engine.precisions
        precision = None
        if kind == "channel":
            precision = by_channel(
                self.rng.choice(engine.precisions, geometry.channels).tolist(), geometry
            )
        return random_layer(
            self.rng,
            geometry,
            function=function,
            widths=widths,
            precision=precision,
            input_unsigned=input_unsigned,
        )
