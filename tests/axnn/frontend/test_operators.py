"""Each operator gives what onnxruntime gives."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from axnn.frontend import compare, import_onnx
from tests.axnn.frontend.graphs import floats, imported, kinds, make_model, node, write

VECTORS = Path(onnx.__file__).parent / "backend/test/data/pytorch-converted"
FITTING = (
    *(f"AvgPool{axes}d{end}" for axes in (1, 2) for end in ("", "_stride")),
    "BatchNorm2d_eval",
    "BatchNorm2d_momentum_eval",
    "Conv1d",
    *(f"Conv1d_{end}" for end in ("dilated", "groups", "pad1", "pad1size1", "pad2", "pad2size1")),
    "Conv1d_stride",
    "Conv2d",
    *(f"Conv2d_depthwise{end}" for end in ("", "_padded", "_strided", "_with_multiplier")),
    *(f"Conv2d_{end}" for end in ("dilated", "groups", "groups_thnn", "no_bias", "padding")),
    "Conv2d_strided",
    "LeakyReLU",
    "LeakyReLU_with_negval",
    "Linear",
    "Linear_no_bias",
    "MaxPool1d",
    "MaxPool1d_stride",
    "MaxPool2d",
    *(f"PReLU_{axes}d{end}" for axes in (1, 2) for end in ("", "_multiparam")),
    "PixelShuffle",
    "ReLU",
    "Sigmoid",
    "Tanh",
    "ZeroPad2d",
)


def stored(path):
    """The tensor in a file."""
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


@pytest.mark.parametrize("name", FITTING)
def test_vectors_of_the_standard(name):
    folder = VECTORS / f"test_{name}"
    samples = stored(folder / "test_data_set_0" / "input_0.pb")
    expected = stored(folder / "test_data_set_0" / "output_0.pb")
    found = import_onnx(folder / "model.onnx", samples).predict(samples)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-6


CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "padded": {"pads": [1, 2, 0, 1]},
    "strided": {"strides": [2, 3], "pads": [1, 1, 1, 1]},
    "dilated": {"dilations": [2, 1], "pads": [2, 0, 0, 2]},
    "same upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "same lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    "same upper, odd": {"auto_pad": "SAME_UPPER"},
    "same lower, odd": {"auto_pad": "SAME_LOWER"},
    "valid": {"auto_pad": "VALID"},
    "groups": {"group": 2},
    "depth-wise": {"group": 4},
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution(tmp_path, case):
    how = CONVOLUTIONS[case]
    weights = floats((8, 4 // how.get("group", 1), 3, 2))
    found = imported(
        tmp_path, [node("Conv", "x w b", **how)], (4, 9, 8), {"w": weights, "b": floats(8)}
    )
    assert kinds(found) == ["convolution"]


POOLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("MaxPool", {}),
    ("MaxPool", {"auto_pad": "SAME_UPPER"}),
    ("MaxPool", {"pads": [1, 0, 1, 1]}),
    ("MaxPool", {"ceil_mode": 1}),
    ("AveragePool", {}),
    ("AveragePool", {"pads": [1, 0, 1, 1], "count_include_pad": 1}),
)
WINDOWS = [
    (kernel, strides)
    for kernel in ((2, 2), (3, 3), (3, 2), (1, 5), (4, 4), (5, 3))
    for strides in ((1, 1), (2, 2), (3, 2), (4, 4))
]


def is_allowed(how, kernel, strides):
    """Whether onnxruntime has such windows: larger than their padding, and as their stride."""
    if "auto_pad" in how:
        return kernel[0] >= strides[0] and kernel[1] >= strides[1]
    return "pads" not in how or min(kernel) > 1


@pytest.mark.parametrize(("operator", "how"), POOLS)
def test_pools(tmp_path, operator, how):
    for kernel, strides in WINDOWS:
        if is_allowed(how, kernel, strides):
            pool = node(operator, "x", kernel_shape=kernel, strides=strides, **how)
            imported(tmp_path, [pool], (2, 9, 11))


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.integers(1, 9),
    stride=st.integers(1, 9),
    before=st.integers(0, 8),
    after=st.integers(0, 8),
    size=st.integers(9, 20),
)
def test_largest_of_any_window(tmp_path_factory, kernel, stride, before, after, size):
    pads = [min(before, kernel - 1), min(after, kernel - 1)]
    pool = node("MaxPool", "x", kernel_shape=[kernel], strides=[stride], pads=pads)
    imported(tmp_path_factory.mktemp("pool"), [pool], (2, size))


SHAPES = ((2, 4, 6), (3, 5))
WHOLE: dict[str, dict[str, Any]] = {
    "GlobalAveragePool": {},
    "GlobalMaxPool": {},
    "ReduceMean": {"axes": [-1, 2], "keepdims": 0},
    "ReduceMax": {"axes": [2], "keepdims": 1},
    "ReduceSum": {"keepdims": 0},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("operator", WHOLE)
def test_reductions_of_maps(tmp_path, operator, shape):
    how = dict(WHOLE[operator])
    if "axes" in how and len(shape) == 2:
        how["axes"] = [-1]
    axes = {"axes": np.array([2], np.int64)} if operator == "ReduceSum" else {}
    imported(tmp_path, [node(operator, " ".join(["x", *axes]), **how)], shape, axes)


FUNCTIONS: dict[str, dict[str, Any]] = {
    "Relu": {},
    "Sigmoid": {},
    "Tanh": {},
    "LeakyRelu": {"alpha": 0.3},
    "HardSigmoid": {"alpha": 0.4, "beta": 0.3},
    "Identity": {},
    "Dropout": {},
    "Neg": {},
    "Cast": {"to": TensorProto.DOUBLE},
}


@pytest.mark.parametrize("operator", FUNCTIONS)
def test_functions(tmp_path, operator):
    nodes = [
        node("Conv", "x w", "a"),
        node(operator, "a", "b", **FUNCTIONS[operator]),
        node("Cast", "b", "c", to=TensorProto.FLOAT),
        node("Conv", "c v", "y", pads=[1, 1, 1, 1]),
    ]
    imported(tmp_path, nodes, (2, 5, 5), {"w": floats((3, 2, 2, 2)), "v": floats((4, 3, 3, 3))})


@pytest.mark.parametrize(
    "limits", [("0", "6"), ("0", "-"), ("-", "0.5"), ("-0.25", "0.5"), ("0.25", "0.5"), ("-", "-")]
)
def test_clip(tmp_path, limits):
    constants = {name: np.float32(name) for name in limits if name != "-"}
    clip = node("Clip", f"a {' '.join(limits)}", "b")
    nodes = [node("Conv", "x w", "a"), clip, node("Conv", "b v", pads=[1, 1, 1, 1])]
    weights = {"w": 4 * floats((3, 2, 2, 2)), "v": floats((4, 3, 3, 3))}
    imported(tmp_path, nodes, (2, 5, 5), {**weights, **constants})


@pytest.mark.parametrize("inputs", ["a l", "l a h", "a"])
@pytest.mark.parametrize("operator", ["Max", "Min"])
def test_largest_and_smallest_of_a_map_and_numbers(tmp_path, operator, inputs):
    constants = {"l": np.float32(-0.25), "h": np.full((1, 1, 1), 0.5, np.float32)}
    used = {name: value for name, value in constants.items() if name in inputs.split()}
    nodes = [node("Conv", "x w", "a"), node(operator, inputs, "b"), node("Conv", "b v")]
    weights = {"w": 2 * floats((3, 2, 2, 2)), "v": floats((4, 3, 3, 3))}
    imported(tmp_path, nodes, (2, 5, 5), {**weights, **used})


def test_limits_are_in_the_layer_and_one_behind_it(tmp_path):
    """MobileNet's ReLU6."""
    nodes = [
        node("Conv", "x w", "a"),
        node("MaxPool", "a", "b", kernel_shape=[2, 2], strides=[2, 2]),
        node("Clip", "b low high", "c"),
        node("Conv", "c v"),
    ]
    limits = {"low": np.float32(0), "high": np.float32(0.5)}
    weights = {"w": floats((3, 2, 3, 3)), "v": floats((2, 3, 2, 2))}
    found = imported(tmp_path, nodes, (2, 6, 6), {**weights, **limits})
    assert kinds(found) == ["convolution"] * 3
    assert [layer.function for layer in found.network.spec.layers] == ["relu", "relu", "identity"]


