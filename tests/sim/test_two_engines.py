"""Two engines in one design, in every tool that reads the Verilog."""

import re
from pathlib import Path

import pytest

from qcnpe.generate import TOP, generate
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, ToolError
from qcnpe.yosys import run_yosys
from sim.lint import warnings
from tests.qcnpe.rtl.oracle import name_of

PLAIN = EngineConfig(rows=2, cols=2, ncu="plain16", precisions=(16,))
PAIRS = [
    (EngineConfig(rows=2, cols=2), EngineConfig(rows=4, cols=4)),
    (EngineConfig(rows=2, cols=2), EngineConfig(rows=2, cols=2)),
    (EngineConfig(rows=2, cols=2), EngineConfig(rows=2, cols=2, counters=False)),
    (EngineConfig(rows=2, cols=2), EngineConfig(rows=2, cols=2, precisions=(16, 4))),
    (EngineConfig(rows=2, cols=2, ncu="dsp"), EngineConfig(rows=2, cols=2, ncu="gated")),
    (EngineConfig(rows=1, cols=3, ncu="gated", precisions=(16, 9, 2)), PLAIN),
    (PLAIN, EngineConfig(rows=1, cols=1, fifo_depth=2, accumulator_bits=24, table_segments=8)),
]
PAIR_NAMES = [f"{name_of(left)} {name_of(right)}" for left, right in PAIRS]


def design(folder: Path, *engines: str) -> Path:
    """One file with the engines and a module that places each of them."""
    places = "".join(
        f"  wire busy_{number};\n  {engine} e{number} (.aclk(clk), .busy(busy_{number}));\n"
        for number, engine in enumerate(engines)
    )
    busy = " | ".join(f"busy_{number}" for number in range(len(engines)))
    both = "// verilator lint_off PINMISSING\n"  # their other ports are of no interest here
    both += f"module both (input clk, output busy);\n{places}  assign busy = {busy};\nendmodule\n"
    text = "".join(path.read_text() for path in sorted(folder.glob("*/*.v")))
    file = folder / "both.v"
    file.write_text(text + both)
    return file


def modules(verilog: Path) -> list[str]:
    return re.findall(r"^module (\S+?)\s*\(", verilog.read_text(), re.MULTILINE)


@pytest.mark.parametrize("pair", PAIRS, ids=PAIR_NAMES)
def test_engines_of_different_names_share_no_module(pair, tmp_path):
    made = [
        generate(config, tmp_path / name, name)
        for config, name in zip(pair, ("left", "right"), strict=True)
    ]
    for engine, name in zip(made, ("left", "right"), strict=True):
        assert engine.verilog.name == f"{name}_qcnpe_engine.v"
        assert {module.lstrip("\\").partition("_")[0] for module in modules(engine.verilog)} == {
            name
        }
    both = design(tmp_path, "left_qcnpe_engine", "right_qcnpe_engine")
    assert warnings(both, "both") == []
    run_yosys(
        [f"read_verilog {both.name}", "hierarchy -check -top both", "check -assert"], tmp_path
    )


def test_engines_of_the_same_name_are_refused_by_the_tools(tmp_path):
    for number, config in enumerate(PAIRS[0]):
        generate(config, tmp_path / str(number))
    both = design(tmp_path, TOP)
    assert any("MODDUP" in line for line in warnings(both, "both"))
    with pytest.raises(ToolError, match="Re-definition of module"):
        run_yosys([f"read_verilog {both.name}"], tmp_path)


@pytest.mark.parametrize("name", ["", "2nd", "a-b", "a b", "a;b", "\u00e4", "_x", "x" * 65, "a\n"])
def test_a_name_that_is_no_identifier_is_refused(name, tmp_path):
    with pytest.raises(ConfigError, match="name must begin with a letter and hold at most 64"):
        generate(PLAIN, tmp_path, name)
    assert not list(tmp_path.iterdir())
