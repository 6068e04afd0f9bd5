"""Result files: the document, and figures that several commands write into one."""

import json
import os
import platform
from importlib.metadata import version

from qcnpe.spec.documents import write_document
from qcnpe.spec.results import add_figures, package_versions, read_figures, results_document


def test_a_result_file_says_how_it_was_made(tmp_path):
    document = results_document(
        "make it", {"a.b": 1, "c": 0.5}, seed=None, versions=package_versions(["numpy"]), size="2x2"
    )
    write_document(tmp_path / "it.json", document)
    found = json.loads((tmp_path / "it.json").read_text())
    assert list(found) == ["command", "seed", "versions", "machine", "size", "figures"]
    assert found["versions"] == {"numpy": version("numpy")}
    assert found["machine"] == f"{platform.machine()}, {os.cpu_count()} processors"
    assert read_figures(tmp_path / "it.json") == {"a.b": 1, "c": 0.5}


def test_figures_of_a_command_leave_those_of_others(tmp_path):
    path = tmp_path / "energy.json"
    before = {"sources": {"count_*": "other"}, "figures": {"count_error": 1.0, "wire": 2.0}}
    path.write_text(json.dumps(before))
    add_figures(path, {"wire": 3.0, "wire_um": 4.0}, sources={"wire*": "mine"})
    assert json.loads(path.read_text()) == {
        "sources": {"count_*": "other", "wire*": "mine"},
        "figures": {"count_error": 1.0, "wire": 3.0, "wire_um": 4.0},
    }
