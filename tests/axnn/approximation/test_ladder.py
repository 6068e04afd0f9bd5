"""Networks of one width, the lowest beginning, and the long retraining."""

from dataclasses import replace

import numpy as np
import pytest

from axnn.approximation.ladder import after_steps, ladder_steps
from axnn.approximation.loop import approximate
from axnn.approximation.search import Unit
from axnn.approximation.uniform import approximate_uniformly
from axnn.approximation.widths import Trial, integer_accuracy
from axnn.errors import RunError
from axnn.nn.train import TrainingPlan
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from tests.axnn.approximation.test_loop import COUNTER, HARD, PLAN, make_undertrained

PLAN = replace(
    PLAN,
    bound_percent=2.0,
    start="ladder",
    rate_factors=(0.25, 1.0, 4.0),
    long_epochs=8,
    retraining=TrainingPlan(epochs=4, batch=16, learning_rate=0.05),
)


def run(**options):
    plan = options.pop("plan", PLAN)
    return approximate(make_undertrained(), HARD, plan, COUNTER, seed=1, **options)


def run_uniform(width, plan=PLAN, **options):
    return approximate_uniformly(
        make_undertrained(), HARD, plan, COUNTER, width=width, seed=1, **options
    )


def states(folder):
    """State files of the networks of one width."""
    paths = [folder / f"{width}.npz" for width in (8, 4, 2)]
    wider = None
    for width, path in zip((8, 4, 2), paths, strict=True):
        run_uniform(width, state=path, wider=wider)
        wider = path
    return paths


def mean_bits(net):
    """Mean width of a network's multiplications, counted one by one."""
    bits, count = 0, 0
    for layer in net.layers:
        fan_in = layer.wiring.macs // layer.precision.size
        bits += fan_in * int(layer.precision.sum())
        count += fan_in * layer.precision.size
    return bits / count


def stages(found):
    return [trial.stage for trial in found.trials]


def test_steps_of_tiles_are_sorted_by_their_scores_for_each_bit_that_they_save():
    def uniform(left, right, other):
        return np.array([[left], [left], [right]]), np.array([[other]])

    def rungs(at16, at8):
        scores = {16: uniform(*at16), 8: uniform(*at8)}
        exact = (np.full((3, 1), 16, np.uint8), np.full((1, 1), 16, np.uint8))
        steps = ladder_steps(scores, tiles, exact, EngineConfig(precisions=(16, 8, 4)))
        found = [after_steps(exact, steps[:count]) for count in range(len(steps) + 1)]
        assert all(np.array_equal(first[:1], first[1:2]) for first, _ in found)
        return [(*first[1:, 0], *second[0]) for first, second in found]

    tiles = [
        Unit(0, np.array([0, 1]), 2, 0.0),
        Unit(0, np.array([2]), 1, 0.0),
        Unit(1, np.array([0]), 1, 0.0),
    ]
    # 16 to 8 saves 8 bits, 8 to 4 saves 4: 1/8 < 4/8 < 3/4 < 5/4 < 8/4, and 7/8 < 8/4.
    assert rungs((1.0, 4.0, 7.0), (3.0, 5.0, 8.0)) == [
        (16, 16, 16), (8, 16, 16), (8, 8, 16), (4, 8, 16), (4, 8, 8), (4, 4, 8), (4, 4, 4)
    ]  # fmt: skip
    # The second tile's next step is cheap, but comes after its first one.
    assert rungs((1.0, 40.0, 7.0), (3.0, 0.0, 8.0)) == [
        (16, 16, 16), (8, 16, 16), (4, 16, 16), (4, 16, 8), (4, 16, 4), (4, 8, 4), (4, 4, 4)
    ]  # fmt: skip


def test_learning_rate_of_a_width_is_the_best_that_was_tried():
    found = run_uniform(4).result()
    assert stages(found) == ["exact", "rate", "rate", "rate", "uniform"]
    tried = {trial.learning_rate: trial.accuracy for trial in found.trials[1:4]}
    assert list(tried) == pytest.approx([0.0125, 0.05, 0.2])
    best = found.trials[4]
    assert tried[best.learning_rate] == max(tried.values())
    # The long retraining goes on from that network.
    assert best.before_retraining == max(tried.values()) <= best.accuracy
    assert set(best.histogram) == {"4"}
    assert integer_accuracy(found.axnn, HARD.validation) == best.accuracy >= best.before_retraining


