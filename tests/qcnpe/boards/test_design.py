"""Every board's design finds its pins and gives a build plan."""

from dataclasses import replace

import pytest
from amaranth.hdl import Module

from qcnpe.boards.catalog import BOARDS
from qcnpe.boards.clock import add_clock
from qcnpe.boards.design import BoardDesign
from qcnpe.boards.family import ECP5, ICE40
from qcnpe.spec.errors import ConfigError


@pytest.mark.parametrize("name", BOARDS)
def test_design_fits_the_boards_pins(name):
    board = BOARDS[name].with_engine(rows=1, cols=1)
    plan = board.platform().prepare(BoardDesign(board), "top")
    pins = "".join(text for file, text in plan.files.items() if file.endswith((".lpf", ".pcf")))
    assert pins.count("uart_0__") >= 2


@pytest.mark.parametrize(
    ("device", "family"),
    [("LFE5U-85F", ICE40), ("iCE40UP5K", ECP5), ("LCMXO2-7000HE", ECP5), ("GW1NR-LV9", ICE40)],
)
def test_device_of_another_family_is_refused(monkeypatch, device, family):
    """Nothing is taken for an ECP5 because it is not an iCE40."""
    board = replace(BOARDS["ulx3s_85f"].with_engine(rows=1, cols=1), family=family)
    platform = board.platform()
    monkeypatch.setattr(type(platform), "device", device)
    message = rf"^device {device} is not of the family {family.name} .*; name its family in"
    with pytest.raises(ConfigError, match=message):
        add_clock(Module(), platform, board.family, 50e6)
