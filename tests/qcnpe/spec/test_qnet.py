"""`QuantNet`, its file and its checks; the inputs of a neuron, against loops."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.geometry import Geometry, Source, Wiring
from qcnpe.spec.qnet import QuantNet, WidthOperands
from tests.damage import resave
from tests.qcnpe.loops import reads_of, window_positions
from tests.qcnpe.networks import dense_layer, geometries, network, random_layer


@settings(max_examples=60)
@given(geometries())
def test_gather_is_the_convolution_written_with_loops(geometry):
    height, width = geometry.output_shape[1:]
    for group in range(geometry.groups):
        for output in range(height * width):
            positions = window_positions(geometry, output // width, output % width)
            expected = [reads_of(geometry, group, y, x) for y, x in positions]
            found = geometry.gather[group, output].tolist()
            # A position may be there twice.
            assert {tuple(operands) for operands in found} == {
                tuple(geometry.inputs if i is None else i for i in operands)
                for operands in expected
            }


@given(geometries())
def test_sizes_agree_with_each_other(geometry):
    _, height, width = geometry.output_shape
    shape = (geometry.groups, height * width, geometry.window, geometry.fan_in)
    assert geometry.gather.shape == shape
    assert geometry.macs == geometry.channels * height * width * geometry.window * geometry.fan_in
    assert (geometry.gather <= geometry.inputs).all()


@pytest.mark.parametrize(
    ("values", "shape", "fan_in"),
    [
        ({"input_shape": (1, 32, 32), "channels": 6, "kernel": (5, 5)}, (6, 28, 28), 25),
        (
            {"input_shape": (3, 7, 7), "channels": 4, "kernel": (3, 3), "stride": (2, 2)},
            (4, 3, 3),
            27,
        ),
        (
            {"input_shape": (1, 5, 5), "channels": 1, "kernel": (3, 3), "padding": (1, 1)},
            (1, 5, 5),
            9,
        ),
        ({"input_shape": (4, 6, 6), "channels": 4, "groups": 4, "pool": (2, 2)}, (4, 3, 3), 1),
        ({"input_shape": (2, 5, 5), "channels": 2, "pool": (2, 2)}, (2, 2, 2), 2),
        ({"input_shape": (100, 1, 1), "channels": 16}, (16, 1, 1), 100),
    ],
    ids=["lenet-c1", "strided", "same", "depth-wise", "odd-pool", "dense"],
)
def test_shapes_by_hand(values, shape, fan_in):
    geometry = Geometry(**values)
    assert geometry.output_shape == shape
    assert geometry.fan_in == fan_in


def test_dense_reads_everything():
    geometry = Geometry.dense(5, 3)
    assert geometry.gather.tolist() == [[[[0, 1, 2, 3, 4]]]]
    assert (geometry.macs, geometry.outputs, geometry.inputs) == (15, 1, 5)


def test_group_of():
    geometry = Geometry(input_shape=(4, 1, 1), channels=6, groups=2)
    assert [geometry.group_of(channel) for channel in range(6)] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 0}, "layer sizes must be positive"),
        ({"stride": (0, 1)}, "layer sizes must be positive"),
        ({"padding": (-1, 0)}, "layer sizes must be positive"),
        ({"groups": 3}, "groups must divide input and output channels"),
        ({"channels": 3, "groups": 2}, "groups must divide input and output channels"),
        ({"pool": (5, 1)}, "pool must cover at most 4 positions"),
        ({"pool": (3, 2)}, "pool must cover at most 4 positions"),
        ({"pool": (0, 2)}, "layer sizes must be positive"),
        ({"pool": (2, 2), "pool_stride": (0, 1)}, "layer sizes must be positive"),
        ({"pool": (2, 2), "pool_padding": (-1, 0)}, "layer sizes must be positive"),
        ({"pool": (2, 2), "pool_padding": (0, 2)}, "pool_padding must be less than pool"),
        ({"dilation": (0, 1)}, "layer sizes must be positive"),
        ({"kernel": (3, 3), "dilation": (3, 1)}, "kernel or pool is larger than the map"),
        ({"kernel": (7, 1)}, "kernel or pool is larger than the map"),
        ({"kernel": (6, 6), "pool": (2, 1)}, "kernel or pool is larger than the map"),
    ],
    ids=str,
)
def test_geometry_refuses(change, message):
    with pytest.raises(FormatError, match=message):
        Geometry(**{"input_shape": (4, 6, 6), "channels": 4, **change})


def layer_with(**change):
    """A random layer of two neurons, changed."""
    layer = random_layer(np.random.default_rng(1), Geometry.dense(3, 2), name="fc")
    return replace(layer, **change)


def operands_with(**change):
    """Operands of the layer's 8-bit width, changed."""
    widths = dict(layer_with().widths)
    widths[8] = replace(widths[8], **change)
    return {"widths": widths}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"function": "gelu"}, r"^layer fc: unknown activation function 'gelu'"),
        ({"function": "tanh"}, r"^layer fc: function tanh and its table do not match"),
        (
            {"table": np.zeros(33, np.int16)},
            r"^layer fc: function identity and its table do not match",
        ),
        (
            {"function": "tanh", "table": np.zeros(33, np.int32)},
            r"^layer fc: table must be int16 \(33,\), not int32 \(33,\)",
        ),
        (
            {"bias": np.zeros(3, np.int16)},
            r"^layer fc: bias must be int16 \(2,\), not int16 \(3,\)",
        ),
        ({"bias": [0, 0]}, r"^layer fc: bias must be int16 \(2,\), not <class 'list'>"),
        ({"precision": np.full((2, 1), 16)}, r"^layer fc: precision must be uint8 \(2, 1\), not "),
        ({"precision": np.full((2, 1), 12, np.uint8)}, r"^layer fc: no operands for width \[12\]"),
        (
            operands_with(weights=np.full((2, 3), 128, np.int16)),
            r"^layer fc, 8 bits: weights must be -128\.\.127",
        ),
        (
            operands_with(weights=np.full((2, 3), -129, np.int16)),
            r"^layer fc, 8 bits: weights must be -128\.\.127",
        ),
        (operands_with(weights=np.zeros((3, 2), np.int16)), r"^layer fc, 8 bits: weights must be "),
        (operands_with(shift=np.full(2, 48, np.int8)), r"8 bits: shift must be -16\.\.47"),
        (operands_with(shift=np.full(2, -17, np.int8)), r"8 bits: shift must be -16\.\.47"),
        (operands_with(input_shifts=(16,)), r"8 bits: input shifts \(16,\) must be 0\.\.15"),
        (operands_with(input_shifts=(-1,)), r"8 bits: input shifts \(-1,\) must be 0\.\.15"),
        ({"widths": {1: layer_with().widths[2]}}, r"no operands for width"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_layer_refuses(change, message):
    with pytest.raises(FormatError, match=message):
        layer_with(**change)


def test_input_of_16_bits_has_no_shift():
    widths = dict(layer_with().widths)
    widths[16] = replace(widths[16], input_shifts=(1,))
    with pytest.raises(FormatError, match=r"16 bits: input shifts \(1,\) must be 0\.\.0"):
        layer_with(widths=widths)


def test_width_of_one_bit_is_refused():
    widths = {**layer_with().widths, 1: layer_with().widths[2]}
    with pytest.raises(FormatError, match=r"layer fc, 1 bits: width must be 2\.\.16"):
        layer_with(widths=widths)


@pytest.mark.parametrize(
    ("width", "unsigned", "largest"), [(16, True, 32768), (8, False, 128), (8, True, 255)]
)
def test_accumulator_bound_is_the_worst_input(width, unsigned, largest):
    layer = layer_with(input_unsigned=unsigned)
    worst = max(sum(abs(w) for w in row) for row in layer.widths[width].weights.tolist())
    assert layer.accumulator_bound(width) == worst * largest
    assert layer.reads_unsigned(width) == (unsigned and width < 16)


def test_network_refuses_layers_that_do_not_fit():
    with pytest.raises(FormatError, match=r"net: layer b reads 5 values, but a makes 4"):
        network(dense_layer(3, 4, name="a"), dense_layer(5, 2, name="b"))
    with pytest.raises(FormatError, match="network net: needs at least one layer"):
        network()


def graph_with(**change):
    """Two layers that read the network's input, and one that reads both; the last one changed."""
    rng = np.random.default_rng(1)
    widths = (16, 4)
    first, second = (
        random_layer(rng, Geometry.dense(3, 4), name=name, widths=widths) for name in "ab"
    )
    both = (Source(Geometry.dense(4, 2), 1), Source(Geometry.dense(4, 2), 0))
    last = random_layer(rng, Geometry.dense(8, 2), name="c", widths=widths)
    last = replace(last, sources=both, widths=split_shifts(last.widths, 2), **change)
    shift = first.widths[4].input_shifts
    second.widths[4] = replace(second.widths[4], input_shifts=shift)  # type: ignore[index]
    second = replace(second, sources=(Source(Geometry.dense(3, 4), -1),))
    return network(first, second, last)


def split_shifts(widths, sources):
    return {
        width: replace(operands, input_shifts=operands.input_shifts * sources)
        for width, operands in widths.items()
    }


def test_a_graph_knows_what_is_read(tmp_path):
    net = graph_with()
    assert [net.reads(index) for index in range(3)] == [(-1,), (-1,), (1, 0)]
    assert net.copies(0) == net.copies(1) != net.copies(2)
    assert net.copies(2).shifts == {}
    net.save(tmp_path / "net.npz")
    assert_same(QuantNet.load(tmp_path / "net.npz"), net)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ((3,), "layer c must read earlier layers, not layer 3"),
        ((-2,), "a source must be the index of a layer, not -2"),
        ((1,), "no layer reads layer a"),
        ((1, -1), "layer c reads 4 values, but the network's input has 3"),
    ],
)
def test_graphs_that_do_not_fit_are_refused(sources, message):
    chosen = tuple(Source(Geometry.dense(4, 2), layer) for layer in sources)
    widths = graph_with().layers[2].widths
    per_source = {
        width: replace(
            operands,
            weights=operands.weights[:, : 4 * len(sources)],
            input_shifts=operands.input_shifts[: len(sources)],
        )
        for width, operands in widths.items()
    }
    first, second, last = graph_with().layers
    with pytest.raises(FormatError, match=message):
        network(first, second, replace(last, sources=chosen, widths=per_source))


