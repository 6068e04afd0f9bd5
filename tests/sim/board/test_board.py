"""A simulated board, driven through the pins of its UART by the host's own transport."""

import numpy as np
import pytest

from axnn.flow.operating_points import run_points
from qcnpe.boards.serial_port import SerialPort
from qcnpe.boards.transport import BoardTransport
from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import TransportError
from qcnpe.spec.link import LinkConfig
from qcnpe.spec.model import execute
from sim.board import SimulatedBoard
from tests.axnn.tiny import TABLE
from tests.sim.board.digits import digits
from tests.sim.orphans import check_nothing_is_left

LINK = LinkConfig(
    engine=EngineConfig(rows=2, cols=2, ncu="dsp"),
    clock_hz=12e6,
    baud=3_000_000,
    buffer=512,
    store=2048,
)

pytestmark = pytest.mark.xdist_group("board")


def check(engine: BoardTransport, seed: int, commands: int = 4) -> None:
    streams = random_streams(engine.config, commands, seed, max_beats=6)
    expected = execute(engine.config, streams).results
    np.testing.assert_array_equal(engine.exchange(streams), expected)


def test_digits_at_every_operating_point_without_reloading():
    points, samples = digits(LINK.engine, 4)
    chosen = {name: points[name] for name in ("16 bit", "4 bit", "2 bit")}
    with (
        SimulatedBoard(LINK) as board,
        BoardTransport(SerialPort(board.path), timeout=120) as engine,
    ):
        assert engine.config == LINK.engine
        results = run_points(engine, chosen, samples, TABLE, batch=4)
        counters = engine.counters()
        assert engine.losses == []
        assert engine.read_register("ceiling") == 16
    assert [result.mismatches for result in results] == [0, 0, 0]
    assert results[0].cycles > 2 * results[1].cycles > 2 * results[2].cycles
    assert {counters[f"macs_{width}b"] > 0 for width in (16, 4, 2)} == {True}
    assert counters["macs_8b"] == 0


# More octets than a session sends for one exchange, fewer than two exchanges send: about 500 each.
@pytest.mark.parametrize(("drop", "flip"), [(701, 0), (0, 701)])
def test_lost_and_changed_octets_cost_a_session_and_no_result(drop, flip):
    with (
        SimulatedBoard(LINK, drop=drop, flip=flip) as board,
        BoardTransport(SerialPort(board.path), timeout=4, attempts=8) as engine,
    ):
        for seed in range(2):
            check(engine, seed)
        assert engine.restarts > 0


def test_unplugged_in_mid_frame():
    with SimulatedBoard(LINK) as board:
        engine = BoardTransport(SerialPort(board.path), timeout=1, attempts=2)
        check(engine, 1)
        board.unplug()
        with pytest.raises(TransportError):
            check(engine, 2)
        engine.close()


KILLED = """
import os
from qcnpe.spec.frames import Frame, Kind
from sim.board import SimulatedBoard
from tests.sim.board.test_board import LINK

with SimulatedBoard(LINK) as board:
    line = os.open(board.path, os.O_RDWR)
    os.write(line, Frame(Kind.HELLO, 7, 0, bytes(1)).encode())
    print(board.path, flush=True)
    input()
"""


def test_simulated_board_ends_when_its_host_is_killed():
    check_nothing_is_left(KILLED)


def test_half_a_frame_and_then_another_host():
    """The first one is cut off within a frame; the second one is not disturbed by it."""
    with SimulatedBoard(LINK) as board:
        with BoardTransport(SerialPort(board.path), timeout=30) as first:
            with pytest.raises(TransportError, match="no other program"):
                BoardTransport(SerialPort(board.path))
            check(first, 1)
            first._port.write(b"\x7e\x02half of a fra")
        with BoardTransport(SerialPort(board.path), timeout=30) as second:
            check(second, 2)
