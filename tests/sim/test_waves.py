"""Files of waveforms, read without the code that makes them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from qcnpe.cli import cli
from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, ToolMissingError, TransportError
from qcnpe.spec.samples import Samples
from qcnpe.tools.process import Output
from sim import waves
from sim.transport import SimulationTransport
from sim.waves import Waves
from tests.qcnpe.networks import dense_layer, network, random_inputs


def high_cycles(text: str, name: str) -> int:
    """Periods of 2 ns, in a file in picoseconds, in which a signal of the top module is high."""
    variable = re.search(rf"\$var \w+ +1 (\S+) {name} \$end", text)
    assert variable, name
    total, since = 0, None
    now = 0
    for line in text.splitlines():
        if line.startswith("#"):
            now = int(line[1:])
        elif line[1:] == variable[1] and line[0] in "01":
            if since is not None:
                total += now - since
            since = now if line[0] == "1" else None
    return total // 2000


@pytest.mark.xdist_group("waves")
def test_the_engine_is_busy_as_long_as_it_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    net = network(dense_layer(12, 5))
    net.save(tmp_path / "net.npz")
    Samples(random_inputs(rng, net, 3), None).save(tmp_path / "inputs.npz")
    path = tmp_path / "folder with spaces" / "waves.vcd"
    words = ["simulate", str(tmp_path / "net.npz"), "--inputs", str(tmp_path / "inputs.npz")]
    words += ["--rows", "2", "--cols", "2", "--waves", str(path), "--json"]
    said = CliRunner().invoke(cli, words, catch_exceptions=False)
    found = json.loads(said.stdout)
    assert (found["samples"], found["mismatches"]) == (1, 0)
    assert found["waves"] == str(path)
    assert high_cycles(path.read_text(), "busy") == found["cycles"] > 20


@pytest.mark.xdist_group("waves")
def test_the_file_is_written_if_the_engine_does_not_finish(tmp_path: Path) -> None:
    """A tile waits for its last weights; the file shows until when."""
    config, path = EngineConfig(rows=2, cols=2), tmp_path / "waves.vcd"
    streams = random_streams(config, 2, 1)
    short = replace(streams, weights=streams.weights[:-1])
    with (
        pytest.raises(TransportError, match="did not finish"),
        SimulationTransport(config, waves=Waves(path)) as engine,
    ):
        engine.exchange(short)
    assert high_cycles(path.read_text(), "busy") > 10_000


@pytest.mark.parametrize("name", ["waves.txt", "waves", "waves.fst.gz"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"must be a file named \.fst or \.vcd, not {name}$"):
        Waves(Path(name))


def test_a_missing_library_is_named_before_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves, "run", lambda *_, **__: Output("", "lz4.h: no such file", 1))
    Waves(Path("a.vcd")).check()
    with pytest.raises(ToolMissingError, match=r"apt-get install liblz4-dev, or write a \.vcd"):
        Waves(Path("a.fst")).check()
