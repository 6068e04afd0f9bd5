"""Reading Verilator's coverage counts."""

from sim.coverage import Coverage, Point, summary


def written(file: str, line: int, page: str, what: str, count: int) -> str:
    """A line of Verilator's file."""
    keys = {"f": f"/x/{file}", "l": line, "n": 5, "page": f"v_{page}", "o": what, "h": "top.a"}
    joined = "".join("\1" + key + "\2" + str(value) for key, value in keys.items())
    return f"C '{joined}' {count}"


POINTS = "\n".join(
    [
        "# SystemC::Coverage-3",
        written("qcnpe_engine.v", 7, "line/qcnpe_afu", "block", 3),
        written("qcnpe_engine.v", 9, "branch/qcnpe_afu", "if", 0),
        written("qcnpe_engine.v", 4, "toggle/qcnpe_afu", "sum[3]:0->1", 0),
        written("harness.sv", 7, "line/harness", "block", 0),
    ]
)


def test_points_add_up_by_module():
    found = Coverage()
    found.add(POINTS)
    found.add(POINTS)
    assert found.hits[Point("qcnpe_afu", "line", 7, "block")] == 6
    assert found.by_module() == {"qcnpe_afu": {"line": (1, 1), "branch": (0, 1), "toggle": (0, 1)}}
    assert found.missed("branch") == [Point("qcnpe_afu", "branch", 9, "if")]


def test_a_point_hit_in_one_run_is_covered():
    found = Coverage()
    found.add(POINTS)
    found.add(POINTS.replace("' 0", "' 1"))
    assert not found.missed("branch")
    figures = summary(found, 1)["figures"]
    assert figures["branches_covered"] == figures["branches"] == 1
    assert figures["branch_percent"] == figures["toggle_percent_without_bus_side"] == 100.0
