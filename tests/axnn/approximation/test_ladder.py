"""Networks of one width, the lowest beginning, and the long retraining."""

from dataclasses import replace

import numpy as np
import pytest

from axnn.approximation.ladder import layer_ladder
from axnn.approximation.loop import approximate
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
    for width, path in zip((8, 4, 2), paths, strict=True):
        run_uniform(width, state=path)
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


def test_steps_of_layers_are_sorted_by_their_scores_for_each_bit_that_they_save():
    def uniform(*values):
        return tuple(np.full((2, 1), value) for value in values)

    config = EngineConfig(precisions=(16, 8, 4))
    # 16 to 8 saves 8 bits, 8 to 4 saves 4: 1/8 < 4/8 and 3/4 > 4/8, but 3/4 < 5/4.
    scores = {16: uniform(1.0, 4.0), 8: uniform(3.0, 5.0)}
    assert layer_ladder(scores, 2, config) == [(16, 16), (8, 16), (8, 8), (4, 8), (4, 4)]
    # A layer that is sensitive keeps its width until the other one is as narrow as it can be.
    scores = {16: uniform(1.0, 40.0), 8: uniform(3.0, 50.0)}
    assert layer_ladder(scores, 2, config) == [(16, 16), (8, 16), (4, 16), (4, 8), (4, 4)]


def test_learning_rate_of_a_width_is_the_best_that_was_tried():
    found = run_uniform(4).result()
    assert stages(found) == ["exact", "rate", "rate", "rate", "uniform"]
    tried = {trial.learning_rate: trial.accuracy for trial in found.trials[1:4]}
    assert list(tried) == pytest.approx([0.0125, 0.05, 0.2])
    best = found.trials[4]
    assert tried[best.learning_rate] == max(tried.values())
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
        ({"long_epochs": -1}, "long_epochs must be 0 or more, not -1"),
    ],
)
def test_plans_out_of_range_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        replace(PLAN, **fields)
