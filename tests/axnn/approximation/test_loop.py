"""The loop: whole tiles, the bound, and the same result whatever interrupts it."""

from dataclasses import replace

import numpy as np
import pytest

from axnn.approximation.event_counter import EventCounter
from axnn.approximation.loop import approximate
from axnn.approximation.widths import ApproximationPlan, Trial, histogram, integer_accuracy
from axnn.errors import RunError
from axnn.flow.energy import EnergyModel
from axnn.nn.train import TrainingPlan
from qcnpe.compiler import compile_network
from qcnpe.driver import Driver, ModelTransport
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, FormatError
from qcnpe.spec.inference import infer
from tests.axnn.tiny import ENGINE, TABLE, make_data, make_trained, poison_test_part
from tests.axnn.tiny import PLAN as TRAINING
from tests.damage import resave

DATA = make_data()
ENERGY = EnergyModel(TABLE, ENGINE)
COUNTER = ENERGY.counter
PLAN = ApproximationPlan(
    bound_percent=2.0, retraining=TrainingPlan(epochs=6, batch=16, learning_rate=0.05)
)

HARD = make_data(noise=0.4)
HARD_PLAN = replace(PLAN, bound_percent=0.5)


def at_widths(*layers):
    return tuple(np.array(layer, np.uint8).reshape(-1, 1) for layer in layers)


def run(plan=PLAN, data=DATA, seed=1, **options):
    return approximate(make_trained(DATA), data, plan, COUNTER, seed=seed, **options)


def make_undertrained():
    """A network that retraining still changes, also in steps that fail."""
    return make_trained(HARD, plan=replace(TRAINING, epochs=8))


def run_hard(rounds=1, **options):
    plan = replace(HARD_PLAN, rounds=rounds)
    return approximate(make_undertrained(), HARD, plan, COUNTER, seed=1, **options)


def test_histogram_counts_all_layers_widest_first():
    assert list(histogram(at_widths([2, 16, 2], [8, 2])).items()) == [
        ("16", 1),
        ("8", 1),
        ("2", 3),
    ]


def test_result_holds_the_bound_and_saves_energy():
    found = run()
    floor = integer_accuracy(found.exact, DATA.validation) - 0.02
    assert integer_accuracy(found.axnn, DATA.validation) >= floor
    assert found.last_kept.accuracy == integer_accuracy(found.axnn, DATA.validation)
    price = ENERGY.price(found.last_kept.events)
    assert price == pytest.approx(ENERGY.cost(found.axnn).energy_pj)
    assert ENERGY.exact_cost(found.exact).energy_pj / price > 3


def test_kept_steps_only_ever_lower_the_energy():
    kept = [ENERGY.price(step.events) for step in run().trials if step.kept]
    assert len(kept) > 2
    assert kept == sorted(kept, reverse=True)


