"""The page on runs: what it holds equals what other commands say, and it stands alone."""

import base64
import hashlib
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from axnn import cli
from axnn.errors import RunError
from axnn.exploration import pareto_front, read_candidates
from axnn.exploration.explore import RESULTS
from axnn.flow.energy import EnergyModel
from axnn.flow.provenance import Provenance
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, evaluate_step, train_step
from axnn.report import read_run, write_run_page
from axnn.report.runs.points import UNITS, point_cost
from axnn.report.runs.systems import PARTS
from qcnpe.memory_events import MEMORY_UNITS
from qcnpe.prices import EnergyPrices
from qcnpe.spec.memory.config import Memory, MemoryConfig
from tests.axnn.report.small_run import APP, HOSTILE, make_run, patch_catalogue
from tests.axnn.tiny import TABLE, with_prices


@pytest.fixture(scope="module", autouse=True)
def catalogue():
    with pytest.MonkeyPatch.context() as patch:
        patch_catalogue(patch)
        yield


@pytest.fixture(scope="module")
def run(catalogue, tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("small") / "run")


@pytest.fixture(scope="module")
def reading(run):
    return read_run(run, TABLE)


@pytest.fixture(scope="module")
def page(run, reading, tmp_path_factory):
    return write_run_page(tmp_path_factory.mktemp("page"), [reading]).path