@pytest.mark.parametrize("trans_b", [0, 1])
def test_gemm(tmp_path, trans_b):
    weights = floats((4, 6) if trans_b else (6, 4))
    gemm = node("Gemm", "x w b", alpha=0.5, beta=2.0, transB=trans_b)
    assert kinds(imported(tmp_path, [gemm], (6,), {"w": weights, "b": floats(4)})) == ["dense"]


def test_product_at_every_place(tmp_path):
    nodes = [node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("MatMul", "b v")]
    found = imported(tmp_path, nodes, (5, 6), {"w": floats((6, 4)), "v": floats((4, 3))})
    assert kinds(found) == ["convolution", "convolution"]


ARITHMETIC: dict[str, tuple[str, tuple[int, ...]]] = {
    "Add": ("x c", (3, 1, 1)),
    "Sub": ("x c", (1, 3, 1, 1)),
    "Mul": ("c x", (3, 1, 1)),
    "Div": ("x c", ()),
}


@pytest.mark.parametrize("operator", ARITHMETIC)
def test_constants(tmp_path, operator):
    names, shape = ARITHMETIC[operator]
    nodes = [node(operator, names, "a"), node("Conv", "a w", pads=[1, 1, 1, 1])]
    constants = {"c": floats(shape) + 2, "w": floats((4, 3, 3, 3))}
    imported(tmp_path, nodes, (3, 5, 4), constants)


