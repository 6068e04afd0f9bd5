"""The ladders and the model of their costs, counted by hand."""

import numpy as np
import pytest

from axnn.cpu.kinds import (
    EXACT,
    OMITTED,
    Kind,
    cost,
    exact_assignment,
    ladder,
    omitted,
    saving,
)
from axnn.nn.spec import LayerSpec, NetworkSpec
from tests.axnn.cpu.tiny_nets import make_network, pooled, summed

TANH, CLAMP, SUM, BYTE = 12.0, 1.0, 3.0, 0.3
"""What the model counts in products of float32: measured, see `axnn.cpu.kinds`."""


def plain():
    """30-40-3, whose first layer is wide enough for bytes."""
    return NetworkSpec(
        name="plain",
        input_shape=(30, 1, 1),
        layers=(
            LayerSpec(kind="dense", channels=40, function="tanh"),
            LayerSpec(kind="dense", channels=3, function="identity"),
        ),
    )


def at(network, **layers):
    """The exact assignment, but for some layers: layer0=2 puts all its channels on level 2."""
    found = exact_assignment(network)
    for name, level in layers.items():
        found[int(name[5:])][:] = level
    return found


def test_ladders_of_dense_layers():
    network = make_network(plain())
    in_bytes = Kind(operands="int8")
    assert ladder(network, 0) == (
        EXACT,
        in_bytes,
        Kind(function="clamp", operands="int8"),
        OMITTED,
    )
    assert ladder(network, 1) == (EXACT, in_bytes)  # the logits: no function, never omitted


def test_ladders_of_convolutions_whose_windows_are_added_up():
    network = make_network(summed())
    # Summed by layer 1, which then has the channel's last say.
    assert ladder(network, 0) == (EXACT, Kind(function="clamp"), Kind(function="linear"))
    assert ladder(network, 1) == (EXACT, Kind(function="clamp"), OMITTED)
    # The average has no parameters for a line of its own to be folded into.
    assert ladder(network, 3) == (EXACT, OMITTED)


def test_ladders_of_convolutions_with_the_largest_of_windows():
    network = make_network(pooled())
    one = Kind(function="clamp", operands="int8", positions="one")
    # What reads it has two groups: it cannot do without a channel.
    assert ladder(network, 0) == (
        EXACT, Kind(operands="int8"), Kind(function="clamp", operands="int8"), one,
    )  # fmt: skip
    # Two groups of its own: their channels make no words.
    assert ladder(network, 1) == (EXACT, Kind(function="clamp"), Kind(function="linear"))


def test_a_single_map_makes_no_words():
    kernel = LayerSpec(kind="convolution", channels=4, kernel=(5, 5), function="tanh")
    last = LayerSpec(kind="dense", channels=2, function="identity")
    for maps, operands in ((1, "float32"), (2, "int8")):
        spec = NetworkSpec(name="maps", input_shape=(maps, 8, 8), layers=(kernel, last))
        assert ladder(make_network(spec), 0)[-2] == Kind(function="clamp", operands=operands)


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ({}, 30 * 40 + 40 * TANH + 40 * 3),
        ({"layer0": 1}, 30 * 40 * BYTE + 40 * TANH + 40 * 3),
        ({"layer0": 2}, 30 * 40 * BYTE + 40 * CLAMP + 40 * 3),
        ({"layer0": 2, "layer1": 1}, 30 * 40 * BYTE + 40 * CLAMP + 40 * 3 * BYTE),
        ({"layer0": 3}, 0),
    ],
)
def test_costs_of_dense_layers(layers, wanted):
    network = make_network(plain())
    assert cost(network, at(network, **layers)) == pytest.approx(wanted)


def test_omitted_inputs_cost_the_reader_nothing():
    network = make_network(plain())
    assignment = exact_assignment(network)
    assignment[0][:10] = 3
    assert omitted(network, assignment, 0).tolist() == [True] * 10 + [False] * 30
    wanted = 30 * 30 + 30 * TANH + 30 * 3
    assert cost(network, assignment) == pytest.approx(wanted)
    assert saving(network, assignment, 0, 39) == pytest.approx(30 * (1 - BYTE))


def test_costs_of_summed_windows():
    """Of the first pair of layers: 5 channels, 3x2 kernels on 2 maps of 12x11, windows of 2x2."""
    network = make_network(summed())
    whole = cost(network, exact_assignment(network))
    sums, taps, results = 5 * 10 * 10, 2 * 3 * 2, 5 * 5 * 5
    assert whole - cost(network, at(network, layer0=1)) == pytest.approx(sums * (TANH - CLAMP))
    # As a line the four 3x2 kernels become one of 4x3.
    merged = results * 2 * 4 * 3
    assert whole - cost(network, at(network, layer0=2)) == pytest.approx(
        sums * (taps + TANH) - merged
    )
    assert whole - cost(network, at(network, layer1=1)) == pytest.approx(results * (TANH - CLAMP))


def test_one_position_costs_a_window_less():
    """Of the first layer: 12 channels, 3x3 kernels on 3 maps of 9x8, windows of 2x2."""
    network = make_network(pooled())
    found = cost(network, at(network, layer0=2)) - cost(network, at(network, layer0=3))
    assert found == pytest.approx(12 * 4 * 4 * 3 * 27 * BYTE)


def test_exact_costs_are_sums_over_layers():
    network = make_network(summed())
    geometries = [layer.geometry for layer in network.neuron_layers]
    wanted = 0.0
    for index, geometry in enumerate(geometries):
        results = int(np.prod(geometry.output_shape))
        function = TANH if index < 5 else 0
        wanted += results * ((SUM if index in (1, 3) else geometry.fan_in) + function)
    assert cost(network, exact_assignment(network)) == pytest.approx(wanted)
