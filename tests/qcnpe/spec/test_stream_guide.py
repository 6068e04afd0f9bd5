"""The guide of the streams has the engine's own numbers."""

import pytest
from amaranth.hdl import Fragment

from qcnpe.generate import TOP, describe
from qcnpe.rtl.top import Top
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.stream_guide import stream_guide
from tests.qcnpe.rtl.oracle import name_of

CONFIGS = [
    EngineConfig(rows=2, cols=3),
    EngineConfig(rows=3, cols=5, ncu="gated", precisions=(16, 9), fifo_depth=64),
]


def table_of(guide):
    """Cells of each row of the table of streams, by the stream's name."""
    rows = [line.strip("| ").split(" | ") for line in guide.splitlines() if line.startswith("|")]
    return {row[0]: row for row in rows[2:]}


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_widths_are_those_of_the_ports(config):
    """Of the Verilog that it lies beside, which has no other ports in its streams."""
    top = Top(config)
    Fragment.get(top, None)  # Amaranth warns of what is never elaborated
    ports = {port["name"]: port["bits"] for port in describe(top, TOP)["ports"]}
    table = table_of(stream_guide(config))
    for name, cells in table.items():
        prefix = "m_axis_results" if name == "results" else f"s_axis_{name}"
        found = {port for port in ports if port.startswith(prefix)}
        ends = {"tdata", "tvalid", "tready"} | ({"tlast"} if name == "results" else set())
        assert found == {f"{prefix}_{end}" for end in ends}
        assert int(cells[1]) == ports[f"{prefix}_tdata"]
        assert int(cells[1]) % 8 == 0, "a beat has whole bytes"
    assert len(table) == 5


def test_the_order_names_the_queues_length():
    for config in CONFIGS:
        assert f"at least every {config.fifo_depth} beats" in stream_guide(config)
