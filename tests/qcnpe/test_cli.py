"""The `qcnpe` command as a user runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.samples import Samples
from qcnpe.tools.lock import only_writer
from tests.processes import descendants, is_alive, wait_for
from tests.qcnpe.networks import by_channel, dense_layer, network, random_inputs, random_layer


def qcnpe(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from qcnpe.cli import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture
def files(tmp_path):
    """A small network and samples for it."""
    rng = np.random.default_rng(1)
    net = network(
        random_layer(rng, Geometry.dense(6, 5), name="hidden", function="relu"),
        random_layer(rng, Geometry.dense(5, 3), name="logits"),
    )
    net.save(tmp_path / "net.npz")
    Samples(random_inputs(rng, net, 9), np.zeros(9, np.int64)).save(tmp_path / "samples.npz")
    return tmp_path


def test_compile_counts_cycles_and_events(files):
    run = qcnpe("compile", files / "net.npz", "--rows", "2", "--cols", "2", "--json")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert [layer["name"] for layer in found["layers"]] == ["hidden", "logits"]
    assert found["cycles"] == sum(layer["counts"]["cycles"] for layer in found["layers"])
    assert all(layer["fetched_words"] > 0 for layer in found["layers"])


def test_compile_writes_an_image_for_an_autonomous_engine(files):
    image = files / "image.bin"
    words = ("compile", files / "net.npz", "--top", "autonomous", "--batch", "2")
    run = qcnpe(*words, "--out", image, "--json")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert image.read_bytes()[:4] == b"QCNI"
    assert found["image_bytes"] < image.stat().st_size
    assert [layer["name"] for layer in found["layers"]] == ["start", "hidden", "logits"]
    assert found["cycles"] == sum(layer["cycles"] for layer in found["layers"])
    assert all(memory["resident"] for memory in found["memories"].values())
    *parts, total = found["pj_per_sample"].values()
    assert len(parts) == 4
    assert total == pytest.approx(sum(parts), abs=0.3)
    side = found["pj_per_sample"]["memory_side"]
    assert side == pytest.approx(sum(found["pj_of_memory_side"].values()), abs=0.5)
    assert "energy_note" not in found
    shown = qcnpe(*words, "--rows", "8").stdout
    assert "hidden" in shown
    assert "An estimate: units of the memory side were measured on" in shown
    both = qcnpe(*words, "--beside", files / "net.npz", "--out", files / "both.bin", "--json")
    assert both.returncode == 0, both.stderr
    octets = (files / "both.bin").read_bytes()
    assert octets.count(b"QCNI") == 2
    assert len(octets) > 2 * found["image_bytes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--top", "autonomous", "--memory", "rows=1"),
            "memory must be NAME=NUMBER, NAME of banks",
        ),
        (("--top", "autonomous", "--memory", "banks=-1"), "not banks=-1"),
        (("--top", "autonomous", "--memory", "banks=8"), "banks must be a power of two, 16..512"),
        (("--memory", "banks=32"), "--memory is for --top autonomous"),
        (("--beside", "net.npz"), "--beside is for --top autonomous"),
    ],
)
def test_bad_sizes_of_memories_are_refused(files, words, message):
    run = qcnpe("compile", files / "net.npz", *words)
    assert run.returncode == 1
    assert message in " ".join(run.stderr.split())


def test_the_engine_of_the_network_is_the_default(files):
    """16 samples of 6-5-3 on 4 x 4 NCUs: four row blocks, two column blocks, then one."""
    net = replace(QuantNet.load(files / "net.npz"), engine=EngineConfig(rows=4, cols=4))
    net.save(files / "own.npz")

    def compiled(name, *options):
        run = qcnpe("compile", files / name, *options, "--json")
        assert run.returncode == 0, run.stderr
        found = json.loads(run.stdout)
        return found["cycles"], found["engine"]["rows"], found["engine_source"]

    small = compiled("net.npz", "--rows", "4", "--cols", "4")
    large = compiled("net.npz")
    assert small[0] > large[0]
    assert compiled("own.npz") == (small[0], 4, "named by the network")
    assert large[1:] == (16, "the default, since the network names none")
    changed = compiled("own.npz", "--rows", "16", "--cols", "16")
    assert changed == (large[0], 16, "named by the network, changed by --rows, --cols")


def test_the_table_says_which_engine(files):
    shown = " ".join(qcnpe("compile", files / "net.npz").stdout.split())
    assert "Engine: 16 x 16 NCUs (fused, 16/8/4/2 bits), the default, since" in shown


def test_names_in_a_file_are_shown_not_obeyed(files):
    """A closing tag was a `MarkupError`; an escape sequence reached the terminal."""
    net = QuantNet.load(files / "net.npz")
    layers = (replace(net.layers[0], name="[/x]\x1b[2J"), net.layers[1])
    replace(net, name="[red]\x1b]0;title\x07net", layers=layers).save(files / "evil.npz")
    run = qcnpe("compile", files / "evil.npz")
    assert (run.returncode, run.stderr) == (0, "")
    assert "[red]net" in run.stdout
    assert "[/x]" in run.stdout
    assert "\x1b" not in run.stdout


def test_promote_writes_a_network_of_fewer_cycles(tmp_path):
    geometry = Geometry.dense(90, 3)
    layer = random_layer(
        np.random.default_rng(1), geometry, precision=by_channel((16, 16, 4), geometry)
    )
    network(layer).save(tmp_path / "net.npz")
    engine = ("--rows", "4", "--cols", "4", "--json")
    run = qcnpe("promote", tmp_path / "net.npz", "--out", tmp_path / "better.npz", *engine)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["promoted_neurons"] == 1
    for name, cycles in (("net", found["cycles_before"]), ("better", found["cycles"])):
        compiled = qcnpe("compile", tmp_path / f"{name}.npz", *engine)
        assert json.loads(compiled.stdout)["cycles"] == cycles
    assert found["cycles"] < found["cycles_before"]


def test_table_names_the_layers(files):
    run = qcnpe("compile", files / "net.npz", "--out", files / "program.json")
    assert run.returncode == 0, run.stderr
    assert "hidden" in run.stdout
    assert json.loads((files / "program.json").read_text())["batch"] == 16


@pytest.mark.xdist_group("sim4")
def test_simulate_compares_every_output(files):
    words = ("--inputs", files / "samples.npz", "--rows", "4", "--cols", "4", "--json")
    before = set(files.iterdir())
    run = qcnpe("simulate", files / "net.npz", *words, "--limit", "7", cwd=files)
    assert run.returncode == 0, run.stderr
    assert set(files.iterdir()) == before, "the user's folder stays as it is"
    found = json.loads(run.stdout)
    assert (found["samples"], found["mismatches"]) == (7, 0)
    assert found["cycles"] == found["counted_cycles"]


def test_simulate_refuses_samples_of_another_network_before_it_builds_anything(files):
    network(dense_layer(7, 3)).save(files / "other.npz")
    run = qcnpe("simulate", files / "other.npz", "--inputs", files / "samples.npz")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "qcnpe: network net reads (batch, 7) inputs, not (9, 6)\n"


@pytest.mark.parametrize("option", [(), ("--integers",)])
def test_exported_model_is_verified(files, option):
    model = files / "net.onnx"
    run = qcnpe("export", files / "net.npz", "--out", model, *option, "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"model": str(model), "bytes": model.stat().st_size}
    words = ("verify", files / "net.npz", model, "--samples", files / "samples.npz", "--json")
    run = qcnpe(*words)
    assert (run.returncode, run.stderr) == (0, "")
    expected = {"samples": 9, "results": 54, "mismatches": 0, "optimised_mismatches": 0}
    assert json.loads(run.stdout) == {**expected, "first": None}


def test_model_of_another_network_is_told_with_its_first_difference(files):
    net = QuantNet.load(files / "net.npz")
    bias = net.layers[1].bias + np.array([0, 1, 0], np.int16)
    changed = replace(net, layers=(net.layers[0], replace(net.layers[1], bias=bias)))
    changed.save(files / "changed.npz")
    qcnpe("export", files / "changed.npz", "--out", files / "net.onnx", "--quiet")
    samples = ("--samples", files / "samples.npz", "--quiet")
    run = qcnpe("verify", files / "net.npz", files / "net.onnx", *samples)
    assert run.returncode == 1
    pattern = r"qcnpe: (\d+) of 54 results of the model differ .*, first sample \d, output 1: "
    found = re.fullmatch(f"{pattern}.*\n", run.stderr)
    assert found, run.stderr
    assert 2 <= int(found[1]) <= 18


def test_generate_writes_verilog(tmp_path):
    run = qcnpe("generate", "--rows", "1", "--cols", "1", "--out", tmp_path / "v", "--json")
    assert run.returncode == 0, run.stderr
    assert Path(json.loads(run.stdout)["verilog"]).is_file()


def test_second_generator_in_a_folder_is_refused(tmp_path):
    with only_writer(tmp_path):
        run = qcnpe("generate", "--rows", "1", "--cols", "1", "--out", tmp_path, "--quiet")
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "another command is writing here" in run.stderr


@pytest.mark.parametrize(
    "command", ["generate", "compile", "promote", "simulate", "export", "verify", "synth"]
)
def test_help_has_an_example(command):
    run = qcnpe(command, "--help")
    assert run.returncode == 0
    assert f"Example: qcnpe {command}" in " ".join(run.stdout.split())


def overflowing(folder: Path) -> Path:
    network(dense_layer(2000, 3, name="wide", weight=-32768)).save(folder / "wide.npz")
    return folder / "wide.npz"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generate", "--rows", "0"], "rows must be 1..256, not 0"),
        (["generate", "--precisions", "16,x"], "precisions must be numbers like 16,8,4,2"),
        (["generate", "--precisions", "1_6"], "numbers like 16,8,4,2, not 1_6"),
        (["generate", "--precisions", ""], "numbers like 16,8,4,2, not empty"),
        (["generate", "--precisions", "9" * 5000], "numbers like 16,8,4,2, not 99"),
        (["generate", "--name", "1st"], "name must begin with a letter"),
        (
            ["generate", "--top", "autonomous", "--memory", "banks=3"],
            "banks must be a power of two, 16..512, not 3",
        ),
        (
            ["generate", "--ncu", "magic"],
            "ncu must be one of fused, gated, plain16, dsp, not 'magic'",
        ),
        (["compile", "missing.npz"], "missing.npz: no such file"),
        (["compile", "foreign.npz"], "foreign.npz: not a readable"),
        (["compile", "text.npz"], "text.npz: not a readable"),
        (["compile", "wide.npz"], "layer wide: fan-in 2000 at 16 bits can reach"),
        (["generate", "--quiet", "--out", "text.npz/verilog"], "text.npz/verilog: Not a directory"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    np.savez("foreign.npz", anything=np.zeros(3))
    Path("text.npz").write_text("not an archive")
    overflowing(tmp_path)
    run = qcnpe(*words)
    assert run.returncode == 1
    assert said in run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    assert "Traceback" not in run.stderr
    assert not Path("build").exists()
    assert Path("text.npz").read_text() == "not an archive"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_synthesis_at_once(tmp_path, number):
    """Nothing that it started goes on, and nothing stays but the folder's lock."""
    words = ["synth", "--rows", "2", "--cols", "2", "--quiet", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", "from qcnpe.cli import main; main()", *words]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as run:
        wait_for(lambda: len(descendants(run.pid)) >= 2, 60)
        started = descendants(run.pid)
        begin = time.monotonic()
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    assert time.monotonic() - begin < 20
    assert said == "qcnpe: stopped; run again to continue\n"
    assert run.returncode == 128 + number
    assert not any(map(is_alive, started))
    assert [path.name for path in tmp_path.rglob("*")] == ["out", ".lock"]
