"""The vectors of the emitted bench are complete, right and reproducible."""

import re

import numpy as np
import pytest

from qcnpe.generate import TOP
from qcnpe.spec.commands import Opcode, command_fields, decode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams
from qcnpe.testbench import bench_files
from tests.qcnpe.rtl.oracle import name_of

CONFIGS = [
    EngineConfig(),
    EngineConfig(rows=1, cols=1),
    EngineConfig(rows=3, cols=5, ncu="gated", precisions=(16, 9, 2)),
    EngineConfig(rows=4, cols=2, ncu="plain16", precisions=(16,)),
]


def lanes(text, bits):
    """(lines, lanes) numbers of the lanes that each line's number consists of."""
    words = [int(line, 16) for line in text.splitlines()]
    digits = len(text.splitlines()[0]) // (bits // 4)
    mask = (1 << bits) - 1
    return [[word >> (bits * lane) & mask for lane in range(digits)] for word in words]


def streams_of(files):
    """The streams that the files hold."""
    return Streams(
        commands=np.array(lanes(files["commands.hex"], 64), np.uint64)[:, 0],
        activations=np.array(lanes(files["activations.hex"], 16), np.uint16),
        weights=np.array(lanes(files["weights.hex"], 16), np.uint16),
        parameters=np.array(lanes(files["parameters.hex"], 32), np.uint32)[:, 0],
        results=len(files["results.hex"].splitlines()),
    )


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_results_are_the_models(config):
    """The model reads the written streams; its results are in the results' file."""
    files = bench_files(config, TOP)
    outcome = execute(config, streams_of(files))
    assert not outcome.error
    found = [line[1:] for line in files["results.hex"].splitlines()]
    expected = [
        sum(lane << (config.result_lane_bits * row) for row, lane in enumerate(beat))
        for beat in outcome.results.tolist()
    ]
    assert [int(line, 16) for line in found] == expected
    assert len(set(expected)) > len(expected) / 2, "most beats must be able to show an error"


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_a_tiles_last_beat_is_marked(config):
    files, layout = bench_files(config, TOP), command_fields(config)
    commands = [decode(layout, word) for word in streams_of(files).commands.tolist()]
    marks = "".join(
        "0" * (command["cols"] - 1) + "1"
        for command in commands
        if command["opcode"] == Opcode.TILE
    )
    assert "".join(line[0] for line in files["results.hex"].splitlines()) == marks


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_sizes_are_those_of_the_vectors(config):
    files = bench_files(config, TOP)
    found = dict(re.findall(r"localparam int (\w+) = (\d+);", files["sizes.svh"]))
    sizes = {name: int(value) for name, value in found.items()}
    assert (sizes["ROWS"], sizes["COLS"]) == (config.rows, config.cols)
    assert sizes["LANE_BITS"] == config.result_lane_bits
    assert f"`define ENGINE {TOP}\n" in files["sizes.svh"]
    for name in ("commands", "parameters", "results"):
        assert sizes[name.upper()] == len(files[f"{name}.hex"].splitlines())
    for name in ("activations", "weights"):
        assert sizes["BEATS"] == len(files[f"{name}.hex"].splitlines())
    assert set(re.findall(r'"(\w+\.(?:hex|svh))"', files["testbench.sv"])) == set(files) - {
        "testbench.sv"
    }


def test_every_run_gives_the_same():
    assert bench_files(CONFIGS[0], TOP) == bench_files(CONFIGS[0], TOP)
