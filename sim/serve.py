"""cocotb's side of `SimulationTransport`: runs the harness for each request.

A request and its reply are one line of JSON each; the streams themselves are files in the working
folder, see `harness.sv`.
"""

import json
import os
import socket
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.registers import registers
from sim.transport import SOCKET_VARIABLE

ERROR_OFFSET = next(entry.offset for entry in registers(EngineConfig()) if entry.name == "error")
_PERIOD_NS = 2


@cocotb.test()
async def serve(dut: Any) -> None:
    """Reset the engine, then serve requests until the other side hangs up."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(os.environ[SOCKET_VARIABLE])
        with link.makefile("rw") as lines:
            Clock(dut.clk, _PERIOD_NS, "ns").start()
            await _reset(dut)
            # Reading blocks the whole simulator, which has nothing else to do.
            for line in lines:
                reply = await _run(dut, **json.loads(line))
                lines.write(json.dumps(reply) + "\n")
                lines.flush()


async def read_register(dut: Any, offset: int) -> int:
    """Read a register over AXI4-Lite; the benches of the bus itself use cocotbext-axi."""
    dut.s_axil_araddr.value = offset
    dut.s_axil_arvalid.value = 1
    dut.s_axil_rready.value = 1
    await RisingEdge(dut.clk)
    dut.s_axil_arvalid.value = 0
    await RisingEdge(dut.s_axil_rvalid)
    return int(dut.s_axil_rdata.value)


async def _reset(dut: Any) -> None:
    dut.start.value = 0
    for channel in ("aw", "w", "ar"):
        getattr(dut, f"s_axil_{channel}valid").value = 0
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0


async def _run(dut: Any, *, results: int, timeout: int, rest: int) -> dict[str, int]:
    """One exchange: the four files in, `results` beats out."""
    dut.expected.value = results
    dut.rest.value = rest
    dut.start.value = 1
    await RisingEdge(dut.clk)
    dut.start.value = 0
    await RisingEdge(dut.clk)
    if not dut.done.value:
        await First(RisingEdge(dut.done), Timer(timeout * _PERIOD_NS, "ns"))
    reply = {
        "done": int(dut.done.value),
        "cycles": int(dut.busy_cycles.value),
        "error": await read_register(dut, ERROR_OFFSET),
    }
    if reply["error"] or not reply["done"]:
        await _reset(dut)
    return reply