def test_columns_that_scikit_learn_scales(tmp_path):
    """A Scaler subtracts, then multiplies."""
    offset, scale = floats(3).tolist(), (floats(3, 5) ** 2 + 0.1).tolist()
    scaler = node("Scaler", "x", "a", domain="ai.onnx.ml", offset=offset, scale=scale)
    model = make_model([scaler, node("Gemm", "a w")], (3,), {"w": floats((3, 2))})
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 1))
    samples = floats((6, 3))
    found = import_onnx(write(tmp_path, model), samples)
    assert kinds(found) == ["dense"]
    assert compare(found, samples).relative < 2e-6


def test_constant_minus_samples(tmp_path):
    imported(tmp_path, [node("Sub", "c x")], (4,), {"c": floats((4,))})


NORMALISED = ("before", "after", "behind a pool", "before padding")


def normalisation(entry, output):
    """A normalisation of three channels."""
    return node("BatchNormalization", f"{entry} g h m s", output, epsilon=0.01)


@pytest.mark.parametrize("place", NORMALISED)
def test_normalisation_is_folded(tmp_path, place):
    constants = {name: floats(3, seed) for seed, name in enumerate("ghm")}
    constants |= {
        "s": np.abs(floats(3)) + 0.5,
        "w": floats((3, 3, 2, 2)),
        "v": floats((3, 3, 3, 3)),
    }
    nodes, expected = {
        "before": ([normalisation("x", "a"), node("Conv", "a w")], ["convolution"]),
        "after": ([node("Conv", "x w", "a"), normalisation("a", "y")], ["convolution"]),
        "behind a pool": (
            [
                node("Conv", "x w", "a"),
                node("Relu", "a", "b"),
                node("AveragePool", "b", "c", kernel_shape=[2, 2], strides=[2, 2]),
                normalisation("c", "y"),
            ],
            ["convolution", "subsampling"],
        ),
        "before padding": (
            [normalisation("x", "a"), node("Conv", "a v", pads=[1, 1, 1, 1])],
            ["convolution", "convolution"],
        ),
    }[place]
    assert kinds(imported(tmp_path, nodes, (3, 6, 6), constants)) == expected


