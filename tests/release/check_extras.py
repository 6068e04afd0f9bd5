"""Installations outside the source tree: the core is enough for the method, extras bring more."""

import json
import re
from pathlib import Path

import pytest

from tests.docs.check_notebook import cells
from tests.test_packaging import EXTRAS

IMPORTS = """
import importlib, re, sys
from importlib.metadata import packages_distributions, requires
pattern = re.compile(r"([\\w.-]+).*extra == '" + sys.argv[1] + "'")
wanted = {found[1].lower() for line in requires("axnn") if (found := pattern.match(line))}
wanted -= {"axnn", *sys.argv[2:]}
brought = {name.lower() for names in packages_distributions().values() for name in names}
assert wanted <= brought, wanted - brought
for module, names in sorted(packages_distributions().items()):
    brought = wanted & {name.lower() for name in names}
    if brought and module.isidentifier() and module[0] != "_" and module != "builder":
        importlib.import_module(module)
"""
"""Imports what an extra brings, but `builder`: the script that builds the wheel of coriolis-eda."""

WITHOUT_MODULES = {
    "dev": {"amaranth-stubs", "mypy", "ruff", "types-pyserial"},
    "fpga": {"amaranth"},  # an extra of it
}
"""Packages of extras that are only programs, or types for mypy."""


@pytest.fixture(scope="module")
def core(install):
    return install()


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A table whose class is whether the first number is larger than the second."""
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rows = [f"{7 * n % 31},{11 * n % 29},{'yn'[7 * n % 31 > 11 * n % 29]}" for n in range(300)]
    path.write_text("\n".join(["a,b,class", *rows]))
    return path


def train(environment, table: Path) -> None:
    environment.run("axnn", "train", "--data", table, "--label", "class", "--run", "own")
    environment.run("axnn", "approximate", "--run", "own")
    environment.run("axnn", "evaluate", "--run", "own")


def test_core_trains_approximates_and_generates_verilog(core, table):
    train(core, table)
    evaluation = json.loads(core.run("axnn", "evaluate", "--run", "own", "--json"))
    assert evaluation["axnn_accuracy"] > 0.7
    core.run("axnn", "report", "--run", "own")
    assert "axnn-report-1" in (core.folder / "own" / "report.html").read_text()
    core.run("qcnpe", "generate", "--rows", "2", "--cols", "2", "--out", "verilog")
    text = (core.folder / "verilog" / "qcnpe_engine.v").read_text()
    assert "module qcnpe_engine(" in text
    assert core.run("axnn", "--version") == core.run("qcnpe", "--version")


def test_the_notebook_runs_with_the_core(core):
    assert "of the test part right" in core.run("python", "-c", "\n".join(cells()))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("sim", "qcnpe simulate own/axnn.npz --inputs own/test_inputs.npz"),
        ("data", "axnn train digits8x8 --run digits"),
        ("onnx", "axnn export --run own"),
        ("boards", "axnn run --run own --port nowhere"),
    ],
)
def test_core_says_which_extra_a_command_needs(core, extra, words):
    said = core.fails(*words.split())
    assert re.search(rf"pip install 'axnn\[{extra}\]'$", said.strip())


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_every_extra_can_be_installed_and_imported(install, extra):
    environment = install(extra)
    environment.uv("check")
    environment.run("python", "-c", IMPORTS, extra, *WITHOUT_MODULES.get(extra, ()))
    assert environment.run("axnn", "--version").startswith("axnn ")


def test_network_is_simulated_from_an_installation(install, table):
    environment = install("sim")
    train(environment, table)
    said = environment.run(
        "qcnpe", "simulate", "own/axnn.npz", "--inputs", "own/test_inputs.npz", "--json"
    )
    assert json.loads(said)["mismatches"] == 0
    assert [path.name for path in environment.folder.iterdir()] == ["own"]


def test_models_are_written_from_an_installation(install, table):
    environment = install("onnx,data")
    train(environment, table)
    environment.run("axnn", "export", "--run", "own")
    environment.run("axnn", "verify", "--run", "own")
    environment.run("axnn", "train", "digits8x8", "--run", "digits")
