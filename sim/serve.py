"""The cocotb test of `SimulationTransport`: runs the harness for each request.

A request and its reply are one line of JSON each; the streams themselves are files in the working
folder, see `harness.sv`.
"""

import json
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.registers import registers
from sim.cocotb_process import connected

_REGISTERS = {entry.name: entry for entry in registers(EngineConfig())}
_ORDERS = [field.name for field in _REGISTERS["control"].fields]
_HALT, _RESUME = (1 << _ORDERS.index(name) for name in ("halt", "resume"))
_PERIOD_NS = 2


@cocotb.test()
async def serve(dut: Any) -> None:
    """Reset the engine, then serve requests until the transport closes the connection."""
    with connected() as host, host.makefile("rw") as lines:
        Clock(dut.clk, _PERIOD_NS, "ns").start()
        await _reset(dut)
        # Reading blocks the whole simulator, which has nothing else to do.
        for line in lines:
            reply = await _run(dut, **json.loads(line))
            lines.write(json.dumps(reply) + "\n")
            lines.flush()


async def read_register(dut: Any, name: str) -> int:
    """Read a register over AXI4-Lite; the benches of the bus itself use cocotbext-axi."""
    dut.s_axil_araddr.value = _REGISTERS[name].offset
    dut.s_axil_arvalid.value = 1
    dut.s_axil_rready.value = 1
    await RisingEdge(dut.clk)
    dut.s_axil_arvalid.value = 0
    await RisingEdge(dut.s_axil_rvalid)
    return int(dut.s_axil_rdata.value)


async def write_register(dut: Any, name: str, value: int) -> None:
    """Write a register over AXI4-Lite."""
    dut.s_axil_awaddr.value = _REGISTERS[name].offset
    dut.s_axil_wdata.value = value
    dut.s_axil_wstrb.value = 0xF
    dut.s_axil_bready.value = 1
    dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 1
    # Address and data are taken together, at the end of the cycle in which the engine is ready.
    await RisingEdge(dut.s_axil_awready)
    await RisingEdge(dut.clk)
    dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 0
    # The control register acts in the cycle after it was written.
    await ClockCycles(dut.clk, 2)


async def _reset(dut: Any) -> None:
    dut.start.value = dut.next.value = 0
    for channel in ("aw", "w", "ar"):
        getattr(dut, f"s_axil_{channel}valid").value = 0
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0


async def _run(dut: Any, *, results: list[int], timeout: int, rest: int) -> list[dict[str, int]]:
    """One exchange: sends the four files, receives `results` beats of each segment, gives replies.

    An engine that does not finish is halted; after that, and after a bad command, it is resumed.
    """
    dut.rest.value = rest
    replies = []
    for begin, count in zip((dut.start, *[dut.next] * len(results)), results, strict=False):
        dut.expected.value = count
        begin.value = 1
        await RisingEdge(dut.clk)
        begin.value = 0
        await RisingEdge(dut.clk)
        if not dut.done.value:
            await First(RisingEdge(dut.done), Timer(timeout * _PERIOD_NS, "ns"))
        done, cycles = int(dut.done.value), int(dut.busy_cycles.value)
        error = int(dut.error.value) and await read_register(dut, "error")
        beats = int(dut.written.value)
        replies.append({"done": done, "beats": beats, "cycles": cycles, "error": error})
        if error or not done:
            await _recover(dut, timeout)
        if not done:
            break
    return replies


async def _recover(dut: Any, timeout: int) -> None:
    """Resume after a bad command as a host does: let all streams finish, then write `resume`."""
    await write_register(dut, "control", _HALT)
    if not dut.rests.value:
        await First(RisingEdge(dut.rests), Timer(timeout * _PERIOD_NS, "ns"))
    await write_register(dut, "control", _RESUME)
    assert await read_register(dut, "status") == 0, "the engine does not resume"
