"""What README.md and the pages of docs/ tell users to type must exist and work."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from axnn.data import OwnData, load
from axnn.flow.description import read_app
from docs.site.generated import GENERATED
from docs.tables.__main__ import main as write_tables
from docs.tables.cells import markdown
from docs.tables.pages import TABLES, fill
from tests.axnn.frontend.graphs import floats, make_model, node, write

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}


def blocks(language: str, page: Path) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXTS[page], re.DOTALL)


def commands() -> list[list[str]]:
    lines = "".join(text for page in PAGES for text in blocks("sh", page)).splitlines()
    return [shlex.split(line, comments=True) for line in dict.fromkeys(lines) if line]


TOOL_COMMANDS = [words for words in commands() if words[0] in ("axnn", "qcnpe")]


def test_make_targets_exist():
    asked = {words[1] for words in commands() if words[0] == "make"}
    asked |= set(re.findall(r"`make ([a-z-]+)", "".join(TEXTS.values())))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert asked <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


@cache
def help_text(tool: str, step: str) -> str:
    """What a command says with --help."""
    run = subprocess.run(
        [sys.executable, "-c", f"from {tool}.cli import main; main()", step, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("words", TOOL_COMMANDS, ids=" ".join)
def test_commands_know_their_options(words):
    tool, step, *rest = words
    for option in (word for word in rest if word.startswith("--")):
        assert option in help_text(tool, step)


def run_python(page: str, folder: Path) -> str:
    """What the Python block of a page prints."""
    (block,) = blocks("python", ROOT / "docs" / page)
    run = subprocess.run(
        [sys.executable, "-c", block],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_python_block_on_networks_runs(tmp_path):
    assert run_python("networks.md", tmp_path).startswith("(8, 4)")
    assert (tmp_path / "mine.npz").is_file()


def test_python_block_on_bit_true_models_runs(tmp_path):
    assert run_python("bit-true.md", tmp_path) == f"True {2 * 100 * 3 * 9} None\n"
    assert (tmp_path / "mine.onnx").is_file()


def test_python_block_on_python_runs(tmp_path):
    (tmp_path / "network.onnx").write_bytes((ROOT / "examples/torch_digits.onnx").read_bytes())
    samples = load("digits8x8", seed=1)
    np.savez(
        tmp_path / "samples.npz",
        train_inputs=samples.train.inputs * 16,
        train_labels=samples.train.labels,
        test_inputs=samples.test.inputs * 16,
        test_labels=samples.test.labels,
    )
    compared, accuracy, mismatches = run_python("python.md", tmp_path).splitlines()
    assert compared.startswith("Comparison(samples=")
    assert float(accuracy.split()[0]) > 0.9
    assert mismatches == "0"


def test_python_block_on_clusters_runs(tmp_path):
    assert run_python("how-to/cluster.md", tmp_path) == "0 1\n1 4\n2 9\n"


def test_python_block_on_own_data_runs(tmp_path):
    (tmp_path / "table.csv").write_text("x,class\n" + "1,a\n2,b\n" * 30)
    assert run_python("own-data.md", tmp_path).startswith("(1, 1, 1) ('a', 'b') 12\n")


def test_python_block_on_imports_runs(tmp_path):
    model = make_model([node("Gemm", "x w")], (3,), {"w": floats((3, 2))})
    write(tmp_path, model).rename(tmp_path / "net.onnx")
    np.savez(tmp_path / "samples.npz", inputs=floats((5, 3)))
    said = run_python("import.md", tmp_path).splitlines()
    assert said[0].startswith("(LayerSpec(kind='dense'")
    assert said[1].startswith("inputs are divided by")
    assert float(said[2]) < 1e-6


def test_network_of_the_page_on_own_data_can_be_trained(tmp_path):
    (block,) = blocks("toml", ROOT / "docs" / "own-data.md")
    (tmp_path / "my.toml").write_text(block)
    inputs = np.zeros((40, 8, 8), np.uint8)
    np.savez(tmp_path / "own.npz", inputs=inputs, labels=np.arange(40) % 10)
    app = read_app(tmp_path / "my.toml", OwnData.at(tmp_path / "own.npz"))
    assert app.network.wirings[-1].output_shape == (10, 1, 1)
    assert app.engine.title == "8 x 8 NCUs (fused, 16/8/4/2 bits)"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page):
    linked = [page.parent / name for name in re.findall(r"\]\(([^)#:]+)[^):]*\)", TEXTS[page])]
    folders = "axnn|qcnpe|sim|synth|tests|examples|docs|results"
    named = re.findall(rf"`((?:{folders})/[\w./-]*)`", TEXTS[page])
    generated = [(ROOT / "docs" / name).resolve() for name in GENERATED]
    paths = (*linked, *(ROOT / name for name in named))
    missing = [path for path in paths if not path.exists() and path.resolve() not in generated]
    assert not missing


def test_readme_is_short():
    assert len(TEXTS[README].splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_result_files(page):
    assert fill(TEXTS[page]) == TEXTS[page], "run `make tables`"


def test_every_table_is_shown_and_every_mark_is_closed():
    marks = re.findall(r"<!-- (?:table: ([\w-]+)|(end of table)) -->", "".join(TEXTS.values()))
    names = [name for name, _ in marks]
    assert names[1::2] == [""] * (len(names) // 2)
    assert set(names[::2]) == set(TABLES)


def test_a_table_that_differs_is_found_and_mended(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    page = tmp_path / "README.md"
    page.write_text("a\n<!-- table: savings -->\n| 9.99 x |\n<!-- end of table -->\nb\n")
    for module in ("__main__", "pages"):
        monkeypatch.setattr(f"docs.tables.{module}.ROOT", tmp_path)
    assert write_tables(["--check"]) == 1
    assert "README.md: tables differ from results/" in capsys.readouterr().out
    assert write_tables([]) == write_tables(["--check"]) == 0
    assert "9.99" not in page.read_text()
    assert page.read_text().startswith("a\n")
    assert page.read_text().endswith("\nb\n")


def test_markdown_table():
    assert markdown(["a", "b"], [["1", ""]]) == "| a | b |\n| --- | --- |\n| 1 | |\n"
