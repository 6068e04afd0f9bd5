"""What is made of the tools' reports, and how failures are told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qcnpe.boards import build as building
from qcnpe.boards import program as programming
from qcnpe.boards.build import BuildError, find_tool, read_report
from qcnpe.boards.catalog import BOARDS, find_board
from qcnpe.boards.report import figures_of, kinds, write_figures
from qcnpe.spec.errors import ConfigError


def report(folder: Path, achieved: float) -> None:
    """A report as nextpnr writes it, with one path of two steps."""
    steps = [
        {"delay": 1.5, "to": {"cell": "start"}},
        {"delay": 20.0, "to": {"cell": "end"}},
    ]
    document = {
        "fmax": {"clk": {"achieved": achieved, "constraint": 50.0}},
        "utilization": {
            "TRELLIS_COMB": {"used": 100, "available": 200},
            "MULT18X18D": {"used": 8, "available": 9},
            "DP16KD": {"used": 3, "available": 5},
        },
        "critical_paths": [{"from": "posedge clk", "to": "posedge clk", "path": steps}],
    }
    (folder / "top.report.json").write_text(json.dumps(document))


def test_report_is_read(tmp_path):
    report(tmp_path, 61.5)
    built = read_report(tmp_path)
    assert (built.luts, built.multipliers, built.block_rams) == (100, 8, 3)
    assert (built.fmax_mhz, built.clock_mhz) == (61.5, 50.0)
    assert built.critical_path[-1] == "end 21.5 ns"


class Plan:
    """A build plan that writes nothing."""

    def digest(self) -> bytes:
        return b"same"

    def extract(self, folder: Path) -> None:
        (folder / "build_top.sh").write_text("")


class Platform:
    """A platform that plans nothing."""

    def prepare(self, *_: object, **__: object) -> Plan:
        return Plan()


def test_missed_clock_fails_the_build_with_the_path(tmp_path, monkeypatch):
    board = replace(find_board("ulx3s_85f"), platform=Platform)
    monkeypatch.setattr(building, "synthesize", lambda folder: report(folder, 42.0))
    with pytest.raises(BuildError, match=r"ulx3s_85f: 42\.0 MHz, not 50\.0; .* end 21\.5 ns"):
        building.build(board, tmp_path)
    assert building.build(board, tmp_path, check_timing=False).fmax_mhz == 42.0
    monkeypatch.setattr(building, "synthesize", lambda folder: report(folder, 99.0))
    assert building.build(board, tmp_path, check_timing=False).fmax_mhz == 42.0  # not built again


def test_unknown_board_is_named():
    with pytest.raises(ConfigError, match=r"BOARD must be one of ulx3s_85f, .*, not 'spam'"):
        find_board("spam")


def test_missing_tool_is_named(monkeypatch):
    monkeypatch.setenv("NEXTPNR_ECP5", "no-such-program")
    with pytest.raises(BuildError, match="nextpnr-ecp5 is not installed: pip install"):
        find_tool("nextpnr-ecp5")


def test_program_without_permission_says_the_udev_rule(tmp_path, monkeypatch):
    loader = tmp_path / "loader"
    loader.write_text(
        "#!/bin/sh\necho 'unable to open ftdi device: -4 (usb_open() failed)'; exit 1\n"
    )
    loader.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(loader))
    bitstream = tmp_path / "top.bit"
    board = find_board("icebreaker")
    with pytest.raises(BuildError, match="no bitstream; run `make bitstream BOARD=icebreaker`"):
        programming.program(board, bitstream)
    bitstream.touch()
    with pytest.raises(BuildError, match=r"no permission for the USB device.*idVendor"):
        programming.program(board, bitstream)
    loader.write_text("#!/bin/sh\necho done\n")
    assert programming.program(board, bitstream) == "done"


def test_figures_of_boards_are_kept_beside_each_other(tmp_path):
    report(tmp_path, 61.5)
    board = BOARDS["ecpix5_45f"]
    out = tmp_path / "fpga.json"
    write_figures(out, figures_of(board, "ecpix5_45f", read_report(tmp_path)))
    write_figures(out, figures_of(board, "other", None))
    figures = json.loads(out.read_text())["figures"]
    assert figures["ecpix5_45f.fmax_mhz"] == 61.5
    assert figures["ecpix5_45f.rows"] == 4
    assert figures["other.fits"] == 0


def test_both_kinds_are_compared_in_the_same_size():
    compared = dict(kinds(BOARDS["ulx3s_85f"]))
    assert {kind: board.link.engine.ncu for kind, board in compared.items()} == {
        "fused": "fused",
        "dsp": "dsp",
    }
    assert "-nodsp" in compared["fused"].options["synth_opts"]
    assert "-dsp" not in dict(kinds(BOARDS["icebreaker"]))["fused"].options["synth_opts"].split()
