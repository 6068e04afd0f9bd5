"""A whole engine at gate level: netlists of its units put together, results and energies."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qcnpe.random_work import random_streams
from qcnpe.spec.commands import TableLoad
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams
from synth.assembly import assemble
from synth.engine_bench import GAP_CYCLES, EngineBench, record
from synth.engine_units import UNITS, unit_of
from synth.engine_wires import lengths_um
from synth.errors import SynthesisError
from synth.floorplan import Floorplan
from synth.flow import own_cells
from synth.measure import map_leaf
from synth.netlist import Instance, Netlist, Placed, Port
from synth.stimulus import PERIOD_PS
from synth.structural import StructuralNcu

CONFIG = EngineConfig(rows=2, cols=1, precisions=(16, 2), table_segments=8, fifo_depth=2)


@pytest.fixture(scope="module")
def bench() -> EngineBench:
    """A small engine."""
    return EngineBench.make(CONFIG, own_cells())


def without_tables(streams: Streams) -> Streams:
    """The same tiles with the table that was loaded before."""
    commands, parameters, place = [], [], 0
    for word, command in zip(streams.commands, streams.decode(CONFIG), strict=True):
        if isinstance(command, TableLoad):
            place += CONFIG.table_segments + 1
            continue
        commands.append(word)
        parameters.append(streams.parameters[place : place + command.cols])
        place += command.cols
    return replace(
        streams,
        commands=np.array(commands, np.uint64),
        parameters=np.concatenate(parameters),
    )


def inverter(name: str, source: int, target: int) -> Placed:
    """A placed inverter."""
    return Placed(name, "INV_X1", {"A": source, "ZN": target})


def test_units_are_connected_through_ports_and_past_cells() -> None:
    # `pair` has two of `one`: an inverter, with an output that is its input and one that is 1.
    ports = {
        "a": Port("input", (2,)),
        "z": Port("output", (3,)),
        "same": Port("output", (2,)),
        "high": Port("output", (1,)),
    }
    one = Netlist("one", (inverter("g", 2, 3),), ports, {})
    first = Instance("u0", "one", {"a": (2,), "z": (4,), "same": (5,)})
    second = Instance("u1", "one", {"a": (5,), "z": (6,), "high": (7,)})
    outside = {"x": Port("input", (2,)), "y": Port("output", (4, 6, 7))}
    pair = Netlist("pair", (inverter("g", 6, 8),), outside, {}, (first, second))
    found = assemble({"one": one, "pair": pair}, "pair")
    pins = {cell.name: (cell.pins["A"], cell.pins["ZN"]) for cell in found.netlist.placed}
    (x,), (left, right, high) = (found.netlist.ports[name].nets for name in ("x", "y"))
    assert pins["u0.g"] == (x, left)
    assert pins["u1.g"] == (x, right), "the second reads the input past the first"
    assert pins["g"][0] == right
    assert high == 1
    assert [place.path for place in found.places] == [(), ("u0",), ("u1",)]
    assert len({x, left, right, high, pins["g"][1]}) == 5


def test_a_net_is_not_both_constants() -> None:
    ports = {"low": Port("output", (0,)), "high": Port("output", (1,))}
    one = Netlist("one", (), ports, {})
    inside = Instance("u", "one", {"low": (2,), "high": (2,)})
    with pytest.raises(SynthesisError, match="both constants"):
        assemble({"one": one, "top": Netlist("top", (), {}, {}, (inside,))}, "top")


def test_every_result_of_random_work_is_that_of_the_rtl(bench: EngineBench) -> None:
    runs = [random_streams(CONFIG, 6, seed, max_beats=6, table_share=0.1) for seed in range(2)]
    runs.append(without_tables(runs[0]))
    idle_fj, found = bench.run(runs)
    assert [run.streams for run in found] == runs
    for run in found:
        assert all(fj > run.cycles * idle_fj[unit] for unit, fj in run.energies_fj.items())
    assert set(idle_fj) == set(UNITS)


def test_a_wrong_netlist_is_found(bench: EngineBench, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = random_streams(CONFIG, 3, 1, max_beats=3)
    outcome = execute(CONFIG, streams)
    other = replace(outcome, results=outcome.results ^ np.uint64(1))
    monkeypatch.setattr("synth.engine_bench.execute", lambda *_: other)
    with pytest.raises(SynthesisError, match=r"returns \d+ in cycle \d+, not \d+; its longest"):
        bench.run([streams])


@pytest.mark.parametrize("config", [CONFIG, EngineConfig(rows=3, cols=4, precisions=(16, 4))])
def test_timed_engine_has_the_timing_of_the_engine(config: EngineConfig) -> None:
    for seed in range(2):
        streams = random_streams(config, 8, seed, max_beats=5, table_share=0.1)
        recording = record(config, [streams])
        taken = len(recording.inputs) - recording.begins[0] - GAP_CYCLES
        # A word that is sent in a cycle waits at the end of its queue in the next one.
        assert taken == count_cycles(config, streams.decode(config)) + 1
        assert sum(recording.has_results) == streams.results


def test_energies_of_units_are_those_of_their_cells(
    bench: EngineBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    activities: list[Any] = []
    simulated = bench.circuit.run_parts

    def run_parts(*arguments: Any) -> Any:
        activities.extend(simulated(*arguments))
        return activities

    monkeypatch.setattr(bench.circuit, "run_parts", run_parts)
    _, (run,) = bench.run([random_streams(CONFIG, 3, 1, max_beats=3)])
    cells_fj = activities[1].energy_fj.sum()
    leakage_fj = bench.circuit.leakage_nw * PERIOD_PS * 1e-6 * run.cycles
    clocked_fj = sum(run.energies_fj.values()) - cells_fj - leakage_fj
    assert 0 < clocked_fj < 0.5 * cells_fj, "the clock's wires and tree come on top"


def test_a_unit_has_the_same_netlist_in_an_engine_as_alone(bench: EngineBench) -> None:
    """Else its wires would not be those of the routed one."""
    alone = StructuralNcu(CONFIG)
    netlist = map_leaf(alone, own_cells()).netlist
    assert bench.assembly.units[alone.module_name].sha256 == netlist.sha256


def test_units_are_told_by_their_places() -> None:
    assert unit_of(("array.row_3", "ncu_2")) == "ncu"
    assert unit_of(("array.row_3", "resolve")) == unit_of(("array.row_3",)) == "row"
    assert unit_of(("array.row_skew", "bank_1_0")) == "skew"
    assert unit_of(("collector", "queue_1")) == "result"
    with pytest.raises(SynthesisError, match="teapot"):
        unit_of(("teapot",))


def test_wires_are_as_long_as_the_floorplan_says(bench: EngineBench) -> None:
    plan = Floorplan(2, 1, 10.0, 30.0)
    found = np.array(list(lengths_um(bench.assembly, plan, bench.circuit.models).values()))
    assert set(found) <= {0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 45.0}
    assert 30.0 in found, "the parameters of a neuron go from row to row"


def test_a_bit_travels_eastwards_through_the_ors_of_its_row() -> None:
    ncu_ports = {"a": Port("input", (2,)), "result": Port("output", (3,))}
    ncu = Netlist("ncu", (inverter("g", 2, 3),), ncu_ports, {})
    gates = (
        Placed("left", "NOR2_X1", {"A1": 3, "A2": 4, "ZN": 7}),
        Placed("right", "NOR2_X1", {"A1": 5, "A2": 6, "ZN": 8}),
        Placed("both", "NAND2_X1", {"A1": 7, "A2": 8, "ZN": 9}),
    )
    inside = tuple(
        Instance(f"ncu_{col}", "ncu", {"a": (2,), "result": (3 + col,)}) for col in range(4)
    )
    row_ports = {"a": Port("input", (2,)), "z": Port("output", (9,))}
    row = Netlist("row", gates, row_ports, {}, inside)
    outer = Instance("array.row_0", "row", {"a": (2,), "z": (3,)})
    top_ports = {"a": Port("input", (2,)), "z": Port("output", (3,))}
    top = Netlist("top", (), top_ports, {}, (outer,))
    found = assemble({"ncu": ncu, "row": row, "top": top}, "top")
    models = own_cells().library.models(["INV_X1", "NOR2_X1", "NAND2_X1"])
    lengths = lengths_um(found, Floorplan(1, 4, 10.0, 30.0), models)
    (nets,) = (place.nets for place in found.places if place.unit == "row")
    assert [lengths[nets[net]] for net in range(3, 9)] == [10, 0, 10, 0, 20, 0]
