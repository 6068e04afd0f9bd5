"""Every board's design finds its pins and becomes a build plan."""

import pytest

from qcnpe.boards.catalog import BOARDS
from qcnpe.boards.design import BoardDesign


@pytest.mark.parametrize("name", BOARDS)
def test_design_fits_the_boards_pins(name):
    board = BOARDS[name].with_engine(rows=1, cols=1)
    plan = board.platform().prepare(BoardDesign(board), "top")
    pins = "".join(text for file, text in plan.files.items() if file.endswith((".lpf", ".pcf")))
    assert pins.count("uart_0__") >= 2