def test_one_layer_of_convolution_normalisation_function_and_pool(tmp_path):
    constants = {name: floats(3, seed) for seed, name in enumerate("ghm")}
    constants |= {"s": np.abs(floats(3)) + 0.5, "w": floats((3, 2, 3, 3)), "v": floats((5, 27))}
    nodes = [
        node("Conv", "x w", "a"),
        normalisation("a", "b"),
        node("Relu", "b", "c"),
        node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "d", "e"),
        node("Gemm", "e v", transB=1),
    ]
    found = imported(tmp_path, nodes, (2, 8, 8), constants)
    assert kinds(found) == ["convolution", "dense"]
    assert found.network.spec.is_chain


def test_residual_is_a_second_source(tmp_path):
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        node("Relu", "a", "b"),
        node("Conv", "b v", "c", pads=[1, 1, 1, 1]),
        node("Add", "b c", "d"),
        node("Relu", "d", "e"),
        node("Conv", "e u", "y"),
    ]
    constants = {"w": floats((4, 2, 3, 3)), "v": floats((4, 4, 3, 3)), "u": floats((3, 4, 1, 1))}
    found = imported(tmp_path, nodes, (2, 6, 6), constants)
    assert kinds(found) == ["convolution"] * 3
    (shortcut,) = found.network.spec.layers[1].adds
    assert (shortcut.layer, shortcut.kind) == (0, "identity")


def test_branches_of_the_input_and_of_sums(tmp_path):
    """Identities alone, twice the same, and one that is multiplied."""
    nodes = [
        node("Add", "x x", "a"),
        node("Relu", "a", "b"),
        node("Mul", "b c", "d"),
        node("Sub", "d x", "e"),
        node("Sum", "e a b", "y"),
    ]
    imported(tmp_path, nodes, (3, 4, 4), {"c": floats((3, 1, 1))})


@pytest.mark.parametrize("reader", ["Conv", "depth-wise", "MaxPool", "Relu", "Gemm"])
def test_concatenation_is_several_sources(tmp_path, reader):
    last = {
        "Conv": [node("Conv", "e u", pads=[1, 1, 1, 1])],
        "depth-wise": [node("Conv", "e k", group=7)],
        "MaxPool": [node("MaxPool", "e", kernel_shape=[3, 3])],
        "Relu": [node("Relu", "e", "f"), node("Conv", "f u")],
        "Gemm": [node("Flatten", "e", "f"), node("Gemm", "f g")],
    }[reader]
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        node("Conv", "x v", "b", pads=[1, 1, 1, 1]),
        node("Tanh", "b", "d"),
        node("Concat", "a d", "e", axis=1),
        *last,
    ]
    constants = {
        "w": floats((3, 2, 3, 3)),
        "v": floats((4, 2, 3, 3)),
        "u": floats((5, 7, 3, 3)),
        "k": floats((7, 1, 2, 2)),
        "g": floats((7 * 36, 3)),
    }
    imported(tmp_path, nodes, (2, 6, 6), constants)


def test_channels_shuffled_cut_and_picked(tmp_path):
    constants = {
        "w": floats((6, 2, 1, 1)),
        "groups": np.array([0, 2, 3, 5, 5], np.int64),
        "back": np.array([0, 6, 5, -1], np.int64),
        "picked": np.array([2, 0], np.int64),
        "from": np.array([1], np.int64),
        "to": np.array([9], np.int64),
        "axis": np.array([1], np.int64),
        "v": floats((2, 3, 3, 3)),
    }
    nodes = [
        node("Conv", "x w", "a"),
        node("Reshape", "a groups", "b"),
        node("Transpose", "b", "c", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "c back", "d"),
        node("Split", "d", "e f", axis=1),
        node("Conv", "e v", "g"),
        node("Gather", "f picked", "h", axis=1),
        node("Slice", "f from to axis", "i"),
        node("Concat", "h i", "j", axis=1),
        node("MaxPool", "j", "k", kernel_shape=[3, 3]),
        node("Concat", "g k", "l", axis=1),
        node("Tanh", "l", "y"),
    ]
    imported(tmp_path, nodes, (2, 5, 5), constants)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_at_the_end(tmp_path, mode):
    nodes = [node("Conv", "x w", "a"), node("DepthToSpace", "a", blocksize=2, mode=mode)]
    imported(tmp_path, nodes, (2, 3, 4), {"w": floats((8, 2, 1, 1))})


