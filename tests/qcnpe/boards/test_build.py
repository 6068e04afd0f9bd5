"""Reading the tools' reports, and messages of failures."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qcnpe.boards import build as building
from qcnpe.boards import program as programming
from qcnpe.boards.build import BuildError, read_report
from qcnpe.boards.catalog import BOARDS, find_board
from qcnpe.boards.design import BoardDesign
from qcnpe.boards.family import ECP5, ICE40
from qcnpe.boards.report import figures_of, kinds, ncu_figures, write_figures
from qcnpe.spec.errors import BusyError, ConfigError, ToolError, ToolMissingError
from qcnpe.tools.lock import only_writer


def step(cell: str, delay: float) -> dict[str, Any]:
    return {"delay": delay, "to": {"cell": cell}}


def report(folder: Path, achieved: float, more_paths: Sequence[dict[str, Any]] = ()) -> None:
    """A report as nextpnr writes it, with one path of two steps."""
    steps = [step("start", 0.5), step("end", 1e3 / achieved - 0.5)]
    path = {"from": "posedge clk", "to": "posedge clk", "path": steps}
    document = {
        "fmax": {"clk": {"achieved": achieved, "constraint": 50.0}},
        "utilization": {
            "TRELLIS_COMB": {"used": 100, "available": 200},
            "MULT18X18D": {"used": 8, "available": 9},
            "DP16KD": {"used": 3, "available": 5},
        },
        "critical_paths": [path, *more_paths],
    }
    (folder / "top.report.json").write_text(json.dumps(document))


def test_report_is_read(tmp_path):
    report(tmp_path, 62.5)
    built = read_report(tmp_path, ECP5)
    assert (built.luts, built.multipliers, built.block_rams) == (100, 8, 3)
    assert (built.fmax_mhz, built.clock_mhz) == (62.5, 50.0)
    assert built.critical_path == ("start 0.5 ns", "end 16.0 ns", "end 16.0 ns")


def test_path_through_a_multiplier_without_registers_counts_whole(tmp_path):
    """nextpnr-ice40 reports two halves: 6 ns into the multiplier, 9 ns out of another one."""
    still, clock, pin = "posedge $PACKER_GND_NET_$glb_clk", "posedge clk", "<async>"
    halves = [
        {"from": clock, "to": still, "path": [step("operand", 6.0)]},
        {"from": still, "to": clock, "path": [step("sum", 9.0)]},
        {"from": pin, "to": clock, "path": [step("button", 50.0)]},
        {"from": clock, "to": pin, "path": [step("led", 60.0)]},
    ]
    report(tmp_path, 62.5, halves)
    built = read_report(tmp_path, ICE40)
    assert built.fmax_mhz == pytest.approx(1e3 / (6 + 10 + 9))
    assert built.critical_path == ("operand 6.0 ns", "multiplier 16.0 ns", "sum 25.0 ns")
    assert read_report(tmp_path, ECP5).fmax_mhz == 62.5  # its timing model has the multipliers


class Plan:
    """A build plan that writes nothing."""

    def digest(self) -> bytes:
        return b"same"

    def extract(self, folder: Path) -> None:
        (folder / "build_top.sh").write_text('"$NEXTPNR_ECP5" --seed 1')
        (folder / "top.ys").write_text("synth_ecp5")


class Platform:
    """A platform that plans nothing, and whose tools are programs of any system."""

    required_tools = ("yosys", "openFPGALoader")

    def prepare(self, *_: object, **__: object) -> Plan:
        return Plan()


@pytest.fixture
def tools(monkeypatch):
    """Tools that only report a clock; `called` lists those that were called."""
    found = SimpleNamespace(called=[], achieved=42.0)

    def synthesize(folder: Path) -> None:
        found.called.append("yosys")

    def run(words: list[str], folder: Path) -> None:
        found.called.append(words[0])
        if found.achieved is None:
            raise BuildError("no room")
        report(folder, found.achieved)

    monkeypatch.setattr(building, "synthesize", synthesize)
    monkeypatch.setattr(building, "_run", run)
    return found


BOARD = replace(find_board("ulx3s_85f"), platform=Platform)


def test_missed_clock_fails_the_build_with_the_path(tmp_path, tools):
    with pytest.raises(BuildError, match=r"ulx3s_85f: 42\.0 MHz, not 50\.0; .* end 23\.8 ns"):
        building.build(BOARD, tmp_path)
    assert building.build(BOARD, tmp_path, check_timing=False).fmax_mhz == pytest.approx(42.0)
    assert tools.called == ["yosys", "nextpnr-ecp5"]  # a finished build is not repeated


def test_finished_synthesis_is_not_repeated(tmp_path, tools):
    steps: list[str] = []
    tools.achieved = None
    with pytest.raises(BuildError, match="no room"):
        building.build(BOARD, tmp_path)
    tools.achieved = 55.0
    building.build(BOARD, tmp_path, on_step=steps.append)
    assert tools.called == ["yosys", "nextpnr-ecp5", "nextpnr-ecp5"]
    assert steps == ["generating", "placing and routing"]


@pytest.mark.parametrize("name", BOARDS)
def test_plan_names_nothing_of_the_machine(name):
    board = BOARDS[name].with_engine(rows=1, cols=1)
    plan = board.platform().prepare(BoardDesign(board), building.NAME, **building.overrides(board))
    texts = [text if isinstance(text, str) else text.decode() for text in plan.files.values()]
    assert not any(str(Path.cwd()) in text or sys.prefix in text for text in texts)
    assert any("keep_hierarchy" in text for text in texts)
    assert any("--report" in text for text in texts)


def test_unknown_board_is_named():
    with pytest.raises(ConfigError, match=r"BOARD must be one of ulx3s_85f, .*, not 'spam'"):
        find_board("spam")


def test_missing_tool_is_named_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXTPNR_ECP5", "no-such-program")
    monkeypatch.setenv("ECPPACK", "no-such-program")
    steps: list[str] = []
    with pytest.raises(ToolMissingError, match=r"nextpnr-ecp5 is missing: install the extra fpga"):
        building.build(find_board("ulx3s_85f"), tmp_path / "out", on_step=steps.append)
    assert steps == []
    assert not (tmp_path / "out").exists()


def test_failed_tool_leaves_its_log(tmp_path, monkeypatch):
    packer = program(tmp_path / "packer", "echo 'ERROR: no room for error' >&2; exit 1")
    monkeypatch.setenv("ECPPACK", str(packer))
    with pytest.raises(ToolError, match=r"ecppack: ERROR: no room for error; log: .*ecppack\.log"):
        building._run(["ecppack", "top.config"], tmp_path)
    assert "no room" in (tmp_path / "ecppack.log").read_text()


def test_second_build_in_a_folder_is_one_line(tmp_path, tools):
    with only_writer(tmp_path), pytest.raises(BusyError, match="another command is writing here"):
        building.build(BOARD, tmp_path)


def program(path: Path, script: str) -> Path:
    """A program that does what a shell script says."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_program_without_permission_says_the_udev_rule(tmp_path, monkeypatch):
    unable = "echo 'unable to open ftdi device: -4 (usb_open() failed)'; exit 1"
    program(tmp_path / "openFPGALoader", unable)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    bitstream = tmp_path / "top.bit"
    board = find_board("icebreaker")
    with pytest.raises(BuildError, match="no bitstream; run `qcnpe bitstream icebreaker`"):
        programming.program(board, bitstream)
    bitstream.touch()
    with pytest.raises(BuildError, match=r"no permission for the USB device.*idVendor"):
        programming.program(board, bitstream)
    program(tmp_path / "openFPGALoader", "echo 'JTAG init failed'; exit 1")
    with pytest.raises(BuildError, match=r"JTAG init failed.*log: .*; is the board plugged in"):
        programming.program(board, bitstream)
    program(tmp_path / "openFPGALoader", "echo done")
    assert programming.program(board, bitstream) == "done"


