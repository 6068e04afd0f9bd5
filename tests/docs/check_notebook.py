"""The notebook, run as on a machine with only the core packages."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "tutorials" / "notebook.ipynb"

_CORE_ONLY = """
import sys
from tests.core_only import Absent, modules_of_extras
sys.meta_path.insert(0, Absent(modules_of_extras()))
"""


def cells(kind: str = "code") -> list[str]:
    """The texts of its cells."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_its_cells_run_one_after_another():
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([_CORE_ONLY, *cells()])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "in floating point" in said
    assert "of the test part right" in said
    assert "qcnpe_engine.v" in said


def test_it_holds_no_results_of_an_earlier_run():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    assert not any(cell.get("outputs") for cell in notebook["cells"])
