"""Files that want more than they may: data elsewhere, sizes without end, more than there is."""

import time
from contextlib import suppress

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from axnn.frontend import compare, import_onnx
from qcnpe.spec.errors import FormatError, QcnpeError
from tests.axnn.frontend.graphs import floats, make_model, node, write

SAMPLES = floats((3, 4))


def external(folder, location, **entries):
    """A model whose weights lie in a file of this name."""
    model = make_model([node("Gemm", "x w")], (4,), {"w": floats((4, 2))})
    (tensor,) = model.graph.initializer
    content = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path, content


def test_data_beside_the_model_are_read(tmp_path):
    path, content = external(tmp_path, "data/w.bin", offset="8", length="32")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(8 * b"\0" + content)
    found = import_onnx(path, SAMPLES)
    (tmp_path / "data" / "w.bin").unlink()  # the comparison reads no file
    assert compare(found, SAMPLES).relative < 1e-6


def test_models_saved_by_the_library_with_data_beside_them(tmp_path):
    model = make_model([node("Gemm", "x w")], (4,), {"w": floats((4, 300))})
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="model.onnx.data")
    assert (tmp_path / "model.onnx.data").exists()
    assert compare(import_onnx(path, SAMPLES), SAMPLES).relative < 1e-6


@pytest.mark.parametrize(
    "location", ["", "../secret", "/etc/passwd", "a/../../secret", "..\\secret", "w\0.bin", "."]
)
def test_data_elsewhere_are_not_read(tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(32))
    (tmp_path / "here").mkdir()
    path, _ = external(tmp_path / "here", location)
    with pytest.raises(FormatError, match=r"outside the model's folder|is a folder"):
        import_onnx(path, SAMPLES)


@pytest.mark.parametrize("place", ["file", "folder"])
def test_links_are_not_followed(tmp_path, place):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "w.bin").write_bytes(bytes(32))
    here = tmp_path / "here"
    here.mkdir()
    if place == "file":
        (here / "w.bin").symlink_to(tmp_path / "elsewhere" / "w.bin")
        path, _ = external(here, "w.bin")
    else:
        (here / "data").symlink_to(tmp_path / "elsewhere")
        path, _ = external(here, "data/w.bin")
    with pytest.raises(FormatError, match="behind the link"):
        import_onnx(path, SAMPLES)


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "1"},
        {"offset": "-8"},
        {"offset": "99999999999999999999"},
        {"length": "16"},
        {"length": "many"},
    ],
)
def test_data_that_do_not_lie_in_the_file(tmp_path, entries):
    path, content = external(tmp_path, "w.bin", **entries)
    (tmp_path / "w.bin").write_bytes(content)
    with pytest.raises(FormatError, match=r"does not lie within|no number"):
        import_onnx(path, SAMPLES)


def test_a_missing_file_of_data(tmp_path):
    path, _ = external(tmp_path, "w.bin")
    with pytest.raises(FormatError, match="no such file"):
        import_onnx(path, SAMPLES)


def raw(dims, content=b"\0" * 32):
    """A tensor `w` that claims these dimensions."""
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=content)


@pytest.mark.parametrize(
    "tensor",
    [
        raw([1 << 40]),
        raw([1 << 31, 1 << 31, 1 << 31]),
        raw([-4, -2]),
        raw([4, 3]),
        raw([4, 2], b"\0" * 31),
        raw([1] * 99),
        TensorProto(name="w", data_type=99, dims=[4, 2]),
        TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 2], float_data=[1.0]),
    ],
)
def test_constants_that_are_not_what_they_say(tmp_path, tensor):
    model = make_model([node("Gemm", "x w")], (4,))
    model.graph.initializer.append(tensor)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(FormatError, match="constant 'w'"):
        import_onnx(path, SAMPLES)


