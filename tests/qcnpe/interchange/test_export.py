"""Exported models give the network's integers, in onnxruntime and in ONNX' own evaluator."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnxruntime import InferenceSession

from qcnpe.interchange import export_onnx, graph, verify
from qcnpe.interchange.model_file import OPERATORS
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError, FormatError
from qcnpe.spec.geometry import Geometry, Source
from qcnpe.spec.inference import infer
from tests.qcnpe import loops
from tests.qcnpe.networks import (
    by_channel,
    dense_layer,
    geometries,
    network,
    random_graph,
    random_inputs,
    random_layer,
)

CONV = Geometry(input_shape=(2, 7, 6), channels=4, kernel=(3, 2), padding=(1, 0, 2, 1), pool=(2, 2))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("models") / "net.onnx"


def evaluated(path: Path, inputs: NDArray[Any]) -> Any:
    """Outputs by ONNX' own evaluator, in numpy."""
    return ReferenceEvaluator(str(path)).run(None, {"inputs": inputs})


@pytest.fixture
def net():
    """Two layers of several widths."""
    rng = np.random.default_rng(5)
    inner = random_layer(rng, CONV, name="Faltung é/1", function="tanh")
    outer = random_layer(rng, Geometry.dense(4 * 4 * 3, 3), name="out")
    made = network(inner, outer)
    return replace(made, engine=EngineConfig(rows=2, cols=3), output_fraction_bits=9)


@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_graphs_are_bit_true(file, seed, integers):
    rng = np.random.default_rng(seed)
    net = random_graph(rng)
    export_onnx(net, file, integers=integers)
    found = verify(net, str(file), random_inputs(rng, net, 5))
    assert found.is_exact, f"seed {seed}: {found.first}"
    assert found.results == 2 * 5 * net.outputs


@settings(max_examples=50, deadline=None)
@given(
    geometry=geometries(),
    seed=st.integers(0, 2**32 - 1),
    function=st.sampled_from(["identity", "relu", "tanh", "sigmoid"]),
    unsigned=st.booleans(),
    same_in_a_channel=st.booleans(),
)
def test_layers_of_every_geometry_are_bit_true(
    file, geometry, seed, function, unsigned, same_in_a_channel
):
    rng = np.random.default_rng(seed)
    widths = by_channel(rng.choice([16, 8, 4, 2], geometry.channels), geometry)
    layer = random_layer(
        rng,
        geometry,
        function=function,
        input_unsigned=unsigned,
        precision=widths if same_in_a_channel else None,
    )
    net = network(layer)
    export_onnx(net, file)
    found = verify(net, file, random_inputs(rng, net, 3))
    assert found.is_exact, found.first


@pytest.mark.parametrize("seed", range(3))
def test_tables_that_fall_are_bit_true(file, seed):
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, CONV, function="tanh")
    net = network(replace(layer, table=rng.integers(-32768, 32768, 9).astype(np.int16)))
    export_onnx(net, file)
    assert verify(net, file, random_inputs(rng, net, 5)).is_exact


@pytest.mark.parametrize("seed", range(2))
def test_evaluator_of_onnx_gives_the_results_of_the_loops(file, seed):
    """Neither side is ours: ONNX' definition in numpy, and plain loops over integers."""
    rng = np.random.default_rng(seed)
    net = random_graph(rng)
    export_onnx(net, file, integers=True)
    inputs = random_inputs(rng, net, 2)
    (found,) = evaluated(file, inputs.reshape(2, 2, 4, 3))
    assert found.dtype == np.int16
    assert found.tolist() == loops.run_network(net, inputs), f"seed {seed}"


@pytest.mark.parametrize("width", [16, 8, 4, 2])
def test_shortcut_of_several_taps_is_one_product(file, width):
    """Weights of sources that read the same values add up, beyond the width's own range."""
    layer = dense_layer(3, 3, width=width)
    operands = layer.widths[width]
    weights = np.eye(3, dtype=np.int16) * (2 ** (width - 1) - 1)
    net = network(
        replace(
            layer,
            sources=(Source(Geometry.dense(3, 3)),) * 3,
            widths={width: replace(operands, weights=np.tile(weights, 3), input_shifts=(0,) * 3)},
        )
    )
    export_onnx(net, file)
    assert sum(node.op_type == "MatMul" for node in onnx.load(file).graph.node) == 1
    assert verify(net, file, random_inputs(np.random.default_rng(1), net, 9)).is_exact


def test_real_inputs_are_quantised_in_the_model(file, net):
    """Halves, the numbers next to them, both ends, and random numbers."""
    step = 2.0**-net.input_fraction_bits
    halves = (np.arange(-6, 6) + 0.5).astype(np.float32) * np.float32(step)
    ends = np.array([8.0, -8.0, 8.0 - step / 2, 0.0, -0.0, 1e-40], np.float32)
    special = np.concatenate(
        [halves, np.nextafter(halves, np.float32(9)), np.nextafter(halves, np.float32(-9)), ends]
    )
    rng = np.random.default_rng(1)
    inputs = rng.uniform(-8, 8, (6, 2, 7, 6)).astype(np.float32)
    inputs[:2] = rng.choice(special, (2, 2, 7, 6))
    export_onnx(net, file)
    assert verify(net, file, inputs).is_exact
    (found,) = evaluated(file, inputs)
    assert np.array_equal(found, infer(net, net.quantize_inputs(inputs)))


