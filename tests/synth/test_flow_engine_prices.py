"""Prices of the units around the NCUs, and their check on a whole engine."""

import json
from typing import Any

import pytest

from qcnpe.activity import stream_activity
from qcnpe.events import count_events
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.model import execute
from qcnpe.spec.qnet import QuantNet
from synth import engine_check
from synth.energy_table import RESULTS
from synth.engine_bench import EngineRun
from synth.engine_check import CheckedLayer, error, figures, layers
from synth.engine_prices import events_of, fit_units, in_unit, shared_ncu_fj
from synth.engine_units import UNITS
from synth.probes import probes
from synth.traces import load

CONFIG = EngineConfig(rows=4, cols=4)


@pytest.fixture(scope="module")
def programs() -> list[Any]:
    """The programs of a measurement."""
    return probes(CONFIG, load(), seed=1)


def test_programs_are_good_and_end_with_all_their_words(programs: list[Any]) -> None:
    for streams in programs:
        outcome = execute(CONFIG, streams)
        assert not outcome.error
        assert len(outcome.results) == streams.results


def test_programs_contain_every_event(programs: list[Any]) -> None:
    seen: dict[str, int] = {}
    for streams in programs:
        counts = count_events(CONFIG, streams.decode(CONFIG))
        for name, count in counts.events(stream_activity(CONFIG, streams)).items():
            seen[name] = seen.get(name, 0) + count
    assert min(seen.values()) > 0, min(seen, key=lambda name: seen[name])
    assert {name.partition("_")[0] for name in seen} == set(UNITS)


def made_run(streams: Any, price: dict[str, float], cycles: int) -> EngineRun:
    """A run whose units take exactly what prices say."""
    events = events_of(CONFIG, EngineRun(streams, cycles, {}))
    energies = {
        unit: sum(price.get(name, 3.0) * count for name, count in in_unit(events, unit).items())
        for unit in UNITS
    }
    return EngineRun(streams, cycles, energies)


def test_prices_are_found_again(programs: list[Any]) -> None:
    price = {"afu_relu": 500.0, "row_sum_toggle": 70.0, "queue_cycle": 11.0, "skew_lane": 0.0}
    runs = [made_run(streams, price, 40 + n) for n, streams in enumerate(programs)]
    idle = dict.fromkeys(UNITS, 2.0) | {"queue": 8 * 10.0}
    found = fit_units(CONFIG, idle, runs)
    for name, fj in found.items():
        assert fj == pytest.approx(price.get(name, 3.0), abs=0.05), name
    assert not any(name.startswith("ncu_") for name in found)


def test_what_ncus_take_only_in_an_engine(programs: list[Any]) -> None:
    wanted = {"ncu_edge_beat": 40.0, "ncu_result": 500.0}
    runs = [made_run(streams, wanted, 60) for streams in programs]
    others = {name: 3.0 for run in runs for name in events_of(CONFIG, run)}
    assert shared_ncu_fj(CONFIG, others, runs) == pytest.approx(wanted)


def checked(width: int, name: str, ncu: tuple[float, float], row: tuple[float, float]) -> Any:
    """A layer with (simulated, predicted) energies of two units; the others take 1 fJ."""
    simulated, predicted = (
        {**dict.fromkeys(UNITS, 1.0), "ncu": n, "row": r} for n, r in zip(ncu, row, strict=True)
    )
    return CheckedLayer(width, name, 10, simulated, predicted)


def test_errors_are_those_of_energies_added_up() -> None:
    small = checked(8, "a", (60, 60), (40, 80))
    large = checked(8, "b", (600, 560), (300, 300))
    wide = checked(16, "a", (100, 89.5), (0.5, 1))
    assert error([small, large]) == pytest.approx(0.0)
    assert error([small, large], "row") == pytest.approx(380 / 340 - 1)
    found = figures([wide, small, large])
    assert found["engine_check_error_8b"] == 0.0
    assert found["engine_check_error_8b_a"] == pytest.approx(40 / 105, abs=1e-4)
    assert found["engine_check_error_8b_ncu"] == pytest.approx(-40 / 660, abs=1e-4)
    assert found["engine_check_error_16b"] == pytest.approx(-10 / 105.5, abs=1e-4)
    assert found["engine_check_error_max"] == pytest.approx(10 / 105.5, abs=1e-4)


def test_networks_have_one_width_each_and_use_every_function() -> None:
    for width in CONFIG.precisions:
        net = QuantNet.load(engine_check.network_file(width))
        assert {int(w) for layer in net.layers for w in layer.precision.ravel()} == {width}
        assert {layer.function for layer in net.layers} == {"relu", "tanh", "identity"}
        (name, streams), *_ = layers(width, CONFIG, 1)
        assert name == net.layers[0].name
        assert {tile.window for tile in streams.tiles(CONFIG)} == {4}


def test_committed_check_holds() -> None:
    found = json.loads(RESULTS.read_text())["figures"]
    errors = [found[f"engine_check_error_{width}b"] for width in (16, 8, 4, 2)]
    assert found["engine_check_error_max"] == max(map(abs, errors)) <= 0.05
