"""What each change of the paper's method adds: from its own setting to this project's, in steps.

The paper sorts neurons by the gradient, halves from the exact network, retrains each trial once,
briefly, and scales the precision of the operands of a 16-bit multiplier (kind `gated`). Each row
keeps the changes of the rows before it; the last one is the application as it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from axnn.approximation.widths import ApproximationPlan
from axnn.experiments.bounds import BOUNDS, Notify
from axnn.experiments.documents import Ablated
from axnn.experiments.folder import AppFolder
from axnn.flow.run_folder import RunFolder, bound_name
from axnn.flow.steps import approximate_step, evaluate_step
from qcnpe.prices import EnergyPrices
from qcnpe.spec.files import replace_bytes


@dataclass(frozen=True)
class Setting:
    """A row of the comparison.

    Attributes
    ----------
    name : of its files and figures
    title : what it adds, for reports
    change : makes its plan from that of the application
    gated : whether the engine is the paper's
    """

    name: str
    title: str
    change: Callable[[ApproximationPlan], ApproximationPlan]
    gated: bool = False


def _paper(plan: ApproximationPlan) -> ApproximationPlan:
    """The paper's criterion and loop, with this application's short retraining."""
    return replace(
        _without_ladder(_without_long(plan)), criterion="gradient", unit="tile", rounds=1
    )


def _without_long(plan: ApproximationPlan) -> ApproximationPlan:
    return replace(_without_ladder(plan), rate_factors=(1.0,), long_epochs=0)


def _without_ladder(plan: ApproximationPlan) -> ApproximationPlan:
    return replace(plan, start="exact", failures=None)


SETTINGS = (
    Setting("paper", "the paper's setting", _paper, gated=True),
    Setting("packed", "narrow lanes packed into the multiplier", _paper),
    Setting("criterion", "this project's criterion, and trials retrained again", _without_long),
    Setting("retraining", "learning rate by width, long retraining", _without_ladder),
)
"""All rows but the last one."""

OURS = "ladder"
OURS_TITLE = "begins between networks of one width, ends after failures"


def ablation_runs(folder: AppFolder) -> Iterator[tuple[str, float, RunFolder]]:
    """Name, bound and run of each row and bound; those of the last row are the application's."""
    for setting in SETTINGS:
        root = _trained(folder, setting)
        for bound in BOUNDS:
            path = folder.path / f"ablation-{setting.name}-{bound:g}"
            yield setting.name, bound, RunFolder(path, trained_in=root.path)
    for bound in BOUNDS:
        yield OURS, bound, folder.variant(bound_name(bound))


def compare_settings(folder: AppFolder, prices: EnergyPrices, notify: Notify) -> dict[str, Ablated]:
    """Approximate with each setting under each bound, and judge."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    settings = {setting.name: setting for setting in SETTINGS}
    before: RunFolder | None = None
    for name, bound, run in ablation_runs(folder):
        if name in settings:
            _prepare(folder, settings[name])
            plan = settings[name].change(replace(folder.app.approximation, bound_percent=bound))
            # There is one long retraining in all that a run goes on from: such runs begin anew.
            goes_on = bound != BOUNDS[0] and not plan.long_epochs
            approximate_step(run, plan, start=before if goes_on else None)
        before = run
        judged = evaluate_step(run, prices)
        found.setdefault(name, {})[f"{bound:g}"] = judged.axnn_accuracy, judged.energy_ratio
        notify(f"{name} under {bound:g}: {judged.energy_ratio:.2f} times less energy")
    return {name: Ablated(bounds=bounds) for name, bounds in found.items()}


def _trained(folder: AppFolder, setting: Setting) -> RunFolder:
    """The run of the trained network, for the setting's engine."""
    return folder.retrained("ablation-gated") if setting.gated else folder.trained


def _prepare(folder: AppFolder, setting: Setting) -> None:
    """For another engine: a run of its own with the same trained network."""
    if not setting.gated:
        return
    run, record = _trained(folder, setting), folder.trained.record()
    engine = replace(record.app.engine, ncu="gated")
    replace(record, app=replace(record.app, engine=engine)).claim(run.path)
    network = folder.trained.network.read_bytes()
    if not run.network.exists() or run.network.read_bytes() != network:
        replace_bytes(run.network, network)
