"""The transport over a serial port, against a board in software on a noisy line."""

import termios
import threading
from dataclasses import replace

import numpy as np
import pytest
import serial

from qcnpe.boards.port import PortError
from qcnpe.boards.serial_port import SerialPort
from qcnpe.boards.transport import BoardTransport
from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, TransportError
from qcnpe.spec.frames import Frame, Kind, Welcome
from qcnpe.spec.model import execute
from tests.qcnpe.boards.software_board import (
    CLEAR_COUNTERS,
    SoftwareBoard,
    SoftwarePort,
    Terminal,
)

CONFIG = EngineConfig(rows=4, cols=3, fifo_depth=8, ncu="dsp")


class Flips:
    """Changes, drops or repeats octets at random, at a given rate."""

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


def compare(engine: BoardTransport, seed: int, commands: int = 12) -> None:
    streams = random_streams(engine.config, commands, seed, max_beats=9)
    expected = execute(engine.config, streams).results
    np.testing.assert_array_equal(engine.exchange(streams), expected)


def test_board_describes_itself_and_computes_as_the_model():
    board = SoftwareBoard(CONFIG)
    with Terminal(board) as line, BoardTransport(SerialPort(line.path)) as engine:
        assert engine.config == CONFIG
        for seed in range(3):
            compare(engine, seed)
        assert engine.restarts == 0
        assert engine.cycles == board.cycles > 0


def test_operands_are_stored_once():
    board = SoftwareBoard(CONFIG, store=256)
    with Terminal(board) as line, BoardTransport(SerialPort(line.path)) as engine:
        compare(engine, 5)
        stored = board.stored_beats
        compare(engine, 5)
        assert board.stored_beats == stored


def test_tiles_longer_than_a_store_are_played_in_parts():
    with (
        Terminal(SoftwareBoard(CONFIG, store=16)) as line,
        BoardTransport(SerialPort(line.path)) as engine,
    ):
        streams = random_streams(CONFIG, 4, 1, max_beats=70)
        np.testing.assert_array_equal(engine.exchange(streams), execute(CONFIG, streams).results)


@pytest.mark.parametrize("kind", ["flip", "drop", "double"])
@pytest.mark.parametrize("way", ["to_board", "to_host"])
def test_noise_costs_sessions_but_no_result(kind, way):
    noise = Flips(kind, 301, 2)
    board = SoftwareBoard(CONFIG)
    with (
        Terminal(board, **{way: noise}) as line,
        BoardTransport(SerialPort(line.path), timeout=0.4, attempts=6) as engine,
    ):
        for seed in range(4):
            compare(engine, seed)
        assert noise.times == 0
        assert engine.restarts > 0


def test_garbage_before_the_session_is_passed_over():
    board = SoftwareBoard(CONFIG)
    board.take(b"\x7e\x01half a frame")
    with Terminal(board) as line, BoardTransport(SerialPort(line.path)) as engine:
        compare(engine, 1)


def test_silent_port_is_reported_in_one_line():
    with (
        Terminal(SoftwareBoard(CONFIG), to_host=lambda octets: b"") as line,
        pytest.raises(TransportError, match=r"does not answer; is its bitstream loaded.*tried 2"),
    ):
        BoardTransport(SerialPort(line.path), timeout=0.1, attempts=2)


def test_missing_port_is_reported():
    with pytest.raises(TransportError, match="is the board plugged in"):
        BoardTransport(SerialPort("/dev/no-such-port"))


def test_second_host_cannot_open_the_port():
    with (
        Terminal(SoftwareBoard(CONFIG)) as line,
        BoardTransport(SerialPort(line.path)),
        pytest.raises(TransportError, match="no other program using it"),
    ):
        BoardTransport(SerialPort(line.path))


def test_host_that_lost_the_board_to_another_is_told():
    board = SoftwareBoard(CONFIG)
    with Terminal(board) as line, BoardTransport(SerialPort(line.path), timeout=0.3) as engine:
        board.take(Frame(Kind.HELLO, board.session ^ 0x155, 0, b"\0").encode())
        with pytest.raises(TransportError, match="another host has taken the board"):
            compare(engine, 1)


def test_unplugged_board_is_an_error_and_not_a_result():
    board = SoftwareBoard(CONFIG)
    with Terminal(board) as line:
        engine = BoardTransport(SerialPort(line.path), timeout=0.3, attempts=2)
        threading.Timer(0.05, line.unplug).start()
        streams = random_streams(engine.config, 5000, 1, max_beats=9)
        with pytest.raises(TransportError):
            engine.exchange(streams)
        engine.close()


def test_unplugged_board_can_be_plugged_in_again(tmp_path):
    """As a USB port: its path is gone while there is no board, and then leads to another device."""
    device = tmp_path / "ttyUSB0"
    with Terminal(SoftwareBoard(CONFIG)) as line:
        device.symlink_to(line.path)
        engine = BoardTransport(SerialPort(str(device)), timeout=0.3)
        compare(engine, 1)
    with pytest.raises(PortError, match=r"ttyUSB0: the board is gone .*; plug it in and begin"):
        compare(engine, 2)
    device.unlink()
    for _ in range(2):
        with pytest.raises(PortError, match=r"cannot be opened .*is the board plugged in"):
            compare(engine, 2)
    with Terminal(SoftwareBoard(CONFIG)) as line, engine:
        device.symlink_to(line.path)
        compare(engine, 2)
        compare(engine, 3)
        assert engine.restarts == 0


