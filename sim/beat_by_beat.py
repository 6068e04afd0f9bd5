"""The engine with every beat driven by cocotb, to measure the cost of Python.

`python -m sim.bench_engine` compares this with `SimulationTransport`, which feeds the engine from
files.
"""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge
from numpy.typing import NDArray

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import TransportError
from qcnpe.spec.streams import Streams
from sim.cocotb_process import run_cocotb
from sim.runner import build

_FOLDER_VARIABLE = "QCNPE_BEAT_BY_BEAT"
_STREAMS = ("commands", "activations", "weights", "parameters")
_PERIOD_NS = 2


def measure(config: EngineConfig, streams: Streams) -> float:
    """Simulated cycles a second of the bare engine while cocotb drives its five streams."""
    simulation = build(config, bare=True)
    with TemporaryDirectory(prefix="qcnpe-") as scratch:
        folder = Path(scratch)
        words = {name: getattr(streams, name) for name in _STREAMS}
        np.savez(folder / "streams.npz", results=streams.results, **words)
        run_cocotb("sim.beat_by_beat", simulation, folder, {_FOLDER_VARIABLE: scratch})
        measured = folder / "measured.json"
        if not measured.is_file():
            raise TransportError("the simulation driven beat by beat stopped; see that it builds")
        found = json.loads(measured.read_text())
    return float(found["cycles"] / found["seconds"])


@cocotb.test()
async def drive(dut: Any) -> None:
    """Feed the streams, wait for the results, write the time that it took."""
    folder = Path(os.environ[_FOLDER_VARIABLE])
    with np.load(folder / "streams.npz") as file:
        words = {name: _words(file[name]) for name in _STREAMS}
        results = int(file["results"])
    Clock(dut.aclk, _PERIOD_NS, "ns").start()
    for name in _STREAMS:
        getattr(dut, f"s_axis_{name}_tvalid").value = 0
    for channel in ("aw", "w", "ar"):
        getattr(dut, f"s_axil_{channel}valid").value = 0
    dut.m_axis_results_tready.value = 1
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 4)
    dut.aresetn.value = 1
    begin = perf_counter()
    for name in _STREAMS:
        cocotb.start_soon(_feed(dut, f"s_axis_{name}", words[name]))
    cycles = await _collect(dut, results)
    seconds = perf_counter() - begin
    (folder / "measured.json").write_text(json.dumps({"cycles": cycles, "seconds": seconds}))


async def _feed(dut: Any, prefix: str, words: list[int]) -> None:
    data, valid, ready = (getattr(dut, f"{prefix}_t{end}") for end in ("data", "valid", "ready"))
    clock_edge = RisingEdge(dut.aclk)
    valid.value = 1
    for word in words:
        data.value = word
        await clock_edge
        while not ready.value:
            await clock_edge
    valid.value = 0


async def _collect(dut: Any, results: int) -> int:
    """Cycles until all results have come."""
    cycles = 0
    clock_edge, settled = RisingEdge(dut.aclk), ReadOnly()
    while results:
        await clock_edge
        await settled
        cycles += 1
        if dut.m_axis_results_tvalid.value:
            dut.m_axis_results_tdata.value.to_unsigned()
            results -= 1
    return cycles


def _words(array: NDArray[np.unsignedinteger]) -> list[int]:
    if array.ndim == 1:
        return [int(word) for word in array]
    return [int.from_bytes(beat.astype("<u2").tobytes(), "little") for beat in array]
