"""Energy of networks at 2 bits: of which networks, and kept for other prices."""

import json
from dataclasses import replace

import pytest

from axnn.approximation.widths import ApproximationPlan
from axnn.experiments import narrow_energy
from axnn.experiments.narrow_energy import make_networks, measure
from axnn.flow.apps import App
from axnn.nn.spec import LayerSpec, NetworkSpec
from qcnpe.prices import EnergyPrices
from tests.axnn.tiny import ENGINE, PLAN, PRICES, TABLE, make_data

APP = App(
    title="Tiny",
    data="tiny",
    network=NetworkSpec(
        name="tiny",
        input_shape=(1, 3, 4),
        layers=(LayerSpec(kind="dense", channels=3, function="identity"),),
    ),
    training=PLAN,
    approximation=ApproximationPlan(bound_percent=5.0, retraining=PLAN),
    engine=ENGINE,
)


@pytest.fixture(autouse=True)
def tiny_data(monkeypatch):
    """The data of the application."""
    monkeypatch.setattr(narrow_energy, "load", lambda name, seed: make_data(seed=seed))
    monkeypatch.setattr(narrow_energy, "SAMPLES", 60)


def test_all_neurons_have_the_width(tmp_path):
    exact, narrow = make_networks(APP, tmp_path)
    assert {int(width) for layer in exact.layers for width in layer.precision.ravel()} == {16}
    assert {int(width) for layer in narrow.layers for width in layer.precision.ravel()} == {2}


def test_networks_are_kept(tmp_path, monkeypatch):
    first = measure(APP, tmp_path, TABLE)
    monkeypatch.setattr(narrow_energy, "train", None)
    dearer = EnergyPrices({**PRICES, "afu_identity": 5.0}, {})
    second = measure(APP, tmp_path, dearer)
    for pj, more in ((first.exact_pj, second.exact_pj), (first.narrow_pj, second.narrow_pj)):
        assert more - pj == pytest.approx(3 * 4.0), "a result for each class"
    assert first.ratio == pytest.approx(first.exact_pj / first.narrow_pj)


def test_figures_join_those_of_other_commands(tmp_path, monkeypatch):
    out = tmp_path / "energy.json"
    out.write_text(json.dumps({"sources": {"a": "b"}, "figures": {"a": 1.0}}))
    monkeypatch.setattr(narrow_energy, "find_app", lambda name: replace(APP, title=name))
    monkeypatch.setattr(EnergyPrices, "load", lambda: TABLE)
    folder = str(tmp_path / "networks")
    monkeypatch.setattr("sys.argv", ["x", "--folder", folder, "--out", str(out)])
    narrow_energy.main()
    figures = json.loads(out.read_text())["figures"]
    assert figures["a"] == 1.0
    assert figures["all2.digits.energy_ratio"] == figures["all2.objects.energy_ratio"] > 1
