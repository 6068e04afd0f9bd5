"""The transport over a serial port, against a board in software on a noisy line."""

import threading

import numpy as np
import pytest

from qcnpe.boards.serial_transport import SerialTransport
from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import TransportError
from qcnpe.spec.frames import Frame, Kind
from qcnpe.spec.model import execute
from tests.qcnpe.boards.software_board import SoftwareBoard, Terminal

CONFIG = EngineConfig(rows=4, cols=3, fifo_depth=8, ncu="dsp")


class Flips:
    """Changes, drops or doubles an octet now and then, as often as it is told."""

    def __init__(self, kind: str, every: int, times: int) -> None:
        self.kind, self.every, self.times, self.count = kind, every, times, 0

    def __call__(self, octets: bytes) -> bytes:
        out = bytearray()
        for octet in octets:
            self.count += 1
            if self.times and self.count % self.every == 0:
                self.times -= 1
                if self.kind == "flip":
                    out.append(octet ^ 0x10)
                elif self.kind == "double":
                    out += bytes((octet, octet))
                continue
            out.append(octet)
        return bytes(out)


def compare(engine: SerialTransport, seed: int, commands: int = 12) -> None:
    streams = random_streams(engine.config, commands, seed, max_beats=9)
    expected = execute(engine.config, streams).results
    np.testing.assert_array_equal(engine.exchange(streams), expected)


def test_board_describes_itself_and_computes_as_the_model():
    board = SoftwareBoard(CONFIG)
    with Terminal(board) as line, SerialTransport(line.path) as engine:
        assert engine.config == CONFIG
        for seed in range(3):
            compare(engine, seed)
        assert engine.restarts == 0
        assert engine.cycles == board.cycles > 0


def test_operands_are_stored_once():
    board = SoftwareBoard(CONFIG, store=256)
    with Terminal(board) as line, SerialTransport(line.path) as engine:
        compare(engine, 5)
        stored = board.stored_beats
        compare(engine, 5)
        assert board.stored_beats == stored


def test_tiles_longer_than_a_store_are_played_in_parts():
    with Terminal(SoftwareBoard(CONFIG, store=16)) as line, SerialTransport(line.path) as engine:
        streams = random_streams(CONFIG, 4, 1, max_beats=70)
        np.testing.assert_array_equal(engine.exchange(streams), execute(CONFIG, streams).results)


@pytest.mark.parametrize("kind", ["flip", "drop", "double"])
@pytest.mark.parametrize("way", ["to_board", "to_host"])
def test_noise_costs_sessions_but_no_result(kind, way):
    noise = Flips(kind, 301, 2)
    board = SoftwareBoard(CONFIG)
    with (
        Terminal(board, **{way: noise}) as line,
        SerialTransport(line.path, timeout=0.4, attempts=6) as engine,
    ):
        for seed in range(4):
            compare(engine, seed)
        assert noise.times == 0
        assert engine.restarts > 0


def test_garbage_before_the_session_is_passed_over():
    board = SoftwareBoard(CONFIG)
    board.take(b"\x7e\x01half a frame")
    with Terminal(board) as line, SerialTransport(line.path) as engine:
        compare(engine, 1)


def test_silent_port_is_reported_in_one_line():
    with (
        Terminal(SoftwareBoard(CONFIG), to_host=lambda octets: b"") as line,
        pytest.raises(TransportError, match=r"does not answer; is its bitstream loaded.*tried 2"),
    ):
        SerialTransport(line.path, timeout=0.1, attempts=2)


def test_missing_port_is_reported():
    with pytest.raises(TransportError, match="is the board plugged in"):
        SerialTransport("/dev/no-such-port")


def test_second_host_cannot_open_the_port():
    with (
        Terminal(SoftwareBoard(CONFIG)) as line,
        SerialTransport(line.path),
        pytest.raises(TransportError, match="no other program using it"),
    ):
        SerialTransport(line.path)


def test_host_that_lost_the_board_to_another_is_told():
    board = SoftwareBoard(CONFIG)
    with Terminal(board) as line, SerialTransport(line.path, timeout=0.3) as engine:
        board.take(Frame(Kind.HELLO, board.session ^ 0x155, 0, b"\0").encode())
        with pytest.raises(TransportError, match="another host has taken the board"):
            compare(engine, 1)


def test_unplugged_board_is_an_error_and_not_a_result():
    board = SoftwareBoard(CONFIG)
    with Terminal(board) as line:
        engine = SerialTransport(line.path, timeout=0.3, attempts=2)
        threading.Timer(0.05, line.unplug).start()
        streams = random_streams(engine.config, 5000, 1, max_beats=9)
        with pytest.raises(TransportError):
            engine.exchange(streams)
        engine.close()


def test_board_that_restarts_is_set_up_again():
    board = SoftwareBoard(CONFIG)
    with Terminal(board) as line, SerialTransport(line.path, timeout=0.3) as engine:
        compare(engine, 1)
        board.session = 0
        board.restart()
        compare(engine, 2)
        assert engine.restarts == 1


def test_wrong_bitstream_is_refused(monkeypatch):
    board = SoftwareBoard(CONFIG)
    monkeypatch.setattr(board, "register", lambda offset: 7)
    with (
        Terminal(board) as line,
        pytest.raises(TransportError, match="no QC-NPE of interface version"),
    ):
        SerialTransport(line.path)
