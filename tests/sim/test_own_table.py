"""The commands of the README, from a table of measurements to the Verilog that classifies it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.datasets import load_breast_cancer

from examples.own_table import tumours
from qcnpe.spec.samples import Samples

ROOT = Path(__file__).parents[2]


def commands() -> list[list[str]]:
    """Those that the section on own data shows."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Your own data\n")[1]
    found = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return [shlex.split(line, comments=True) for line in found[1].splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder, and what each command said."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "table.csv").write_text(tumours(), newline="")
    said = {}
    for words in commands():
        run = subprocess.run(
            [sys.executable, "-m", *words, "--json"],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        said[words[1]] = json.loads(run.stdout)
    return folder, said


def test_at_most_five_commands(done):
    assert [words[0] for words in commands()] == ["axnn"] * 3 + ["qcnpe"] * 2


def test_the_verilog_classifies_the_test_part(done):
    folder, said = done
    assert (folder / said["generate"]["verilog"]).stat().st_size > 100_000
    simulated, judged = said["simulate"], said["evaluate"]
    assert (simulated["mismatches"], simulated["samples"]) == (0, 114)
    assert simulated["accuracy"] == judged["axnn_accuracy"]
    assert simulated["cycles"] == simulated["counted_cycles"]


def test_the_networks_are_as_good_as_such_tables_allow(done):
    """97 % is what the publishers reach with 30 features, cross-validated; two points of slack."""
    _, said = done
    assert said["evaluate"]["float_accuracy"] > 0.95
    assert said["evaluate"]["axnn_accuracy"] > 0.95
    assert said["evaluate"]["energy_ratio"] > 3


def test_a_fifth_of_each_class_is_tested(done):
    folder, _ = done
    labels = Samples.load(folder / "build" / "own" / "test_inputs.npz").labels
    assert labels is not None
    benign = load_breast_cancer().target.mean()  # class 0 of ours, since it comes first by name
    assert labels.mean() == pytest.approx(1 - benign, abs=1 / 114)
