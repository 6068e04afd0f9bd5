"""Drives the engine's buses in cocotb, with an AXI manager, transmitter or receiver at each."""

import json
import logging
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)
from numpy.typing import NDArray

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.registers import counter_names, registers
from qcnpe.spec.streams import Streams

CONFIG_VARIABLE = "QCNPE_BENCH_CONFIG"
"""Environment variable that holds the engine's parameters as JSON."""

SOURCES = ("commands", "activations", "weights", "parameters")
PERIOD_NS = 2
TIMEOUT_CYCLES = 50_000


def environment_of(config: EngineConfig) -> dict[str, str]:
    """Environment variables that `bench_config` reads in the simulator's process."""
    return {CONFIG_VARIABLE: json.dumps(asdict(config))}


def bench_config() -> EngineConfig:
    """The engine that is simulated."""
    values = json.loads(os.environ[CONFIG_VARIABLE])
    return EngineConfig(**{**values, "precisions": tuple(values["precisions"])})


class TB:
    """Owns clock, reset, sources, sink and the manager of the register file.

    A stream's beat is one item of a frame, as wide as the bus; a frame of results is a tile.

    Parameters
    ----------
    dut : the top module

    Attributes
    ----------
    config : the engine
    sources : by the stream's name
    sink : of the results
    control : AXI4-Lite manager of the register file
    offsets : address of each register
    """

    def __init__(self, dut: Any) -> None:
        self.dut, self.config = dut, bench_config()
        # Each frame would be a line, and a flushed one a warning of some kilobytes.
        logging.getLogger("cocotb").setLevel(logging.ERROR)
        Clock(dut.aclk, PERIOD_NS, "ns").start()
        self.offsets = {entry.name: entry.offset for entry in registers(self.config)}
        reset = (dut.aclk, dut.aresetn, False)
        self.sources = {
            name: AxiStreamSource(
                AxiStreamBus.from_prefix(dut, f"s_axis_{name}"), *reset, byte_lanes=1
            )
            for name in SOURCES
        }
        self.sink = AxiStreamSink(
            AxiStreamBus.from_prefix(dut, "m_axis_results"), *reset, byte_lanes=1
        )
        self.control = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), *reset)

    async def reset(self) -> None:
        """Hold the reset for some cycles."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    def rest(
        self,
        idle: Mapping[str, Callable[[], Iterator[int]]],
        backpressure: Callable[[], Iterator[int]] | None = None,
    ) -> None:
        """Set the cycles in which each source, by name, is idle, and the sink is not ready."""
        for name, source in self.sources.items():
            pauses = idle.get(name)
            set_pauses(source, pauses and pauses())
        set_pauses(self.sink, backpressure and backpressure())

    def send(self, streams: Streams) -> None:
        """Put streams into the sources, all in one cycle."""
        lanes = {"activations": streams.activations, "weights": streams.weights}
        words = {
            "commands": streams.commands.tolist(),
            "parameters": streams.parameters.tolist(),
            **{name: [beat_word(beat) for beat in beats] for name, beats in lanes.items()},
        }
        for name, beats in words.items():
            if beats:
                self.sources[name].send_nowait(AxiStreamFrame(beats))

    async def receive(self, streams: Streams) -> NDArray[np.uint64]:
        """Result lanes (results, rows) of streams that were sent; each frame must be a tile."""
        lanes: list[list[int]] = []
        for cols in tile_columns(self.config, streams):
            frame = await with_timeout(self.sink.recv(), TIMEOUT_CYCLES * PERIOD_NS, "ns")
            assert len(frame.tdata) == cols, f"a tile of {cols} columns had {len(frame.tdata)}"
            lanes += [self._split(beat) for beat in frame.tdata]
        return np.array(lanes, np.uint64).reshape(-1, self.config.rows)

    def _split(self, beat: int) -> list[int]:
        bits = self.config.result_lane_bits
        return [beat >> row * bits & ((1 << bits) - 1) for row in range(self.config.rows)]

    async def run(self, streams: Streams) -> NDArray[np.uint64]:
        """Send streams and receive all results; nothing may be left over."""
        self.send(streams)
        results = await self.receive(streams)
        await self.wait_idle()
        assert self.sink.empty()
        assert self.sink.idle()
        return results

    async def wait_idle(self) -> None:
        """Wait until the engine is not busy and the counters have counted all events."""
        for _ in range(TIMEOUT_CYCLES):
            await RisingEdge(self.dut.aclk)
            if not self.dut.busy.value and all(source.idle() for source in self.sources.values()):
                break
        else:
            raise AssertionError(f"busy after {TIMEOUT_CYCLES} cycles")
        await ClockCycles(self.dut.aclk, 4)

    async def read(self, register: str) -> int:
        """A register's value."""
        found = await self.control.read(self.offsets[register], 4)
        assert found.resp == AxiResp.OKAY, f"{register}: {found.resp!r}"
        return int.from_bytes(found.data, "little")

    async def write(self, register: str, value: int) -> None:
        """Write a register."""
        found = await self.control.write(self.offsets[register], value.to_bytes(4, "little"))
        assert found.resp == AxiResp.OKAY, f"{register}: {found.resp!r}"

    async def request(self, *actions: str) -> None:
        """Write one or more actions to the control register, by the names of their fields."""
        fields = next(e.fields for e in registers(self.config) if e.name == "control")
        names = [field.name for field in fields]
        await self.write("control", sum(1 << names.index(action) for action in actions))
        await ClockCycles(self.dut.aclk, 2)

    async def status(self) -> set[str]:
        """Names of the flags that are set in the status register."""
        fields = next(e.fields for e in registers(self.config) if e.name == "status")
        value = await self.read("status")
        return {field.name for place, field in enumerate(fields) if value >> place & 1}

    async def counters(self) -> dict[str, int]:
        """All counters; each is read whole."""
        return {
            name: await self.read(f"{name}_low") | await self.read(f"{name}_high") << 32
            for name in counter_names(self.config)
        }

    async def resume(self) -> None:
        """Resume after a halt as a host does: let all streams finish, then write `resume`."""
        await self.wait_idle()
        await self.request("resume")
        assert await self.status() == set()

    def received(self) -> NDArray[np.uint64]:
        """Result lanes (results, rows) of the tiles received so far, complete tiles only."""
        assert self.sink.idle(), "a tile has come in part"
        frames = []
        while not self.sink.empty():
            frames.append(self.sink.recv_nowait())
        lanes = [self._split(beat) for frame in frames for beat in frame.tdata]
        return np.array(lanes, np.uint64).reshape(-1, self.config.rows)

    async def watch_results(self) -> None:
        """Fail if a valid beat of results is withdrawn or changed before it is taken."""
        names = ("tvalid", "tdata", "tlast", "tready")
        signals = [getattr(self.dut, f"m_axis_results_{name}") for name in names]
        held = None
        while True:
            await RisingEdge(self.dut.aclk)
            valid, *payload, ready = (signal.value for signal in signals)
            offer = (int(valid), *map(int, payload)) if valid else None
            assert held is None or offer == held, "results were taken back before they were taken"
            held = offer if valid and not ready else None


def set_pauses(end: Any, pauses: Iterator[int] | None) -> None:
    """Let an end of a channel be idle in some cycles, or in none."""
    end.clear_pause_generator()
    end.pause = False
    if pauses is not None:
        end.set_pause_generator(pauses)


def random_pause(seed: int = 5) -> Iterator[int]:
    """Every other cycle, irregularly."""
    chance = random.Random(seed)
    return iter(lambda: int(chance.random() < 0.5), 2)


def beat_word(lanes: NDArray[np.uint16]) -> int:
    """The bus word of a beat of operands; lane 0 is lowest."""
    return int.from_bytes(lanes.astype("<u2").tobytes(), "little")


def tile_columns(config: EngineConfig, streams: Streams) -> list[int]:
    """Columns of each tile in the order of the results; the commands must be good ones."""
    return [tile.cols for tile in streams.tiles(config)]
