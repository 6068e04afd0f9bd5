"""Events of the memory side, counted from the RTL's ports; prices fitted to known energies."""

from types import SimpleNamespace

import numpy as np
import pytest

from qcnpe.events import OperandActivity
from qcnpe.memory_events import MEMORY_UNITS, count_memory_events
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.cycles import count_run
from synth.errors import SynthesisError
from synth.memory_player import Player
from synth.memory_prices import errors, fit_memory_units, predict_fj
from synth.memory_probes import probes
from synth.memory_units import memory_unit_of

LANE_WORDS = 5
"""16-bit words of an entry: 18 bits for each of 4 lanes, and 2 of the number of passes."""

CONFIG = MemoryConfig.default(EngineConfig(rows=4, cols=3))


@pytest.fixture(scope="module")
def recorded():
    """Two layers at 8 bits, booted and run again, on the RTL."""
    (program,) = probes(CONFIG, seed=1, names=("small",))
    return program, Player(CONFIG).record([program])


def enabled(made, span, name):
    """Cycles of a run in which a port of one bit or more is not zero."""
    return sum(cycle[name] != 0 for cycle in made.outputs[slice(*span)])


@pytest.mark.parametrize("number", [0, 1])
def test_events_are_those_of_the_rtl(recorded, number):
    """Enables of every memory, and words on the bus, port by port."""
    program, made = recorded
    span = made.spans[number]
    events = count_memory_events(program.image, first=number == 0)
    banks = [f"banks.bank_{bank}.sram" for bank in range(CONFIG.banks)]
    reads = sum(enabled(made, span, f"{bank}.read_enable") for bank in banks)
    writes = sum(enabled(made, span, f"{bank}.write_enable") for bank in banks)
    assert (events["activation_memory_read"], events["activation_memory_write"]) == (reads, writes)
    beats = enabled(made, span, "weights.word_0.read_enable")
    assert events["fetch_beat"] == beats
    assert events["weight_memory_read"] == beats * CONFIG.engine.cols
    assert events["processor_parameter"] == enabled(made, span, "parameters.word_0.read_enable")
    widths = dict.fromkeys(("taps", "writes"), 4)  # words of a row
    widths |= {"descriptors": 16, "lanes": LANE_WORDS, "store_lanes": LANE_WORDS}
    tables = sum(
        width * enabled(made, span, f"{name}.word_0.read_enable") for name, width in widths.items()
    )
    assert events["table_memory_read"] == tables
    cycles = made.inputs[slice(*span)], made.outputs[slice(*span)]
    read = sum(
        given["m_axi_rvalid"] & seen["m_axi_rready"] for given, seen in zip(*cycles, strict=True)
    )
    written = enabled(made, span, "m_axi_wvalid")
    assert (events["axi_read"], events["axi_write"]) == (read, written)
    bursts = enabled(made, span, "m_axi_arvalid") + enabled(made, span, "m_axi_awvalid")
    assert events["axi_burst"] == bursts
    assert events["external_word"] == 4 * (read + written)
    assert events["fetch_cycle"] == count_run(program.image, first=number == 0).cycles


def test_prices_are_found_again(monkeypatch):
    """Energies made of known prices; the runs differ in all events."""
    rng = np.random.default_rng(3)
    kinds = ("cycle", "pass", "activation_toggle", "weight_toggle")
    names = [f"{unit}_{kind}" for unit in MEMORY_UNITS for kind in kinds]
    prices = dict(zip(names, rng.uniform(1, 9, len(names)).tolist(), strict=True))

    def made(name):
        events = {each: int(rng.integers(1, 500)) for each in names}
        events |= {f"{unit}_cycle": int(rng.integers(600, 620)) for unit in MEMORY_UNITS}
        words = {f"{unit}_word_16b": 100 for unit in MEMORY_UNITS}
        return SimpleNamespace(
            name=name,
            cycles=600,
            activity={16: OperandActivity()},
            events=lambda with_operands=True: events if with_operands else words,
            energies_fj=predict_fj(prices, events),
        )

    runs = [made(str(number)) for number in range(12)]
    found = fit_memory_units(dict.fromkeys(MEMORY_UNITS, 0.0), runs)
    assert {name: found[name] for name in names} == pytest.approx(prices)
    toggles = [
        prices[f"fetch_{kind}"] * run.events()[f"fetch_{kind}"]
        for run in runs
        for kind in kinds[2:]
    ]
    assert found["fetch_word_16b"] == pytest.approx(sum(toggles) / (100 * len(runs)))
    named = [made(name) for name in ("16", "8", "4", "2")]
    dear = {name: 1.5 * price for name, price in prices.items()}
    assert errors(dear, named)["memory_check_error_max"] == pytest.approx(0.5)
    assert errors(dear, named)["memory_check_error_8b_axi"] == pytest.approx(0.5)


def test_every_instance_belongs_to_a_unit():
    assert memory_unit_of(("memory_side", "banks$242", "bank_0")) == "banks"
    assert memory_unit_of(("memory_side", "writes$248")) == "write_back"
    assert memory_unit_of(()) == "control"
    with pytest.raises(SynthesisError, match="instance spare of the engine belongs to no unit"):
        memory_unit_of(("spare",))
