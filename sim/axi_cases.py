"""cocotb tests of the engine's buses, which `run_cocotb` runs."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp
from numpy.typing import NDArray

from qcnpe.random_work import random_streams, with_bad_commands
from qcnpe.spec.commands import (
    ErrorCause,
    Opcode,
    TileCommand,
    check_command,
    command_fields,
    encode,
)
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.model import execute
from qcnpe.spec.registers import Access, registers, reset_words
from qcnpe.spec.streams import Streams
from sim.axi_bench import SOURCES, TB, random_pause, tile_columns


def cycle_pause() -> Iterator[int]:
    """Three cycles out of four."""
    return cycle([1, 1, 1, 0])


PAUSES = {"cycle": cycle_pause, "random": random_pause}


async def started(dut: Any) -> TB:
    """A bench after reset, with all counters at zero."""
    bench = TB(dut)
    await bench.reset()
    await bench.request("clear_counters")
    return bench


async def assert_right(bench: TB, streams: Streams, where: str = "", ceiling: int = 16) -> None:
    """The engine's results are those of the model."""
    expected = execute(bench.config, streams, ceiling=ceiling).results
    np.testing.assert_array_equal(await bench.run(streams), expected, err_msg=where)


@cocotb.test()
@cocotb.parametrize(
    idle=["none", *SOURCES, "all"], backpressure=["none", "cycle"], kind=["cycle", "random"]
)
async def run_idle_and_backpressure(dut: Any, idle: str, backpressure: str, kind: str) -> None:
    """Each stream idles alone, and all together, with and without backpressure."""
    bench = await started(dut)
    resting = SOURCES if idle == "all" else [name for name in SOURCES if name == idle]
    pause = PAUSES[kind]
    bench.rest(dict.fromkeys(resting, pause), None if backpressure == "none" else pause)
    await assert_right(bench, random_streams(bench.config, 12, 1, max_beats=10))


@cocotb.test()
async def run_at_full_rate(dut: Any) -> None:
    """Results, busy cycles and every counter of streams that are never idle."""
    bench = await started(dut)
    for seed in range(4):
        streams = random_streams(bench.config, 25, seed, max_beats=(4, 40)[seed % 2])
        await bench.request("clear_counters")
        await assert_right(bench, streams, f"seed {seed}")
        counters = await bench.counters()
        expected = expected_counters(bench.config, streams)
        assert {name: counters[name] for name in expected} == expected, f"seed {seed}"
        assert counters["stalled_activations"] <= 1 + len(streams.commands)
        assert counters["cycles"] > counters["busy_cycles"]


@cocotb.test()
async def read_counters_clear(dut: Any) -> None:
    """`clear_counters` sets all counters to zero; only the cycles since then are counted."""
    bench = await started(dut)
    await assert_right(bench, random_streams(bench.config, 5, 1))
    assert (await bench.counters())["tiles"] == 5
    await bench.request("clear_counters")
    counters = await bench.counters()
    assert 0 < counters.pop("cycles") < 200
    assert not any(counters.values()), counters
    first = await bench.read("cycles_low")
    assert await bench.read("cycles_low") > first
    # The high half is the one that went with the low half.
    assert await bench.read("cycles_high") == 0


@cocotb.test()
@cocotb.parametrize(slow=["activations", "weights", "parameters", "results"])
async def count_stalls_by_their_cause(dut: Any, slow: str) -> None:
    """The counters name the idle stream as the cause of the stalls."""
    bench = await started(dut)
    if slow == "results":
        bench.rest({}, cycle_pause)
    else:
        bench.rest({slow: cycle_pause})
    config = bench.config
    tiles = 4 * config.result_depth // config.cols
    await assert_right(bench, full_tiles(config, tiles, beats=config.cols, seed=3))
    counters = await bench.counters()
    stalls = {name: count for name, count in counters.items() if name.startswith("stalled_")}
    others = sum(stalls.values()) - stalls[f"stalled_{slow}"]
    assert stalls[f"stalled_{slow}"] > max(tiles, others), stalls


