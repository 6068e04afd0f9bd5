"""A self-checking test bench for the emitted Verilog, with vectors from the integer model."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.model import execute
from qcnpe.spec.registers import address_bits, registers
from qcnpe.spec.streams import Streams

BENCH = Path(__file__).with_name("testbench.sv")
"""The bench itself; it is the same for all engines."""

SEED = 1
TILES, MAX_BEATS = 24, 12
"""A program that takes a second to simulate, with tables, bad sizes of tiles and all precisions."""

_TIMEOUT_FACTOR = 10
"""The bench takes three results in four cycles; ten times the cycles at full rate is a hang."""


def bench_files(config: EngineConfig, top: str) -> Mapping[str, str]:
    """Name and text of each file of an engine's test bench.

    `sizes.svh` holds the sizes and the engine's name; the others are read by `$readmemh`, a beat a
    line. A beat of results is led by a digit that says whether it ends its tile.

    Parameters
    ----------
    config : the engine
    top : name of its top module
    """
    streams = random_streams(config, TILES, SEED, max_beats=MAX_BEATS, table_share=0.1)
    results = _hex_lines(execute(config, streams).results, config.result_lane_bits)
    lasts = _tile_ends(config, streams)
    return {
        BENCH.name: BENCH.read_text(),
        "sizes.svh": _sizes(config, streams, top),
        "commands.hex": _text(_hex_lines(streams.commands[:, None], 64)),
        "activations.hex": _text(_hex_lines(streams.activations, 16)),
        "weights.hex": _text(_hex_lines(streams.weights, 16)),
        "parameters.hex": _text(_hex_lines(streams.parameters[:, None], 32)),
        "results.hex": _text(
            f"{int(last)}{beat}" for last, beat in zip(lasts, results, strict=True)
        ),
    }


def _sizes(config: EngineConfig, streams: Streams, top: str) -> str:
    sizes = {
        "ROWS": config.rows,
        "COLS": config.cols,
        "LANE_BITS": config.result_lane_bits,
        "ADDRESS_BITS": address_bits(registers(config)),
        "COMMANDS": len(streams.commands),
        "BEATS": len(streams.activations),
        "PARAMETERS": len(streams.parameters),
        "RESULTS": streams.results,
        "TIMEOUT": _TIMEOUT_FACTOR * count_cycles(config, streams.decode(config)),
    }
    head = (f"// Streams of {TILES} random tiles, seed {SEED}.", f"`define ENGINE {top}")
    return _text([*head, *(f"localparam int {name} = {size};" for name, size in sizes.items())])


def _tile_ends(config: EngineConfig, streams: Streams) -> NDArray[np.bool_]:
    """(results,) whether a beat is its tile's last."""
    columns = [tile.cols for tile in streams.tiles(config)]
    ends = np.zeros(streams.results, np.bool_)
    ends[np.cumsum(columns) - 1] = True
    return ends


def _hex_lines(beats: NDArray[np.unsignedinteger], lane_bits: int) -> list[str]:
    """Each beat as digits, lane 0 last."""
    digits = lane_bits // 4
    return ["".join(f"{lane:0{digits}x}" for lane in reversed(beat)) for beat in beats.tolist()]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
