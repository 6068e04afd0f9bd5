"""`axnn speed`: everything from training to the race, in a run folder."""

import json
from pathlib import Path
from typing import Any

from axnn.cpu.benchmark.compare import choices_file, compare_choices, document, uniform
from axnn.cpu.benchmark.run import Notify, Run, open_run
from axnn.cpu.benchmark.speed import gather, race, summary
from axnn.cpu.benchmark.speed_report import draw_speed
from axnn.cpu.benchmark.subjects import find_subject
from axnn.cpu.predictor import Predictor
from qcnpe.spec.documents import write_document

FIGURE_BATCH = 64


def speed_step(name: str, folder: Path, *, seed: int, notify: Notify) -> dict[str, Any]:
    """Train, approximate, time; write `speed.json`, `speed.png` and the predictors.

    What is in the folder already is not made again, but for the timing.

    Parameters
    ----------
    name : of a subject, see `axnn.cpu.benchmark.subjects`
    folder : of the run's files
    seed : of split, weights and order
    notify : is told what is being done
    """
    run = open_run(find_subject(name), folder, seed=seed, notify=notify)
    approximated = run.approximated(notify)
    notify("replacing everything")
    everywhere = uniform(run)
    for bound, found in approximated.items():
        Predictor(found).save(folder / f"axnn-{bound:g}.npz")
    notify("judging on the test part")
    field = gather(run, approximated, everywhere)
    notify("timing")
    timings = race(field, run.data.test.inputs)
    result = summary(run, field, timings)
    write_document(folder / "speed.json", result)
    draw_speed(result, folder / "speed.png", batch=FIGURE_BATCH)
    return result


def choices_step(run: Run, *, notify: Notify) -> list[dict[str, Any]]:
    """Compare ways of choosing channels, see `axnn.cpu.benchmark.compare`; once."""
    path, key = choices_file(run)
    if path.exists():
        found = json.loads(path.read_text())
        if found["key"] == key:
            return list(found["choices"])
    notify("comparing ways of choosing")
    write_document(path, document(compare_choices(run), key))
    return list(json.loads(path.read_text())["choices"])