@cocotb.test()
async def wait_for_the_drain(dut: Any) -> None:
    """Tiles shorter than their drain stall for the drain alone."""
    bench = await started(dut)
    config = bench.config
    await assert_right(bench, full_tiles(config, 6, beats=1, seed=4))
    counters = await bench.counters()
    # The first tile waits for its parameters, one word a cycle; those of the others follow.
    assert counters["stalled_drain"] >= 4 * (config.cols - 1), counters
    assert counters["beats"] == counters["tiles"] == 6


@cocotb.test()
async def read_identity(dut: Any) -> None:
    """The registers that describe the engine have the values of its configuration."""
    bench = await started(dut)
    config = bench.config
    assert (await bench.read("identity")).to_bytes(4, "big") == b"QCNP"
    assert await bench.read("version") == 2
    assert await bench.read("shape") == config.rows | config.cols << 16
    features = await bench.read("features")
    assert [p for p in range(1, 17) if features >> (p - 1) & 1] == sorted(config.precisions)
    assert features >> 16 & 0x3F == config.accumulator_bits
    assert 1 << (features >> 22 & 0xF) == config.table_segments
    assert features >> 26 == config.kind.code


@cocotb.test()
async def read_values_after_a_reset(dut: Any) -> None:
    """A register that does not describe the engine holds what the documents say; most hold zero."""
    bench = await started(dut)
    values = reset_words(bench.config)
    for name in ("status", "precision", "error", "ceiling"):
        assert [*values.get(name, {"": 0}).values()] == [await bench.read(name)], name


@cocotb.test()
async def refuse_forbidden_access(dut: Any) -> None:
    """A forbidden access is answered with SLVERR and changes nothing; the next access works."""
    bench = await started(dut)
    table = {entry.offset: entry.access for entry in registers(bench.config)}
    for offset in range(0, 1 << len(dut.s_axil_araddr), 4):
        access = table.get(offset)
        found = await bench.control.read(offset, 4)
        readable = access in (Access.READ, Access.READ_WRITE)
        assert found.resp == (AxiResp.OKAY if readable else AxiResp.SLVERR), hex(offset)
        if access in (None, Access.READ):
            answer = await bench.control.write(offset, b"\xff\xff\xff\xff")
            assert answer.resp == AxiResp.SLVERR, hex(offset)
    assert (await bench.read("identity")).to_bytes(4, "big") == b"QCNP"
    await assert_right(bench, random_streams(bench.config, 5, 2))


@cocotb.test()
async def write_single_bytes(dut: Any) -> None:
    """Bytes without a strobe keep their value, and have no effect."""
    bench = await started(dut)
    config, offsets = bench.config, bench.offsets
    await assert_right(bench, random_streams(config, 5, 1))
    narrow = config.precisions[-1] if config.kind.is_gated else 16
    await bench.write("ceiling", narrow)
    for byte in (1, 2, 3):
        for name in ("control", "ceiling"):
            found = await bench.control.write(offsets[name] + byte, b"\xff")
            assert found.resp == AxiResp.OKAY
    assert (await bench.counters())["tiles"] == 5
    assert await bench.read("ceiling") == narrow
    clear_counters = 1 << 2
    await bench.control.write(offsets["control"], bytes([clear_counters]))
    await ClockCycles(dut.aclk, 2)
    assert (await bench.counters())["tiles"] == 0


@cocotb.test()
async def access_registers_back_to_back(dut: Any) -> None:
    """Simultaneous reads and writes by a manager that takes responses late, during work."""
    bench = await started(dut)
    bench.control.read_if.r_channel.set_pause_generator(cycle_pause())
    bench.control.write_if.b_channel.set_pause_generator(random_pause())
    bench.control.write_if.w_channel.set_pause_generator(random_pause())
    streams = random_streams(bench.config, 20, 6)
    bench.send(streams)
    reads = [cocotb.start_soon(bench.read(name)) for name in ("identity", "shape", "version") * 8]
    writes = [cocotb.start_soon(bench.write("ceiling", 16)) for _ in range(12)]
    found = [await task for task in reads]
    for task in writes:
        await task
    shape = bench.config.rows | bench.config.cols << 16
    assert found == [int.from_bytes(b"QCNP", "big"), shape, 2] * 8
    results = await bench.receive(streams)
    np.testing.assert_array_equal(results, execute(bench.config, streams).results)