def test_readers_must_agree_on_copies():
    net = graph_with()
    precision = np.full((4, 1), 4, np.uint8)
    second = replace(net.layers[1], input_unsigned=True, precision=precision)
    first = replace(net.layers[0], precision=precision)
    with pytest.raises(FormatError, match="read its input want 4-bit copies that differ in scale"):
        network(first, second, net.layers[2])
    operands = replace(second.widths[4], input_shifts=(9,))
    second = replace(second, input_unsigned=False, widths={**second.widths, 4: operands})
    with pytest.raises(FormatError, match="read its input want 4-bit copies that differ in scale"):
        network(first, second, net.layers[2])


def test_sources_of_a_layer_pool_alike():
    """Two strides that make maps of one size would sum results of different positions."""
    side_by_side = Geometry(
        input_shape=(1, 4, 4), channels=1, pool=(2, 2), pool_padding=(1, 1, 1, 1)
    )
    overlapping = replace(side_by_side, pool_stride=(1, 1), pool_padding=(0, 0, 0, 0))
    assert side_by_side.output_shape == overlapping.output_shape
    with pytest.raises(FormatError, match="the sources of a layer must make maps of one shape"):
        Wiring((Source(side_by_side), Source(overlapping)))


def test_a_file_of_chains_is_read(tmp_path):
    """Format 1 had one geometry and one input shift a layer, and two numbers of padding."""
    path = tmp_path / "net.npz"
    net = lenet_like(np.random.default_rng(2))
    net.save(path)

    def older(header, arrays):
        header["kind"] = "qcnpe-network-1"
        del header["output_fraction_bits"]
        for layer in header["layers"]:
            (source,) = layer.pop("sources")
            geometry = source["geometry"]
            for name in ("dilation", "pool_stride", "pool_padding"):
                del geometry[name]
            geometry["padding"] = geometry["padding"][:2]
            layer["geometry"] = geometry
            shifts = layer.pop("input_shifts")
            layer["input_shift"] = {width: shift for width, (shift,) in shifts.items()}

    resave(path, older)
    assert_same(QuantNet.load(path), net)


