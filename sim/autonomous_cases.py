"""cocotb tests of an autonomous engine, which `run_cocotb` runs."""

import random
from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp
from numpy.typing import NDArray

from qcnpe.random_memory_work import RandomProgram, random_program
from qcnpe.spec.commands import ErrorCause
from qcnpe.spec.memory.config import Memory
from qcnpe.spec.memory.descriptors import (
    DESCRIPTOR_BYTES,
    DESCRIPTOR_FIELDS,
    Base,
    Fault,
    Operation,
    decode_descriptor,
)
from qcnpe.spec.memory.machine import Machine
from qcnpe.spec.memory.registers import memory_feature_words
from sim.autonomous_bench import BASES, TB


async def started(dut: Any) -> TB:
    """A bench after reset."""
    bench = TB(dut)
    await bench.reset()
    return bench


def expected(bench: TB, program: RandomProgram) -> tuple[NDArray[np.uint8], Machine]:
    """What the reference model stores."""
    machine = Machine(bench.config)
    output = np.zeros(program.output_bytes, np.uint8)
    machine.external = {Base.IMAGE: program.image, Base.INPUT: program.input, Base.OUTPUT: output}
    machine.run(boot_rows=program.boot_rows)
    return output, machine


async def assert_right(bench: TB, seed: int, where: str = "") -> None:
    """A random program stores what the reference model does."""
    program = random_program(bench.config, seed)
    output, _ = expected(bench, program)
    assert await bench.run(program) is Fault.NONE, where
    np.testing.assert_array_equal(bench.output(program), output, err_msg=f"{where} seed {seed}")


@cocotb.test()
@cocotb.parametrize(seed=[1, 2], stalls=[False, True])
async def run_random_programs(dut: Any, seed: int, stalls: bool) -> None:
    """Results and traffic are those of the reference model, with and without stalls of the bus."""
    bench = await started(dut)
    bench.rest(seed if stalls else None)
    for number in range(2):
        program = random_program(bench.config, 10 * seed + number)
        output, machine = expected(bench, program)
        await bench.write("control", 4)
        assert await bench.run(program) is Fault.NONE
        np.testing.assert_array_equal(bench.output(program), output, err_msg=f"program {number}")
        counters = await bench.counters()
        assert counters["words_read"] == machine.words_read
        assert counters["words_written"] == machine.words_written
        beats = sum(len(each.activations) for each in machine.streams)
        assert counters["fetch_passes"] >= beats == counters["beats"]


@cocotb.test()
async def read_sizes(dut: Any) -> None:
    """The registers that describe the memories have the values of the configuration."""
    bench = await started(dut)
    for memory in Memory:
        name = f"{memory.name.lower()}_depth"
        assert await bench.read(name) == bench.config.depth(memory) - 1
    features = await bench.read("memory_features")
    wanted = memory_feature_words(bench.config)["memory_features"]
    assert features == wanted["banks"] | wanted["bus_bytes"] << 4 | wanted["address_bits"] << 12


@cocotb.test()
async def start_only_with_the_bytes_of_the_row(dut: Any) -> None:
    """A write of other bytes starts nothing, such as those that a wider bus leaves out."""
    bench = await started(dut)
    await bench.write("control", 4)
    for first, octets in ((2, b"\0\0"), (3, b"\0")):
        answer = await bench.control.write(bench.offsets["start"] + first, octets)
        assert answer.resp == AxiResp.OKAY
    await ClockCycles(dut.aclk, 20)
    assert (await bench.counters())["run_cycles"] == 0
    await assert_right(bench, 70)


@cocotb.test()
@cocotb.parametrize(base=list(Base), response=[AxiResp.SLVERR, AxiResp.DECERR])
async def answer_with_an_error(dut: Any, base: Base, response: AxiResp) -> None:
    """An error anywhere ends the run; nothing wrong is stored; the next run works."""
    bench = await started(dut)
    chance = random.Random(int(base) * 10 + int(response))
    for attempt in range(3):
        bench.rest(attempt or None)
        program = random_program(bench.config, attempt)
        output, _ = expected(bench, program)
        size = {
            Base.IMAGE: program.boot_rows * DESCRIPTOR_BYTES if attempt else 1,
            Base.INPUT: len(program.input),
            Base.OUTPUT: program.output_bytes,
        }[base]
        octets = bench.config.bus_bytes
        bench.memory.failing = {
            BASES[base] + chance.randrange(size) // octets * octets: AxiResp(response)
        }
        cause = await bench.run(program)
        assert cause is (Fault.WRITE if base is Base.OUTPUT else Fault.READ)
        stored = bench.output(program)
        assert np.isin(stored[stored != output], [0xEE]).all()
        bench.memory.failing = {}
        await assert_right(bench, attempt + 50)


@cocotb.test()
@cocotb.parametrize(base=list(Base))
async def reach_outside_of_the_memory(dut: Any, base: Base) -> None:
    """Addresses without memory are answered with DECERR, at once or in the middle of a burst."""
    bench = await started(dut)
    bench.rest(1)
    program = random_program(bench.config, 3)
    bench.place(program)
    for inside in (0, bench.config.bus_bytes):
        address = len(bench.memory.octets) - inside
        await bench.start(program, {base: address})
        assert await bench.wait() is (Fault.WRITE if base is Base.OUTPUT else Fault.READ)
        assert bench.memory.response == AxiResp.DECERR
    await assert_right(bench, 60)


