"""`axnn speed`: everything from training to timing, in a run folder."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from axnn.cpu.benchmark.compare import (
    SHARES,
    WAYS,
    Choice,
    Choices,
    compare_choices,
    uniform,
    uniform_file,
)
from axnn.cpu.benchmark.peers import check_peers
from axnn.cpu.benchmark.run import BOUNDS_PERCENT, Notify, Run, open_run
from axnn.cpu.benchmark.speed import Speed, gather, race, summary
from axnn.cpu.benchmark.speed_report import draw_speed
from axnn.cpu.benchmark.subjects import find_subject
from axnn.cpu.predictor import Predictor
from axnn.flow.ancestry import MADE_FROM, Ancestry
from axnn.flow.lock import lock_folder
from qcnpe.spec.documents import convert_document, read_document, write_document
from qcnpe.tools.extras import require_modules

FIGURE_BATCH = 64

Document = TypeVar("Document")


def speed_step(name: str, folder: Path, *, seed: int, notify: Notify, repeat: bool = True) -> Speed:
    """Train, approximate, time; write `speed.json`, `speed.png` and the predictors.

    Networks that the folder already holds are used again; timings are repeated.

    Parameters
    ----------
    name : of a subject, see `axnn.cpu.benchmark.subjects`
    folder : of the run's files
    seed : of the data's split, the initial weights and the order of the samples
    notify : called with what is being done
    repeat : False to use existing timings if they are of the same networks

    Raises
    ------
    RunError
        If the folder belongs to something else.
    BusyError
        If another command is writing to the folder.
    RunError, ToolMissingError
        If a package is missing, even one that would be needed only after hours.
    """
    with lock_folder(folder):
        path = folder / "speed.json"
        if repeat or not path.exists():
            check_peers()
            require_modules("numba", "matplotlib")
        run = open_run(find_subject(name), folder, seed=seed, notify=notify)
        approximated = run.approximated(notify)
        notify("replacing everything")
        everywhere = uniform(run)
        files = [*map(run.bound_file, BOUNDS_PERCENT), uniform_file(run)]
        made_from = run.ancestry(path, files, test_part=run.data.test.digest)
        if not repeat and (found := _read(path, made_from, Speed)) is not None:
            return found
        for bound, network in approximated.items():
            predictor = Predictor(network, encoding=run.data.encoding)
            predictor.save(folder / f"axnn-{bound:g}.npz")
        notify("evaluating on the test part")
        field = gather(run, approximated, everywhere)
        notify("timing")
        timings = race(field, run.data.test, seed=seed)
        result = summary(run, field, timings)
        write_document(path, {MADE_FROM: asdict(made_from), **asdict(result)})
        draw_speed(result, folder / "speed.png", batch=FIGURE_BATCH)
    return result


def choices_step(run: Run, *, notify: Notify) -> tuple[Choice, ...]:
    """Compare ways of choosing channels, see `axnn.cpu.benchmark.compare`, unless done already."""
    path = run.folder / "choices.json"
    made_from = run.ancestry(path, plan=run.plan(0), shares=SHARES, ways=WAYS)
    with lock_folder(run.folder):
        found = _read(path, made_from, Choices)
        if found is None:
            notify("comparing ways of choosing channels")
            found = Choices(tuple(compare_choices(run)))
            write_document(path, {MADE_FROM: asdict(made_from), **asdict(found)})
    return found.choices


def _read(path: Path, made_from: Ancestry, schema: type[Document]) -> Document | None:
    """A file's contents without its ancestry, if the ancestry is the present one; else None."""
    if not path.exists():
        return None
    document = read_document(path, dict[str, Any])
    if Ancestry.recorded(document, path) != made_from:
        return None
    del document[MADE_FROM]
    return convert_document(document, schema, where=str(path))
