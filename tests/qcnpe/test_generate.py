"""Verilog and manifest."""

import json
import re

import pytest

from qcnpe.generate import generate, generate_autonomous
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.ncu_kind import find_kind

KILOBYTE = 1000


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verilog")
    return generate(EngineConfig(), folder)


def written(folder):
    """What each file below a folder holds."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_default_engine_is_small_and_has_each_module_once(default):
    text = default.verilog.read_text()
    modules = re.findall(r"^module (\S+?)\s*\(", text, re.MULTILINE)
    assert default.bytes <= 300 * KILOBYTE
    assert len(modules) == len(set(modules)) == default.modules
    assert sum(name.startswith("qcnpe_ncu_fused") for name in modules) == 1
    placed = re.findall(r"^  qcnpe_ncu_fused_\S+ ncu_\d+ \(", text, re.MULTILINE)
    rows = re.findall(r"^  qcnpe_ncu_row_\S+\s+row_\d+ \(", text, re.MULTILINE)
    assert len(placed) * len(rows) == 256


def test_two_runs_give_the_same_bytes(default, tmp_path):
    assert generate(EngineConfig(), tmp_path).changed
    first, second = written(default.verilog.parent), written(tmp_path)
    assert second == first
    assert {"qcnpe_engine.v", "manifest.json", "bench/results.hex"} <= first.keys()


def test_core_names_files_that_are_there(default):
    folder = default.verilog.parent
    core = (folder / "qcnpe.core").read_text()
    named = set(re.findall(r"[\w/]+\.(?:v|vlt|sv|svh)\b", core)) | set(
        re.findall(r"(bench/\w+\.hex): \{copyto: \w+\.hex\}", core)
    )
    # The rest is read by people and test benches.
    others = {"qcnpe.core", "manifest.json", "registers.md", "registers.rdl", "streams.md"}
    assert named == set(written(folder)) - others


def test_an_unchanged_engine_is_not_written_again(default):
    before = default.verilog.stat().st_mtime_ns
    assert not generate(EngineConfig(), default.verilog.parent).changed
    assert default.verilog.stat().st_mtime_ns == before


def test_a_folder_of_another_engine_is_refused(default):
    """Its Verilog and its bench would stay among the files of the new one."""
    folder = default.verilog.parent
    before = written(folder)
    message = "holds the engine qcnpe_engine; write left_qcnpe_engine to another folder"
    with pytest.raises(ConfigError, match=message):
        generate(EngineConfig(), folder, "left")
    with pytest.raises(ConfigError, match="holds the engine qcnpe_engine; write qcnpe_autonomous"):
        generate_autonomous(AUTONOMOUS, folder)
    assert written(folder) == before


def test_manifest_names_the_ports_of_the_verilog(default):
    manifest = json.loads(default.manifest.read_text())
    head = re.search(rf"module {manifest['top']}\((.*?)\);", default.verilog.read_text(), re.DOTALL)
    assert head is not None
    assert {port["name"] for port in manifest["ports"]} == set(
        re.split(r"\s*,\s*", head[1].strip())
    )
    widths = {field["name"]: field["bits"] for field in manifest["command"]}
    assert sum(widths.values()) == 64
    assert manifest["config"]["rows"] == 16


@pytest.mark.parametrize("ncu", ["gated", "plain16"])
def test_other_kinds_generate(ncu, tmp_path):
    precisions = find_kind(ncu).choose((16, 8))
    made = generate(EngineConfig(rows=1, cols=2, ncu=ncu, precisions=precisions), tmp_path)
    assert f"qcnpe_ncu_{ncu}" in made.verilog.read_text()


def test_words_are_named_once_where_their_sign_is_extended(default):
    """Verilator would evaluate a word that is named twice in advance, at every precision."""
    text = default.verilog.read_text()
    _, _, mac = text.partition("module \\qcnpe_ncu_fused_p16_8_4_2_a40.mac")
    mac, _, _ = mac.partition("endmodule")
    assert len(re.findall(r"\{ \$signed\(\w+\) \+ 33'sd0 \}", mac)) == 3
    assert not re.search(r"\{ \{\d+\{(\w+)\[\d+\]\}\}, \1 \}", text)


AUTONOMOUS = MemoryConfig.default(EngineConfig(rows=2, cols=1, ncu="plain16", precisions=(16,)))


def test_an_autonomous_engine_has_its_files_and_memories(tmp_path):
    made = generate_autonomous(AUTONOMOUS, tmp_path, "my")
    text, files = made.verilog.read_text(), written(tmp_path)
    names = {"my_qcnpe_autonomous.v", "manifest.json", "registers.md", "qcnpe.core", "lint.vlt"}
    assert files.keys() == names | {"registers.rdl", "my_qcnpe.h", "my_qcnpe.c"}
    assert b"addrmap my_qcnpe_autonomous {" in files["registers.rdl"]
    modules = re.findall(r"^module (\S+?)\s*\(", text, re.MULTILINE)
    assert len(modules) == len(set(modules)) == made.modules
    assert sum(name.startswith("my_qcnpe_sram") for name in modules) >= 5
    manifest = json.loads(files["manifest.json"])
    assert manifest["descriptors"]["jump"][1]["low_bit"] == 4
    assert {"irq", "m_axi_araddr", "s_axil_rdata"} <= {port["name"] for port in manifest["ports"]}
    assert b"| interrupt | read, write 1 to clear |" in files["registers.md"]


def test_macros_take_the_place_of_all_memories(tmp_path):
    made = generate_autonomous(AUTONOMOUS, tmp_path, "my", macros=True)
    text = made.verilog.read_text()
    assert "module my_qcnpe_sram" not in text
    wanted = json.loads(made.manifest.read_text())["memories"]
    named = {(each["module"], each["words"], each["bits"]) for each in wanted}
    assert ("my_qcnpe_sram_8192x16_by_8", 8192, 16) in named
    assert {name for name, _, _ in named} == set(re.findall(r"my_qcnpe_sram_\w+", text))
    assert len(re.findall(r"^  my_qcnpe_sram_\S+ \w+ \(", text, re.MULTILINE)) >= 5
    banks = re.findall(r"^  my_qcnpe_activation_bank_\S+ bank_\d+ \(", text, re.MULTILINE)
    assert len(banks) == AUTONOMOUS.banks