def test_passes_over_the_training_part_are_counted():
    plan = replace(PLAN, samples=len(HARD.train) // 2)
    found = run_uniform(4, plan).result()
    assert [trial.passes for trial in found.trials] == [0, 2, 2, 2, 8]
    assert found.passes == 14


def test_a_rate_that_diverges_is_not_chosen():
    found = run_uniform(2, replace(PLAN, rate_factors=(1e9, 1.0))).result()
    assert found.trials[1].accuracy == found.trials[1].before_retraining
    assert found.last_kept.learning_rate == 0.05


def test_loop_begins_at_or_below_the_narrowest_width_that_holds(tmp_path):
    uniform = states(tmp_path)
    for bound in (0.5, 5.0, 20.0):
        found = run(plan=replace(PLAN, bound_percent=bound), uniform=uniform)
        floor = found.trials[0].accuracy - bound / 100
        widths = [16]
        for width, path in zip((8, 4, 2), uniform, strict=True):
            if run_uniform(width, state=path).result().last_kept.accuracy >= floor - 1e-9:
                widths.append(width)
        assert mean_bits(found.axnn) <= min(widths)
        assert integer_accuracy(found.axnn, HARD.validation) >= floor - 1e-9


def test_looser_bound_is_never_wider_than_a_tighter_one(tmp_path):
    uniform = states(tmp_path)
    tight = run(uniform=uniform, state=tmp_path / "tight.npz")
    plan = replace(PLAN, bound_percent=4.0)
    loose = run(plan=plan, uniform=uniform, start=tmp_path / "tight.npz")
    assert mean_bits(loose.axnn) <= mean_bits(tight.axnn)
    with pytest.raises(RunError, match="of a run under a looser bound"):
        run(plan=replace(PLAN, bound_percent=1.0), uniform=uniform, start=tmp_path / "tight.npz")


def test_long_retraining_ends_the_search_and_never_loses():
    found = run()
    assert "long" in stages(found)
    last = stages(found).index("long")
    longs = [trial for trial in found.trials if trial.stage == "long"]
    assert all(trial.accuracy >= trial.before_retraining and trial.kept for trial in longs)
    assert all(trial.lowered == 0 for trial in longs)
    assert "lower" in stages(found)[:last] or "ladder" in stages(found)[:last]


def test_networks_of_one_width_are_made_if_there_are_none(tmp_path):
    assert run().trials == run(uniform=states(tmp_path)).trials


@pytest.mark.parametrize("stage", ["start", "ladder", "lower", "long"])
def test_interrupted_search_ends_as_if_it_had_not_been(tmp_path, stage):
    uniform = states(tmp_path)
    whole = run(uniform=uniform)
    at = stages(whole).index(stage)

    def interrupt(trial):
        if trial == whole.trials[at]:
            raise KeyboardInterrupt

    state = tmp_path / "s.npz"
    with pytest.raises(KeyboardInterrupt):
        run(uniform=uniform, state=state, on_trial=interrupt)
    seen: list[Trial] = []
    resumed = run(uniform=uniform, state=state, on_trial=seen.append)
    assert resumed.trials == whole.trials == tuple(seen)
    resumed.axnn.save(tmp_path / "resumed.npz")
    whole.axnn.save(tmp_path / "whole.npz")
    assert (tmp_path / "resumed.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_interrupted_search_for_the_rate_tries_none_again(tmp_path):
    whole, state = run_uniform(4), tmp_path / "s.npz"

    def interrupt(trial):
        if trial.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_uniform(4, state=state, on_trial=interrupt)
    epochs: list[object] = []
    resumed = run_uniform(4, state=state, on_epoch=epochs.append)
    assert resumed.result().trials == whole.result().trials
    assert len(epochs) == 4 + 8  # the third rate, and the long retraining


def test_interrupted_long_retraining_goes_on_at_its_epoch(tmp_path):
    whole, epochs = run_uniform(4), []

    def interrupt(epoch):
        epochs.append(epoch)
        if len(epochs) == 3 * 4 + 3:
            raise KeyboardInterrupt

    state = tmp_path / "s.npz"
    with pytest.raises(KeyboardInterrupt):
        run_uniform(4, state=state, on_epoch=interrupt)
    assert run_uniform(4, state=state).result().trials == whole.result().trials
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start": "middle"}, "start must be exact or ladder, not 'middle'"),
        ({"rate_factors": ()}, r"rate_factors must be positive numbers, not \(\)"),
        ({"rate_factors": (0.0, 1.0)}, "rate_factors must be positive numbers"),
        ({"rungs": 0}, "rungs must be at least 1, not 0"),
        ({"failures": 0}, "failures must be at least 1, not 0"),
        ({"long_epochs": -1}, "long_epochs must be 0 or more, not -1"),
    ],
)
def test_plans_out_of_range_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        replace(PLAN, **fields)


def test_network_of_one_width_begins_with_the_weights_that_it_is_given(tmp_path):
    plan = replace(PLAN, rate_factors=(1.0,))
    other = run_uniform(2, plan, state=tmp_path / "2.npz")  # retraining changes its weights
    found = run_uniform(4, plan, wider=tmp_path / "2.npz").result()
    network = other.progress.point.network
    assert found.trials == run_uniform(4, plan, wider=network).result().trials
    # The same weights at 4 bits in a session that never saw the trained network.
    alone = approximate_uniformly(network, HARD, plan, COUNTER, width=4, seed=1).result()
    assert alone.trials[1].before_retraining == found.trials[1].before_retraining
    trained = run_uniform(4, plan).result()
    assert trained.trials[1].before_retraining != found.trials[1].before_retraining


def test_loop_ends_after_so_many_failures():
    plan = replace(PLAN, start="exact", rate_factors=(1.0,), long_epochs=0, bound_percent=0.0)
    whole = run(plan=plan)
    first = [trial.kept for trial in whole.trials].index(False)
    assert first + 1 < len(whole.trials)
    assert run(plan=replace(plan, failures=1)).trials == whole.trials[: first + 1]