class Scripts(HTMLParser):
    """The scripts of a page, and the elements that could load something."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.scripts, self.addresses, self._inside = [], [], False
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._inside = tag == "script"
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        self.addresses += [attributes[name] for name in ("src", "href") if name in attributes]

    def handle_data(self, data):
        if self._inside:
            self.scripts.append(data)

    def handle_endtag(self, tag):
        self._inside = False


def test_points_have_the_figures_of_the_evaluation(run, reading):
    evaluation = evaluate_step(run, TABLE)
    points = {point.name: point for point in reading.points}
    assert points["exact16"].cost.energy_pj == pytest.approx(evaluation.exact16_pj)
    assert points["axnn"].cost.energy_pj == pytest.approx(evaluation.axnn_pj)
    assert points["axnn"].cost.memory_pj == pytest.approx(evaluation.axnn_memory_pj)
    assert points["axnn"].cost.external_pj == pytest.approx(evaluation.axnn_external_pj)
    assert points["axnn"].cost.cycles == pytest.approx(evaluation.axnn_cycles)
    assert points["axnn"].cost.histogram == evaluation.precision_histogram
    assert points["axnn"].test == evaluation.axnn_accuracy
    assert points["exact16"].test == evaluation.exact16_accuracy
    assert reading.float_accuracy == evaluation.float_accuracy
    layers = zip(evaluation.layers_pj.values(), points["axnn"].cost.layers, strict=True)
    for expected, layer in layers:
        units = sum(value for unit, value in layer.units_pj.items() if unit != "memory")
        assert units == pytest.approx(expected)


def test_every_operating_point_is_there_the_dearest_first(reading):
    names = [point.name for point in reading.points]
    assert names[0] == "exact16"
    others = {"axnn", "bound-2.5", "bound-7.5", "uniform-8", "uniform-4"}
    assert set(names) == {"exact16", *others}
    energies = [point.cost.energy_pj for point in reading.points]
    assert energies == sorted(energies, reverse=True)
    assert set(reading.trials) == others


def test_layers_add_up(reading):
    for point in reading.points:
        cost = point.cost
        memory = sum(layer.units_pj["memory"] for layer in cost.layers)
        assert memory == pytest.approx(cost.memory_pj)
        for layer in cost.layers:
            assert list(layer.units_pj) == list(UNITS)
            assert 0 < layer.beats <= layer.cycles
            assert layer.macs / layer.cycles <= max(cost.peaks.values())
            assert layer.autonomous is not None
            busy, stalled = layer.autonomous.busy, layer.autonomous.stalled
            assert busy + stalled <= layer.autonomous.cycles


def test_the_largest_memories_are_taken_where_the_default_ones_are_too_small(run, monkeypatch):
    net, energy = run.point("axnn"), EnergyModel(TABLE, APP.engine)
    assert point_cost(net, energy, exact=False).memories == "default"
    small = MemoryConfig.default(APP.engine).with_depths({Memory.ACTIVATIONS: 1})
    monkeypatch.setattr(MemoryConfig, "default", lambda engine: small)
    largest = point_cost(net, energy, exact=False)
    assert largest.memories == "largest"
    assert largest.system.parts_pj == {}
    assert largest.system.note.startswith("The network does not fit them: ")
    monkeypatch.setattr(MemoryConfig, "largest", lambda engine: small)
    nowhere = point_cost(net, energy, exact=False)
    assert (nowhere.memories, nowhere.start, nowhere.layers[0].autonomous) == (None, None, None)
    assert nowhere.system == largest.system


def test_systems_have_the_cycles_and_words_that_the_counters_count(run):
    net, samples = run.point("axnn"), run.samples().validation.inputs
    prices = with_prices(fetch_cycle=3.0, axi_cycle=0.5)
    cost = point_cost(net, EnergyModel(prices, APP.engine, samples), exact=False)
    found = [cost.start, *(layer.autonomous for layer in cost.layers)]
    places = [place for place in found if place is not None]
    cycles = sum(place.cycles for place in places)
    parts = cost.system.parts_pj
    assert list(parts) == list(PARTS)
    assert list(parts)[1:-2] == list(MEMORY_UNITS)
    assert parts["fetch"] == 3 * cycles
    assert parts["axi"] == 0.5 * cycles
    assert parts["control"] == 0
    external = TABLE.pj["external_word"]
    assert parts["external_memory"] == external * sum(place.words for place in places)
    assert cost.system.note == ""
    narrow = EnergyModel(EnergyPrices.load(), replace(APP.engine, cols=3), samples)
    assert point_cost(net, narrow, exact=False).system.note.startswith("An estimate: ")


def test_systems_count_the_operands_of_samples(run):
    net = run.point("axnn")
    prices = with_prices(fetch_activation_toggle=1.0)
    zeros = np.zeros((3, *net.layers[0].sources[0].geometry.input_shape))
    ones = np.full_like(zeros, 0.9)
    still, moving = (
        point_cost(net, EnergyModel(prices, APP.engine, samples), exact=False).system
        for samples in (zeros, np.concatenate([zeros, ones]))
    )
    assert 0 <= still.parts_pj["fetch"] < moving.parts_pj["fetch"]


def test_systems_without_prices_say_so(reading):
    for point in reading.points:
        assert point.cost.system.parts_pj == {}
        assert re.fullmatch(
            r"Not priced: there is no price for \w+; use prices that have one\.",
            point.cost.system.note,
        )


def test_widths_and_scores_are_those_of_the_networks(run, reading):
    net = run.point("axnn")
    (point,) = (point for point in reading.points if point.name == "axnn")
    for layer, cost in zip(net.layers, point.cost.layers, strict=True):
        widths = [width for width, count in cost.widths for _ in range(count)]
        assert widths == layer.precision.reshape(-1).tolist()
    counts: Counter[str] = Counter()
    for cost in point.cost.layers:
        for width, count in cost.widths:
            counts[str(width)] += count
    assert counts == point.cost.histogram
    shapes = [layer.shape for layer in reading.layers]
    assert shapes == [(3, 2, 3), (3, 1, 1)]
    for scores in reading.scores.values():
        assert [len(layer) for layer in scores] == [int(np.prod(shape)) for shape in shapes]


def test_candidates_are_the_exploration(run, reading):
    candidates = read_candidates(run)
    assert len(reading.candidates) == len(candidates) > 8
    front = pareto_front(candidates, "area")
    marked = [each for each in reading.candidates if each["front"]]
    assert {(each["engine"], each["point"]) for each in marked} == {
        (each.engine, each.point) for each in front
    }


def test_an_exploration_of_other_networks_is_refused(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    document = json.loads((run.path / RESULTS).read_text())
    document["made_from"]["files"]["axnn.npz"] = "0" * 64
    (tmp_path / "run" / RESULTS).write_text(json.dumps(document))
    with pytest.raises(RunError, match=r"made from another axnn\.npz; run `axnn explore` again"):
        read_candidates(RunFolder(tmp_path / "run"))


def test_the_document_in_the_page_is_the_reading(page, reading):
    data, _ = Scripts(page.read_text(encoding="utf-8")).scripts
    document = json.loads(data)
    assert document["kind"] == "axnn-report-1"
    (run,) = document["runs"]
    assert run["title"] == HOSTILE
    assert run["points"][0]["cost"]["energy_pj"] == reading.points[0].cost.energy_pj


def test_the_page_loads_nothing_and_runs_only_its_own_script(page):
    text = page.read_text(encoding="utf-8")
    found = Scripts(text)
    digest = hashlib.sha256(found.scripts[1].encode()).digest()
    policy = f"script-src 'sha256-{base64.b64encode(digest).decode()}'"
    assert policy in found.policy
    assert "default-src 'none'" in found.policy
    assert found.addresses == ["data:,"]
    assert not re.search(r"@import|url\(", text)
    assert "<img" not in text


def test_the_same_run_gives_the_same_bytes(run, page, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    again = write_run_page(tmp_path, [read_run(RunFolder(tmp_path / "run"), TABLE)])
    assert again.path.read_bytes() == page.read_bytes()


def test_provenance_is_what_the_evaluation_recorded(run, reading):
    made = Provenance.of_run(run.path)
    assert made is not None
    found = dict(reading.provenance)
    assert found["evaluated"] == made.date
    assert found["commit"] == made.commit or made.commit is None
    assert f"axnn {made.versions['axnn']}, python {made.versions['python']}" in found["versions"]
    assert found["seed"] == "1"
    assert found["engine"] == APP.engine.title
    assert found["prices"].startswith("made up for tests; SHA-256 ")


def test_a_folder_of_experiments_has_no_approximation_of_its_own(run, tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("run.json", "network.npz"):
        shutil.copy(run.path / name, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(RunError, match="holds no approximation; run `axnn approximate` first"):
        read_run(folder, TABLE)
    shutil.copytree(run.path / "bound-2.5", folder.path / "bound-2.5")
    points = read_run(folder, TABLE).points
    assert [point.name for point in points] == ["exact16", "bound-2.5"]


def test_the_command_compares_runs(run, tmp_path, monkeypatch, capsys):
    other = RunFolder(tmp_path / "other")
    train_step(other, APP, seed=2)
    approximate_step(other, APP.approximation)
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"pj": dict(TABLE.pj)}))
    shutil.copytree(run.path, tmp_path / "run")
    words = ["--run", tmp_path / "run", "--run", other.path, "--out", tmp_path / "page"]
    words += ["--prices", prices, "--json"]
    monkeypatch.setattr("sys.argv", ["axnn", "report", *map(str, words)])
    with pytest.raises(SystemExit) as status:
        cli.main()
    assert status.value.code == 0
    written = json.loads(capsys.readouterr().out)["page"]
    assert written == str(tmp_path / "page" / "report.html")
    data, _ = Scripts((tmp_path / "page" / "report.html").read_text(encoding="utf-8")).scripts
    assert [each["folder"] for each in json.loads(data)["runs"]] == ["run", "other"]
    assert (other.path / "summary.json").is_file()