def test_padding_of_its_own(tmp_path):
    nodes = [
        node("Pad", "x p", "a"),
        node("Conv", "a w", "b", strides=[2, 2]),
        node("Pad", "b p", "c"),
        node("MaxPool", "c", "y", kernel_shape=[2, 2]),
    ]
    constants = {"p": np.array([0, 0, 1, 0, 0, 0, 2, 1], np.int64), "w": floats((3, 2, 3, 3))}
    assert kinds(imported(tmp_path, nodes, (2, 6, 7), constants))[0] == "convolution"


@pytest.mark.parametrize(("shape", "pads"), [((2, 5, 6), [0, 1, 2, 0]), ((3, 7), [1, 1])])
def test_copies_of_the_edge_change_no_largest_value(tmp_path, shape, pads):
    """As Keras pads for MaxPooling2D(padding="same")."""
    axes = len(shape) - 1
    around = [0, 0, *pads[:axes], 0, 0, *pads[axes:]]
    nodes = [
        node("Pad", "x p", "a", mode="edge"),
        node("MaxPool", "a", kernel_shape=[3] * axes, strides=[2] * axes),
    ]
    imported(tmp_path, nodes, shape, {"p": np.array(around, np.int64)})


def test_channels_last_as_keras_writes_them(tmp_path):
    """Rows, columns, channels: the network's map has the channels first, the file's order stays."""
    constants = {
        "w": floats((4, 3, 3, 3)),
        "b": floats((1, 1, 4)),
        "p": np.array([0, 1, 0, 0, 0, 0, 1, 0], np.int64),
        "v": floats((4 * 2 * 4, 3)),
    }
    nodes = [
        node("Transpose", "x", "a", perm=[0, 3, 1, 2]),
        node("Conv", "a w", "c"),
        node("Transpose", "c", "d", perm=[0, 2, 3, 1]),
        node("Add", "d b", "e"),
        node("Pad", "e p", "f"),
        node("Transpose", "f", "g", perm=[0, 3, 1, 2]),
        node("MaxPool", "g", "h", kernel_shape=[2, 2], strides=[1, 2]),
        node("Transpose", "h", "i", perm=[0, 2, 3, 1]),
        node("Flatten", "i", "j"),
        node("MatMul", "j v"),
    ]
    found = imported(tmp_path, nodes, (6, 5, 3), constants)
    assert found.network.spec.input_shape == (3, 6, 5)
    samples = floats((4, 6, 5, 3))
    moved = np.ascontiguousarray(samples.transpose(0, 3, 1, 2))
    assert np.array_equal(found.predict(samples), found.predict(moved))


def test_pixels_that_keras_scales_and_pads(tmp_path):
    """Before anything says which of the axes are rows, columns and channels."""
    nodes = [
        node("Mul", "x half", "a"),
        node("Pad", "a p", "b"),
        node("Transpose", "b", "c", perm=[0, 3, 1, 2]),
        node("Conv", "c w", strides=[2, 2]),
    ]
    constants = {
        "half": np.float32(0.5),
        "p": np.array([0, 0, 0, 0, 0, 1, 1, 0], np.int64),
        "w": floats((4, 3, 3, 3)),
    }
    found = imported(tmp_path, nodes, (8, 6, 3), constants)
    assert kinds(found) == ["convolution"]
    assert found.network.spec.input_shape == (3, 8, 6)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_that_come_last_are_cut(tmp_path, channels):
    nodes = [
        node("Conv", "x w", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 3, 1]),
        node("Split", "b", "c d", axis=3),
        node("Sub", "c d", "e"),
        node("ReduceMean", "e", "f", axes=[2], keepdims=0),
        node("Flatten", "f", "g"),
        node("MatMul", "g v"),
    ]
    constants = {"w": floats((2 * channels, 2, 1, 1)), "v": floats((4 * channels, 2))}
    imported(tmp_path, nodes, (2, 4, 5), constants)


