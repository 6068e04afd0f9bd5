"""Quantised networks: an exact import has the integers that onnxruntime computes of the file."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from axnn.errors import ForeignNetworkError
from axnn.frontend import (
    Grade,
    ImportedNetwork,
    Quantisation,
    RefusedNodesError,
    compare,
    compare_integers,
    import_onnx,
    saturated_shares,
)
from axnn.frontend.quantiser import Quantiser, round_to
from axnn.frontend.reference import run_tensors
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.inference import infer
from tests.axnn.frontend.graphs import floats, imported, make_model, node, write
from tests.axnn.frontend.quantised import NETWORKS, QONNX, Drawn, residual, signed


def quantisation(found: ImportedNetwork) -> Quantisation:
    """What is kept of a quantised file."""
    assert found.quantisation is not None
    return found.quantisation


def digits(count=400):
    """Pictures of scikit-learn's, as those networks read them."""
    return (load_digits().images[:count, None] / 16).astype(np.float32)


def fractions(shape, parts=256, seed=0):
    """Numbers from 0 to a little more than 1, of which none lies between two steps of 8 bits."""
    drawn = np.random.default_rng(seed).integers(0, parts * 9 // 8, shape)
    return (drawn / parts).astype(np.float32)


def test_network_of_brevitas():
    found = import_onnx(NETWORKS / "brevitas_half_up.onnx", digits())
    kept = quantisation(found)
    assert (kept.grade, kept.reasons) == (Grade.EXACT, ())
    layers = compare_integers(found, digits())
    assert [layer.results for layer in layers] == [400 * 8 * 16, 400 * 16 * 4, 400 * 10]
    assert [layer.different for layer in layers] == [0, 0, 0]
    net = kept.net
    assert net is not None
    assert {width for layer in net.layers for width in np.unique(layer.precision)} == {4}
    outputs = infer(net, net.quantize_inputs(found.inputs(digits()))).astype(np.float64)
    reference = found.reference(digits())
    assert net.output_fraction_bits is not None
    assert np.array_equal(np.ldexp(outputs, -net.output_fraction_bits), reference)


def test_halves_to_even_are_not_exact():
    found = import_onnx(NETWORKS / "brevitas_half_even.onnx", digits())
    assert quantisation(found).grade == Grade.VALUES
    (reason,) = quantisation(found).reasons  # biases keep all sums from halves, but not the pixels
    assert reason == "the network's input is rounded by halves to even, here half up"
    first, _, _ = compare_integers(found, digits())
    assert first.different > 0
    shifted = digits() + np.float32(0.01)  # no pixel lies halfway between two steps
    moved = import_onnx(NETWORKS / "brevitas_half_even.onnx", shifted)
    assert [layer.different for layer in compare_integers(moved, shifted)] == [0, 0, 0]


@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("rounding", ["HALF_UP", "FLOOR", "DOWN", "ROUND", "HALF_DOWN", "CEIL"])
@pytest.mark.parametrize("fraction_bits", [0, 3, None])
def test_drawn_networks(tmp_path, bits, rounding, fraction_bits):
    exact = 0
    for seed in range(3):
        how = {"bits": bits, "rounding": rounding, "fraction_bits": fraction_bits}
        drawn = Drawn(np.random.default_rng(seed), **how)
        samples = fractions((8, 1, 8, 8), seed=seed)
        found = import_onnx(write(tmp_path, residual(drawn)), samples)
        layers = compare_integers(found, samples)
        if quantisation(found).grade == Grade.EXACT:
            assert not any(layer.different for layer in layers), seed
            exact += 1
        else:
            assert max(layer.largest for layer in layers) <= 8
    assert (exact > 0) == (rounding in ("HALF_UP", "FLOOR", "DOWN"))


@pytest.mark.parametrize("rounding", ["HALF_UP", "FLOOR", "DOWN", "ROUND"])
@pytest.mark.parametrize("shared", [False, True])
def test_drawn_networks_with_signs(tmp_path, rounding, shared):
    """Biases between the steps of sums keep these from halves; one that is read twice has steps."""
    grades = set()
    for seed in range(4):
        rng, fraction_bits = np.random.default_rng(seed), 0 if shared else None
        drawn = Drawn(rng, rounding=rounding, fraction_bits=fraction_bits)
        samples = fractions((8, 1, 6, 6), seed=seed)
        found = import_onnx(write(tmp_path, signed(drawn, shared=shared)), samples)
        different = [layer.different for layer in compare_integers(found, samples)]
        assert quantisation(found).grade == Grade.VALUES or not any(different), seed
        grades.add(quantisation(found).grade)
    exact = rounding == "FLOOR" or (rounding != "DOWN" and not shared)
    assert grades == {Grade.EXACT if exact else Grade.VALUES}


def dense(
    tmp_path,
    *,
    bias=0.0,
    scale=1.0,
    bits=4.0,
    weights=None,
    signed=0,
    narrow=0,
    zero=0,
    engine=None,
):
    """A quantised input, a dense layer and a quantiser that rounds as a case says."""
    constants = {
        "one": np.float32(0.25), "zero": np.float32(zero), "bits": np.float32(bits),
        "w": floats((3, 2)).round() if weights is None else weights,
        "b": np.full(2, bias, np.float32), "scale": np.float32(scale),
    }  # fmt: skip
    how = {"domain": QONNX, "rounding_mode": "HALF_UP", "signed": signed, "narrow": narrow}
    nodes = [
        node("Quant", "x one zero bits", "q", **how),
        node("Gemm", "q w b", "a"),
        node("Quant", "a scale zero bits", **how),
    ]
    model = make_model(nodes, (len(constants["w"]),), constants)
    model.opset_import.add(domain=QONNX, version=2)
    return import_onnx(write(tmp_path, model), 4 * np.ones((1, len(constants["w"]))), engine)


REASONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "third of a step": ({"scale": 1 / 3}, "float", "1 of 2 quantisers are no powers of 2"),
    "weights": ({"weights": floats((3, 2))}, "float", "weights of dense1 are no integers"),
    "wide weights": ({"weights": np.float32(100) * np.eye(3, 2, dtype=np.float32)}, "values",
                     "dense1 reads the network's input at 8 bits, whose values lie in 0..15"),
    "odd width": ({"bits": 3.0, "engine": EngineConfig()}, "values",
                  "reads the network's input at 4 bits, whose values"),
    "narrow": ({"signed": 1, "narrow": 1}, "values", "whose values lie in -7..7"),
    "sign": ({"signed": 1}, "values", "dense1 is rounded by halves away from zero, here half up"),
    "zero point": ({"signed": 1, "zero": -128, "bits": 8.0, "scale": 0.5}, "values",
                   "dense1 is rounded by halves away from zero, here half up"),
    "bias": ({"bias": 1e5}, "values", "dense1 has biases of more than 16 bits"),
    "rounded twice": ({"scale": 2.0**-5, "weights": np.float32(2.0**-18) * np.ones((3, 2),
                      np.float32), "bias": 0.01}, "values", "dense1 is rounded twice: its sums"),
}  # fmt: skip