@cocotb.test()
async def report_status(dut: Any) -> None:
    """Busy while there is work; the precision register holds the precision of the tile."""
    bench = await started(dut)
    config = bench.config
    assert await bench.read("status") == 0
    for precision in reversed(config.precisions):
        streams = full_tiles(config, 1, beats=4, seed=precision, precision=precision)
        bench.send(replace(streams, activations=streams.activations[:3]))
        await ClockCycles(dut.aclk, 20)
        assert await bench.read("status") == 1
        assert await bench.read("precision") == precision
        bench.sources["activations"].send_nowait([int(streams.activations[3, 0])])
        await bench.wait_idle()
        assert await bench.read("status") == 0
        assert await bench.read("precision") == precision
        bench.sink.clear()


@cocotb.test()
@cocotb.parametrize(cause=[cause for cause in ErrorCause if cause])
async def halt_at_a_bad_command(dut: Any, cause: ErrorCause) -> None:
    """The bad command and all words after it are taken and discarded, including operands."""
    bench = await started(dut)
    config = bench.config
    words = bad_words(config)
    if cause not in words:
        return  # with four widths there are no reserved bits
    good = random_streams(config, 8, int(cause))
    # After the first bad command, whose cause is reported, come other bad ones and good ones.
    streams = with_bad_commands(config, good, [words[cause], *words.values()], int(cause))
    assert streams.results < good.results
    for rests in ({}, dict.fromkeys(SOURCES, random_pause)):
        bench.rest(rests)
        bench.send(streams)
        await bench.wait_idle()
        found, expected = bench.received(), execute(config, streams)
        np.testing.assert_array_equal(found, expected.results, err_msg="before the bad command")
        assert await bench.read("error") == expected.error == cause
        assert await bench.status() == {"error", "halted"}
        assert dut.error.value == 1
        await bench.resume()
        assert await bench.read("error") == 0
        bench.rest({})
        await bench.request("clear_counters")
        await assert_right(bench, good, "after the resume")
        counted = count_cycles(config, good.decode(config))
        assert (await bench.counters())["busy_cycles"] == counted


@cocotb.test()
@cocotb.parametrize(seed=list(range(8)))
async def halt_in_full_flow(dut: Any, seed: int) -> None:
    """A halt in any cycle, within tiles and tables; complete tiles leave, later work is right."""
    bench = await started(dut)
    config = bench.config
    chance = random.Random(seed)
    watcher = cocotb.start_soon(bench.watch_results())
    for attempt in range(3):
        where = f"seed {seed}, attempt {attempt}"
        rests = chance.choice([{}, dict.fromkeys(SOURCES, random_pause)])
        bench.rest(rests, chance.choice([None, cycle_pause]))
        streams = random_streams(config, 40, seed)
        bench.send(streams)
        await ClockCycles(dut.aclk, chance.randrange(1, 300))
        await bench.request("halt")
        await bench.wait_idle()
        assert await bench.status() == {"halted"}
        found = bench.received()
        assert len(found) in np.cumsum([0, *tile_columns(config, streams)]), where
        expected = execute(config, streams).results[: len(found)]
        np.testing.assert_array_equal(found, expected, err_msg=where)
        await bench.resume()
        bench.rest({})
        streams = random_streams(config, 10, seed + 100)
        await bench.request("clear_counters")
        await assert_right(bench, streams, where)
        busy = (await bench.counters())["busy_cycles"]
        assert busy == count_cycles(config, streams.decode(config)), where
    assert not watcher.done()
    watcher.cancel()


@cocotb.test()
async def reset_by_one_write(dut: Any) -> None:
    """A tile without weights is reset by one write: halt, resume and clear the counters."""
    bench = await started(dut)
    streams = random_streams(bench.config, 3, 4)
    bench.send(replace(streams, weights=streams.weights[:1]))
    await ClockCycles(dut.aclk, 50)
    for name, source in bench.sources.items():
        source.clear()
        assert source.idle() or name == "activations", f"{name}: the queue holds less than was sent"
    assert await bench.status() == {"busy"}
    await bench.request("halt", "resume", "clear_counters")
    await bench.wait_idle()
    assert await bench.status() == set()
    assert (await bench.counters())["tiles"] == 0
    await assert_right(bench, streams)