@cocotb.test()
@cocotb.parametrize(way=["stop", "reset", "halt"])
async def end_at_any_time(dut: Any, way: str) -> None:
    """A run that the host ends at any time leaves nothing behind."""
    bench = await started(dut)
    chance = random.Random(4)
    for attempt in range(5):
        bench.rest(chance.choice([None, attempt]))
        program = random_program(bench.config, attempt)
        bench.place(program)
        await bench.start(program)
        await ClockCycles(dut.aclk, chance.randrange(1, 1200))
        where = f"attempt {attempt}"
        if way == "reset":
            await bench.reset()
            assert await bench.read("run_status") & 1 == 0, where
        elif dut.busy.value:
            await bench.write(*{"stop": ("stop", 1), "halt": ("control", 1)}[way])
            cause = await bench.wait()
            wanted = Fault.STOPPED if way == "stop" else Fault.ENGINE
            assert cause in (wanted, Fault.NONE), where
        else:
            await bench.wait()
        await assert_right(bench, attempt + 20, where)


def changed(program: RandomProgram, row: int, word: int) -> RandomProgram:
    """A program with another descriptor in a row."""
    image = program.image.copy()
    octets = np.frombuffer(word.to_bytes(DESCRIPTOR_BYTES, "little"), np.uint8)
    image[row * DESCRIPTOR_BYTES : (row + 1) * DESCRIPTOR_BYTES] = octets
    return replace(program, image=image)


def descriptor(program: RandomProgram, row: int) -> int:
    """The word of a descriptor."""
    start = row * DESCRIPTOR_BYTES
    return int.from_bytes(program.image[start : start + DESCRIPTOR_BYTES].tobytes(), "little")


@cocotb.test()
@cocotb.parametrize(seed=[1, 2])
async def refuse_bad_descriptors(dut: Any, seed: int) -> None:
    """Descriptors with one wrong field end the run with the cause that the specification says."""
    bench = await started(dut)
    rng = np.random.default_rng(seed)
    program = random_program(bench.config, seed)
    causes = set()
    for _ in range(150):
        row = int(rng.integers(program.boot_rows))
        word = descriptor(program, row)
        fields = DESCRIPTOR_FIELDS[Operation(word & 15)]
        index = int(rng.integers(len(fields) + 1))
        place = sum(field.bits for field in fields[:index])
        bits = fields[index].bits if index < len(fields) else 256 - place
        value = int(
            rng.choice([0, (1 << min(bits, 62)) - 1, int(rng.integers(1 << min(bits, 16)))])
        )
        word = word & ~(((1 << bits) - 1) << place) | value << place
        wanted = decode_descriptor(bench.config, word)
        if not isinstance(wanted, Fault) or wanted in causes:
            continue
        if row > program.boot_rows - 4 or Operation(descriptor(program, row) & 15) is Operation.END:
            continue  # the descriptor behind the jump is never reached
        causes.add(wanted)
        assert await bench.run(changed(program, row, word)) is wanted, f"row {row}: {word:x}"
        assert await bench.read("run_status") >> 1 == row
        await assert_right(bench, seed + 30, wanted.name)
    assert len(causes) >= 5, causes


@cocotb.test()
async def report_faults_of_tables(dut: Any) -> None:
    """Bad commands, and places and addresses beyond a memory."""
    bench = await started(dut)
    program = random_program(bench.config, 3)
    rows = range(program.boot_rows)
    (row, *_) = (row for row in rows if descriptor(program, row) & 15 == Operation.TILES)
    fields = DESCRIPTOR_FIELDS[Operation.TILES]
    places = {
        field.name: sum(each.bits for each in fields[:number])
        for number, field in enumerate(fields)
    }
    tables = ("weights", "parameters", "lanes", "walks", "taps", "store_lanes", "writes")
    outside = dict.fromkeys(tables, Fault.BOUNDS)
    for name, wanted in {**outside, "command": Fault.ENGINE}.items():
        word = descriptor(program, row)
        ones = 0xFFFF if name != "command" else 0xF
        word |= ones << places[name]
        assert await bench.run(changed(program, row, word)) is wanted, name
        error = await bench.read("error")
        assert error == (ErrorCause.OPCODE if name == "command" else 0), name
        await assert_right(bench, 31, name)


@cocotb.test()
async def mask_interrupts(dut: Any) -> None:
    """A masked cause is remembered and does not raise the line."""
    bench = await started(dut)
    program = random_program(bench.config, 1)
    bench.place(program)
    await bench.start(program)
    await bench.write("interrupt_mask", 2)
    for _ in range(4000):
        await ClockCycles(dut.aclk, 4)
        assert not dut.irq.value
        if not dut.busy.value:
            break
    assert await bench.read("interrupt") == 1
    await bench.control.write(bench.offsets["interrupt"] + 1, b"\xff")
    assert await bench.read("interrupt") == 1
    await bench.write("interrupt_mask", 1)
    await ClockCycles(dut.aclk, 2)
    assert dut.irq.value