def test_another_engine_behind_the_same_port_is_refused(tmp_path):
    device = tmp_path / "ttyUSB0"
    with Terminal(SoftwareBoard(CONFIG)) as line:
        device.symlink_to(line.path)
        engine = BoardTransport(SerialPort(str(device)))
        engine.close()
    with Terminal(SoftwareBoard(replace(CONFIG, cols=2))) as line, engine:
        device.unlink()
        device.symlink_to(line.path)
        with pytest.raises(TransportError, match="another engine is there now; begin again"):
            compare(engine, 1)


@pytest.mark.parametrize(
    "failure",
    [termios.error(5, "Input/output error"), OSError(5, "Input/output error"), TypeError("fd")],
    ids=lambda failure: type(failure).__name__,
)
@pytest.mark.parametrize("method", ["read", "write"])
def test_whatever_pyserial_raises_is_one_clear_error(monkeypatch, failure, method):
    def fail(*_: object) -> bytes:
        raise failure

    with Terminal(SoftwareBoard(CONFIG)) as line:
        port = SerialPort(line.path)
        monkeypatch.setattr(serial.Serial, method, fail)
        with pytest.raises(PortError, match="the board is gone"):
            port.write(b"\0") if method == "write" else port.read()
        monkeypatch.undo()
        port.open()
        assert port.read() == b""
        port.close()


def test_port_that_is_no_terminal_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PortError, match="file cannot be opened"):
        SerialPort(str(tmp_path / "file"))


def test_port_that_fails_while_it_is_opened_is_reported(monkeypatch):
    def fail(*_: object) -> None:
        raise termios.error(5, "Input/output error")

    monkeypatch.setattr(serial.Serial, "_reset_input_buffer", fail)
    with (
        Terminal(SoftwareBoard(CONFIG)) as line,
        pytest.raises(PortError, match=r"cannot be opened \(.*Input/output error"),
    ):
        SerialPort(line.path)


class Interrupted(SoftwarePort):
    """A port that raises an exception of the user once, during an exchange."""

    left = 1 << 30

    def read(self) -> bytes:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return super().read()


@pytest.mark.parametrize("reads", [1, 2])
def test_interrupted_exchange_leaves_nothing_to_the_next_one(reads):
    """The results of the first one are still on their way when the second one begins."""
    port = Interrupted(SoftwareBoard(CONFIG))
    engine = BoardTransport(port, clock=port.clock)
    compare(engine, 1)
    port.left = reads
    with pytest.raises(KeyboardInterrupt):
        compare(engine, 1)
    compare(engine, 2)
    assert engine.restarts == 0


def test_engine_that_stands_still_is_given_up_in_time():
    port = SoftwarePort(SoftwareBoard(CONFIG))
    engine = BoardTransport(port, timeout=2, attempts=3, clock=port.clock)
    port.board.stalled = True
    begin = port.now
    with pytest.raises(TransportError, match=r"makes no progress \(tried 3 times\)"):
        compare(engine, 1)
    assert 12 < port.now - begin < 12.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fifo_depth": 3}, r"describes no engine of this version \(fifo_depth must be"),
        ({"buffer": 128}, "welcome is not valid: buffer must be"),
    ],
)
def test_board_that_describes_itself_wrongly_is_refused(monkeypatch, change, message):
    board = SoftwareBoard(CONFIG)
    good = Welcome.decode(board.welcome())
    monkeypatch.setattr(board, "welcome", lambda: replace(good, **change).encode())
    port = SoftwarePort(board)
    with pytest.raises(TransportError, match=message):
        BoardTransport(port, clock=port.clock)


def test_what_was_written_survives_a_lost_session():
    board = SoftwareBoard(CONFIG)
    port = SoftwarePort(board)
    engine = BoardTransport(port, timeout=0.3, clock=port.clock)
    engine.write_register("ceiling", 8)
    compare(engine, 1)
    board.session = 0
    board.restart()
    compare(engine, 2)
    assert engine.restarts == 1
    assert engine.read_register("ceiling") == 8


def test_cleared_counters_do_not_count_backwards():
    board = SoftwareBoard(CONFIG)
    port = SoftwarePort(board)
    engine = BoardTransport(port, clock=port.clock)
    compare(engine, 1)
    before = engine.cycles
    engine.write_register("control", CLEAR_COUNTERS)
    compare(engine, 1)
    assert engine.cycles == 2 * before == 2 * board.cycles


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("spam", 1, "register must be one of identity, .*, not 'spam'"),
        ("ceiling", -1, r"value of ceiling must be 0\.\.4294967295, not -1"),
        ("ceiling", 1 << 32, r"value of ceiling must be 0\.\.4294967295, not 4294967296"),
    ],
)
def test_registers_are_checked(name, value, message):
    port = SoftwarePort(SoftwareBoard(CONFIG))
    engine = BoardTransport(port, clock=port.clock)
    with pytest.raises(ConfigError, match=message):
        engine.write_register(name, value)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"attempts": 0}, "attempts must be at least 1, not 0"),
        ({"timeout": 0}, "timeout must be more than 0 seconds, not 0"),
    ],
)
def test_options_are_checked(option, message):
    with pytest.raises(ConfigError, match=message):
        BoardTransport(SoftwarePort(SoftwareBoard(CONFIG)), **option)


def test_board_that_restarts_is_set_up_again():
    board = SoftwareBoard(CONFIG)
    with Terminal(board) as line, BoardTransport(SerialPort(line.path), timeout=0.3) as engine:
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
        BoardTransport(SerialPort(line.path))