@pytest.mark.parametrize("case", REASONS)
def test_reasons(tmp_path, case):
    how, grade, reason = REASONS[case]
    found = quantisation(dense(tmp_path, **how))
    assert found.grade == grade
    assert any(reason in line for line in found.reasons), found.reasons
    assert (found.net is None) == (grade == "float")


@pytest.mark.parametrize("factor", [0.25, 0.3, -0.25])
def test_an_input_that_is_scaled_first(tmp_path, factor):
    constants = {"f": np.float32(factor), "s": np.float32(0.125), "z": np.float32(0),
                 "b": np.float32(4), "w": np.eye(3, dtype=np.float32)}  # fmt: skip
    how = {"domain": QONNX, "signed": 0, "narrow": 0, "rounding_mode": "HALF_UP"}
    nodes = [node("Mul", "x f", "a"), node("Quant", "a s z b", "q", **how), node("MatMul", "q w")]
    samples = 8 * fractions((50, 3))
    found = import_onnx(write(tmp_path, make_model(nodes, (3,), constants)), samples)
    if factor == 0.25:
        assert quantisation(found).grade == Grade.EXACT
        assert compare_integers(found, samples)[0].different == 0
    else:
        assert quantisation(found).grade != Grade.EXACT


def test_results_that_the_file_cuts_off(tmp_path):
    """Sums of 0, 2, 4 and 6 with a quantiser up to 3.75."""
    weights = np.array([[1], [1]], np.float32)
    found = dense(tmp_path, scale=0.25, weights=np.tile(weights, 2))
    samples = np.array([[0, 0], [1, 1], [2, 2], [3, 3]], np.float32)
    assert saturated_shares(found, samples) == {"dense1": 0.5}


def test_an_engine_with_the_widths_of_the_file(tmp_path):
    found = quantisation(dense(tmp_path, bits=3.0))
    assert found.grade == Grade.EXACT
    assert found.net is not None
    assert found.net.engine is not None
    assert (found.net.engine.ncu, found.net.engine.precisions) == ("gated", (16, 3))


def test_a_bias_between_steps_that_are_those_of_the_result(tmp_path):
    """Steps of the sums of a quarter, of the results, too: 0.15 is rounded up, 0.1 down."""
    for bias in (0.1, 0.15, -0.1, -0.15):
        weights = np.array([[1, 2], [-1, 3], [5, 0]], np.float32)
        found = dense(tmp_path, scale=0.25, bias=bias, weights=weights)
        assert quantisation(found).grade == Grade.EXACT
        assert not any(layer.different for layer in compare_integers(found, fractions((50, 3))))