def test_neurons_of_a_width_fill_whole_tiles_of_the_engine():
    found = run()
    for layer in found.axnn.layers:
        counts = np.unique(layer.precision, return_counts=True)[1]
        tiles = sum(-(-int(count) // ENGINE.cols) for count in counts)
        assert tiles == -(-layer.precision.size // ENGINE.cols)


def test_loose_bound_lowers_everything_and_tight_bound_stops():
    loose = run(replace(PLAN, bound_percent=99.0))
    assert set(loose.last_kept.histogram) == {"2"}
    assert all(step.kept for step in loose.trials)
    quick = replace(PLAN.retraining, epochs=1, learning_rate=1e-9)
    tight = run(replace(PLAN, bound_percent=0.0, retraining=quick))
    assert not all(step.kept for step in tight.trials)
    assert tight.last_kept.accuracy >= tight.trials[0].accuracy


@pytest.mark.parametrize(
    ("ncu", "precisions"),
    [
        ("gated", (16, 12, 6, 3)),
        ("gated", (16, 15, 14, 13)),
        ("fused", (16, 2)),
        ("dsp", (16, 8, 2)),
        ("plain16", (16,)),
    ],
)
def test_any_widths_of_an_engine(ncu, precisions):
    """Neurons take the engine's widths, and the engine computes what the loop judged."""
    engine = EngineConfig(rows=4, cols=4, ncu=ncu, precisions=precisions)
    counter = EventCounter(engine, DATA.validation.inputs[:4])
    plan = replace(PLAN, bound_percent=99.0)
    found = approximate(make_trained(DATA), DATA, plan, counter, seed=1)
    seen = {int(width) for trial in found.trials for width in trial.histogram}
    assert seen == set(precisions)
    inputs = found.axnn.quantize_inputs(DATA.test.inputs[:7])
    outputs = Driver(ModelTransport(engine)).run(compile_network(found.axnn, engine, 7), inputs)
    np.testing.assert_array_equal(outputs, infer(found.axnn, inputs))


def test_no_trial_is_made_twice():
    """Half of what failed may round up to the same tiles, where they differ in size."""
    wide = EventCounter(EngineConfig(rows=4, cols=16))
    plan = replace(
        HARD_PLAN, bound_percent=0.0, retraining=replace(PLAN.retraining, learning_rate=1e-9)
    )
    steps = approximate(make_undertrained(), HARD, plan, wide, seed=1).trials
    trials = [(step.histogram, step.lowered) for step in steps]
    assert not all(step.kept for step in steps)
    assert all(trial not in trials[:index] for index, trial in enumerate(trials))


def test_test_part_is_never_read():
    assert run(data=poison_test_part(DATA)).trials == run().trials


def test_a_step_that_fails_leaves_no_trace():
    network, states = make_undertrained(), []
    approximate(
        network, HARD, HARD_PLAN, COUNTER, seed=1, on_trial=lambda _: states.append(network.state())
    )
    steps = run_hard().trials
    assert any(not step.kept and step.accuracy != step.before_retraining for step in steps)
    for step, before, after in zip(steps[1:], states[:-1], states[1:], strict=True):
        if not step.kept:
            assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("interrupted_at", [0, 3, -2])
def test_interrupted_loop_ends_as_if_it_had_not_been(tmp_path, interrupted_at):
    whole = run_hard()

    def interrupt(step):
        if step == whole.trials[interrupted_at]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_hard(state=tmp_path / "s.npz", on_trial=interrupt)
    seen: list[Trial] = []
    resumed = run_hard(state=tmp_path / "s.npz", on_trial=seen.append)
    assert resumed.trials == whole.trials == tuple(seen)
    resumed.axnn.save(tmp_path / "resumed.npz")
    whole.axnn.save(tmp_path / "whole.npz")
    assert (tmp_path / "resumed.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_a_looser_bound_goes_on_from_where_a_tighter_one_ended(tmp_path):
    tight = run_hard(state=tmp_path / "tight.npz")
    plan = replace(HARD_PLAN, bound_percent=10.0)
    loose = approximate(
        make_undertrained(), HARD, plan, COUNTER, seed=1, start=tmp_path / "tight.npz"
    )
    assert loose.trials[: len(tight.trials)] == tight.trials
    assert ENERGY.price(loose.last_kept.events) < ENERGY.price(tight.last_kept.events)
    assert loose.last_kept.accuracy >= loose.trials[0].accuracy - 0.1
    assert integer_accuracy(loose.axnn, HARD.validation) == loose.last_kept.accuracy


def test_nothing_goes_on_from_a_looser_bound(tmp_path):
    run(state=tmp_path / "loose.npz")
    with pytest.raises(RunError, match="of a run under a looser bound; start from a tighter one"):
        run(replace(PLAN, bound_percent=1.0), start=tmp_path / "loose.npz")


def test_a_share_that_is_not_divided_any_further_freezes_what_fails():
    plan = replace(HARD_PLAN, bound_percent=0.0, share=0.5, smallest_share=0.5)
    steps = approximate(make_undertrained(), HARD, plan, COUNTER, seed=1).trials
    assert not all(step.kept for step in steps)
    # 13 neurons: half of them at least, or all that have not failed yet.
    assert all(step.lowered >= 6.5 or step.share == 1.0 for step in steps[1:])
    assert len(steps) <= 1 + 3 * 2


def test_layers_go_down_whole():
    found = run(replace(PLAN, unit="layer"))
    assert all(len(np.unique(layer.precision)) == 1 for layer in found.axnn.layers)
    assert len(found.trials) > 3


def test_a_step_may_see_a_part_of_the_training_samples_only():
    seen = run(replace(PLAN, samples=40))
    assert seen.last_kept.accuracy >= seen.trials[0].accuracy - 0.02
    assert seen.trials == run(replace(PLAN, samples=40)).trials != run().trials
    assert run(replace(PLAN, samples=10**6)).trials == run().trials


def test_a_trial_that_has_nearly_recovered_is_retrained_again():
    once, often = run_hard(), run_hard(rounds=4)
    assert {step.rounds for step in once.trials[1:]} == {1}
    recovered = [step for step in often.trials if step.kept and step.rounds > 1]
    assert recovered
    assert max(step.rounds for step in often.trials) <= 4
    assert ENERGY.price(often.last_kept.events) < ENERGY.price(once.last_kept.events)


def test_state_of_another_run_is_refused(tmp_path):
    run(state=tmp_path / "s.npz")
    with pytest.raises(RunError, match="another plan, engine, data, network or seed; delete it"):
        run(state=tmp_path / "s.npz", seed=2)


@pytest.mark.parametrize("role", ["state", "start"])
def test_state_of_another_network_is_refused(tmp_path, role):
    run(state=tmp_path / "s.npz")
    other = make_trained(DATA, seed=5)
    with pytest.raises(RunError, match="data, network or seed; delete it"):
        approximate(other, DATA, PLAN, COUNTER, seed=1, **{role: tmp_path / "s.npz"})


def test_damaged_state_is_refused(tmp_path):
    (tmp_path / "s.npz").write_bytes(b"not an archive")
    with pytest.raises(FormatError, match=r"s\.npz: not a readable"):
        run(state=tmp_path / "s.npz")


def scale(**fields):
    return lambda h, _: h["scales"][0].update(fields)


DAMAGES = {
    "share": (lambda h, _: h.update(share=0), "Expected `float` > 0"),
    "truth value": (
        lambda h, _: h["scales"][0]["values"][0].update(unsigned="false"),
        "Expected `bool`, got `str`",
    ),
    "fraction bits": (scale(fraction_bits=10**6), "Expected `int` <= 127"),
    "layers": (lambda h, _: h["scales"].pop(), "its scales are those of another network"),
    "channels": (lambda h, _: h["scales"][0]["products"]["8"].pop(), "scales are those of"),
    "sources": (
        lambda h, _: h["scales"][0].update(values=h["scales"][0]["values"] * 2),
        "scales are those of another",
    ),
    "widths": (lambda h, _: h["scales"][0]["products"].pop("8"), "scales are those of another"),
    "step lost": (lambda h, _: h["steps"].pop(0), "its steps are not in order"),
    "no steps": (lambda h, _: h.update(steps=[]), "its steps are not in order"),
    "older version": (lambda h, _: h["steps"][0].update(energy=1.0), "unknown field 'energy'"),
    "plan": (lambda h, _: h["identity"]["plan"].update(rounds=0), "rounds must be at least 1"),
    "engine": (lambda h, _: h["identity"]["engine"].update(rows=[4]), "Expected `int`"),
    "other widths": (lambda _, a: a["precision.0"].fill(3), "holds widths that the engine does"),
    "shape": (lambda _, a: a.update({"frozen.0": np.zeros(3, bool)}), r"frozen\.0 must be bool \("),
    "value": (lambda _, a: a["value.0.bias"].fill(np.inf), "values that are not finite"),
}


@pytest.fixture(scope="module")
def state_bytes(tmp_path_factory):
    """The state of a run that has ended."""
    path = tmp_path_factory.mktemp("state") / "s.npz"
    run(state=path)
    return path.read_bytes()


@pytest.mark.parametrize("damage", DAMAGES)
def test_state_that_does_not_fit_is_one_clear_error(damage, state_bytes, tmp_path):
    path = tmp_path / "s.npz"
    path.write_bytes(state_bytes)
    change, message = DAMAGES[damage]
    resave(path, change)
    for option in ("state", "start"):
        with pytest.raises(FormatError, match=message) as caught:
            run(**{option: path})
        assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bound_percent": -1.0}, r"bound_percent must be 0\.\.100, not -1.0"),
        ({"share": 0.0}, "share must be more than 0 and at most 1, not 0.0"),
        ({"criterion": "magic"}, "criterion must be one of"),
        ({"smallest_share": 0.6}, r"smallest_share must be 0\.\.share, not 0.6"),
        ({"unit": "neuron"}, "unit must be tile or layer, not 'neuron'"),
        ({"samples": 0}, "samples must be at least 1, not 0"),
        ({"rounds": 0}, "rounds must be at least 1, not 0"),
    ],
)
def test_bad_plans_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        replace(PLAN, **values)
