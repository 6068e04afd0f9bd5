"""Explores engines for a run, and keeps what has been counted."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from axnn.approximation.uniform import uniform_widths
from axnn.approximation.widths import integer_accuracy
from axnn.errors import RunError
from axnn.exploration.candidates import Candidate, LeftOut
from axnn.exploration.counting import (
    EngineCount,
    Point,
    Shared,
    count_engines,
    measure_activity,
    with_kind,
)
from axnn.exploration.space import Space
from axnn.flow.ancestry import Ancestry
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, event_counter
from qcnpe.area import AreaModel
from qcnpe.prices import EnergyPrices
from qcnpe.side_area import SideAreaModel
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import read_document, write_document
from qcnpe.tasks import IN_THIS_PROCESS, Workplace, run_tasks

RESULTS = "exploration.json"
"""Name of the file in the run's folder that keeps what has been counted."""

_TOGETHER = 8
"""Engines of a task: work for a second or less."""

_KEPT_EVERY = 20
"""Engines after which what has been counted is written."""

Progress = Callable[[int, int, str], None]
"""Called with the number of finished engines, of all engines, and a few words."""


@dataclass(frozen=True)
class Exploration:
    """What was found.

    Attributes
    ----------
    candidates : every operating point on every engine that it fits
    left_out : operating points that do not run on an engine
    reused : engines whose counts were kept from an earlier call
    """

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    reused: int


@dataclass(frozen=True)
class Explored:
    """The file of an exploration.

    Attributes
    ----------
    made_from : what the counts depend on
    engines : counts by engine
    """

    made_from: Ancestry
    engines: dict[str, EngineCount]


def explore(
    run: RunFolder,
    space: Space,
    prices: EnergyPrices,
    *,
    bounds: Sequence[float] = (),
    autonomous: bool = False,
    where: Workplace = IN_THIS_PROCESS,
    progress: Progress = lambda done, total, note: None,
) -> Exploration:
    """Count every operating point of a run on every engine of a space.

    These are the exact network, the approximate one, those of one width that the approximation has
    made on its way, and those of other bounds.

    Parameters
    ----------
    run : the run, approximated or at least trained
    space : the engines
    prices : of events
    bounds : approximate under these, too; each takes as long as `axnn approximate`
    autonomous : the engines have memories that hold the network
    where : where engines are counted
    progress : called with the number of engines finished, of all, and a note

    Raises
    ------
    RunError
        If the run has no approximation.
    """
    engines = space.engines(run.record().app.engine)
    variants = uniform_runs(run) + [
        _approximated(run, bound, lambda note: progress(0, len(engines), note)) for bound in bounds
    ]
    with run.lock():
        points = operating_points(run, variants)
        areas = AreaModel.load()
        side_areas = SideAreaModel.load() if autonomous else None
        kept = _Kept(run, variants, prices, areas, side_areas)
        new = [engine for engine in engines if engine.title not in kept.engines]
        shared = _shared(run, points, {engine.ncu for engine in new}, prices, areas, side_areas)
        done = len(engines) - len(new)
        parts = in_parts(new, where)
        for index, found in run_tasks(count_engines, shared, parts, where):
            for engine, each in zip(parts[index], found, strict=True):
                done += 1
                kept.add(engine, each)
                progress(done, len(engines), engine.title)
        kept.write()
    counts = [kept.engines[engine.title] for engine in engines]
    return Exploration(
        candidates=tuple(each for count in counts for each in count.candidates),
        left_out=tuple(each for count in counts for each in count.left_out),
        reused=len(engines) - len(new),
    )


def read_candidates(run: RunFolder) -> tuple[Candidate, ...]:
    """The candidates that a run's exploration has counted so far; none without one.

    Raises
    ------
    RunError
        If a network has changed since.
    FormatError
        If the file is damaged.
    """
    path = run.path / RESULTS
    if not path.exists():
        return ()
    found = read_document(path, Explored)
    values = {"engine": run.record().app.engine}
    found.made_from.check(path, files=(), values=values, remedy="`axnn explore`")
    return tuple(each for count in found.engines.values() for each in count.candidates)


def _made_from_around(prices: EnergyPrices, side_areas: SideAreaModel) -> dict[str, object]:
    """What counts depend on besides if engines have memories."""
    sizes = {str(size): dict(pj) for size, pj in prices.sizes.items()}
    return {"sizes": sizes, "side_areas": side_areas.fitted}


