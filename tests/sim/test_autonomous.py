"""Autonomous engines on the emitted Verilog, with an AXI4 memory of cocotb at their bus."""

import numpy as np
import pytest

from qcnpe.generate import AUTONOMOUS_TOP
from qcnpe.placement.build import place_network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.cycles import count_run
from sim.autonomous import check_autonomous, run_on_verilog
from sim.autonomous_bench import environment_of
from sim.cocotb_process import run_cocotb
from sim.runner import build_autonomous
from tests.qcnpe.networks import by_channel, dense_layer, network, random_inputs, random_layer
from tests.sim.test_axi import failed_tests

SMALL = MemoryConfig(
    engine=EngineConfig(rows=3, cols=2, precisions=(16, 8, 4)),
    banks=4,
    activation_rows=5000,
    weight_rows=100,
)
OTHER = MemoryConfig(
    engine=EngineConfig(rows=4, cols=2, ncu="gated", precisions=(16, 12, 5)),
    banks=4,
    bus_bits=128,
    address_bits=40,
    descriptor_rows=512,
)


@pytest.mark.xdist_group("autonomous3")
def test_runs_and_their_ends(tmp_path):
    """Random programs, errors of the bus, bad descriptors, and ends at any time."""
    cases = "sim.autonomous_cases"
    simulation = build_autonomous(SMALL)
    environment = environment_of(SMALL)
    results = run_cocotb(cases, simulation, tmp_path, environment, toplevel=AUTONOMOUS_TOP)
    failed, count = failed_tests(results)
    assert not failed
    assert count == 22


def small_network(rng):
    """A convolution of all widths with pooling, and a dense layer."""
    geometry = Geometry(
        input_shape=(2, 7, 7), channels=6, kernel=(3, 3), padding=(1, 1, 0, 0), pool=(2, 2)
    )
    widths = by_channel([16, 16, 12, 12, 5, 5], geometry)
    first = random_layer(
        rng,
        geometry,
        name="convolution",
        function="tanh",
        widths=OTHER.engine.precisions,
        precision=widths,
    )
    return network(first, dense_layer(6 * geometry.outputs, 7))


def test_a_network(tmp_path):
    """Two runs of two samples: logits are the integer model's, traffic and cycles as counted."""
    rng = np.random.default_rng(1)
    net = small_network(rng)
    inputs = random_inputs(rng, net, 4)
    image = place_network(net, OTHER, 2).image
    run = run_on_verilog(image, inputs)
    np.testing.assert_array_equal(run.results, infer(net, inputs))
    for first, counters in zip((True, False), run.counters, strict=True):
        counted = count_run(image, first=first)
        assert counters["words_read"] == counted.words_read
        assert counters["words_written"] == counted.words_written
        assert counters["run_cycles"] == counted.cycles


def test_a_network_in_strips():
    """Maps pass external memory, which is idle in random cycles in the last runs."""
    rng = np.random.default_rng(3)
    first = Geometry(input_shape=(2, 30, 24), channels=6, kernel=(3, 3), padding=(1, 1))
    second = Geometry(
        input_shape=(6, 30, 24), channels=3, kernel=(3, 3), stride=(2, 2), padding=(1, 0, 0, 1)
    )
    layers = []
    for geometry, widths in ((first, [16] * 5 + [5]), (second, [16, 16, 5])):
        precision = by_channel(widths, geometry)
        of_engine = OTHER.engine.precisions
        layer = random_layer(rng, geometry, function="tanh", widths=of_engine, precision=precision)
        layers.append(layer)
    net = network(*layers)
    inputs = random_inputs(rng, net, 2)
    placement = place_network(net, OTHER, 1)
    assert min(map(len, placement.places.strips)) >= 3
    for stalls in (0, 7):
        run = run_on_verilog(placement.image, inputs, stalls=stalls)
        np.testing.assert_array_equal(run.results, infer(net, inputs))
        for is_first, counters in zip((True, False), run.counters, strict=True):
            counted = count_run(placement.image, first=is_first)
            assert counters["words_read"] == counted.words_read
            assert counters["words_written"] == counted.words_written
            more = counters["run_cycles"] - counted.cycles
            assert more > 1000 if stalls else more == 0


def test_a_check_of_a_network():
    """What `qcnpe simulate` says of runs of one sample; the first run also loads the network."""
    rng = np.random.default_rng(2)
    net = small_network(rng)
    inputs = random_inputs(rng, net, 2)
    found = check_autonomous(net, inputs, OTHER)
    assert (found.samples, found.mismatches) == (2, 0)
    assert found.cycles == found.counted_cycles
    np.testing.assert_array_equal(found.outputs, infer(net, inputs))
    with pytest.raises(ConfigError, match="2 samples are not a multiple of the batch, 3"):
        check_autonomous(net, inputs, OTHER, batch=3)