def lenet_like(rng):
    """A convolution with pooling and a table, and a dense layer."""
    conv = Geometry(input_shape=(1, 6, 6), channels=3, kernel=(3, 3), pool=(2, 2))
    return network(
        random_layer(rng, conv, name="c1", function="sigmoid"),
        random_layer(rng, Geometry.dense(12, 5), name="out", input_unsigned=True),
    )


def test_totals():
    net = lenet_like(np.random.default_rng(1))
    assert net.neurons == 3 * 4 + 5
    assert net.macs == 3 * 16 * 9 + 12 * 5


def test_quantize_inputs():
    net = network(dense_layer(4, 1))
    inputs = np.array([[[0.5, -0.5], [1 / 8192, 8.0]]])
    assert net.quantize_inputs(inputs).tolist() == [[2048, -2048, 1, 32767]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.array([[0, 1, 128, 0]], np.uint8), "must be floating-point numbers, .*, not uint8"),
        (np.array([[0, 1, 128, 0]]), "must be floating-point numbers, .*, not int64"),
        (np.array([[0.0] * 4, [0, 0, 8.1, 0]]), r"in -8\.\.8, .* sample 1 holds 8.1 at \(2,\)"),
        (np.array([[0.0, -9, 0, 0]]), r"sample 0 holds -9 at \(1,\)"),
        (np.array([[0.0, 0, 0, np.nan]]), r"sample 0 holds nan at \(3,\)"),
        (np.array([[0.0, 0, np.inf, 0]]), r"sample 0 holds inf at \(2,\)"),
        (np.zeros((2, 5)), r"network net reads 4 values a sample, not \(2, 5\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        network(dense_layer(4, 1)).quantize_inputs(inputs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"padding": (0, 0, 1)}, r"padding of a layer must be 2 or 4 integers, not \(0, 0, 1\)"),
        ({"kernel": (1,)}, r"kernel of a layer must be 2 integers, not \(1,\)"),
        ({"stride": (1.5, 1.0)}, r"stride of a layer must be 2 integers, not \(1.5, 1.0\)"),
        ({"pool": [1, 2]}, r"pool of a layer must be 2 integers, not \[1, 2\]"),
        ({"input_shape": (1, 5)}, r"input_shape of a layer must be 3 integers, not \(1, 5\)"),
        ({"channels": 2.0}, r"channels of a layer must be an integer, not 2.0"),
        ({"groups": True}, r"groups of a layer must be an integer, not True"),
    ],
)
def test_sizes_are_read_whole_or_refused(values, message):
    with pytest.raises(FormatError, match=message):
        Geometry(**{"input_shape": (1, 5, 5), "channels": 2, **values})