class _Kept:
    """What has been counted, in a file, so that an interrupted exploration goes on.

    Parameters
    ----------
    run : whose folder has the file
    variants, prices, areas, side_areas : what the counts depend on besides; with others they are
        made anew
    """

    def __init__(
        self,
        run: RunFolder,
        variants: Sequence[RunFolder],
        prices: EnergyPrices,
        areas: AreaModel,
        side_areas: SideAreaModel | None,
    ) -> None:
        self._path, self._unwritten = run.path / RESULTS, 0
        networks = [folder.axnn for folder in (run, *variants) if folder.axnn.exists()]
        self._made_from = Ancestry.of(
            self._path,
            [run.root / run.network.name, *networks],
            engine=run.record().app.engine,
            prices=dict(prices.pj),
            areas=areas.fitted,
            autonomous=side_areas is not None,
            **(_made_from_around(prices, side_areas) if side_areas else {}),
        )
        self.engines: dict[str, EngineCount] = {}
        if self._path.exists():
            found = read_document(self._path, Explored)
            if found.made_from == self._made_from:
                self.engines = found.engines

    def add(self, engine: EngineConfig, found: EngineCount) -> None:
        """Add an engine; the file is written now and then."""
        self.engines[engine.title] = found
        self._unwritten += 1
        if self._unwritten >= _KEPT_EVERY:
            self.write()

    def write(self) -> None:
        """Write the file."""
        write_document(self._path, asdict(Explored(self._made_from, self.engines)))
        self._unwritten = 0


def uniform_runs(run: RunFolder) -> list[RunFolder]:
    """The networks of one width that the run's approximation began with."""
    app = run.record().app
    if not app.approximation.needs_uniform:
        return []
    folders = [run.uniform(width) for width in uniform_widths(app.engine)]
    return [folder for folder in folders if folder.axnn.exists()]


def _approximated(run: RunFolder, bound: float, notify: Callable[[str], None]) -> RunFolder:
    """The run's approximation under another bound, in a folder of its own."""
    variant = run.bound(bound)
    plan = replace(run.record().app.approximation, bound_percent=bound)
    approximate_step(
        variant,
        plan,
        on_trial=lambda trial: notify(f"bound {bound:g}: validation {trial.accuracy:.2%}"),
    )
    return variant


def in_parts(engines: Sequence[EngineConfig], where: Workplace) -> list[tuple[EngineConfig, ...]]:
    """Engines that one task counts: several for other processes, since each task costs messages."""
    size = 1 if where.is_this_process else _TOGETHER
    return [tuple(engines[start : start + size]) for start in range(0, len(engines), size)]


def operating_points(run: RunFolder, variants: Sequence[RunFolder] = ()) -> tuple[Point, ...]:
    """The exact network, the approximate one, and those of other runs of the same trained network.

    Raises
    ------
    RunError
        If the run has not been approximated.
    """
    if not run.axnn.exists() and not variants:
        raise RunError(
            f"{run.path}: holds no approximation; run `axnn approximate` first, or give --bound"
        )
    sources = [run] if run.axnn.exists() else []
    validation = run.samples().validation
    exact = (sources or list(variants))[0].point("exact16")
    best = integer_accuracy(exact, validation)
    found = [Point("exact16", exact, best, 0.0)]
    for source in (*sources, *variants):
        net = source.point("axnn")
        accuracy = integer_accuracy(net, validation)
        name = "axnn" if source is run else source.path.name
        found.append(Point(name, net, accuracy, 100 * (best - accuracy)))
    return tuple(found)


def _shared(
    run: RunFolder,
    points: tuple[Point, ...],
    ncus: set[str],
    prices: EnergyPrices,
    areas: AreaModel,
    side_areas: SideAreaModel | None,
) -> Shared:
    engine = run.record().app.engine
    samples = event_counter(engine, run.samples()).samples
    assert samples is not None
    activity = {
        (point.name, ncu): measure_activity(point.net, engine, ncu, samples)
        for point in points
        for ncu in sorted(ncus)
        if not point.missing(with_kind(engine, ncu))
    }
    return Shared(points, activity, prices, areas, side_areas)
