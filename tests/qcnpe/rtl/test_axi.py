"""The register file on AXI4-Lite, cycle by cycle; `tests/formal` proves the protocol's rules."""

import pytest

from qcnpe.rtl.axi import AxiLiteRegisters
from qcnpe.spec.commands import Field
from qcnpe.spec.registers import Access, Register
from tests.qcnpe.rtl.oracle import play

WORD = (Field("word", 32, "a whole word"),)
TABLE = (
    Register("order", 0x08, Access.WRITE, WORD),
    Register("kept", 0x10, Access.READ_WRITE, WORD),
)
KEPT = 0x11223344


def written(address, strobes):
    """(whether `kept` is written, whether `order` is, with what) in the cycle of the handshake."""
    write = {
        "axi_awaddr": address,
        "axi_awvalid": 1,
        "axi_wdata": 0xAABBCCDD,
        "axi_wstrb": strobes,
        "axi_wvalid": 1,
        "axi_bready": 1,
        "value_kept": KEPT,
    }
    watched = ["axi_awready", "axi_wready", "written_kept", "written_order", "data"]
    seen = play(AxiLiteRegisters(TABLE), [write, write, {"axi_bready": 1}], watched)
    assert [cycle["axi_awready"] for cycle in seen] == [0, 1, 0]
    assert [cycle["axi_wready"] for cycle in seen] == [0, 1, 0]
    assert not any(seen[cycle][name] for cycle in (0, 2) for name in watched[2:4])
    return tuple(seen[1][name] for name in watched[2:])


@pytest.mark.parametrize(
    ("strobes", "word"),
    [(0b1111, 0xAABBCCDD), (0b0010, 0x1122CC44), (0b1001, 0xAA2233DD), (0, KEPT)],
)
def test_bytes_without_a_strobe_keep_their_value(strobes, word):
    assert written(0x10, strobes) == (1, 0, word)


def test_bytes_without_a_strobe_ask_for_nothing():
    assert written(0x08, 0b0100) == (0, 1, 0x00BB0000)


@pytest.mark.parametrize("offset", [1, 2, 3])
def test_a_byte_address_is_that_of_its_word(offset):
    """A manager that writes a byte may give the byte's own address."""
    assert written(0x10 + offset, 1 << offset)[0] == 1


def test_an_answer_waits_for_its_taker_and_holds_up_the_next_access():
    read = {"axi_araddr": 0x10, "axi_arvalid": 1, "value_kept": KEPT}
    taken = {**read, "axi_rready": 1}
    watched = ["axi_arready", "axi_rvalid", "axi_rdata"]
    seen = play(AxiLiteRegisters(TABLE), [read, read, taken, taken, taken], watched)
    assert [cycle["axi_arready"] for cycle in seen] == [1, 0, 0, 1, 0]
    assert [cycle["axi_rvalid"] for cycle in seen] == [0, 1, 1, 0, 1]
    assert seen[1]["axi_rdata"] == seen[2]["axi_rdata"] == KEPT
