"""cocotb test: a run of a network on an autonomous engine, and one that the bus ends."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp

from docs.waveforms.autonomous import placed
from qcnpe.random_memory_work import RandomProgram
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.descriptors import Base, Fault
from sim.autonomous_bench import BASES, TB

_FAILING_WORDS = 2
"""Words of the input before the one that cannot be read."""


@cocotb.test()
async def run_and_fail(dut: Any) -> None:
    """The first run stores what the network computes; the second one reads a bad address."""
    net, inputs, image = placed()
    bench = TB(dut)
    bench.rest(1)
    await bench.reset()
    program = RandomProgram(
        image=image.data,
        input=image.pack_inputs(inputs),
        output_bytes=image.output_bytes,
        boot_rows=image.boot_rows,
    )
    assert await bench.run(program) is Fault.NONE
    np.testing.assert_array_equal(image.unpack_outputs(bench.output(program)), infer(net, inputs))
    await ClockCycles(dut.aclk, 8)
    word = BASES[Base.INPUT] + _FAILING_WORDS * bench.config.bus_bytes
    bench.memory.failing = {word: AxiResp.SLVERR}
    assert await bench.run(program) is Fault.READ
    await ClockCycles(dut.aclk, 8)
