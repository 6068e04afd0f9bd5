"""A board in software behind a pseudo-terminal: the peer of the host's end of the link."""

import os
import select
import threading
import tty
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from qcnpe.boards.serial_port import READ_SECONDS
from qcnpe.boards.tiles import cut_into_wire_steps
from qcnpe.spec.commands import TileCommand, decode_command, decode_commands
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.frames import (
    LINK_VERSION,
    SEQUENCES,
    Frame,
    FrameParser,
    Kind,
    Operation,
    Refusal,
    Request,
    Welcome,
    read_requests,
)
from qcnpe.spec.model import execute
from qcnpe.spec.registers import feature_words, registers
from qcnpe.spec.streams import Streams

CLEAR_COUNTERS = 4
"""Bit of the control register."""

Noise = Callable[[bytes], bytes]


class SoftwareBoard:
    """Answers frames as the bridge does, with the reference model as its engine."""

    def __init__(self, config: EngineConfig, *, store: int = 64, buffer: int = 512) -> None:
        self.config = config
        self.store, self.buffer = store, buffer
        self.session = 0
        self.parser = FrameParser()
        self.stored_beats = 0
        self.greetings = 0
        self.stalled = False
        self.restart()

    def restart(self) -> None:
        config = self.config
        self.expected = self.results_frames = self.cycles = 0
        self.memories = {
            Operation.STORE_ACTIVATIONS: np.zeros((self.store, config.rows), np.uint16),
            Operation.STORE_WEIGHTS: np.zeros((self.store, config.cols), np.uint16),
        }
        self.streams = Streams(
            commands=np.zeros(0, np.uint64),
            activations=np.zeros((0, config.rows), np.uint16),
            weights=np.zeros((0, config.cols), np.uint16),
            parameters=np.zeros(0, np.uint32),
            results=0,
        )
        self.table: Streams | None = None
        self.ceiling = OPERAND_BITS

    def take(self, octets: bytes) -> bytes:
        """Octets that the board sends in response to received octets."""
        damaged = self.parser.damaged
        answers = [answer for frame in self.parser.feed(octets) for answer in self.answer(frame)]
        if self.parser.damaged > damaged:
            answers.append(self.say(Kind.REFUSED, self.expected, bytes([Refusal.DAMAGED])))
        return b"".join(answer.encode() for answer in answers)

    def say(self, kind: Kind, sequence: int, body: bytes) -> Frame:
        return Frame(kind, self.session, sequence, body)

    def welcome(self) -> bytes:
        return Welcome(
            version=LINK_VERSION,
            fifo_depth=self.config.fifo_depth,
            buffer=self.buffer,
            store=self.store,
        ).encode()

    def answer(self, frame: Frame) -> list[Frame]:
        if frame.kind == Kind.HELLO:
            self.session = frame.session
            self.greetings += 1
            self.restart()
            return [self.say(Kind.WELCOME, 0, self.welcome())]
        if frame.session != self.session:
            return [self.say(Kind.REFUSED, self.expected, bytes([Refusal.SESSION]))]
        if frame.kind == Kind.POLL:
            return [self.say(Kind.DONE, self.expected, b"\0")]
        if frame.sequence != self.expected:
            return [self.say(Kind.REFUSED, self.expected, bytes([Refusal.SEQUENCE]))]
        self.expected = (self.expected + 1) % SEQUENCES
        answers = [
            answer
            for work in read_requests(frame.body, self.config)
            for answer in self.do(work, frame.sequence)
        ]
        return [*answers, self.say(Kind.DONE, self.expected, b"\0"), *self.results()]

    def do(self, work: Request, sequence: int) -> list[Frame]:
        match work.operation:
            case Operation.COMMANDS:
                self.append(commands=np.frombuffer(work.words, np.uint64))
            case Operation.PARAMETERS:
                self.append(parameters=np.frombuffer(work.words, np.uint32))
            case Operation.STORE_ACTIVATIONS | Operation.STORE_WEIGHTS:
                memory = self.memories[work.operation]
                words = np.frombuffer(work.words, np.uint16).reshape(work.count, -1)
                memory[work.address : work.address + work.count] = words
                self.stored_beats += work.count
            case Operation.PLAY_ACTIVATIONS:
                memory = self.memories[Operation.STORE_ACTIVATIONS]
                self.append(activations=memory[work.address : work.address + work.count])
            case Operation.PLAY_WEIGHTS:
                memory = self.memories[Operation.STORE_WEIGHTS]
                self.append(weights=memory[work.address : work.address + work.count])
            case Operation.WRITE:
                self.write(work.address, int.from_bytes(work.words, "little"))
            case Operation.READ:
                value = self.register(work.address).to_bytes(4, "little")
                return [self.say(Kind.VALUE, sequence, value)]
        return []

    def append(self, **more: np.ndarray) -> None:
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(self.streams, name), part]) for name, part in more.items()
        }
        self.streams = replace(self.streams, **joined)

    def write(self, offset: int, value: int) -> None:
        match self.name_of(offset):
            case "ceiling":
                self.ceiling = value
            case "control" if value & CLEAR_COUNTERS:
                self.cycles = 0

    def name_of(self, offset: int) -> str:
        (name,) = (entry.name for entry in registers(self.config) if entry.offset == offset)
        return name

    def register(self, offset: int) -> int:
        (register,) = (entry for entry in registers(self.config) if entry.offset == offset)
        if register.name == "busy_cycles_low":
            return self.cycles
        if register.name == "ceiling":
            return self.ceiling
        fields = feature_words(self.config).get(register.name, {})
        word = place = 0
        for field in register.fields:
            word |= fields.get(field.name, 0) << place
            place += field.bits
        return word

    def results(self) -> list[Frame]:
        """Run the commands whose operands have all arrived."""
        answers = []
        while len(self.streams.commands) and not self.stalled:
            first = replace(self.streams, commands=self.streams.commands[:1])
            (step,) = cut_into_wire_steps(first, self.config)
            words = self.config.table_segments + 1 if step.loads_table else step.results
            command = decode_command(self.config, step.command)
            beats = command.beats if isinstance(command, TileCommand) else 0
            have = min(len(self.streams.activations), len(self.streams.weights))
            if have < beats or len(self.streams.parameters) < words:
                break
            part = replace(
                first,
                activations=step.activations,
                weights=step.weights,
                parameters=step.parameters,
                results=step.results,
            )
            if step.loads_table:
                self.table = part
            else:
                answers += self.run(part)
            self.streams = replace(
                self.streams,
                commands=self.streams.commands[1:],
                activations=self.streams.activations[beats:],
                weights=self.streams.weights[beats:],
                parameters=self.streams.parameters[words:],
            )
        return answers

    def run(self, part: Streams) -> list[Frame]:
        if self.table is not None:
            part = replace(
                part,
                commands=np.concatenate([self.table.commands, part.commands]),
                parameters=np.concatenate([self.table.parameters, part.parameters]),
            )
        lanes = execute(self.config, part).results
        self.cycles += count_cycles(self.config, decode_commands(self.config, part.commands[-1:]))
        octets = lanes.astype("<u8").view(np.uint8).reshape(*lanes.shape, 8)
        body = octets[:, :, : self.config.result_lane_bits // 8].tobytes()
        frame = self.say(Kind.RESULTS, self.results_frames, body)
        self.results_frames = (self.results_frames + 1) % SEQUENCES
        return [frame]


class SoftwarePort:
    """A port with a board behind it, in simulated time: an octet takes none, waiting does.

    Attributes
    ----------
    now : the time in seconds
    """

    name = "board in software"

    def __init__(self, board: SoftwareBoard) -> None:
        self.board = board
        self.now = 0.0
        self.answers = b""

    def clock(self) -> float:
        return self.now

    def open(self) -> None: ...

    def close(self) -> None: ...

    def write(self, octets: bytes, /) -> None:
        self.answers += self.board.take(octets)

    def read(self) -> bytes:
        octets, self.answers = self.answers, b""
        self.now += 0.001 if octets else READ_SECONDS
        assert self.now < 1000, "the host waits for ever"
        return octets


class Terminal:
    """A board at the other end of a pseudo-terminal, with noise in both directions of the line."""

    def __init__(
        self, board: SoftwareBoard, *, to_board: Noise = bytes, to_host: Noise = bytes
    ) -> None:
        self.board, self.to_board, self.to_host = board, to_board, to_host

    def __enter__(self) -> "Terminal":
        self.main, self.other = os.openpty()
        tty.setraw(self.other)
        self.path = os.ttyname(self.other)
        self.plugged = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def serve(self) -> None:
        while self.plugged:
            if select.select([self.main], [], [], 0.02)[0]:
                octets = os.read(self.main, 4096)
                os.write(self.main, self.to_host(self.board.take(self.to_board(octets))))
        os.close(self.main)

    def unplug(self) -> None:
        """End the thread before its file descriptors can be reused."""
        if self.plugged:
            self.plugged = False
            self.thread.join()
            os.close(self.other)

    def __exit__(self, *_: object) -> None:
        self.unplug()
