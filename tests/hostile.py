"""Conditions that must not matter: names of folders, variables, modules in the current folder."""

from pathlib import Path

import pytest

WEIRD = "wé ird 'd\"ir$HOME;x"
"""A folder's name with characters that shells, makefiles and scripts interpret."""


def hostile_variables(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set variables that break tools which inherit them."""
    for name in ("VERILATOR_ROOT", "VERILATOR_BIN", "PYTHONHOME", "CPATH", "TCL_LIBRARY"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("MAKEFLAGS", "n")  # make would only print what it does
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("LD_PRELOAD", str(folder / "no-library.so"))
    monkeypatch.setenv("COCOTB_TEST_FILTER", "nothing")


def hostile_modules(folder: Path) -> None:
    """Put Python modules into a folder that end any process that imports them."""
    for name in ("pyosys", "tempfile", "cocotb", "socket", "json"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('hostile {name}')\n")
