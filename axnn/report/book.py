"""The report: one page on all applications, with its figures, from the experiments' folder."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from axnn.errors import RunError
from axnn.experiments.bounds import BOUNDS
from axnn.experiments.collect import PAPER_APPS, collect
from axnn.experiments.folder import AppFolder
from axnn.experiments.stages import SEEDS
from axnn.flow.apps import APPS
from axnn.flow.lock import lock_folder
from axnn.report.content import Chapter, Section
from axnn.report.findings import Findings, read_findings
from axnn.report.numbers import TIMES, bound_points, percent, times
from axnn.report.overview import overview
from axnn.report.page import render
from axnn.report.sections import app_sections
from qcnpe.prices import EnergyPrices
from qcnpe.spec.errors import FormatError
from qcnpe.spec.files import replace_bytes, replace_text
from qcnpe.spec.results import read_figures

TITLE = "AxNN: approximate networks on a quality-configurable engine"

Notify = Callable[[int, str], None]
"""Called with the number of finished applications and with what is being done."""


@dataclass(frozen=True)
class Book:
    """The files of a report.

    Attributes
    ----------
    page : the HTML file
    pictures : the SVG files
    apps : names of the applications on the page
    """

    page: Path
    pictures: tuple[Path, ...]
    apps: tuple[str, ...]


def make_book(
    folder: Path,
    out: Path,
    prices: EnergyPrices,
    *,
    engine: Path | None = None,
    notify: Notify = lambda done, doing: None,
) -> Book:
    """Write `index.html`, which contains all figures, and each figure as an SVG.

    In `folder`, only evaluations that were made with other prices are made again.

    Parameters
    ----------
    folder : folder that `axnn experiments` fills
    out : folder of the page
    prices : of the engine's events
    engine : `results/energy.json`, which holds what configurability costs
    notify : called as the work proceeds

    Raises
    ------
    RunError
        If the folder holds no application.
    FormatError
        If a file in it, or `engine`, is damaged.
    """
    costs = None if engine is None else _engine_figures(engine)
    names = app_names(folder)
    notify(0, "figures of all applications")
    figures = collect(folder, names, prices, may_be_empty=True)["figures"]
    chapters = []
    for done, name in enumerate(names):

        def tell(doing: str, done: int = done, name: str = name) -> None:
            notify(done, f"{name}: {doing}")

        found = read_findings(AppFolder(folder, name, SEEDS[0]), prices, figures, tell)
        chapters.append(_unfinished(folder, name) if found is None else _chapter(found, out, tell))
    notify(len(names), "page")
    first = overview(figures, names, str(folder), costs)
    return _write(out, [first, *chapters], names)


def app_names(folder: Path) -> list[str]:
    """Applications that have a folder, those of the paper first."""
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; fill it: axnn experiments all --folder {folder}")
    known = [*PAPER_APPS, *(name for name in APPS if name not in PAPER_APPS)]
    names = [name for name in known if AppFolder(folder, name, SEEDS[0]).path.is_dir()]
    if not names:
        raise RunError(
            f"{folder}: holds no application; fill it: axnn experiments all --folder {folder}"
        )
    return names


def _engine_figures(path: Path) -> dict[str, float]:
    if not path.is_file():
        raise FormatError(f"{path}: no such file; make it with `make synth`")
    return read_figures(path)


def _unfinished(folder: Path, name: str) -> Chapter:
    command = f"axnn experiments {name} --folder {folder}"
    section = Section(title="Not finished yet", missing=(("Training", command),))
    return Chapter(name=name, title=APPS[name].title, sections=(section,))


def _chapter(found: Findings, out: Path, tell: Callable[[str], None]) -> Chapter:
    page = found.run_page
    return Chapter(
        name=found.name,
        title=found.trained.app.title,
        page=quote(Path(os.path.relpath(page, out)).as_posix()) if page.is_file() else None,
        facts=_facts(found),
        sections=app_sections(found, tell),
    )


def _facts(found: Findings) -> tuple[tuple[str, str], ...]:
    network = found.trained.network
    neurons = sum(each.geometry.channels * each.geometry.outputs for each in network.neuron_layers)
    config = found.trained.app.engine
    facts = [
        ("data", found.trained.app.data_title),
        ("neurons", f"{neurons:,}"),
        ("engine", f"{config.rows}{TIMES}{config.cols}"),
    ]
    if found.judged:
        facts.append(("floating point", percent(found.exact.float_accuracy)))
        facts.append(("exact 16 bit", percent(found.exact.exact16_accuracy)))
    facts += [
        (f"energy at {bound_points(bound)}", times(found.figures[key]))
        for bound in BOUNDS
        if (key := f"{bound:g}.energy_ratio") in found.figures
    ]
    return tuple(facts)


def _write(out: Path, chapters: Sequence[Chapter], names: Sequence[str]) -> Book:
    pictures = [
        picture
        for chapter in chapters
        for section in chapter.sections
        for picture in section.pictures
    ]
    page, text = out / "index.html", render(TITLE, chapters)
    paths = [out / f"{picture.name}.svg" for picture in pictures]
    with lock_folder(out):
        for path, picture in zip(paths, pictures, strict=True):
            replace_bytes(path, picture.drawing.svg)
        replace_text(page, text)
    return Book(page, tuple(paths), tuple(names))
