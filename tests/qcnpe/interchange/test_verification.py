"""A model that differs is told, a file that is none is refused in one line."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qcnpe.interchange import export_onnx, verification, verify
from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from tests.qcnpe.networks import dense_layer, network, random_graph, random_inputs, random_layer


@pytest.fixture
def file(tmp_path):
    return tmp_path / "net.onnx"


@pytest.fixture
def net():
    """One neuron: three times its first input and once each other, at 16 bits."""
    layer = dense_layer(4, 1, weight=1)
    layer.widths[16].weights[0, 0] = 3
    return network(layer)


def changed(file, change):
    """Change a model in its file."""
    model = onnx.load(file)
    change(model)
    onnx.save(model, file)


def test_one_changed_weight_is_seen(file, net):
    export_onnx(net, file)

    def flip(model):
        for tensor in model.graph.initializer:
            if tensor.name.endswith("_integers"):
                weights = numpy_helper.to_array(tensor).copy()
                assert weights.tolist() == [[[3, 1, 1, 1]]]
                weights[0, 0, 2] = 2
                tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))

    changed(file, flip)
    inputs = np.array([[5, 0, 0, 0], [1, 2, 0, 3], [1, 1, 4, 1], [0, 0, -7, 0]], np.int16)
    found = verify(net, file, inputs)
    assert (found.mismatches, found.optimised_mismatches, found.samples) == (2, 2, 4)
    assert not found.is_exact
    expected = "sample 2, output 0: 13 instead of 9 with the optimiser off"
    assert str(found.first) == expected


def test_another_network_differs_or_is_refused(file, net):
    export_onnx(net, file)
    other = network(replace(net.layers[0], bias=np.array([1], np.int16)))
    inputs = random_inputs(np.random.default_rng(1), net, 50) // 16
    assert verify(other, file, inputs).mismatches == 50
    wider = network(dense_layer(5, 1))
    with pytest.raises(FormatError, match=r"net.onnx: is not of network net; export it again"):
        verify(wider, file, random_inputs(np.random.default_rng(1), wider, 1))


def test_samples_run_in_batches_of_bounded_size(monkeypatch, file):
    rng = np.random.default_rng(3)
    net = random_graph(rng)
    export_onnx(net, file)
    inputs = random_inputs(rng, net, 7)
    seen: list[int] = []
    monkeypatch.setattr(verification, "_MAX_BATCH", 3)
    assert verify(net, file, inputs, progress=seen.append).is_exact
    assert seen == [3, 6, 7]
    monkeypatch.setattr(verification, "_HELD", 1)
    seen.clear()
    assert verify(net, file, inputs, progress=seen.append).is_exact
    assert seen == [1, 2, 3, 4, 5, 6, 7]


def test_the_first_difference_is_that_of_the_whole_set(monkeypatch, file, net):
    export_onnx(network(replace(net.layers[0], bias=np.array([8], np.int16))), file)
    monkeypatch.setattr(verification, "_MAX_BATCH", 2)
    inputs = np.full((5, 4), 32767, np.int16)
    inputs[3] = 1  # the others saturate with and without the bias
    first = verify(net, file, inputs).first
    assert first is not None
    assert (first.sample, first.expected, first.found) == (3, 6, 14)
    assert infer(net, inputs[3:4]).tolist() == [[6]]


def test_inputs_are_checked(file, net):
    export_onnx(net, file)
    cases: list[tuple[NDArray[Any], str]] = [
        (np.zeros((2, 4), np.int32), "reads int16 inputs, not int32"),
        (np.zeros((2, 3), np.int16), r"reads \(batch, 4\) inputs, not \(2, 3\)"),
        (np.full((1, 4), 9.0), r"inputs must lie in -8..8"),
        (np.zeros((0, 4), np.int16), "there are no samples"),
    ]
    for inputs, message in cases:
        with pytest.raises(InputError, match=message):
            verify(net, file, inputs)


def add_node(operator, inputs, shape=None, **attributes):
    """A change that puts a node before all others, and lets the first node read it."""

    def change(model):
        node = helper.make_node(operator, ["inputs", *inputs], ["more"], **attributes)
        model.graph.node[0].input[0] = "more"
        model.graph.node.insert(0, node)
        for name, values in zip(inputs, shape or (), strict=True):
            model.graph.initializer.append(numpy_helper.from_array(np.array(values), name))

    return change


def pad_and_crop(model):
    """A tensor of any size that leaves no trace in the results."""
    for name, size in (("crop", -(1 << 40)), ("pads", 1 << 40)):
        add_node("Pad", [name], [np.array((0, 0, 0, size))])(model)
        model.graph.node[0].output[0] = model.graph.node[1].input[0] = f"{name}_made"


def many_at_once(model):
    """Tensors of a bounded size that are all held until the last of them is read."""
    source, size = model.graph.node[0].output[0], 1 << 22
    pads = numpy_helper.from_array(np.array((0, 0, size, 0)), "pads")
    crop = numpy_helper.from_array(np.array((0, 0, -size, 0)), "crop")
    model.graph.initializer.extend([pads, crop])
    wide = [helper.make_node("Pad", [source, "pads"], [f"wide{n}"]) for n in range(10)]
    joined = [
        helper.make_node("Add", [f"wide{n}", f"joined{n}" if n else "wide0"], [f"joined{n + 1}"])
        for n in range(10)
    ]
    for node in model.graph.node:
        node.input[:] = ["narrow" if name == source else name for name in node.input]
    narrow = helper.make_node("Pad", ["joined10", "crop"], ["narrow"])
    for place, node in enumerate([*wide, *joined, narrow], 1):
        model.graph.node.insert(place, node)


def external(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def hidden_external(model):
    """In an attribute, where only a reader that looks at all tensors finds it."""
    external(model)
    attribute = helper.make_attribute("value", model.graph.initializer[0])
    del model.graph.initializer[0]
    model.graph.node[0].attribute.append(attribute)


def without_format(model):
    del model.metadata_props[:]


def free_output(model):
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "many"


def second_output(model):
    model.graph.output.add().CopyFrom(model.graph.output[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_format, "is no bit-true model of `qcnpe export`; give one"),
        (external, "keeps data in other files"),
        (hidden_external, "keeps data in other files"),
        (many_at_once, "holds [0-9,]+ values a sample at once, more than 134,217,728"),
        (add_node("Softmax", []), r"operators that no export writes \(Softmax\)"),
        (add_node("Floor", [], domain="evil"), "operators that no export writes"),
        (
            add_node("Pad", ["pads"], [np.array((0, 0, 0, 1 << 40))]),
            "damaged ONNX file .* differ",
        ),
        (
            pad_and_crop,
            "makes [0-9,]+ values a sample, more than 536,870,912",
        ),
        (lambda model: model.graph.node[0].input.append("nowhere"), "damaged ONNX file"),
        (second_output, "must have one input, inputs, and one output, logits"),
        (free_output, "has a tensor of unknown size"),
        (lambda model: model.graph.ClearField("node"), "damaged ONNX file"),
        (lambda model: model.opset_import.add(domain="other", version=1), "standard operators"),
    ],
)
def test_foreign_and_hostile_models_are_refused_before_they_run(file, net, change, message):
    export_onnx(net, file)
    changed(file, change)
    with pytest.raises(FormatError, match=f"net.onnx: .*{message}") as caught:
        verify(net, file, np.zeros((1, 4), np.int16))
    assert "\n" not in str(caught.value)


def test_products_that_take_for_ever_are_refused(file):
    """Tensors of a bounded size can need any number of multiplications."""
    rng = np.random.default_rng(1)
    net = network(random_layer(rng, Geometry.dense(1 << 13, 1), widths=[16]))
    export_onnx(net, file)

    def square(model):
        shape = numpy_helper.from_array(np.array([0, 1 << 13, 1]), "tall")
        wide = numpy_helper.from_array(np.array([0, 1, 1 << 13]), "wide")
        flat = numpy_helper.from_array(np.array([0, 1 << 13]), "flat")
        model.graph.initializer.extend([shape, wide, flat])
        source = model.graph.node[0].output[0]
        new = [
            helper.make_node("Reshape", [source, "tall"], ["a"]),
            helper.make_node("Reshape", [source, "wide"], ["b"]),
            helper.make_node("MatMul", ["a", "b"], ["c"]),
            helper.make_node("MatMul", ["c", "c"], ["d"]),
        ]
        for place, node in enumerate(new, 1):
            model.graph.node.insert(place, node)

    changed(file, square)
    with pytest.raises(FormatError, match=r"needs [0-9,]+ multiplications a sample, more than"):
        verify(net, file, np.zeros((1, 1 << 13), np.int16))


@pytest.mark.parametrize("content", [b"", b"\x08\x08", b"no model", b"PK\x03\x04" * 99])
def test_files_that_are_no_models_are_refused(file, net, content):
    file.write_bytes(content)
    with pytest.raises(FormatError, match=r"net.onnx: .*(damaged ONNX file|is no bit-true model)"):
        verify(net, file, np.zeros((1, 4), np.int16))


def test_missing_file_is_one_line(file, net):
    with pytest.raises(FormatError, match=r"net.onnx: no such file"):
        verify(net, file, np.zeros((1, 4), np.int16))
