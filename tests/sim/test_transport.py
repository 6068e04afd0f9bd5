"""The generated Verilog, Verilated, against the integer model."""

import numpy as np
import pytest

from qcnpe.random_work import random_streams
from qcnpe.spec.commands import Opcode, command_fields, encode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.errors import TransportError
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams
from sim.transport import SimulationTransport
from tests.sim.orphans import check_nothing_is_left

pytestmark = pytest.mark.xdist_group("sim4")


@pytest.mark.parametrize("max_beats", [3, 40])
def test_random_tiles_at_full_rate(engine4, max_beats):
    for seed in range(4):
        streams = random_streams(engine4.config, 300, seed, max_beats=max_beats)
        results = engine4.exchange(streams)
        np.testing.assert_array_equal(results, execute(engine4.config, streams).results)
        assert engine4.last_cycles == count_cycles(
            engine4.config, streams.decode(engine4.config)
        ), seed


@pytest.mark.parametrize("rest", [60, 200])
def test_random_tiles_with_resting_streams(engine4, rest):
    with SimulationTransport(engine4.config, rest=rest) as engine:
        streams = random_streams(engine.config, 300, rest)
        results = engine.exchange(streams)
        np.testing.assert_array_equal(results, execute(engine.config, streams).results)
        assert engine.last_cycles > count_cycles(engine.config, streams.decode(engine.config))


@pytest.mark.xdist_group("sim16")
def test_random_tiles_on_the_default_engine():
    config = EngineConfig()
    streams = random_streams(config, 300, 1, max_beats=100)
    with SimulationTransport(config) as engine:
        results = engine.exchange(streams)
    np.testing.assert_array_equal(results, execute(config, streams).results)
    assert engine.last_cycles == count_cycles(config, streams.decode(config))


def test_bad_command_is_reported_and_the_engine_goes_on(engine4):
    streams = random_streams(engine4.config, 5, 3)
    wrong = encode(command_fields(engine4.config), {"opcode": Opcode.TILE, "precision": 7})
    with pytest.raises(TransportError, match=r"halted at a bad command \(precision\)"):
        engine4.exchange(with_first_command(streams, wrong))
    results = engine4.exchange(streams)
    np.testing.assert_array_equal(results, execute(engine4.config, streams).results)


def test_missing_operands_are_a_clear_error(engine4):
    streams = random_streams(engine4.config, 5, 4)
    short = Streams(
        commands=streams.commands,
        activations=streams.activations[:-1],
        weights=streams.weights,
        parameters=streams.parameters,
        results=streams.results,
    )
    with pytest.raises(TransportError, match="did not finish within"):
        engine4.exchange(short)
    results = engine4.exchange(streams)
    np.testing.assert_array_equal(results, execute(engine4.config, streams).results)


KILLED = """
from qcnpe.spec.config import EngineConfig
from sim.transport import SimulationTransport

with SimulationTransport(EngineConfig(rows=4, cols=4)):
    print("ready", flush=True)
    input()
"""


def test_simulation_ends_when_its_host_is_killed(engine4):
    check_nothing_is_left(KILLED)


def with_first_command(streams: Streams, word: int) -> Streams:
    """The same streams behind one more command."""
    return Streams(
        commands=np.concatenate([np.array([word], np.uint64), streams.commands]),
        activations=streams.activations,
        weights=streams.weights,
        parameters=streams.parameters,
        results=streams.results,
    )
