"""Engines for a network: all of them, counted as `evaluate` does it, and the best of them."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from axnn import cli, data
from axnn.errors import RunError
from axnn.exploration import Candidate, Limits, Space, explore, pareto_front
from axnn.exploration.candidates import COSTS
from axnn.exploration.counting import Point, Shared, count, measure_activity
from axnn.exploration.exact import with_exact_areas
from axnn.exploration.explore import RESULTS, operating_points, uniform_runs
from axnn.flow.apps import APPS, App
from axnn.flow.energy import EnergyModel
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, train_step
from qcnpe.area import AreaModel
from qcnpe.placement.build import place_network
from qcnpe.prices import EnergyPrices
from qcnpe.side_area import SideAreaModel
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.cycles import count_run
from qcnpe.tasks import Workplace
from qcnpe.tools.process import Output
from tests.axnn.approximation.test_loop import PLAN as APPROXIMATION
from tests.axnn.tiny import ENGINE, PLAN, TABLE, make_data, make_spec, with_prices

SPACE = Space(
    rows=(2, 4), cols=(2, 8), precisions=((16, 8, 4, 2), (16, 8)), ncus=("fused", "plain16")
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run, trained and approximated."""
    app = App(
        title="Tiny",
        data="tiny",
        network=make_spec(),
        training=replace(PLAN, epochs=5),
        approximation=APPROXIMATION,
        engine=ENGINE,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(APPS, "tiny", app)
        patch.setitem(data.LOADERS, "tiny", lambda seed: make_data())
        folder = RunFolder(tmp_path_factory.mktemp("run"))
        train_step(folder, app, seed=3)
        approximate_step(folder, APPROXIMATION)
        yield folder


def candidate(*costs: float) -> Candidate:
    engine = {"rows": 1, "cols": 1, "precisions": (16,), "ncu": "fused"}
    rest = {"point": "p", "memory_pj": 0.0, "external_pj": 0.0, "accuracy": 0.5}
    return Candidate(**engine, **rest, **dict(zip(COSTS, costs, strict=True)))  # type: ignore[arg-type]


def test_engines_of_a_space():
    engines = SPACE.engines(EngineConfig(fifo_depth=8))
    assert len(engines) == 2 * 4 + 4  # plain16 has one set of widths
    assert len(set(engines)) == len(engines)
    assert {engine.fifo_depth for engine in engines} == {8}
    with pytest.raises(ConfigError, match="rows must hold at least one value"):
        replace(SPACE, rows=())


def test_the_front_is_what_no_other_beats():
    rng = np.random.default_rng(7)
    everything = [candidate(*rng.integers(0, 30, 4)) for _ in range(200)]
    front = {each.costs for each in pareto_front(everything, "area")}
    assert 10 < len(front) < 100
    table = np.array([each.costs for each in everything])
    for row in table:
        beaten = ((table <= row).all(axis=1) & (table < row).any(axis=1)).any()
        assert (tuple(row) in front) == (not beaten)
    areas = [each.area_um2 for each in pareto_front(everything, "area")]
    assert areas == sorted(areas)


def test_limits():
    limits = Limits.parse(["cycles=20", "loss_points=0.5"])
    assert limits.allow(candidate(9e9, 20, 9e9, 0.5))
    assert not limits.allow(candidate(0, 21, 0, 0))
    assert not limits.allow(candidate(0, 0, 0, 0.6))
    with pytest.raises(ConfigError, match="limit must be of energy_pj, cycles"):
        Limits.parse(["price=3"])
    with pytest.raises(ConfigError, match="limit must be like area_um2=200000, not 'cycles'"):
        Limits.parse(["cycles"])
    with pytest.raises(ConfigError, match="limit of cycles must be a number, not nan"):
        Limits.parse(["cycles=nan"])


@pytest.mark.parametrize("ncu", ["fused", "gated"])
def test_counts_are_those_of_an_evaluation(run, ncu):
    """On other sizes, too, although operands are measured on one size only."""
    samples, prices = run.samples().validation.inputs, EnergyPrices.load()
    point = Point("axnn", run.point("axnn"), 0.5, 0.0)
    activity = {("axnn", ncu): measure_activity(point.net, ENGINE, ncu, samples)}
    shared = Shared((point,), activity, prices, AreaModel.load())
    for rows, cols in ((4, 4), (2, 8), (16, 3)):
        engine = replace(ENGINE, rows=rows, cols=cols, ncu=ncu)
        found, cost = (
            count(point, engine, shared),
            EnergyModel(prices, engine, samples).cost(point.net),
        )
        assert found.cycles == cost.cycles
        assert found.memory_pj == pytest.approx(cost.memory_pj)
        assert found.external_pj == pytest.approx(cost.external_pj)
        # Operands and sums have other neighbours where a tile begins.
        assert found.energy_pj == pytest.approx(cost.energy_pj, rel=0.03)


def test_an_exploration_is_the_same_with_workers_and_goes_on_where_it_ended(run, monkeypatch):
    first = explore(run, SPACE, TABLE, where=Workplace(workers=2))
    assert {each.point for each in first.candidates} == {"exact16", "axnn"}
    assert first.reused == 0
    (run.path / RESULTS).unlink()
    assert explore(run, SPACE, TABLE).candidates == first.candidates
    wider = replace(SPACE, rows=(2, 4, 8))
    assert explore(run, wider, TABLE).reused == len(SPACE.engines(ENGINE))
    dearer = EnergyPrices({name: 2 * price for name, price in TABLE.pj.items()}, {})
    again = explore(run, SPACE, dearer)
    assert again.reused == 0
    assert [each.energy_pj for each in again.candidates] == pytest.approx(
        [2 * each.energy_pj for each in first.candidates]
    )


def test_points_are_counted_only_on_engines_that_have_their_widths(run):
    found = explore(run, replace(SPACE, ncus=("plain16",)), TABLE)
    assert {each.point for each in found.candidates} == {"exact16"}
    assert {(each.engine, each.point) for each in found.left_out} == {
        (engine.title, "axnn") for engine in replace(SPACE, ncus=("plain16",)).engines(ENGINE)
    }
    assert re.fullmatch(r"has no operands of [842, ]+ bits", found.left_out[0].reason)


def test_networks_of_one_width_are_operating_points(run, tmp_path):
    plan = replace(APPROXIMATION, start="ladder", long_epochs=1)
    app = replace(run.record().app, approximation=plan)
    ladder = RunFolder(tmp_path / "ladder")
    train_step(ladder, app, seed=3)
    approximate_step(ladder, plan)
    found = explore(ladder, replace(SPACE, rows=(4,), cols=(2,), ncus=("fused",)), TABLE)
    names = {f"uniform-{width}" for width in ENGINE.precisions[1:]}
    assert {each.point for each in found.candidates} == {"exact16", "axnn"} | names
    assert {each.point for each in found.left_out} == {
        each.name for each in operating_points(ladder, uniform_runs(ladder)) if min(each.widths) < 8
    }


def test_engines_with_memories(run):
    space = replace(SPACE, rows=(4,), ncus=("fused",), precisions=((16, 8, 4, 2),))
    streams = {(each.cols, each.point): each for each in explore(run, space, TABLE).candidates}
    found = explore(run, space, TABLE, autonomous=True)
    assert found.reused == 0
    for each in found.candidates:
        net = run.point(each.point)
        memories = MemoryConfig.default(EngineConfig(rows=4, cols=each.cols))
        image = place_network(net, memories, 1).image
        assert each.cycles == count_run(image, first=False).cycles
        weights = sum(
            layer.precision.size * layer.sources[0].geometry.fan_in for layer in net.layers
        )
        assert each.memory_bits > 2 * weights
        assert each.energy_pj == streams[each.cols, each.point].energy_pj
        assert each.cycles > streams[each.cols, each.point].cycles
        assert each.side_pj is None  # these prices are without the memory side's
        assert each.side_um2 == SideAreaModel.load().area_um2(each.config)
        assert streams[each.cols, each.point].side_pj is None
        assert streams[each.cols, each.point].side_um2 is None
    priced = explore(run, space, with_prices(fetch_cycle=3.0, axi_cycle=0.5), autonomous=True)
    assert [each.side_pj for each in priced.candidates] == [
        3.5 * each.cycles for each in found.candidates
    ]


def test_a_run_without_approximation_is_refused(tmp_path, run):
    other = RunFolder(tmp_path / "other")
    train_step(other, run.record().app, seed=4)
    with pytest.raises(RunError, match="holds no approximation; run `axnn approximate` first"):
        explore(other, SPACE, TABLE)


def test_a_bound_is_an_operating_point(run):
    found = explore(run, replace(SPACE, rows=(4,), ncus=("fused",)), TABLE, bounds=[30.0])
    assert {each.point for each in found.candidates} == {"exact16", "axnn", "bound-30"}


def test_the_command_writes_a_table_json_and_csv(run, tmp_path, monkeypatch, capsys):
    prices, out = tmp_path / "prices.json", tmp_path / "all.csv"
    prices.write_text(json.dumps({"pj": dict(TABLE.pj)}))
    words = ["explore", "--run", run.path, "--rows", "2,4", "--cols", "4", "--prices", prices]
    words += ["--limit", "loss_points=100", "--out", out]

    def call(*more):
        monkeypatch.setattr("sys.argv", ["axnn", *map(str, words), *more])
        with pytest.raises(SystemExit) as status:
            cli.main()
        assert status.value.code == 0
        return capsys.readouterr()

    front = json.loads(call("--json", "--objective", "area").out)["front"]
    areas = [each["area_um2"] for each in front]
    assert areas == sorted(areas)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == json.loads(call("--json").out)["candidates"] > len(front)
    assert {row["fits_ulx3s_85f"] for row in rows} == {"yes", "unknown"}
    assert front[0]["boards"]["icebreaker"] in ("no", "unknown")
    assert "that no other beats" in call().out
    cycles = min(float(row["cycles"]) for row in rows)
    assert (
        "no candidate is within the limits; at least: loss_points"
        in call("--limit", "cycles=0").err
    )
    assert f"cycles {cycles:g}" in call("--limit", "cycles=0").err


def test_exact_areas_are_those_of_synthesis(monkeypatch):
    asked = []

    def synthesis(name, command, folder):
        asked.append(command[command.index("synth") :])
        return Output('{"area_um2": 123.5}', "", 0)

    monkeypatch.setattr("axnn.exploration.exact.run", synthesis)
    front = [candidate(1, 2, 3, 4), replace(candidate(1, 2, 3, 4), rows=2), candidate(5, 2, 3, 4)]
    found = with_exact_areas(front)
    assert [each.area_um2 for each in found] == [123.5] * 3
    assert [each.energy_pj for each in found] == [1, 1, 5]
    assert len(asked) == 2  # engines, not candidates
    assert asked[0][1:9] == ["--rows", "1", "--cols", "1", "--precisions", "16", "--ncu", "fused"]
