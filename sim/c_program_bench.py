"""cocotb test: a program in C drives an autonomous engine, see `sim.c_program`."""

import ctypes
import json
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge, resume
from cocotbext.axi import AxiResp

from sim.autonomous_bench import TB

JOB, IMAGE, SAMPLES, PROGRAM = "job.json", "image.bin", "samples.bin", "program.so"
"""Files in the working folder: sizes, the image's file, int16 samples, the program."""

LOGITS, CLASSES, ERROR = "logits.bin", "classes.bin", "error.txt"
"""Files that are written to it: int16 logits, uint32 classes, what the program returned."""

_READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
_WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)


class _Bus(ctypes.Structure):
    """`qcnpe_bus` of the driver."""

    _fields_ = (("read", _READ), ("write", _WRITE), ("context", ctypes.c_void_p))


def _registers(bench: TB) -> _Bus:
    """The engine's registers as the driver reaches them; errors of the bus read as ones."""

    async def read(_context: object, offset: int) -> int:
        found = await bench.control.read(offset, 4)
        return int.from_bytes(found.data, "little") if found.resp == AxiResp.OKAY else 0xFFFFFFFF

    async def write(_context: object, offset: int, value: int) -> None:
        await bench.control.write(offset, value.to_bytes(4, "little"))

    return _Bus(_READ(resume(read)), _WRITE(resume(write)), None)


@cocotb.test()
async def run_program(dut: Any) -> None:
    """The program runs in a thread; the simulation goes on while it accesses a register."""
    job = json.loads(Path(JOB).read_text())
    bench = TB(dut)
    bench.memory.octets = np.zeros(job["memory_bytes"], np.uint8)
    await bench.reset()
    file = Path(IMAGE).read_bytes()
    samples = np.frombuffer(Path(SAMPLES).read_bytes(), np.int16)
    logits = np.zeros(job["samples"] * job["outputs"], np.int16)
    classes = np.zeros(job["samples"], np.uint32)
    bus, library = _registers(bench), ctypes.CDLL(str(Path(PROGRAM).absolute()))

    def classify() -> int:
        found: int = library.classify(
            ctypes.byref(bus),
            bench.memory.octets.ctypes,
            file,
            len(file),
            samples.ctypes,
            job["runs"],
            logits.ctypes,
            classes.ctypes,
        )
        return found

    error = await bridge(classify)()
    Path(LOGITS).write_bytes(logits.tobytes())
    Path(CLASSES).write_bytes(classes.tobytes())
    Path(ERROR).write_text(str(error))
