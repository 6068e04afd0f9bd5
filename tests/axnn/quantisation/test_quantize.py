"""The training pass against the integers that it stands for; scales against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axnn.errors import TrainingError
from axnn.nn.network import Network, batch_innermost
from axnn.nn.spec import LayerSpec, NetworkSpec, SourceSpec
from axnn.nn.train import train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import QuantisedLayer, QuantisedNetwork, uniform_precision
from axnn.quantisation.scales import Grid, LayerScale
from qcnpe.compiler import compile_network
from qcnpe.spec.activation import FUNCTION_NAMES
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import InputError
from qcnpe.spec.fixed import quantize, saturate
from qcnpe.spec.inference import infer, run_layer
from tests.axnn.tiny import ENGINE, make_data, make_spec, make_trained
from tests.axnn.tiny import PLAN as TRAINING

DATA = make_data()
WIDTHS = (16, 8, 4, 2)
NETWORKS = {name: make_trained(DATA, name) for name in FUNCTION_NAMES}


def mixed_precision(network: Network, seed: int = 0):
    rng = np.random.default_rng(seed)
    return tuple(
        rng.choice(WIDTHS[1:], entry.shape).astype(np.uint8)
        for entry in uniform_precision(network, 16)
    )


def integers_and_floats(network, precision, inputs):
    """Logits of the network in integers, and those of the training pass in the same unit."""
    scales = calibrate(network, DATA.train.inputs, precision, ENGINE)
    net = to_integers(network, scales, precision, ENGINE)
    floats = QuantisedNetwork(network, scales, precision, ENGINE).predict(inputs)
    assert net.output_fraction_bits is not None
    return infer(net, net.quantize_inputs(inputs)), floats * 2.0**net.output_fraction_bits


@given(
    st.lists(st.floats(-40, 40, width=32), min_size=1, max_size=20),
    st.integers(-3, 12),
    st.sampled_from(WIDTHS),
)
def test_float_rounding_is_the_integers_rounding(values, fraction_bits, bits):
    reals = np.array(values, np.float32)
    found, inside = Grid.of_width(fraction_bits, bits).round(reals)
    expected = quantize(reals, fraction_bits, bits)
    # At 16 bits float32 cannot always hold the scaled value and a half.
    assert found * 2.0**fraction_bits == pytest.approx(expected, abs=bits == 16)
    wide = quantize(reals, fraction_bits, 60)
    far = np.abs(np.abs(wide) - 2 ** (bits - 1)) > 1
    assert np.array_equal(inside[far], (wide == saturate(wide, bits))[far])


def test_unsigned_rounding_stops_at_zero():
    found, inside = Grid.of_width(0, 2, unsigned=True).round(
        np.array([-1, 0.4, 2.6, 9], np.float32)
    )
    assert list(found) == [0, 0, 3, 3]
    assert list(inside) == [False, True, True, False]


@pytest.mark.parametrize("function", FUNCTION_NAMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_training_pass_gives_the_integers_results(function, width):
    network = NETWORKS[function]
    precision = uniform_precision(network, width)
    integers, floats = integers_and_floats(network, precision, DATA.validation.inputs)
    # Sums of 16-bit products exceed the 24 bits of float32: the last place may differ.
    assert np.abs(integers - floats).max() <= (2 if width == 16 else 0)


@pytest.mark.parametrize("function", FUNCTION_NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_training_pass_gives_the_integers_results_at_mixed_widths(function, seed):
    network = NETWORKS[function]
    precision = mixed_precision(network, seed)
    integers, floats = integers_and_floats(network, precision, DATA.validation.inputs)
    assert np.array_equal(integers, floats)


def test_sixteen_bits_are_as_good_as_floating_point():
    network = NETWORKS["tanh"]
    precision = uniform_precision(network, 16)
    scales = calibrate(network, DATA.train.inputs, precision, ENGINE)
    net = to_integers(network, scales, precision, ENGINE)
    inputs = DATA.validation.inputs
    integers = infer(net, net.quantize_inputs(inputs)) / 2.0 ** scales[-1].output_fraction_bits
    # The table of 32 segments over [-4, 4) is good to about 2e-3.
    assert integers == pytest.approx(network.predict(inputs), abs=0.05)


@pytest.mark.parametrize("function", ["identity", "tanh"])
def test_straight_through_gradient_is_the_smooth_one_where_nothing_saturates(function):
    network = NETWORKS[function]
    precision = uniform_precision(network, 16)
    scales = calibrate(network, DATA.train.inputs, precision, ENGINE)
    quantised = QuantisedNetwork(network, scales, precision, ENGINE)
    inputs = batch_innermost(DATA.train.inputs[:40])
    slope = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
    gradients = []
    for model in (network, quantised):
        model.forward(inputs)
        model.backward(slope)
        gradients.append(
            {name: parameter.gradient.copy() for name, parameter in model.parameters.items()}
        )
    for name, smooth in gradients[0].items():
        tolerance = 0.02 * float(np.abs(smooth).max())
        assert gradients[1][name] == pytest.approx(smooth, abs=tolerance), name


def test_gradient_stops_where_weights_inputs_or_pre_activations_saturate():
    network = Network(make_spec("tanh"), seed=0)
    precision = uniform_precision(network, 4)
    scales = calibrate(network, DATA.train.inputs / np.float32(2), precision, ENGINE)
    first = network.neuron_layers[0]
    first.weights.value[2, 5] = 9.0
    first.weights.value[4] = np.abs(first.weights.value[4])
    first.bias.value[4] = 3.9
    layer = QuantisedNetwork(network, scales, precision, ENGINE).quantised_layers[0]
    inputs = np.full((12, 1), 0.3, np.float32)
    inputs[7] = 0.99
    layer.forward(inputs)
    by_inputs = layer.backward(np.ones((10, 1), np.float32))
    stopped = first.weights.gradient == 0
    assert stopped[2, 5]
    assert stopped[4].all()
    assert not stopped[2].all()
    assert stopped.mean() < 0.2  # the optimal scale saturates a few more weights
    assert first.bias.gradient[4] == 0
    assert np.flatnonzero(by_inputs == 0).tolist() == [7]


@pytest.mark.parametrize("width", [8, 4, 2])
def test_no_other_weight_exponent_has_less_squared_error(width):
    network = NETWORKS["relu"]
    scales = calibrate(network, DATA.train.inputs, uniform_precision(network, width), ENGINE)
    for layer, scale in zip(network.neuron_layers, scales, strict=True):
        weights = layer.weights.value
        exponents = np.arange(-8, 16)
        grids = np.array([quantize(weights, e, width) * 2.0**-e for e in exponents])
        errors = np.square(grids - weights).mean(axis=2)
        chosen = scale.sources[0].weights[width]
        assert errors[chosen + 8, np.arange(len(weights))] == pytest.approx(errors.min(axis=0))


@pytest.mark.parametrize("width", [8, 4, 2])
def test_no_other_input_shift_has_less_squared_error(width):
    network = NETWORKS["relu"]
    precision = uniform_precision(network, width)
    scales = calibrate(network, DATA.train.inputs, precision, ENGINE)
    net = to_integers(network, scales, precision, ENGINE)
    values = net.quantize_inputs(DATA.train.inputs).astype(np.int64)
    for layer, scale in zip(net.layers, scales, strict=True):
        errors = []
        for shift in range(16):
            narrow = np.clip(np.floor(values / 2**shift + 0.5), 0, 2**width - 1)
            errors.append(np.square(narrow * 2**shift - values).mean())
        chosen = scale.values[0].fraction_bits - scale.values[0].narrow[width]
        assert errors[chosen] == pytest.approx(min(errors), rel=1e-4)
        values = run_layer(layer, values)


def test_scales_do_not_move_with_the_weights():
    network = make_trained(DATA)
    precision = uniform_precision(network, 8)
    scales = calibrate(network, DATA.train.inputs, precision, ENGINE)
    network.neuron_layers[0].weights.value *= 4
    net = to_integers(network, scales, precision, ENGINE)
    assert np.abs(net.layers[0].widths[8].weights).max() == 128
    assert net.layers[0].widths[8].input_shifts == (
        scales[0].values[0].fraction_bits - scales[0].values[0].narrow[8],
    )


def test_unsigned_operands_follow_from_inputs_and_functions():
    network = NETWORKS["tanh"]
    precision = uniform_precision(network, 4)
    positive = calibrate(network, DATA.train.inputs, precision, ENGINE)
    signed = calibrate(network, DATA.train.inputs - 0.5, precision, ENGINE)
    relu = calibrate(NETWORKS["relu"], DATA.train.inputs, precision, ENGINE)
    sigmoid = calibrate(NETWORKS["sigmoid"], DATA.train.inputs, precision, ENGINE)
    assert [scale.values[0].unsigned for scale in positive] == [True, False]
    assert [scale.values[0].unsigned for scale in signed] == [False, False]
    assert relu[1].values[0].unsigned
    assert sigmoid[1].values[0].unsigned


def test_scales_survive_json():
    scales = calibrate(
        NETWORKS["relu"], DATA.train.inputs, uniform_precision(NETWORKS["relu"], 8), ENGINE
    )
    for scale in scales:
        assert LayerScale.from_document(scale.document()).document() == scale.document()


def test_dead_neurons_and_huge_weights_stay_in_range():
    network = make_trained(DATA)
    first = network.neuron_layers[0]
    first.weights.value[0] = 0
    first.weights.value[1] = 1e6
    first.weights.value[2] = 1e-12
    for width in WIDTHS:
        integers, floats = integers_and_floats(
            network, uniform_precision(network, width), DATA.validation.inputs
        )
        assert np.isfinite(floats).all()
        assert integers.dtype == np.int16


def test_exact_weights_never_overflow_the_accumulator():
    spec = NetworkSpec(
        name="wide",
        input_shape=(1, 1, 6000),
        layers=(LayerSpec(kind="dense", channels=2, function="identity"),),
    )
    network = Network(spec, seed=0)
    network.neuron_layers[0].weights.value[:] = 0.9
    inputs = np.random.default_rng(0).random((8, 1, 1, 6000)).astype(np.float32)
    precision = uniform_precision(network, 16)
    narrow = EngineConfig(rows=4, cols=4, accumulator_bits=36)
    scales = calibrate(network, inputs, precision, narrow)
    net = to_integers(network, scales, precision, narrow)
    assert compile_network(net, narrow, 4).cycles > 0
    integers = infer(net, net.quantize_inputs(inputs)) / 2.0 ** scales[-1].output_fraction_bits
    assert integers == pytest.approx(network.predict(inputs), rel=1e-2)


def levels_network(levels: tuple[float, ...]) -> Network:
    """Gives each level of its one input to a class of its own, by two layers set by hand."""
    values = np.array(levels, np.float32)
    layers = tuple(
        LayerSpec(kind="dense", channels=channels, function="identity")
        for channels in (1, len(levels))
    )
    network = Network(NetworkSpec(name="levels", input_shape=(1, 1, 1), layers=layers), seed=0)
    network.set_state(
        {
            "0.weights": np.ones((1, 1), np.float32),
            "0.bias": np.zeros(1, np.float32),
            # The nearest level has the largest of 2 l x - l**2.
            "1.weights": 2 * values[:, None],
            "1.bias": -(values**2),
        }
    )
    return network


@pytest.mark.parametrize("width", [16, 8])
@pytest.mark.parametrize(
    "levels", [(0.9, 0.4, -0.4, -0.9), (0.0, 0.2, 0.4, 0.6, 0.8), (0.0, -0.9, -0.45, 0.45, 0.9)]
)
def test_sorted_training_data_lose_no_class(levels, width):
    """The first 1,024 samples are of the first class alone: their sign and range say nothing."""
    network = levels_network(levels)
    labels = np.repeat(np.arange(len(levels)), 1100)
    inputs = np.array(levels, np.float32)[labels].reshape(-1, 1, 1, 1)
    assert (network.predict(inputs).argmax(axis=1) == labels).all()
    precision = uniform_precision(network, width)
    net = to_integers(network, calibrate(network, inputs, precision, ENGINE), precision, ENGINE)
    found = infer(net, net.quantize_inputs(inputs)).argmax(axis=1)
    assert np.mean(found == labels) == 1.0


@pytest.mark.parametrize("place", [0, 500, 2999])
def test_a_single_sample_decides_sign_and_range_wherever_it_is(place):
    network = levels_network((0.1, 0.9))
    inputs = np.full((3000, 1, 1, 1), 0.01, np.float32)
    inputs[place] = -0.9
    first, _ = calibrate(network, inputs, uniform_precision(network, 16), ENGINE)
    assert not first.values[0].unsigned
    # 0.9 fits 16 bits with 15 fraction bits; one is kept free.
    assert first.fraction_bits == 14


def test_ranges_hold_all_samples_after_layers_that_saturated(monkeypatch):
    """The rare sample drives the second layer only once the first one has the range for it."""
    network = levels_network((0.0, 1.0))
    network.neuron_layers[1].weights.value *= 1000
    inputs = np.zeros((5000, 1, 1, 1), np.float32)
    inputs[4000] = 0.75
    first, second = calibrate(network, inputs, uniform_precision(network, 16), ENGINE)
    assert (first.fraction_bits, second.fraction_bits) == (14, 15 - 11 - 1)  # 0.75 and 1499


def test_calibration_needs_no_more_memory_for_more_samples(monkeypatch):
    network, batches = make_trained(DATA), []
    forward = QuantisedLayer.forward

    def watched(self, inputs):
        batches.append(inputs.shape[1])
        return forward(self, inputs)

    monkeypatch.setattr(QuantisedLayer, "forward", watched)
    many = np.tile(DATA.train.inputs, (50, 1, 1, 1))
    calibrate(network, many, uniform_precision(network, 8), ENGINE)
    assert max(batches) <= 1024 < len(many)


def test_what_cannot_be_calibrated_is_refused():
    network = make_trained(DATA)
    precision = uniform_precision(network, 8)
    with pytest.raises(InputError, match="calibration: inputs must lie in"):
        calibrate(network, DATA.train.inputs * 16, precision, ENGINE)
    network.neuron_layers[0].weights.value[0, 0] = np.nan
    with pytest.raises(TrainingError, match="network tiny does not give numbers; train it anew"):
        calibrate(network, DATA.train.inputs, precision, ENGINE)


WINDOWED = NetworkSpec(
    name="windowed",
    input_shape=(1, 3, 4),
    layers=(
        LayerSpec(
            kind="convolution",
            channels=6,
            kernel=(3, 3),
            padding=(1, 1),
            pool=(1, 2),
            function="relu",
        ),
        LayerSpec(kind="subsampling", kernel=(1, 2), function="tanh"),
        LayerSpec(
            kind="convolution", channels=6, kernel=(2, 1), groups=2, function="sigmoid", dropout=0.3
        ),
        LayerSpec(kind="average", kernel=(2, 1), function="identity"),
        LayerSpec(kind="dense", channels=3, function="identity"),
    ),
)


@pytest.fixture(scope="module")
def windowed():
    network = Network(WINDOWED, seed=0)
    train(network, DATA, TRAINING, seed=0)
    return network


@pytest.mark.parametrize("width", WIDTHS)
def test_layers_with_windows_give_the_integers_results(windowed, width):
    precision = uniform_precision(windowed, width)
    integers, floats = integers_and_floats(windowed, precision, DATA.validation.inputs)
    # Each of the five layers may add a last place at 16 bits, see above.
    assert np.abs(integers - floats).max() <= (5 if width == 16 else 0)


@pytest.mark.parametrize("seed", range(4))
def test_every_position_has_its_own_width(windowed, seed):
    precision = mixed_precision(windowed, seed)
    assert any(len(np.unique(channel)) > 1 for layer in precision for channel in layer)
    integers, floats = integers_and_floats(windowed, precision, DATA.validation.inputs)
    assert np.array_equal(integers, floats)


def test_integer_geometry_is_that_of_the_layers(windowed):
    precision = uniform_precision(windowed, 8)
    scales = calibrate(windowed, DATA.train.inputs, precision, ENGINE)
    net = to_integers(windowed, scales, precision, ENGINE)
    for layer, integer in zip(windowed.neuron_layers, net.layers, strict=True):
        assert integer.sources[0].geometry == layer.geometry
        assert integer.widths[8].weights.shape == (layer.geometry.channels, layer.geometry.fan_in)
    # A mean of two is exact: the weight is a power of two, however narrow.
    average = net.layers[3].widths[8]
    assert np.array_equal(
        average.weights * 2.0 ** -scales[3].sources[0].weights[8][:, None],
        np.full((6, 2), 0.5),
    )


def test_straight_through_gradient_of_windows_is_the_smooth_one(windowed):
    precision = uniform_precision(windowed, 16)
    scales = calibrate(windowed, DATA.train.inputs, precision, ENGINE)
    quantised = QuantisedNetwork(windowed, scales, precision, ENGINE)
    inputs = batch_innermost(DATA.train.inputs[:40])
    slope = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
    gradients = []
    for model in (windowed, quantised):
        model.forward(inputs)
        model.backward(slope)
        gradients.append([entry.gradient.copy() for entry in windowed.parameters.values()])
    for smooth, straight in zip(*gradients, strict=True):
        tolerance = 0.02 * float(np.abs(smooth).max())
        assert straight == pytest.approx(smooth, abs=tolerance)


RESIDUAL = NetworkSpec(
    name="residual",
    input_shape=(1, 3, 4),
    layers=(
        LayerSpec(kind="convolution", channels=4, kernel=(3, 3), padding=(1, 1), function="relu"),
        LayerSpec(
            kind="convolution",
            channels=4,
            kernel=(3, 3),
            padding=(1, 1),
            function="relu",
            adds=(SourceSpec(layer=0),),
            dropout=0.1,
        ),
        LayerSpec(
            kind="identity",
            pool=(2, 2),
            pool_stride=(1, 2),
            pool_padding=(1, 0, 0, 0),
            function="identity",
        ),
        LayerSpec(
            kind="convolution",
            channels=5,
            kernel=(1, 2),
            stride=(1, 2),
            function="tanh",
            reads=0,
            adds=(
                SourceSpec(layer=1, kind="convolution", kernel=(1, 1), stride=(1, 2)),
                SourceSpec(layer=2, kind="convolution", kernel=(1, 1)),
            ),
        ),
        LayerSpec(
            kind="dense",
            channels=3,
            function="identity",
            adds=(SourceSpec(layer=-1, kind="dense"),),
        ),
    ),
)
"""A shortcut, overlapping pooling, three maps of different scales, and the input read late."""


@pytest.fixture(scope="module")
def residual():
    network = Network(RESIDUAL, seed=0)
    train(network, DATA, TRAINING, seed=0)
    return network


@pytest.mark.parametrize("width", WIDTHS)
def test_graphs_give_the_integers_results(residual, width):
    precision = uniform_precision(residual, width)
    integers, floats = integers_and_floats(residual, precision, DATA.validation.inputs)
    assert np.abs(integers - floats).max() <= (8 if width == 16 else 0)
    assert len(np.unique(integers)) > 6


@pytest.mark.parametrize("seed", range(4))
def test_graphs_give_the_integers_results_at_mixed_widths(residual, seed):
    precision = mixed_precision(residual, seed)
    integers, floats = integers_and_floats(residual, precision, DATA.validation.inputs)
    assert np.array_equal(integers, floats)


def test_graphs_of_sixteen_bits_are_as_good_as_floating_point(residual):
    precision = uniform_precision(residual, 16)
    scales = calibrate(residual, DATA.train.inputs, precision, ENGINE)
    net = to_integers(residual, scales, precision, ENGINE)
    inputs = DATA.validation.inputs
    integers = infer(net, net.quantize_inputs(inputs)) / 2.0 ** scales[-1].output_fraction_bits
    # One layer has a table of 32 segments, see above.
    assert integers == pytest.approx(residual.predict(inputs), abs=0.05)


@pytest.mark.parametrize("width", WIDTHS)
def test_operands_of_an_identity_add_up_to_one(residual, width):
    precision = uniform_precision(residual, width)
    scales = calibrate(residual, DATA.train.inputs, precision, ENGINE)
    layer = to_integers(residual, scales, precision, ENGINE).layers[1]
    identities = layer.widths[width].weights[:, 36:].reshape(4, -1, 4).sum(axis=1)
    one = 2.0 ** scales[1].sources[1].weights[width]
    assert np.array_equal(identities, np.diag(one))
    assert len(layer.sources) - 1 <= (4 if width < 16 else 1)


def test_straight_through_gradient_of_graphs_is_the_smooth_one(residual):
    precision = uniform_precision(residual, 16)
    scales = calibrate(residual, DATA.train.inputs, precision, ENGINE)
    quantised = QuantisedNetwork(residual, scales, precision, ENGINE)
    inputs = batch_innermost(DATA.train.inputs[:40])
    slope = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
    gradients = []
    for model in (residual, quantised):
        model.forward(inputs)
        model.backward(slope)
        gradients.append({n: p.gradient.copy() for n, p in model.parameters.items()})
    names = sorted(gradients[0])
    for name, other in zip(names, sorted(gradients[1]), strict=True):
        smooth = gradients[0][name]
        tolerance = 0.03 * float(np.abs(smooth).max())
        assert gradients[1][other] == pytest.approx(smooth, abs=tolerance), name


def test_all_operands_of_a_neuron_have_one_sign(residual):
    """The input's values have both signs: so have the copies of what is read beside it."""
    precision = uniform_precision(residual, 4)
    scales = calibrate(residual, DATA.train.inputs - 0.5, precision, ENGINE)
    signs = [[value.unsigned for value in scale.values] for scale in scales]
    assert signs == [[False], [True, True], [True], [True, True, True], [False, False]]
    scales = calibrate(residual, DATA.train.inputs, precision, ENGINE)
    signs = [[value.unsigned for value in scale.values] for scale in scales]
    assert signs == [[False], [True, True], [True], [True, True, True], [False, False]]