@cocotb.test()
async def reset_by_the_wire(dut: Any) -> None:
    """`aresetn` during work resets everything, including the ceiling."""
    bench = await started(dut)
    await bench.write("ceiling", bench.config.precisions[-1])
    bench.send(random_streams(bench.config, 40, 1))
    await ClockCycles(dut.aclk, 77)
    for end in (*bench.sources.values(), bench.sink):
        end.clear()
    await bench.reset()
    for end in (*bench.sources.values(), bench.sink):
        end.clear()
    assert await bench.read("ceiling") == 16
    await assert_right(bench, random_streams(bench.config, 10, 2))


@cocotb.test()
async def lower_the_ceiling(dut: Any) -> None:
    """On `gated` the ceiling masks low-order bits of later tiles; other kinds ignore it."""
    bench = await started(dut)
    config = bench.config
    assert await bench.read("ceiling") == 16
    for ceiling in (*config.precisions, 16):
        await bench.write("ceiling", ceiling)
        taken = ceiling if config.kind.is_gated else 16
        assert await bench.read("ceiling") == taken
        await bench.request("clear_counters")
        streams = random_streams(config, 12, ceiling)
        await assert_right(bench, streams, f"ceiling {ceiling}", taken)
        counters = await bench.counters()
        expected = expected_counters(config, streams, taken)
        assert {name: counters[name] for name in expected} == expected, f"ceiling {ceiling}"
        assert await bench.read("precision") <= taken
        for unknown in (0, 1, 15, 31):
            await bench.write("ceiling", unknown)
            assert await bench.read("ceiling") == taken


def full_tiles(
    config: EngineConfig, tiles: int, *, beats: int, seed: int, precision: int = 16
) -> Streams:
    """Equal tiles on the whole array."""
    rng = np.random.default_rng(seed)
    tile = TileCommand(precision=precision, beats=beats, rows=config.rows, cols=config.cols)
    return Streams(
        commands=np.full(tiles, tile.word(config), np.uint64),
        activations=rng.integers(1, 1 << 16, (tiles * beats, config.rows), np.uint16),
        weights=rng.integers(1, 1 << 16, (tiles * beats, config.cols), np.uint16),
        parameters=rng.integers(0, 1 << 21, tiles * config.cols, np.uint32),
        results=tiles * config.cols,
    )


def bad_words(config: EngineConfig) -> dict[ErrorCause, int]:
    """A command for each cause, good except for one field."""
    fields = command_fields(config)
    good = {"opcode": Opcode.TILE, "precision": 16, "beats": 1, "rows": 1, "cols": 1}
    wrong = {
        ErrorCause.OPCODE: {"opcode": 3},
        ErrorCause.PRECISION: {"precision": 15},
        ErrorCause.BEATS: {"beats": 0},
        ErrorCause.ROWS: {"rows": config.rows + 1},
        ErrorCause.COLS: {"cols": 0},
        ErrorCause.FUNCTION: {"function": 3},
        ErrorCause.POOL: {"pool": 1},
    }
    if fields[-1].name == "reserved":
        wrong[ErrorCause.RESERVED] = {"reserved": 1}
    words = {cause: encode(fields, good | change) for cause, change in wrong.items()}
    for cause, word in words.items():
        assert check_command(config, word) == cause
    return words


def expected_counters(config: EngineConfig, streams: Streams, ceiling: int = 16) -> dict[str, int]:
    """Expected counters after a run at full rate, counted beat by beat from the streams."""
    counts = {f"macs_{width}b": 0 for width in config.precisions}
    tiles = streams.tiles(config)
    skipped = beat = 0
    for tile in tiles:
        width = min(tile.precision, ceiling)
        pairs = 16 // width if config.kind.is_packed else 1
        end = beat + tile.beats
        lanes = streams.activations[beat:end, : tile.rows]
        beat = end
        counts[f"macs_{width}b"] += lanes.size * tile.cols * pairs
        skipped += zero_lanes(config, lanes, width) * tile.cols * pairs
    return {
        "busy_cycles": count_cycles(config, streams.decode(config)),
        "tiles": len(tiles),
        "beats": len(streams.activations),
        "zero_skipped_macs": skipped,
        **counts,
    }


def zero_lanes(config: EngineConfig, lanes: NDArray[np.uint16], width: int) -> int:
    """Number of lanes whose bits at the tile's width are zero."""
    seen = lanes >> (16 - width) if config.kind.is_gated else lanes
    return int((seen == 0).sum())