def test_average_of_rows_and_columns_that_come_first(tmp_path):
    nodes = [
        node("Sub", "x m", "z"),
        node("Transpose", "z", "a", perm=[0, 3, 1, 2]),
        node("Conv", "a w", "b"),
        node("Transpose", "b", "c", perm=[0, 2, 3, 1]),
        node("ReduceMean", "c", "y", axes=[1, 2], keepdims=0),
    ]
    imported(tmp_path, nodes, (4, 6, 3), {"m": floats(3), "w": floats((2, 3, 2, 2))})


def test_columns_that_become_a_picture(tmp_path):
    nodes = [node("Reshape", "x s", "a"), node("Conv", "a w")]
    constants = {"s": np.array([0, 2, 4, 3], np.int64), "w": floats((3, 2, 2, 2))}
    assert imported(tmp_path, nodes, (24,), constants).network.spec.input_shape == (2, 4, 3)


def test_shapes_that_are_computed(tmp_path):
    """As exporters write a flattening of any number of samples."""
    nodes = [
        node("Conv", "x w", "a"),
        node("Shape", "a", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Unsqueeze", "n axes", "m"),
        node("Concat", "m rest", "t", axis=0),
        node("Reshape", "a t", "b"),
        node("Unsqueeze", "b two", "c"),
        node("Squeeze", "c two", "d"),
        node("MatMul", "d v"),
    ]
    constants = {
        "w": floats((3, 2, 2, 2)),
        "zero": np.array(0, np.int64),
        "axes": np.array([0], np.int64),
        "rest": np.array([-1], np.int64),
        "two": np.array([2], np.int64),
        "v": floats((27, 2)),
    }
    imported(tmp_path, nodes, (2, 4, 4), constants)


def test_weights_that_are_computed(tmp_path):
    """Constant nodes, transposed, reshaped, scaled and quantised weights."""
    value = numpy_helper.from_array(np.arange(-12, 12, dtype=np.int8).reshape(6, 4), "v")
    nodes = [
        node("Constant", "", "q", value=value),
        node("DequantizeLinear", "q s z", "f", axis=1),
        node("Transpose", "f", "g", perm=[1, 0]),
        node("Sqrt", "k", "r"),
        node("Mul", "g r", "w"),
        node("Gemm", "x w", "y", transB=1),
    ]
    constants = {
        "s": np.abs(floats(4)) + 0.1,
        "z": np.arange(4, dtype=np.int8),
        "k": np.float32(3),
    }
    imported(tmp_path, nodes, (6,), constants)


INTEGERS = {
    "i": np.array([3, 1, 2, 4], np.int64),
    "j": np.array([2, 2, 5, -3], np.int64),
    "two": np.array([2, 2], np.int64),
    "one": np.array([3], np.int64),
    "start": np.int64(1),
    "end": np.int64(9),
    "by": np.int64(2),
    "axis": np.array([0], np.int64),
    "last": np.array([-1], np.int64),
    "far": np.array([-99], np.int64),
    "truth": np.array([True, False, True, False]),
    "f": np.array([0.5, 1.5, 2.5, 3.25], np.float32),
    "g": np.array([[0.5], [2.0]], np.float32),
}
COMPUTED: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: ("i j", {}) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min")},
    **{name: ("f", {}) for name in ("Abs", "Ceil", "Exp", "Floor", "Log", "Neg", "Sqrt")},
    **{name: ("i j", {}) for name in ("Equal", "Greater", "Less")},
    **{name: ("truth truth", {}) for name in ("And", "Or")},
    "Not": ("truth", {}),
    "Reciprocal": ("f", {}),
    "Pow": ("f i", {}),
    "Where": ("truth i j", {}),
    "Tile": ("i one", {}),
    "Range": ("start end by", {}),
    "ConstantOfShape": ("one", {"value": numpy_helper.from_array(np.array([7], np.int64))}),
    "Expand": ("g two", {}),
    "Gather": ("i two", {"axis": 0}),
    "ReduceMax": ("f", {"keepdims": 0}),
    "ReduceMean": ("g", {"axes": [0]}),
    "ReduceMin": ("g", {"axes": [-1]}),
    "ReduceProd": ("i", {"keepdims": 1}),
    "ReduceSum": ("g axis", {"keepdims": 0}),
    "Shape": ("g", {"start": 1}),
    "Size": ("g", {}),
    "Slice": ("i last far axis last", {}),
}


