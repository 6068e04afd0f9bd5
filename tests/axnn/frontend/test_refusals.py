"""What cannot run is refused by node, operator and reason: all of it, in one line."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from axnn.errors import ForeignNetworkError
from axnn.frontend import RefusedNodesError, compare, import_onnx
from qcnpe.spec.errors import FormatError, InputError, one_line
from tests.axnn.frontend.graphs import floats, make_model, node, write


def refusal(folder, nodes, shape, constants=None, **how):
    """The line that an import is refused with."""
    with pytest.raises(ForeignNetworkError) as error:
        import_onnx(write(folder, make_model(nodes, shape, constants, **how)), floats((3, *shape)))
    return one_line(error.value)


def test_all_nodes_are_named_at_once(tmp_path):
    nodes = [
        node("Conv", "x w", "a", name="stem"),
        node("Erf", "a", "b", name="gelu"),
        node("Conv", "b w", "c", name="body", dilations=[1, 1], group=2),
        node("Mul", "a a", "d", name="gate"),
        node("Softmax", "d", "e", name="attention"),
        node("Add", "c e", "y"),
    ]
    with pytest.raises(RefusedNodesError) as error:
        import_onnx(
            write(tmp_path, make_model(nodes, (2, 4, 4), {"w": floats((2, 2, 1, 1))})),
            floats((1, 2, 4, 4)),
        )
    assert [(one.name, one.operator) for one in error.value.refusals] == [
        ("gelu", "Erf"),
        ("gate", "Mul"),
        ("attention", "Softmax"),
    ]
    line = one_line(error.value)
    assert (
        "3 nodes cannot run: gelu (Erf): the operator is not one that is read; gate (Mul)" in line
    )
    assert len(line) < 1000


def test_many_nodes_of_one_kind_are_counted(tmp_path):
    nodes = [node("Erf", "x", "a0", name="n0")]
    nodes += [node("Erf", f"a{i}", f"a{i + 1}", name=f"n{i + 1}") for i in range(30)]
    line = refusal(tmp_path, [*nodes, node("Relu", "a30")], (3,))
    assert "31 nodes cannot run: n0, n1, n2 and 28 more (Erf)" in line


def test_more_reasons_than_a_line_holds(tmp_path):
    nodes = [node("Conv", f"x w{i}", f"a{i}", name=f"convolution {i}") for i in range(40)]
    total = node("Sum", " ".join(f"a{i}" for i in range(40)))
    constants = {f"w{i}": floats((1, 3 + i, 1, 1)) for i in range(40)}
    line = refusal(tmp_path, [*nodes, total], (2, 4, 4), constants)
    assert len(line) < 1000
    assert line.endswith("more nodes")


REASONS = {
    "dilated pool": ([node("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2])], "gaps"),
    "padding that does not count": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
        "count_include_pad",
    ),
    "average over the edge": (
        [node("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        "ceil_mode",
    ),
    "mixed samples": ([node("Reshape", "x s")], "mixes or drops samples"),
    "moved samples": ([node("Transpose", "x", perm=[1, 0, 2, 3])], "axis of the samples"),
    "constant of places": ([node("Add", "x c")], "differs from place to place"),
    "constant that does not fit": ([node("Add", "x d")], "does not fit"),
    "division by zero": ([node("Div", "x z")], "divides by zero"),
    "division of a constant": ([node("Div", "c x")], "must be a constant"),
    "copies of the edge": (
        [node("Pad", "x p", "a", mode="edge"), node("Relu", "a")],
        "only MaxPool may",
    ),
    "copies of the edge that are added": (
        [node("Pad", "x p", "a", mode="edge"), node("Add", "a a")],
        "only MaxPool may",
    ),
    "reflected padding": ([node("Pad", "x p", mode="reflect")], "zeros"),
    "rounded samples": ([node("Cast", "x", to=TensorProto.INT32)], "rounds"),
    "transposed kernel": ([node("ConvTranspose", "x k")], "not one that is read"),
    "computed kernel": ([node("Conv", "x x")], "must be a constant"),
    "kernel that does not fit": ([node("Conv", "x k", group=3)], "does not fit"),
    "kernel larger than the map": ([node("Conv", "x l")], "larger than the map"),
    "infinite weights": ([node("Conv", "x i")], "finite"),
    "overflowing weights": (
        [node("Mul", "x h", "a"), node("Mul", "a h", "b"), node("Conv", "b k")],
        "finite",
    ),
    "softmax in the middle": ([node("Softmax", "x", "a"), node("Relu", "a")], "at the end only"),
    "product of functions": ([node("HardSwish", "x")], "multiplies two functions"),
    "largest of two maps": ([node("Relu", "x", "a"), node("Max", "x a")], "compares two maps"),
    "mean over channels": ([node("ReduceMean", "x", axes=[1])], "not channels"),
    "rows in place of channels": (
        [node("Conv", "x n", "a"), node("Transpose", "a", "b", perm=[0, 2, 1, 3]),
         node("Conv", "b m")],
        "another order",
    ),
}  # fmt: skip
CONSTANTS = {
    "s": np.array([-1, 10], np.int64),
    "c": np.arange(50, dtype=np.float32).reshape(2, 5, 5),
    "d": np.ones((3, 1, 1), np.float32),
    "z": np.zeros(1, np.float32),
    "p": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
    "k": np.ones((2, 2, 1, 1), np.float32),
    "n": np.ones((5, 2, 1, 1), np.float32),
    "l": np.ones((2, 2, 6, 6), np.float32),
    "m": np.ones((2, 5, 1, 1), np.float32),
    "i": np.full((2, 2, 1, 1), np.inf, np.float32),
    "h": np.full((1,), 1e30, np.float32),
}


@pytest.mark.parametrize("case", REASONS)
def test_reasons(tmp_path, case):
    nodes, reason = REASONS[case]
    assert reason in refusal(tmp_path, nodes, (2, 5, 5), CONSTANTS)


def test_foreign_names_are_shown_safely(tmp_path):
    line = refusal(tmp_path, [node("Erf", "x", "y", name="\x1b[31mred\n" + 900 * "n")], (2,))
    assert "\x1b" not in line
    assert "red nnn" in line or "rednnn" in line
    assert len(line) < 400


def test_sizes_that_are_not_fixed(tmp_path):
    model = make_model([node("Relu", "x")], (2, 4, 4))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    with pytest.raises(
        ForeignNetworkError, match=r"input 'x' has sizes that are not fixed .height"
    ):
        import_onnx(write(tmp_path, model), floats((1, 2, 4, 4)))

    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = -1
    with pytest.raises(ForeignNetworkError, match=r"sizes that are not fixed .unnamed"):
        import_onnx(write(tmp_path, model), floats((1, 2, 4, 4)))


def test_a_number_of_samples_of_minus_one_is_free(tmp_path):
    model = make_model([node("Relu", "x")], (2, 4, 4), batch=-1)
    found = import_onnx(write(tmp_path, model), floats((5, 2, 4, 4)))
    assert compare(found, floats((5, 2, 4, 4))).samples == 5


def test_a_file_that_drops_samples(tmp_path):
    bounds = {"low": np.array([0]), "high": np.array([3]), "axis": np.array([0])}
    model = make_model([node("Slice", "x low high axis")], (2,), bounds)
    found = import_onnx(write(tmp_path, model), floats((5, 2)))
    message = r"for 5 samples, onnxruntime makes outputs of \(3, 2\), not \(5, 2\): the file mixes"
    with pytest.raises(ForeignNetworkError, match=message):
        compare(found, floats((5, 2)))


def test_two_inputs(tmp_path):
    model = make_model([node("Add", "x z")], (2,))
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2]))
    with pytest.raises(ForeignNetworkError, match=r"has 2 inputs \(x, z\)"):
        import_onnx(write(tmp_path, model), floats((1, 2)))


def test_operators_are_named_besides_inputs_that_are_too_many(tmp_path):
    """As of recurrent networks, whose state is an input."""
    nodes = [node("LSTM", "x w r - - h", "a - h1", name="cell", hidden_size=2), node("Relu", "a")]
    model = make_model([*nodes, node("Softmax", "h1", "z")], (2, 3), LSTM, outputs=("y", "z"))
    model.graph.input.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, 2, 2]))
    with pytest.raises(RefusedNodesError) as error:
        import_onnx(write(tmp_path, model), floats((1, 2, 3)))
    line = one_line(error.value)
    assert "has 2 inputs (x, h); networks of one input are read; 1 node cannot run" in line
    assert line.endswith("cell (LSTM): the operator is not one that is read")


LSTM = {"w": floats((1, 8, 3)), "r": floats((1, 8, 2))}


def test_two_outputs(tmp_path):
    nodes = [node("Relu", "x", "y"), node("Tanh", "x", "z")]
    assert "has 2 outputs (y, z)" in refusal(tmp_path, nodes, (2,), outputs=("y", "z"))


def test_other_versions(tmp_path):
    model = make_model([node("Relu", "x")], (2,), opset=5)
    with pytest.raises(FormatError, match="operators of version 5, not 6 to 28"):
        import_onnx(write(tmp_path, model), floats((1, 2)))


def test_integers_as_input(tmp_path):
    model = make_model([node("Relu", "x")], (2,))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(ForeignNetworkError, match="input 'x' must be of floating-point numbers"):
        import_onnx(write(tmp_path, model), floats((1, 2)))


def test_an_output_that_depends_on_nothing(tmp_path):
    nodes = [node("Relu", "c", "y")]
    assert "not one that is read" in refusal(tmp_path, nodes, (2,), {"c": floats((1, 2))})
    nodes = [node("Neg", "c", "y")]
    assert "does not depend on its input" in refusal(tmp_path, nodes, (2,), {"c": floats((1, 2))})


@pytest.mark.parametrize(
    "samples", [np.array([["a", "b"]]), np.zeros((0, 2)), np.array([[0.0, np.nan]])]
)
def test_samples_must_be_finite_numbers(tmp_path, samples):
    path = write(tmp_path, make_model([node("Relu", "x")], (2,)))
    with pytest.raises(InputError, match="samples must be finite numbers"):
        import_onnx(path, samples)


def test_samples_of_another_shape_or_reach(tmp_path):
    found = import_onnx(write(tmp_path, make_model([node("Relu", "x")], (2,))), floats((9, 2)))
    with pytest.raises(InputError, match=r"samples must be \(2,\) or \(2, 1, 1\), not \(3,\)"):
        found.predict(floats((1, 3)))
    with pytest.raises(InputError, match=r"samples must lie in -4\.\.4"):
        found.predict(np.array([[0.0, 4.5]]))


def test_a_model_without_a_graph(tmp_path):
    path = tmp_path / "model.onnx"
    for content in (b"", b"text", onnx.ModelProto().SerializeToString()):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="is no ONNX file"):
            import_onnx(path, floats((1, 2)))
