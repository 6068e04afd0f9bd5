"""cocotb test: an image on an autonomous engine with an ideal memory, see `sim.autonomous`."""

import json
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles

from qcnpe.spec.memory.descriptors import Base, Fault
from sim.autonomous_bench import Host

JOB, COUNTERS = "job.json", "counters.json"
"""Files in the working folder: what to do, and the counters of each run."""


@cocotb.test()
async def run_image(dut: Any) -> None:
    """Each run reads its samples and stores its results; the first one boots."""
    bench = Host(dut)
    job = json.loads(Path(JOB).read_text())
    await bench.reset()
    dut.stalls.value = job["stalls"]
    for base in Base:
        address = job["places"][base.name.lower()]
        await bench.write(f"{base.name.lower()}_low", address & 0xFFFFFFFF)
        await bench.write(f"{base.name.lower()}_high", address >> 32)
    await bench.write("interrupt_mask", 3)
    await _move(dut, "load_image", job["places"]["image"], job["image_bytes"], job["bus_bytes"])
    found = []
    for number in range(job["runs"]):
        await _move(dut, "load_input", job["places"]["input"], job["input_bytes"], job["bus_bytes"])
        await bench.write("boot", job["again_boot_rows"] if number else job["boot_rows"])
        await bench.write("control", 4)
        await bench.write("start", job["again" if number else "start"])
        assert await bench.wait(job["timeout"]) is Fault.NONE
        place, size = job["places"]["output"], job["output_bytes"]
        await _move(dut, "save_output", place, size, job["bus_bytes"])
        found.append(await bench.counters())
    Path(COUNTERS).write_text(json.dumps(found))


async def _move(dut: Any, way: str, place: int, size: int, bus_bytes: int) -> None:
    """Let the harness move octets between a file and its memory."""
    dut.first.value = place // bus_bytes
    dut.count.value = size // bus_bytes
    getattr(dut, way).value = 1
    await ClockCycles(dut.aclk, 1)
    getattr(dut, way).value = 0
    await ClockCycles(dut.aclk, 1)