TWO = np.array([2], np.int64)
BOMBS = {
    "filled": (
        [node("ConstantOfShape", "big", "w"), node("Gemm", "x w")],
        {"big": np.array([1 << 20, 1 << 20], np.int64)},
    ),
    "expanded": (
        [node("Expand", "one big", "w"), node("Gemm", "x w")],
        {"one": np.ones(1, np.float32), "big": np.array([1 << 20, 1 << 20], np.int64)},
    ),
    "counted": (
        [node("Range", "zero end one", "w"), node("Add", "x w")],
        {"zero": np.int64(0), "end": np.int64(1 << 60), "one": np.int64(1)},
    ),
    "broadcast": (
        [node("Add", "row column", "w"), node("Gemm", "x w")],
        {
            "row": np.ones((1, 1 << 16), np.float32),
            "column": np.ones((1 << 16, 1), np.float32),
        },
    ),
    "doubled": (
        [
            node("Concat", "x x", "a0", axis=1),
            *[node("Concat", f"a{i} a{i}", f"a{i + 1}", axis=1) for i in range(60)],
            node("Relu", "a60"),
        ],
        {},
    ),
    "added up": (
        [
            node("Add", "x x", "a0"),
            *[node("Add", f"a{i} a{i}", f"a{i + 1}") for i in range(1000)],
            node("Relu", "a1000"),
        ],
        {},
    ),
    "padded": (
        [node("Unsqueeze", "x two", "a"), node("Pad", "a pads")],
        {"two": TWO, "pads": np.array([0, 0, 1 << 40, 0, 0, 0], np.int64)},
    ),
    "pooled": (
        [
            node("Unsqueeze", "x two", "a"),
            node("MaxPool", "a", kernel_shape=[1 << 50], pads=[1 << 49, 1 << 49]),
        ],
        {"two": TWO},
    ),
    "widely pooled": (
        [
            node("Unsqueeze", "x two", "a"),
            node("MaxPool", "a", kernel_shape=[1 << 21], pads=[1 << 20, 1 << 20]),
        ],
        {"two": TWO},
    ),
    "strided": (
        [
            node("Unsqueeze", "x two", "a"),
            node("MaxPool", "a", kernel_shape=[1], strides=[1 << 62]),
        ],
        {"two": TWO},
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_soon(tmp_path, name):
    nodes, constants = BOMBS[name]
    path = write(tmp_path, make_model(nodes, (4,), constants))
    start = time.process_time()
    with suppress(QcnpeError):
        import_onnx(path, SAMPLES)
    assert time.process_time() - start < 5


def test_one_weight_many_times(tmp_path, monkeypatch):
    """No more weights than a network may have are ever made of a small file."""
    monkeypatch.setattr("axnn.frontend.builder.MAX_PARAMETERS", 1 << 20)
    width = 256
    nodes = [node("Gemm", "x w", f"a{i}") for i in range(50)]
    nodes.append(node("Sum", " ".join(f"a{i}" for i in range(50))))
    path = write(tmp_path, make_model(nodes, (width,), {"w": np.ones((width, width), np.float32)}))
    with pytest.raises(QcnpeError, match="more than 1,048,576 weights"):
        import_onnx(path, floats((1, width)))


def test_more_padding_than_a_layer_may_have(tmp_path):
    """Far taps make a small map of it: only the padded one is large."""
    nodes = [node("Conv", "x w", auto_pad="SAME_UPPER", dilations=[1 << 20, 1 << 10])]
    path = write(tmp_path, make_model(nodes, (2, 4, 4), {"w": floats((3, 2, 2, 2))}))
    with pytest.raises(QcnpeError, match="at most 4194304 inputs and results"):
        import_onnx(path, floats((1, 2, 4, 4)))


def test_many_samples_at_once(tmp_path):
    """What a graph's shapes speak of is bounded, however many samples and columns there are."""
    nodes = [node("Gemm", "x w", "a"), node("Reshape", "a s")]
    constants = {"w": floats((4, 64)), "s": np.array([1 << 20, 64], np.int64)}
    path = write(tmp_path, make_model(nodes, (4,), constants, batch=1 << 20))
    with pytest.raises(QcnpeError, match="1048576 samples at once; export it for one"):
        import_onnx(path, SAMPLES)


def test_too_many_nodes(tmp_path):
    nodes = [node("Relu", f"a{i}" if i else "x", f"a{i + 1}") for i in range(20_001)]
    path = write(tmp_path, make_model(nodes, (4,), outputs=("a20001",)))
    with pytest.raises(FormatError, match="more than 20,000 nodes"):
        import_onnx(path, SAMPLES)


def test_nodes_that_read_each_other(tmp_path):
    nodes = [node("Softmax", "b", "a"), node("Softmax", "a", "b"), node("Relu", "b")]
    with pytest.raises(FormatError, match="damaged ONNX file"):
        import_onnx(write(tmp_path, make_model(nodes, (4,))), SAMPLES)


def test_subgraphs_are_not_run(tmp_path):
    inner = helper.make_graph([node("Relu", "x", "z")], "inner", [], [
        helper.make_tensor_value_info("z", TensorProto.FLOAT, [])])  # fmt: skip
    nodes = [node("If", "c", "y", then_branch=inner, else_branch=inner)]
    path = write(tmp_path, make_model(nodes, (4,), {"c": np.array(True)}))
    with pytest.raises(QcnpeError, match=r"\(If\): the operator is not one that is read"):
        import_onnx(path, SAMPLES)
