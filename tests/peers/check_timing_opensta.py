"""The critical path against OpenSTA's."""

from pathlib import Path

import pytest

from qcnpe.spec.config import EngineConfig
from synth.flow import DEFAULT_LIBERTY, map_design, own_cells
from synth.gatesim import Circuit
from synth.netlist import read_netlist
from synth.opensta import WIRES, arrival_ns
from synth.structural import StructuralNcu
from synth.timing import arrivals_ns, path_ns


def test_path_agrees_with_opensta(tmp_path: Path) -> None:
    leaf = StructuralNcu(EngineConfig(ncu="plain16", precisions=(16,)))
    cells, netlist = own_cells(), tmp_path / "ncu.v"
    map_design(leaf.rtlil(), leaf.module_name, cells, netlist)
    circuit = Circuit(read_netlist(tmp_path / "ncu.json", leaf.module_name), cells.library, WIRES)
    judge = arrival_ns(netlist, leaf.module_name, DEFAULT_LIBERTY)
    assert path_ns(circuit) - 0.05 == pytest.approx(judge, rel=0.05)
    assert max(arrivals_ns(circuit).values()) >= path_ns(circuit) - 0.05