@pytest.mark.parametrize("operator", COMPUTED)
def test_constants_that_are_computed(tmp_path, operator):
    names, how = COMPUTED[operator]
    nodes = [
        node(operator, names, "a", **how),
        node("Cast", "a", "b", to=TensorProto.FLOAT),
        node("ReduceSum", "b", "c", keepdims=0),
        node("Mul", "x c"),
    ]
    used = {name: INTEGERS[name] for name in {*names.split()}}
    imported(tmp_path, nodes, (4,), used)


def test_weights_of_every_place_of_a_computed_constant(tmp_path):
    """A sum alone would not see a wrong order."""
    nodes = [
        node("Transpose", "m", "a"),
        node("Slice", "a last far axis last", "b"),
        node("Gather", "b picked", "c", axis=1),
        node("Gemm", "x c"),
    ]
    constants = {"m": floats((3, 4)), "picked": np.array([2, 0, -1], np.int64)}
    names = ("last", "far", "axis")
    imported(tmp_path, nodes, (4,), {**constants, **{name: INTEGERS[name] for name in names}})


def test_samples_that_are_expanded_to_their_own_size(tmp_path):
    nodes = [node("Expand", "x s", "a"), node("Gemm", "a w")]
    imported(tmp_path, nodes, (4,), {"s": np.array([1, 4], np.int64), "w": floats((4, 2))})


@pytest.mark.parametrize("last", ["Softmax", "LogSoftmax", "ArgMax"])
def test_answers_are_left_out(tmp_path, last):
    """The outputs are the logits, also where a file gives classes and probabilities."""
    nodes = [node("Gemm", "x w", "a"), node(last, "a", "b"), node("Identity", "b", "y")]
    model = make_model([*nodes, node("Softmax", "a", "z")], (4,), WEIGHTS, outputs=("y", "z"))
    samples = floats((6, 4))
    found = import_onnx(write(tmp_path, model), samples)
    assert np.abs(found.predict(samples) - samples @ WEIGHTS["w"]).max() < 1e-6
    assert found.notes[0].startswith("left out at the end: #2 making y (Identity), #1 making b (")


def test_probabilities_that_are_quantised_are_left_out(tmp_path):
    """As onnxruntime's quantiser leaves them."""
    nodes = [
        node("Gemm", "x w", "a"),
        node("Softmax", "a", "b"),
        node("QuantizeLinear", "b s z", "c"),
        node("DequantizeLinear", "c s z"),
    ]
    steps = {"s": np.float32(1 / 255), "z": np.uint8(0)}
    found = imported(tmp_path, nodes, (4,), {**WEIGHTS, **steps})
    assert kinds(found) == ["dense"]


WEIGHTS = {"w": floats((4, 3))}


def test_a_file_that_reads_four_samples_at_once(tmp_path):
    nodes = [node("Reshape", "x s", "a"), node("MatMul", "a w")]
    constants = {"s": np.array([4, 6], np.int64), "w": floats((6, 2))}
    imported(tmp_path, nodes, (2, 3), constants, samples=6, batch=4)
