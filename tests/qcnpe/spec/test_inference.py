"""Layer-by-layer inference against loops over neurons in Python's integers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.spec import inference
from qcnpe.spec.activation import FUNCTION_NAMES
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer, run_layer
from tests.qcnpe import loops
from tests.qcnpe.networks import (
    SEGMENTS,
    by_channel,
    dense_layer,
    geometries,
    network,
    random_graph,
    random_inputs,
    random_layer,
)

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=60, print_blob=False)
@given(geometries(), SEEDS, st.sampled_from(FUNCTION_NAMES), st.booleans())
def test_layer_is_the_loops(geometry, seed, function, unsigned):
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, geometry, function=function, input_unsigned=unsigned)
    inputs = random_inputs(rng, network(layer), 2)
    expected = [loops.run_layer(layer, sample) for sample in inputs.tolist()]
    assert run_layer(layer, inputs).tolist() == expected


def small_network(rng):
    """All kinds of layers: convolution, depth-wise, dense; every precision."""
    conv = Geometry(input_shape=(2, 7, 6), channels=4, kernel=(2, 3), padding=(1, 1), pool=(2, 2))
    pooling = Geometry(input_shape=(4, 4, 3), channels=4, kernel=(2, 2), stride=(2, 1), groups=4)
    return network(
        random_layer(rng, conv, name="conv", function="relu"),
        random_layer(rng, pooling, name="mean", function="tanh", input_unsigned=True),
        random_layer(rng, Geometry.dense(16, 6), name="out", function="sigmoid"),
    )


@pytest.mark.parametrize("seed", range(3))
def test_network_is_the_loops(seed):
    rng = np.random.default_rng(seed)
    net = small_network(rng)
    inputs = random_inputs(rng, net, 3)
    found = infer(net, inputs)
    assert found.dtype == np.int16
    assert found.tolist() == loops.run_network(net, inputs), f"seed {seed}"
    assert len(np.unique(found)) > 6, "results that hardly differ would prove nothing"


@pytest.mark.parametrize("seed", range(8))
def test_graph_is_the_loops(seed):
    rng = np.random.default_rng(seed)
    net = random_graph(rng)
    inputs = random_inputs(rng, net, 3)
    found = infer(net, inputs)
    assert found.tolist() == loops.run_network(net, inputs), f"seed {seed}"
    assert len(np.unique(found)) > 6, "results that hardly differ would prove nothing"


@pytest.mark.parametrize("width", [16, 8, 4, 2])
def test_a_dense_layer_by_hand(width):
    """Three inputs of 3 at weight -2: the copy of a width that holds 3 is 3, 2 bits clip to 1."""
    layer = dense_layer(3, 2, weight=-2, width=width)
    copy = 3 if width > 2 else 1
    assert run_layer(layer, np.full((1, 3), 3)).tolist() == [[-6 * copy] * 2]


@pytest.mark.parametrize("seed", range(3))
def test_a_table_that_falls_is_pooled_after_it_is_read(seed):
    """There the largest result need not be that of the largest sum."""
    rng = np.random.default_rng(seed)
    geometry = Geometry(input_shape=(2, 6, 6), channels=3, kernel=(3, 3), pool=(2, 2))
    layer = random_layer(rng, geometry, function="tanh")
    knots = rng.integers(-32768, 32768, SEGMENTS + 1).astype(np.int16)
    layer = replace(layer, table=knots)
    inputs = random_inputs(rng, network(layer), 3)
    expected = [loops.run_layer(layer, sample) for sample in inputs.tolist()]
    assert run_layer(layer, inputs).tolist() == expected


def test_largest_sums_are_exact():
    """Products of 2**30 that nearly cancel: float32 would lose their low-order bits."""
    layer = dense_layer(3, 1, weight=32767)
    layer.widths[16].weights[:] = [32767, -32767, 3]
    inputs = np.array([[32767, 32766, -5], [-32768, -32767, 1]])
    assert run_layer(layer, inputs).tolist() == [[32767 - 15], [-32767 + 3]]


def test_narrow_sums_beyond_float32_are_exact():
    """18000 * 2**10 + 511 rounds to 18000; float32 would make it 512 more, which rounds up."""
    layer = dense_layer(1144, 1, width=8)
    layer.widths[8].weights[:] = [127] * 1143 + [1]
    layer.widths[8].shift[:] = 10
    inputs = np.array([[127] * 1142 + [103, 112]])
    assert run_layer(layer, inputs).tolist() == [[18000]]


def test_sums_beyond_float64_are_refused(monkeypatch):
    layer = dense_layer(3, 1, name="huge", weight=32767)
    monkeypatch.setattr(type(layer), "accumulator_bound", lambda self, width: 1 << 53)
    with pytest.raises(FormatError, match="layer huge: sums of 9007199254740992 are too large"):
        run_layer(layer, np.zeros((1, 3), np.int16))


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_chunks_and_progress(monkeypatch, batch):
    rng = np.random.default_rng(5)
    net = small_network(rng)
    inputs = random_inputs(rng, net, batch)
    whole = infer(net, inputs)
    monkeypatch.setattr(inference, "_CHUNK_SAMPLES", 2)
    monkeypatch.setattr(inference, "_GATHERED_BYTES", 1000)
    seen: list[int] = []
    np.testing.assert_array_equal(infer(net, inputs, seen.append), whole)
    assert seen == [min(end, batch) for end in range(2, batch + 2, 2)]
    assert whole.shape == (batch, 6)


@pytest.mark.parametrize("shape", [(3,), (2, 83), (2, 2, 42)], ids=str)
def test_other_shapes_are_refused(shape):
    net = small_network(np.random.default_rng(6))
    with pytest.raises(FormatError, match=r"network net reads \(batch, 84\) inputs, not \("):
        infer(net, np.zeros(shape, np.int16))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.int64, np.float64])
def test_other_types_are_refused_as_by_the_driver(dtype):
    """An engine would read their low 16 bits, and inference more: the results would differ."""
    net = small_network(np.random.default_rng(6))
    inputs = np.ones((2, net.inputs), dtype)
    config = EngineConfig(rows=4, cols=4)
    with pytest.raises(InputError, match=f"network net reads int16 inputs, not {np.dtype(dtype)}"):
        infer(net, inputs)
    with pytest.raises(InputError, match=f"the program reads int16 inputs, not {np.dtype(dtype)}"):
        Driver(ModelTransport(config)).run(compile_network(net, config, 2), inputs)


def test_each_position_keeps_its_own_precision():
    """Only the neuron whose precision changes gets another result."""
    rng = np.random.default_rng(7)
    geometry = Geometry(input_shape=(2, 4, 4), channels=3, kernel=(3, 3))
    precision = by_channel([16, 8, 4], geometry)
    layer = random_layer(rng, geometry, precision=precision)
    inputs = random_inputs(rng, network(layer), 4)
    before = run_layer(layer, inputs).reshape(4, 3, 4)
    precision[0, 2] = 2
    changed = run_layer(layer, inputs).reshape(4, 3, 4) != before
    assert changed[:, 0, 2].any()
    changed[:, 0, 2] = False
    assert not changed.any()