def assert_same(found, expected):
    """Every value of two networks is equal."""
    assert (found.name, found.input_fraction_bits) == (expected.name, expected.input_fraction_bits)
    assert found.notes == expected.notes
    assert len(found.layers) == len(expected.layers)
    for mine, its in zip(found.layers, expected.layers, strict=True):
        for name in ("name", "sources", "function", "input_unsigned"):
            assert getattr(mine, name) == getattr(its, name)
        for name in ("bias", "precision", "table"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(its, name))
        assert set(mine.widths) == set(its.widths)
        for width, operands in its.widths.items():
            np.testing.assert_array_equal(mine.widths[width].weights, operands.weights)
            np.testing.assert_array_equal(mine.widths[width].shift, operands.shift)
            assert mine.widths[width].input_shifts == operands.input_shifts


def test_load_gives_what_was_saved(tmp_path):
    net = lenet_like(np.random.default_rng(2))
    net.save(tmp_path / "net.npz")
    assert_same(QuantNet.load(tmp_path / "net.npz"), net)


def test_the_engine_is_kept(tmp_path):
    engine = EngineConfig(rows=3, cols=5, precisions=(16, 9, 2), ncu="gated", fifo_depth=8)
    net = replace(lenet_like(np.random.default_rng(2)), engine=engine)
    net.save(tmp_path / "net.npz")
    assert QuantNet.load(tmp_path / "net.npz").engine == engine


def test_a_file_of_an_earlier_version_names_no_engine(tmp_path):
    path = tmp_path / "net.npz"
    lenet_like(np.random.default_rng(2)).save(path)
    resave(path, lambda header, arrays: header.pop("engine"))
    assert QuantNet.load(path).engine is None