def test_sums_that_exceed_16_bits(tmp_path):
    """The results of 4 bits have 11 bits below their steps; more are rounded twice, or once."""
    for below, bias, grade in ((11, 0.01, "exact"), (12, 0.01, "values"), (12, 0.5, "exact")):
        rng = np.random.default_rng(below)
        weights = rng.integers(-2, 8, (500, 2)).astype(np.float32) * np.float32(2.0 ** (-3 - below))
        found = dense(tmp_path, scale=2.0**-5, weights=weights, bias=bias)
        assert quantisation(found).grade == grade
        samples = fractions((50, 500)) * np.linspace(0, 3.5, 50, dtype=np.float32)[:, None]
        different = [layer.different for layer in compare_integers(found, samples)]
        assert grade == "values" or not any(different)


def test_an_input_without_a_quantiser(tmp_path):
    nodes = [
        node("Conv", "x w", "a"),
        node("Relu", "a", "r"),
        node("Quant", "r s z b", domain=QONNX),
    ]
    constants = {"w": np.ones((1, 1, 3, 3), np.float32), "s": np.float32(0.5),
                 "z": np.float32(0), "b": np.float32(8)}  # fmt: skip
    model = make_model(
        nodes, (1, 6, 6), constants
    )  # as some tools write it: without QONNX' version
    found = import_onnx(write(tmp_path, model), floats((5, 1, 6, 6)))
    assert quantisation(found).grade == Grade.VALUES
    assert quantisation(found).reasons[0].startswith("the network's input has no quantiser")


@pytest.mark.parametrize("opset", [9, 17])
@pytest.mark.parametrize(
    ("mode", "expected"),
    {  # of -2.5 -1.5 -0.7 -0.5 0.5 0.7 1.5 2.5, from QONNX' definitions
        "ROUND": [-2, -2, -1, 0, 0, 1, 2, 2],
        "HALF_UP": [-3, -2, -1, -1, 1, 1, 2, 3],
        "HALF_DOWN": [-2, -1, -1, 0, 0, 1, 1, 2],
        "FLOOR": [-3, -2, -1, -1, 0, 0, 1, 2],
        "CEIL": [-2, -1, 0, 0, 1, 1, 2, 3],
        "DOWN": [-2, -1, 0, 0, 0, 0, 1, 2],
        "UP": [-3, -2, -1, -1, 1, 1, 2, 3],
    }.items(),
)
def test_roundings(tmp_path, mode, expected, opset):
    values = np.array([[-2.5, -1.5, -0.7, -0.5, 0.5, 0.7, 1.5, 2.5]], np.float32)
    quantiser = Quantiser.of_bits(8, scale=1.0, rounding=mode)
    assert round_to(values, quantiser).tolist() == [expected]
    shifted = Quantiser.of_bits(8, scale=1.0, zero_point=10, rounding=mode)
    positive = round_to(values + 10, quantiser) - 10
    assert round_to(values, shifted).tolist() == positive.tolist()
    nodes = [node("Quant", "x s z b", "q", domain=QONNX, rounding_mode=mode), node("Neg", "q")]
    constants = {"s": np.float32(0.5), "z": np.float32(0), "b": np.float32(8)}
    path = write(tmp_path, make_model(nodes, (8,), constants, opset=opset))
    (found,) = run_tensors(import_onnx(path, values).graph, values / 2, ["q"])
    assert (found * 2).tolist() == [expected]


