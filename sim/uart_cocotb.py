"""The cocotb test of `SimulatedBoard`: the other end of the line, bit by bit."""

import json
import logging
import os
import select
import socket
import tty
from contextlib import suppress
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Timer
from cocotb.utils import get_sim_time
from cocotbext.uart import UartSink, UartSource

from sim.board import LINE_VARIABLE
from sim.cocotb_process import connected

_SLICE_OCTETS = 4
"""Simulated time between two reads of the pseudo-terminal, in octets of the line."""

_REST_SECONDS = 0.002
"""Real time that an idle simulation sleeps between two reads."""


class Line:
    """The pseudo-terminal, and the faults of the line towards the board."""

    def __init__(self, host: socket.socket, *, drop: int, flip: int) -> None:
        self._host = host
        self._main, self._other = os.openpty()
        tty.setraw(self._other)
        os.set_blocking(self._main, False)
        self._drop, self._flip = drop, flip
        self.path = os.ttyname(self._other)
        self.octets_in = self.octets_out = 0

    def from_host(self, *, patient: bool) -> bytes:
        """Octets that the host has sent since the last call, with the line's faults."""
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
        """Send the board's octets to the host, unless it has closed the connection."""
        self.octets_out += len(octets)
        while octets and not _is_gone(self._host):
            if select.select([self._host], [self._main], [])[1]:
                octets = octets[os.write(self._main, octets) :]


@cocotb.test()
async def serve(dut: Any) -> None:
    """Clock and reset the board, then carry octets until the host closes the connection."""
    line_data = json.loads(os.environ[LINE_VARIABLE])
    baud = line_data["baud"]
    # It reports each octet otherwise.
    for pin in (dut.rx, dut.tx):
        logging.getLogger(f"cocotb.{pin._path}").setLevel(logging.WARNING)
    dut.rx.value = 1
    source = UartSource(dut.rx, baud=baud, bits=8)
    sink = UartSink(dut.tx, baud=baud, bits=8)
    await _reset(dut, line_data["clock_hz"])
    slice_ns = round(_SLICE_OCTETS * 10 * 1e9 / baud)
    used_ns = 0
    with connected() as host:
        line = Line(host, drop=line_data["drop"], flip=line_data["flip"])
        host.sendall(f"{line.path}\n".encode())
        while not _is_gone(host):
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
        with suppress(BrokenPipeError):  # of a host that is gone
            host.sendall(json.dumps(counts).encode())


def _is_gone(host: socket.socket) -> bool:
    """Whether the host's end of the connection is closed; it sends nothing."""
    return bool(select.select([host], [], [], 0)[0])


async def _reset(dut: Any, clock_hz: float) -> None:
    # An even number of picoseconds: the clock has two halves.
    Clock(dut.clk, 2 * round(5e11 / clock_hz), "ps").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