def test_figures_of_boards_are_kept_beside_each_other(tmp_path):
    report(tmp_path, 62.5)
    board = BOARDS["ecpix5_45f"]
    out = tmp_path / "fpga.json"
    write_figures(out, figures_of(board, "ecpix5_45f", read_report(tmp_path, board.family)))
    write_figures(out, figures_of(board, "other", None))
    figures = json.loads(out.read_text())["figures"]
    assert figures["ecpix5_45f.fmax_mhz"] == 62.5
    assert figures["ecpix5_45f.rows"] == 4
    assert figures["other.fits"] == 0


def test_both_kinds_are_compared_in_the_same_size():
    compared = dict(kinds(BOARDS["ulx3s_85f"]))
    assert {kind: board.link.engine.ncu for kind, board in compared.items()} == {
        "fused": "fused",
        "dsp": "dsp",
    }
    assert "-nodsp" in compared["fused"].family.options
    assert "-dsp" not in dict(kinds(BOARDS["icebreaker"]))["fused"].family.options.split()


@pytest.mark.parametrize("name", ["ecpix5_45f", "icebreaker"])
def test_multipliers_of_the_chip_spare_an_ncu_most_of_its_tables(name):
    alone = {
        kind: ncu_figures(board.with_engine(precisions=(16,)), "ncu")
        for kind, board in kinds(BOARDS[name])
    }
    assert {kind: found["ncu.multipliers"] for kind, found in alone.items()} == {
        "fused": 0,
        "dsp": 1,
    }
    assert alone["fused"]["ncu.luts"] > 2 * alone["dsp"]["ncu.luts"] > 0
