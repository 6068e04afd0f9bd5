"""Netlists from files: read and simulated, or refused in one line, in bounded time and memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qcnpe.spec.errors import ToolError
from synth.errors import LibertyError, SynthesisError
from synth.gatesim import TOGGLE, Circuit
from synth.liberty.library import Library, read_library
from synth.netlist import MAX_NETS, read_netlist

KIT = Path(__file__).parent / "kits" / "open45.lib"


@pytest.fixture(scope="module")
def library() -> Library:
    """The library of the netlists."""
    return read_library(KIT)


def cell(kind: str, **pins: int | str) -> dict[str, Any]:
    """A placed cell as Yosys writes it."""
    return {
        "hide_name": 0,
        "type": kind,
        "parameters": {},
        "attributes": {},
        "connections": {pin: [net] for pin, net in pins.items()},
    }


def document() -> dict[str, Any]:
    """A register that toggles while it is enabled: q <= q ^ enable."""
    return {
        "creator": "Yosys",
        "modules": {
            "top": {
                "attributes": {"top": 1},
                "ports": {
                    "clk": {"direction": "input", "bits": [2]},
                    "enable": {"direction": "input", "bits": [3]},
                    "q": {"direction": "output", "bits": [5]},
                },
                "cells": {
                    "x": cell("XOR2_X1", A=3, B=5, Z=4),
                    "r": cell("DFFR_X1", D=4, CK=2, RN="1", Q=5),
                },
                "netnames": {"next": {"hide_name": 0, "bits": [4], "attributes": {}}},
            }
        },
    }


def written(folder: Path, content: object) -> Path:
    """A netlist file."""
    path = folder / "top.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def simulated(path: Path, library: Library) -> list[int]:
    """The register after each of six rising edges, the enable high for the first four."""
    circuit = Circuit(read_netlist(path, "top"), library)
    toggles = [(500.0, 3, 1), (4500.0, 3, 0)]
    toggles += [(1000.0 * edge, 2, edge % 2) for edge in range(1, 12)]
    times = [1000.0 * edge + 900 for edge in range(1, 12, 2)]
    seen = circuit.run(np.array(sorted(toggles), TOGGLE), times, [5]).samples
    return seen[:, 0].tolist()


def test_a_register_toggles_while_it_is_enabled(tmp_path: Path, library: Library) -> None:
    assert simulated(written(tmp_path, document()), library) == [1, 0, 0, 0, 0, 0]


Change = Callable[[dict[str, Any]], object]


def top(change: Change) -> dict[str, Any]:
    """The netlist with its module changed."""
    changed = document()
    change(changed["modules"]["top"])
    return changed


def connect(name: str, **pins: float | str | list[int]) -> Change:
    """Reconnects pins of a cell."""

    def change(module: dict[str, Any]) -> None:
        for pin, net in pins.items():
            module["cells"][name]["connections"][pin] = net if isinstance(net, list) else [net]

    return change


REFUSED = {
    "no JSON": ("{", "truncated"),
    "nested": ("[" * 100_000, "nested deeper"),
    "another module": ({"modules": {}}, "no netlist of top"),
    "no modules": ({}, "missing required field `modules`"),
    "no cells": (top(lambda module: module.pop("cells")), "missing required field `cells`"),
    "cells as a list": (top(lambda module: module.update(cells=[])), "Expected `object`"),
    "a strange field": (top(lambda module: module.update(shells={})), "unknown field 'shells'"),
    "a fraction": (top(connect("x", A=3.5)), "Expected `int | str`, got `float`"),
    "a strange constant": (top(connect("x", A="2")), "Invalid enum value '2'"),
    "a negative net": (top(connect("x", A=-3)), "A of x: net -3 is not 2"),
    "the constant's net": (top(connect("x", A=1)), "A of x: net 1 is not 2"),
    "a huge net": (top(connect("x", A=MAX_NETS)), f"net {MAX_NETS} is not 2"),
    "two bits at a pin": (top(connect("x", A=[3, 4])), "A of x has 2 bits, not one"),
    "an inout": (
        top(lambda module: module["ports"]["q"].update(direction="inout")),
        "Invalid enum value 'inout'",
    ),
    "an open input": (top(connect("x", A=[])), "A of x is open"),
    "a strange pin": (top(connect("x", C=3)), "XOR2_X1 has no pin C"),
    "two drivers": (top(connect("r", Q=4)), "net 4 is driven by Z of x and by Q of r"),
    "a driven port": (top(connect("r", Q=3)), "net 3 is driven by port enable and by Q of r"),
    "a driven constant": (top(connect("r", Q="1")), "net 1 is driven by a constant and by Q of r"),
    "no driver": (top(connect("x", A=9)), "nothing drives net 9, which A of x reads"),
    "a loop": (top(connect("x", A=4)), "a loop of logic through x; remove it"),
    "a register that never settles": (
        top(
            lambda module: module["cells"].update(r=cell("DFFRS_X1", D=4, CK=2, RN="1", SN=5, Q=5))
        ),
        "registers that set and clear one another",
    ),
    "a clock loop": (top(connect("r", CK=5)), "a loop of logic through r; remove it"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_simulated_is_one_clear_line(
    case: str, tmp_path: Path, library: Library
) -> None:
    content, message = REFUSED[case]
    with pytest.raises(SynthesisError) as refused:
        simulated(written(tmp_path, content), library)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_strange_cell_are_one_clear_line(
    tmp_path: Path, library: Library
) -> None:
    with pytest.raises(SynthesisError, match=r"none\.json: no such file; run the synthesis again"):
        read_netlist(tmp_path / "none.json", "top")
    odd = top(lambda module: module["cells"]["x"].update(type="XOR9"))
    with pytest.raises(LibertyError, match="has no cell XOR9; synthesise again"):
        simulated(written(tmp_path, odd), library)


def test_units_apart_are_left_out(tmp_path: Path, library: Library) -> None:
    """Nets of units that are left out are 0; such units may have pins of several bits."""
    wide = top(lambda module: module["cells"].update(u=cell("unit", A=3)))
    wide["modules"]["top"]["cells"]["u"]["connections"] = {"A": [3, 2], "Y": [7, 8]}
    wide["modules"]["top"]["cells"]["x"]["connections"]["A"] = [7]
    path = written(tmp_path, wide)
    found = read_netlist(path, "top", apart={"unit"})
    assert [placed.name for placed in found.placed] == ["x", "r"]
    assert not found.is_whole
    assert Circuit(found, library).areas_um2.sum() == pytest.approx(1.596 + 5.32)


def test_an_oscillation_ends(tmp_path: Path, library: Library) -> None:
    """Once enabled, a register clears itself when it is set, and sets itself when it is clear."""
    cells = {
        "r": cell("DFFRS_X1", D="0", CK=2, RN=6, SN=7, Q=5),
        "i": cell("INV_X1", A=5, ZN=8),
        "clear": cell("NAND2_X1", A1=5, A2=3, ZN=6),
        "set": cell("NAND2_X1", A1=8, A2=3, ZN=7),
    }
    path = written(tmp_path, top(lambda module: module.update(cells=cells, netnames={})))
    circuit = Circuit(read_netlist(path, "top"), library)
    with pytest.raises(ToolError, match="simulation: the netlist oscillates, through net"):
        circuit.run(np.array([(500.0, 3, 1)], TOGGLE), [1000.0], [5])