@pytest.mark.parametrize("bits", [-3, 0, 21, None])
def test_scale_of_the_results_is_kept(tmp_path, bits):
    path = tmp_path / "net.npz"
    replace(lenet_like(np.random.default_rng(2)), output_fraction_bits=bits).save(path)
    assert QuantNet.load(path).output_fraction_bits == bits
    resave(path, lambda header, arrays: header.pop("output_fraction_bits"))
    assert QuantNet.load(path).output_fraction_bits is None


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ([], "not what it should be"),
        ({"rows": 4, "columns": 4}, "unknown field 'columns'"),
        ({"rows": 0}, "rows must be 1..256, not 0"),
        ({"rows": 4.5}, "not what it should be"),
        ({"cols": True}, "not what it should be"),
        ({"precisions": [16, 8.5]}, "not what it should be"),
        ({"precisions": "16"}, "not what it should be"),
        ({"ncu": "magic"}, "ncu must be one of"),
        ({"counters": "false"}, "not what it should be"),
    ],
    ids=str,
)
def test_an_engine_of_wrong_types_is_refused(tmp_path, engine, message):
    path = tmp_path / "net.npz"
    lenet_like(np.random.default_rng(4)).save(path)
    resave(path, lambda header, arrays: header.update(engine=engine))
    with pytest.raises(FormatError, match=rf"net\.npz: .*{message}"):
        QuantNet.load(path)


def test_same_network_gives_the_same_bytes(tmp_path):
    lenet_like(np.random.default_rng(3)).save(tmp_path / "a.npz")
    QuantNet.load(tmp_path / "a.npz").save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def geometry(**fields):
    return lambda h, a: h["layers"][0]["sources"][0]["geometry"].update(fields)


DAMAGES = {
    "no layers": (lambda h, a: h.pop("layers"), r"missing required field `layers`.*make it again"),
    "empty": (lambda h, a: h.update(layers=[]) or a.clear(), "needs at least one layer"),
    "array lost": (lambda h, a: a.pop("0.bias"), r"has no '0\.bias\.npy'"),
    "array more": (lambda h, a: a.update(x=np.zeros(1)), r"holds 'x\.npy', which its header does"),
    "array type": (lambda h, a: a.update({"0.bias": np.zeros(3)}), r"0\.bias must be int16 \(3,\)"),
    "weights": (lambda h, a: a["1.weights_2"].fill(9), "out, 2 bits: weights must be -2..1"),
    "unknown": (geometry(turns=1), "unknown field 'turns'"),
    "chain": (lambda h, a: h["layers"].pop(0), r"net\.npz: "),
    "width": (
        lambda h, a: h["layers"][0]["input_shifts"].update(x=[1]),
        "Expected `int`, got `str`",
    ),
    "not a list": (lambda h, a: h.update(layers=7), "Expected `array`"),
    "one kernel size": (geometry(kernel=[1]), "length 2"),
    "float stride": (geometry(stride=[1.5, 1]), "Expected `int`, got `float`"),
    "whole float": (geometry(stride=[1.0, 1]), "Expected `int`, got `float`"),
    "three paddings": (geometry(padding=[0, 0, 1]), "must be 2 or 4 integers"),
    "text for a truth value": (
        lambda h, a: h["layers"][0].update(input_unsigned="false"),
        "Expected `bool`, got `str`",
    ),
    "fraction of a shift": (
        lambda h, a: h["layers"][0]["input_shifts"].update({"16": [3.7]}),
        "Expected `int`, got `float`",
    ),
    "function": (lambda h, a: h["layers"][0].update(function="swish"), "must be one of identity"),
    "table of 2**17 segments": (
        lambda h, a: a.update({"0.table": np.zeros((1 << 17) + 1, np.int16)}),
        r"2\*\*n segments, 256 at most, not 131072",
    ),
    "fraction bits": (lambda h, a: h.update(input_fraction_bits=10**6), r"must be -64\.\.64"),
    "notes": (lambda h, a: h.update(notes=[1]), "Expected `object`, got `array`"),
    "11 GB of operands": (geometry(padding=[500, 500], kernel=[40, 40]), "gathers at most"),
    "a large map": (geometry(padding=[2000, 2000]), "at most 4194304 inputs and results"),
    "inputs": (geometry(input_shape=[1, 10**9, 9]), "at most 4194304"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_load_refuses_damage(tmp_path, damage):
    path = tmp_path / "net.npz"
    lenet_like(np.random.default_rng(4)).save(path)
    change, message = DAMAGES[damage]
    resave(path, change)
    with pytest.raises(FormatError, match=message) as caught:
        QuantNet.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_width_operands_are_values():
    operands = WidthOperands(np.zeros((1, 1), np.int16), np.zeros(1, np.int8), (0,))
    with pytest.raises(AttributeError):
        operands.input_shifts = (1,)  # type: ignore[misc]