def test_model_says_what_it_is(file, net):
    export_onnx(net, file, facts={"energy_pj": 12.5})
    model = onnx.load(file)
    (entry,), (result,) = model.graph.input, model.graph.output
    dimensions = entry.type.tensor_type.shape.dim
    assert (entry.name, entry.type.tensor_type.elem_type) == ("inputs", onnx.TensorProto.FLOAT)
    assert dimensions[0].dim_param == "samples"
    assert [dimension.dim_value for dimension in dimensions[1:]] == [2, 7, 6]
    assert (result.name, result.type.tensor_type.elem_type) == ("logits", onnx.TensorProto.INT16)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert {node.op_type for node in model.graph.node} <= OPERATORS
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert (found.pop("format"), found.pop("name")) == ("qcnpe-bit-true-1", "net")
    decoded = {key: json.loads(value) for key, value in found.items()}
    widths = decoded.pop("neurons_by_width")
    assert sum(widths.values()) == net.neurons
    assert widths["2"] == sum(int((layer.precision == 2).sum()) for layer in net.layers)
    assert decoded.pop("engine")["rows"] == 2
    assert decoded == {
        "input_fraction_bits": 12,
        "output_fraction_bits": 9,
        "notes": {"seed": 1},
        "facts": {"energy_pj": 12.5},
    }


def annotated(model) -> dict[str, str]:
    """The type of integers that QONNX' tools find for each tensor."""
    return {
        entry.tensor_name: pair.value
        for entry in model.graph.quantization_annotation
        for pair in entry.quant_parameter_tensor_names
        if pair.key == "finn_datatype"
    }


def test_annotated_tensors_hold_integers_of_their_types(file):
    """Every tensor with an annotation becomes an output; weights use the range that is said."""
    rng = np.random.default_rng(7)
    net = random_graph(rng)
    export_onnx(net, file)
    model = onnx.load(file)
    kinds = annotated(model)
    assert len(kinds) == len(model.graph.quantization_annotation)
    del model.graph.output[:]
    for name in kinds:
        model.graph.output.add().name = name
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = rng.uniform(-8, 8, (200, 2, 4, 3)).astype(np.float32)
    found = dict(zip(kinds, session.run(None, {"inputs": inputs}), strict=True))
    used = {}
    for name, kind in kinds.items():
        bits = int(kind.removeprefix("U").removeprefix("INT"))
        low, high = (
            (0, 2**bits - 1) if kind[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        )
        values = found[name]
        assert np.array_equal(values, np.floor(values)), name
        assert low <= values.min() <= values.max() <= high, (name, kind)
        used[name] = max(values.max() / high, values.min() / low if low else 0)
    assert {name.split("_")[-1] for name in kinds} >= {"operands", "weights", "product", "16bit"}
    assert min(share for name, share in used.items() if name.endswith("_weights")) > 0.4
    assert kinds["logits_float64"] == kinds["inputs_16bit"] == "INT16"
    for name, kind in kinds.items():
        if found_width := re.fullmatch(r"layer\d_layer_(\d+)bit_source\d_weights", name):
            assert int(kind.removeprefix("INT")) >= int(found_width[1])  # more: sums of sources


def test_shape_of_the_inputs_can_be_given(file):
    rng = np.random.default_rng(1)
    net = network(random_layer(rng, Geometry.dense(12, 3)))
    inputs = random_inputs(rng, net, 2)
    for shape, expected in ((None, [12]), ((3, 2, 2), [3, 2, 2])):
        export_onnx(net, file, input_shape=shape)
        dimensions = onnx.load(file).graph.input[0].type.tensor_type.shape.dim
        assert [dimension.dim_value for dimension in dimensions[1:]] == expected
        assert verify(net, file, inputs).is_exact
    with pytest.raises(FormatError, match=r"network net reads 12 values, not a sample of \(5, 2\)"):
        export_onnx(net, file, input_shape=(5, 2))


def test_same_network_gives_the_same_bytes(tmp_path, net):
    """Also in another process, whose hashes of text differ."""
    net.save(tmp_path / "net.npz")
    code = (
        "import sys; from pathlib import Path; from qcnpe.interchange import export_onnx;"
        "from qcnpe.spec.qnet import QuantNet;"
        "export_onnx(QuantNet.load(Path(sys.argv[1])), Path(sys.argv[2]))"
    )
    contents = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.onnx"
        command = [sys.executable, "-c", code, str(tmp_path / "net.npz"), str(path)]
        subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            check=True,
        )
        contents.append(path.read_bytes())
    export_onnx(net, str(tmp_path / "net.onnx"))
    assert contents == [(tmp_path / "net.onnx").read_bytes()] * 2


def test_network_that_no_file_holds_is_refused(monkeypatch, file, net):
    monkeypatch.setattr(graph, "LIMIT_BYTES", 1000)
    with pytest.raises(CapacityError, match="an ONNX file holds at most 2 GB"):
        export_onnx(net, file)
