"""cocotb's side of `SimulatedBoard`: the far end of the line, bit by bit."""

import json
import logging
import os
import select
import tty
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Timer
from cocotb.utils import get_sim_time
from cocotbext.uart import UartSink, UartSource

from sim.board import COUNT_FILE, LINE_VARIABLE, PATH_FILE, STOP_FILE

_SLICE_OCTETS = 4
"""Simulated time between two looks at the pseudo-terminal, in octets of the line."""

_REST_SECONDS = 0.002
"""Real time that an idle simulation gives to others before it looks again."""


class Line:
    """The pseudo-terminal, and what the line does to octets on their way to the board."""

    def __init__(self, *, drop: int, flip: int) -> None:
        self._main, self._other = os.openpty()
        tty.setraw(self._other)
        self._drop, self._flip = drop, flip
        self.octets_in = self.octets_out = 0
        Path(PATH_FILE + ".new").write_text(os.ttyname(self._other))
        Path(PATH_FILE + ".new").rename(PATH_FILE)

    def from_host(self, *, patient: bool) -> bytes:
        """What the host has sent meanwhile, with its faults."""
        ready, _, _ = select.select([self._main], [], [], _REST_SECONDS if patient else 0)
        octets = os.read(self._main, 4096) if ready else b""
        return b"".join(self._spoil(octet) for octet in octets)

    def _spoil(self, octet: int) -> bytes:
        self.octets_in += 1
        if self._drop and self.octets_in % self._drop == 0:
            return b""
        if self._flip and self.octets_in % self._flip == 0:
            octet ^= 0x10
        return bytes([octet])

    def to_host(self, octets: bytes) -> None:
        """Hand the board's octets on."""
        self.octets_out += len(octets)
        os.write(self._main, octets)


@cocotb.test()
async def serve(dut: Any) -> None:
    """Clock and reset the board, then carry octets until the host says that it is enough."""
    line_data = json.loads(os.environ[LINE_VARIABLE])
    baud = line_data["baud"]
    # An even number of picoseconds: the clock has two halves.
    period_ps = 2 * round(5e11 / line_data["clock_hz"])
    dut.rx.value = 1
    # It reports each octet otherwise.
    for pin in (dut.rx, dut.tx):
        logging.getLogger(f"cocotb.{pin._path}").setLevel(logging.WARNING)
    source = UartSource(dut.rx, baud=baud, bits=8)
    sink = UartSink(dut.tx, baud=baud, bits=8)
    Clock(dut.clk, period_ps, "ps").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    line = Line(drop=line_data["drop"], flip=line_data["flip"])
    slice_ns = round(_SLICE_OCTETS * 10 * 1e9 / baud)
    used_ns = 0
    while not Path(STOP_FILE).exists():
        answered = bytes(sink.read_nowait())
        if answered:
            line.to_host(answered)
        idle = source.idle() and not answered
        sent = line.from_host(patient=idle)
        if sent:
            source.write_nowait(sent)
        begin = get_sim_time("ns")
        await Timer(slice_ns, "ns")
        used_ns += 0 if idle and not sent else int(get_sim_time("ns") - begin)
    counts = {
        "octets_in": line.octets_in,
        "octets_out": line.octets_out,
        "seconds": used_ns / 1e9,
    }
    Path(COUNT_FILE).write_text(json.dumps(counts))