def test_zero_points_of_pairs_come_behind_the_rounding(tmp_path):
    """Halves are rounded to even before an odd zero point is added, unlike QONNX'."""
    constants = {
        "v": np.array([[0.5], [1.5], [2.5]], np.float32),
        "s": np.float32(1),
        "z": np.array(7, np.uint8),
    }
    nodes = [
        node("QuantizeLinear", "v s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("Mul", "x d"),
    ]
    found = imported(tmp_path, nodes, (3, 1), constants)
    assert (found.network.state()["0.weights"].reshape(-1) / found.span).tolist() == [0, 2, 2]


def quantised_statically(folder, **how):
    """A network as onnxruntime's quantiser makes it, and samples."""
    quantization = pytest.importorskip("onnxruntime.quantization")
    samples = fractions((64, 1, 8, 8))
    constants = {
        "w": 0.4 * floats((4, 1, 3, 3)), "b": 0.1 * floats((4,)),
        "v": 0.2 * floats((4, 4, 3, 3)), "u": 0.1 * floats((5, 64)),
    }  # fmt: skip
    nodes = [
        node("Conv", "x w b", "a", pads=[1] * 4),
        node("Relu", "a", "r"),
        node("Conv", "r v", "c", pads=[1] * 4),
        node("Add", "c r", "s"),
        node("Relu", "s", "t"),
        node("MaxPool", "t", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "p", "f"),
        node("Gemm", "f u", transB=1),
    ]
    model = make_model(nodes, (1, 8, 8), constants)
    model.graph.output[0].type.tensor_type.elem_type = 1
    path = write(folder, model)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[name-defined]  # untyped
        """Gives all samples once."""

        left = iter([{"x": samples}])

        def get_next(self):
            return next(self.left, None)

    out = folder / "quantised.onnx"
    quantization.quantize_static(path, out, Reader(), **how)
    return out, samples


@pytest.mark.parametrize("per_channel", [False, True])
def test_static_quantisation_of_onnxruntime(tmp_path, per_channel):
    path, samples = quantised_statically(tmp_path, per_channel=per_channel)
    found = import_onnx(path, samples)
    assert quantisation(found).grade == Grade.FLOAT
    assert "quantisers are no powers of 2" in quantisation(found).reasons[0]
    compared = compare(found, samples)
    assert 0 < compared.relative < 0.05  # steps of 8 bits, four layers of them
    with pytest.raises(ForeignNetworkError, match="is not imported with its integers"):
        compare_integers(found, samples)


def test_integer_operators_are_refused_by_name(tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    how = {"quant_format": quantization.QuantFormat.QOperator}
    path, samples = quantised_statically(tmp_path, **how)
    with pytest.raises(RefusedNodesError) as caught:
        import_onnx(path, samples)
    assert {refusal.operator for refusal in caught.value.refusals} >= {"QLinearConv"}
    assert "export the network with QuantizeLinear and DequantizeLinear" in str(caught.value)


INTEGERS = {
    "another scale": ([node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q t z")],
                      "scale and zero point are not those of its QuantizeLinear"),
    "integers": ([node("QuantizeLinear", "x s z", "q"), node("Relu", "q")],
                 "let a DequantizeLinear come before"),
    "bipolar": ([node("BipolarQuant", "x s", domain=QONNX)], r"rounds to \+1 and -1"),
    "one bit": ([node("Quant", "x s n s", domain=QONNX)], "it rounds to 1 bits with sign"),
    "mode": ([node("Quant", "x s n e", domain=QONNX, rounding_mode="ODD")], "'ODD' is unknown"),
    "channels": ([node("Quant", "x c n e", domain=QONNX)], "a scale for each channel of a value"),
    "inputs": ([node("Quant", "x s n e e", domain=QONNX)], "it has 5 inputs, more than 4"),
    "larger": ([node("Quant", "x l n e", domain=QONNX)], "bits do not fit the value"),
    "negative": ([node("Quant", "x m n e", domain=QONNX)], "must be a positive number"),
}  # fmt: skip


@pytest.mark.parametrize("case", INTEGERS)
def test_refusals(tmp_path, case):
    nodes, reason = INTEGERS[case]
    constants = {"s": np.float32(1), "t": np.float32(2), "z": np.zeros((), np.uint8),
                 "n": np.float32(0), "c": np.ones((3, 1, 1), np.float32) * np.arange(1, 4)[:, None,
                 None].astype(np.float32), "m": np.float32(-1), "e": np.float32(8),
                 "l": np.ones((2, 3, 1, 1), np.float32)}  # fmt: skip
    path = write(tmp_path, make_model(nodes, (3, 4, 4), constants))
    with pytest.raises(RefusedNodesError, match=reason):
        import_onnx(path, floats((2, 3, 4, 4)))


def test_constants_become_numbers(tmp_path):
    """Weights and biases as onnxruntime's quantiser stores them, and unsigned ones in pairs."""
    constants = {
        "w": np.random.default_rng(0).integers(-128, 128, (4, 3)).astype(np.int8),
        "s": np.array([0.1, 0.02, 0.03, 0.5], np.float32), "z": np.zeros(4, np.int8),
        "b": np.array([1000, -70000, 3, 0], np.int32), "t": np.float32(1e-4),
        "v": floats((4, 4)), "u": np.float32(0.01), "h": np.array(128, np.uint8),
    }  # fmt: skip
    nodes = [
        node("DequantizeLinear", "w s z", "dw", axis=0),
        node("DequantizeLinear", "b t", "db"),
        node("Gemm", "x dw db", "a", transB=1),
        node("QuantizeLinear", "v u h", "qv"),
        node("DequantizeLinear", "qv u h", "dv"),
        node("MatMul", "a dv"),
    ]
    found = imported(tmp_path, nodes, (3,), constants)
    assert found.quantisation is None
