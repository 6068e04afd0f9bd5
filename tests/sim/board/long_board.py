"""Longer runs on simulated boards: the 8x8 digits on 8 x 8 NCUs, and synthesised boards."""

from dataclasses import replace
from time import monotonic

import numpy as np
import pytest

from axnn.flow.operating_points import run_points
from qcnpe.boards.catalog import BOARDS
from qcnpe.boards.family import ECP5, ICE40, Family
from qcnpe.boards.serial_port import SerialPort
from qcnpe.boards.transport import BoardTransport
from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.link import LinkConfig
from qcnpe.spec.model import execute
from sim.board import SimulatedBoard
from tests.axnn.tiny import TABLE
from tests.qcnpe.boards.frame_faults import FAULTS, FaultyPort, at, no_fault
from tests.sim.board.digits import digits

CLOCK_HZ = 12e6


def mismatches(link: LinkConfig, count: int, family: Family | None = None) -> list[int]:
    points, samples = digits(link.engine, count)
    with (
        SimulatedBoard(link, family=family) as board,
        BoardTransport(SerialPort(board.path), timeout=300) as engine,
    ):
        results = run_points(engine, points, samples, TABLE, batch=count)
        assert engine.losses == []
    return [result.mismatches for result in results]


def test_digits_on_the_largest_board():
    link = replace(BOARDS["ulx3s_85f"].link, clock_hz=CLOCK_HZ)
    assert mismatches(link, 64) == [0, 0, 0, 0]


@pytest.mark.parametrize("way", ["to_board", "to_host"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
def test_frames_with_faults_cost_a_session_and_no_result(fault, way):
    """As `tests/qcnpe/boards/test_sessions.py`, with the RTL in place of the board in software."""
    engine = EngineConfig(rows=2, cols=2, ncu="dsp", precisions=(16, 4))
    link = LinkConfig(engine=engine, clock_hz=CLOCK_HZ, baud=3_000_000, buffer=512, store=512)
    with SimulatedBoard(link) as board:
        for place in range(14):
            choice = {"to_board": no_fault, "to_host": no_fault, way: at(place, fault)}
            port = FaultyPort(
                SerialPort(board.path),
                monotonic,
                to_board=choice["to_board"],
                to_host=choice["to_host"],
                seed=place,
            )
            with BoardTransport(port, timeout=1, attempts=3) as transport:
                for seed in range(2):
                    streams = random_streams(engine, 3, seed, max_beats=5)
                    expected = execute(engine, streams).results
                    np.testing.assert_array_equal(transport.exchange(streams), expected)


@pytest.mark.parametrize(
    ("family", "widths"), [(ICE40, (16,)), (ECP5, (16, 4))], ids=["ice40", "ecp5"]
)
def test_synthesised_top_classifies_a_sample(family, widths):
    engine = EngineConfig(rows=1, cols=1, ncu="dsp", precisions=widths, counters=False)
    link = LinkConfig(engine=engine, clock_hz=CLOCK_HZ, baud=3_000_000, buffer=512, store=512)
    assert mismatches(link, 1, family) == [0] * len(widths)
