"""Areas by synthesis, for the engines that remain after an exploration."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from axnn.exploration.candidates import Candidate
from qcnpe.tasks import IN_THIS_PROCESS, Workplace, run_tasks
from qcnpe.tools.process import run


def with_exact_areas(
    candidates: Sequence[Candidate],
    where: Workplace = IN_THIS_PROCESS,
    progress: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> list[Candidate]:
    """The candidates with the areas of their synthesised engines, a minute for each engine.

    Parameters
    ----------
    candidates : those that are worth it
    where : where engines are synthesised
    progress : called with the number of engines finished, of all, and the last one
    """
    engines = list({each.engine: each for each in candidates}.values())
    areas: dict[str, float] = {}
    for index, area in run_tasks(_synthesised, None, engines, where):
        areas[engines[index].engine] = area
        progress(len(areas), len(engines), engines[index].engine)
    return [replace(each, area_um2=areas[each.engine]) for each in candidates]


def _synthesised(shared: None, candidate: Candidate, tell: Callable[[str], None]) -> float:
    """Area of an engine by `qcnpe synth`, in um2."""
    with TemporaryDirectory(prefix="axnn-synth-") as name:
        words = {
            "--rows": candidate.rows,
            "--cols": candidate.cols,
            "--precisions": ",".join(map(str, candidate.precisions)),
            "--ncu": candidate.ncu,
            "--out": "synth",
        }
        options = [str(word) for pair in words.items() for word in pair]
        command = [sys.executable, "-P", "-m", "qcnpe", "synth", *options, "--json"]
        said = run("qcnpe synth", command, Path(name))
        return float(json.loads(said.stdout)["area_um2"])
