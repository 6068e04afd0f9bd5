"""A share of the long random runs, and that their tally can fail."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.random_work import bad_commands, count_results, random_streams, with_bad_commands
from qcnpe.spec.commands import ErrorCause, check_command, command_fields, decode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.errors import TransportError
from qcnpe.spec.model import execute
from qcnpe.spec.streams import unpack_result
from sim.long import RandomRun, Tally, run_fuzz, run_random
from sim.transport import SimulationTransport

CONFIG = EngineConfig(rows=4, cols=4)
CAUSES = {cause for cause in ErrorCause if cause}


def silent(line: str) -> None:
    """Report nothing."""


@pytest.mark.xdist_group("sim4")
def test_random_share():
    tally = Tally()
    run_random(RandomRun(config=CONFIG, tiles=3000, max_beats=40), tally, seed=7, report=silent)
    assert tally.mismatches == 0
    assert tally.results > 20_000


@pytest.mark.xdist_group("sim16")
def test_random_share_on_the_default_engine():
    tally = Tally()
    run = RandomRun(config=EngineConfig(), tiles=500, max_beats=40)
    run_random(run, tally, seed=8, rests=(60,), report=silent)
    assert tally.mismatches == 0
    assert tally.results > 40_000


@pytest.mark.xdist_group("sim4")
def test_fuzz_share():
    tally = Tally()
    run_fuzz(CONFIG, 6000, tally, seed=9, report=silent)
    assert tally.mismatches == 0
    assert tally.bad_commands == 6000
    # With four widths a command word has no reserved bits.
    assert tally.causes is not None
    assert {name for name, count in tally.causes.items() if count} == {
        cause.name.lower() for cause in CAUSES - {ErrorCause.RESERVED}
    }


@pytest.mark.xdist_group("sim4")
def test_a_wrong_result_is_tallied(monkeypatch):
    """The engine gets other weights than the model does."""
    original = SimulationTransport.exchange

    def tampered(engine, streams):
        weights = streams.weights.copy()
        weights[0] ^= 0x5555
        return original(engine, replace(streams, weights=weights))

    monkeypatch.setattr(SimulationTransport, "exchange", tampered)
    tally = Tally()
    run_random(
        RandomRun(config=CONFIG, tiles=100, max_beats=5), tally, seed=1, rests=(0,), report=silent
    )
    assert tally.mismatches > 0


@pytest.mark.xdist_group("sim4")
def test_words_that_stay_behind_are_tallied(monkeypatch):
    """A parameter word is put before each segment, as if it had remained from the previous one."""
    original = SimulationTransport._write_files

    def with_word(streams):
        return replace(streams, parameters=np.insert(streams.parameters, 0, 77))

    monkeypatch.setattr(
        SimulationTransport,
        "_write_files",
        lambda engine, segments: original(engine, [with_word(streams) for streams in segments]),
    )
    tally = Tally()
    run_fuzz(CONFIG, 20, tally, seed=9, report=silent)
    assert tally.mismatches > 0


@pytest.mark.xdist_group("sim4")
def test_errors_are_reported_and_forgotten(engine4):
    good = random_streams(CONFIG, 5, 3)
    mixed = with_bad_commands(CONFIG, good, bad_commands(CONFIG, 20, 3), 3)
    outcomes = engine4.exchange_segments([mixed, good, mixed, good])
    for found, sent in zip(outcomes, [mixed, good] * 2, strict=True):
        expected = execute(CONFIG, sent)
        np.testing.assert_array_equal(found.results, expected.results)
        assert found.error == expected.error
    assert outcomes[0].error != ErrorCause.NONE


@pytest.mark.xdist_group("sim4")
@pytest.mark.parametrize("name", ["activations", "weights", "parameters"])
def test_a_hanging_engine_is_halted_and_goes_on(engine4, name):
    good = random_streams(CONFIG, 5, 4)
    short = replace(good, **{name: getattr(good, name)[:-1]})
    with pytest.raises(TransportError, match="did not finish within"):
        engine4.exchange(short)
    results = engine4.exchange(good)
    np.testing.assert_array_equal(results, execute(CONFIG, good).results)
    assert engine4.last_cycles == count_cycles(CONFIG, good.decode(CONFIG))


def test_bad_commands_are_bad_for_every_reason():
    config = EngineConfig(rows=4, cols=4, precisions=(16, 4))
    causes = {check_command(config, word) for word in bad_commands(config, 2000, 1).tolist()}
    assert causes == CAUSES


@pytest.mark.parametrize("kind", ["fused", "gated"])
def test_random_results_use_their_range(kind):
    """Saturated results would hide errors in their sums."""
    config = EngineConfig(rows=4, cols=4, ncu=kind)
    streams = random_streams(config, 400, 1)
    lanes = execute(config, streams).results
    values = unpack_result(config, lanes[lanes != 0], 16)
    inside = np.abs(values) < 32767
    assert inside.mean() > 0.6
    assert np.abs(values).mean() > 4000


def test_results_and_products_are_counted():
    streams = random_streams(CONFIG, 50, 5)
    layout = command_fields(CONFIG)
    tiles = [decode(layout, word) for word in streams.commands.tolist()]
    results = products = 0
    for tile in tiles:
        if tile["opcode"] == 1:
            results += sum(1 for _ in range(0, tile["rows"], 1 << tile["pool"])) * tile["cols"]
            products += tile["rows"] * tile["cols"] * tile["beats"] * (16 // tile["precision"])
    assert count_results(CONFIG, streams) == (results, products)
