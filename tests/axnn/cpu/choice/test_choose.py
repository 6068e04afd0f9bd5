"""The loop: it keeps its bound, reads no test data, and can be resumed."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from axnn.approximation.search import take_within_share
from axnn.cpu.choice.approximated import Approximated, KindTrial
from axnn.cpu.choice.choose import Plan, approximate, retrain_part
from axnn.cpu.choice.lowering import lower_channels, replace_everywhere
from axnn.cpu.choice.scoring import CRITERIA, channel_unit, scores, sort_channels
from axnn.cpu.kinds import OMITTED, cost, ladder, uniform_assignment
from axnn.data import Split
from axnn.errors import RunError
from axnn.flow.ancestry import Ancestry
from axnn.nn.train import TrainingPlan, validate
from qcnpe.spec.errors import ConfigError, FormatError, QcnpeError
from tests.axnn.tiny import make_data, make_trained, poison_test_part
from tests.damage import resave

PLAN = Plan(
    bound_percent=5.0,
    retraining=TrainingPlan(epochs=3, batch=16, learning_rate=0.05),
    trials=4,
)


@pytest.fixture(scope="module")
def data():
    return poison_test_part(make_data())


@pytest.fixture
def exact(data):
    return Approximated.exact(make_trained(data, "tanh"), data)


def floor_of(exact, data):
    return validate(exact.network, data.validation)[1] - PLAN.bound_percent / 100


def same(first, second):
    for a, b in zip(first.assignment, second.assignment, strict=True):
        np.testing.assert_array_equal(a, b)
    for name, value in first.network.state().items():
        np.testing.assert_array_equal(value, second.network.state()[name])


def test_result_is_cheaper_and_holds_the_bound(exact, data):
    before = exact.network.state()
    found = approximate(exact, data, PLAN, floor=floor_of(exact, data), seed=1)
    assert found.cost < exact.cost
    assert validate(found.model(), data.validation)[1] >= floor_of(exact, data) - 1e-9
    assert found.cost == min(trial.cost for trial in found.trials if trial.kept)
    for name, value in exact.network.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_impossible_bound_leaves_the_network_exact_and_backs_off(exact, data):
    found = approximate(exact, data, replace(PLAN, trials=9), floor=1.01, seed=1)
    assert found.cost == exact.cost
    assert not any(trial.kept for trial in found.trials)
    assert len(found.trials) == 9
    lowered = [trial.lowered for trial in found.trials]
    # First all that can be replaced, the ten tanh; then half of the savings, a quarter, ...
    assert lowered[:4] == [10, 5, 2, 1]
    assert set(lowered[4:]) == {1}


def test_channel_that_fails_alone_stays_exact(exact, data):
    plan = replace(PLAN, trials=40)
    found = approximate(exact, data, plan, floor=1.01, seed=1)
    # All, a half, a quarter, then each of the ten alone; after that there is nothing to try.
    assert len(found.trials) == 3 + 10


def test_first_trial_replaces_everything(exact, data):
    found = approximate(exact, data, replace(PLAN, trials=1), floor=0.0, seed=1)
    for a, b in zip(found.assignment, uniform_assignment(exact.network, 9), strict=True):
        np.testing.assert_array_equal(a, b)
    (trial,) = found.trials
    assert trial.kept
    assert trial.cost == found.cost
    lowered = replace_everywhere(exact, data)
    assert trial.before_retraining == validate(lowered.model(), data.validation)[1]
    assert trial.accuracy == validate(found.model(), data.validation)[1]


def test_last_channel_of_a_layer_stays(exact, data):
    lowered = replace_everywhere(exact, data)
    lowered = lower_channels(lowered, [channel_unit(0, channel) for channel in range(10)], data)
    kinds = ladder(exact.network, 0)
    left = [kinds[level] != OMITTED for level in lowered.assignment[0]]
    assert left == [False] * 9 + [True]  # the most significant one comes last
    for criterion in CRITERIA:
        assert np.isinf(scores(lowered, data.train, criterion, seed=0)[0]).all()


def test_state_of_another_run_is_refused(exact, data, tmp_path):
    state = tmp_path / "state.npz"
    approximate(exact, data, PLAN, floor=0.9, seed=1, state=state)
    for seed, floor in ((2, 0.9), (1, 0.8)):
        with pytest.raises(
            RunError, match="of a run with another plan, data, network or seed; delete it"
        ):
            approximate(exact, data, PLAN, floor=floor, seed=seed, state=state)
    other = replace(exact, network=deepcopy(exact.network))
    other.network.neuron_layers[0].weights.value[0] += 1
    with pytest.raises(RunError, match="another plan, data, network or seed"):
        approximate(other, data, PLAN, floor=0.9, seed=1, state=state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"assignment": (np.zeros(9, np.uint8), np.zeros(3, np.uint8))},
            "layer 0 must have a kind in",
        ),
        (
            {"assignment": (np.zeros(10, np.uint8), np.ones(3, np.uint8))},
            "layer 1 must have a kind in",
        ),
        ({"scales": (1.0,)}, "scales must be one positive number for each layer"),
        ({"scales": (1.0, 0.0)}, "scales must be one positive number for each layer"),
        ({"scales": (np.inf, 1.0)}, "scales must be one positive number for each layer"),
    ],
)
def test_kinds_must_fit_the_network(exact, change, message):
    with pytest.raises(ConfigError, match=message):
        replace(exact, **change)


DAMAGES = {
    "kinds lost": (lambda _, a: a.pop("kinds.1"), r"has no 'kinds\.1\.npy'"),
    "weights lost": (lambda _, a: a.pop("value.0.weights"), r"has no 'value\.0\.weights\.npy'"),
    "kind unknown": (lambda _, a: a["kinds.0"].fill(9), "layer 0 must have a kind in 0"),
    "scales": (lambda h, _: h["scales"].pop(), "scales must be one positive number for each layer"),
    "scale zero": (lambda h, _: h.update(scales=[0, 1]), "Expected `float` > 0"),
    "steps": (lambda h, _: h.update(steps=[{}]), "missing required field `lowered`"),
    "ancestors": (lambda h, _: h.update(made_from=None), "Expected `object`, got `null`"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_choice_is_one_clear_error(damage, exact, tmp_path):
    path = tmp_path / "choice.npz"
    exact.save(path, Ancestry({}, {}))
    change, message = DAMAGES[damage]
    resave(path, change)
    with pytest.raises(FormatError, match=message) as caught:
        Approximated.load(path, exact.network)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, _: h.update(share=2), "Expected `float` <= 1"),
        (lambda h, _: h.update(frozen=[[-1, 0]]), "Expected `int` >= 0"),
        (lambda h, _: h["identity"]["plan"].update(trials=0), "trials must be at least 1"),
        (
            lambda h, _: h["identity"].update(seed=2),
            "of a run with another plan, data, network or seed",
        ),
        (lambda _, a: a["kinds.0"].fill(9), "layer 0 must have a kind in 0"),
    ],
)
def test_damaged_state_is_one_clear_error(change, message, exact, data, tmp_path):
    path, plan = tmp_path / "state.npz", replace(PLAN, trials=1)
    approximate(exact, data, plan, floor=0.0, seed=1, state=path)
    resave(path, change)
    with pytest.raises(QcnpeError, match=message):
        approximate(exact, data, plan, floor=0.0, seed=1, state=path)


def test_interrupted_run_goes_on_to_the_same_result(exact, data, tmp_path):
    floor = floor_of(exact, data)
    whole = approximate(exact, data, PLAN, floor=floor, seed=1)
    state = tmp_path / "state.npz"

    class StopError(Exception):
        pass

    def stop(trial):
        raise StopError

    for _ in range(2):
        with pytest.raises(StopError):
            approximate(exact, data, PLAN, floor=floor, seed=1, state=state, on_trial=stop)
    same(approximate(exact, data, PLAN, floor=floor, seed=1, state=state), whole)


@pytest.mark.parametrize("trials", [2, 8])
def test_interrupted_run_has_backed_off_as_far(trials, exact, data, tmp_path):
    """After a trial of half, and after some channels have failed alone."""
    plan, state = replace(PLAN, trials=trials + 2), tmp_path / "state.npz"
    told: list[KindTrial] = []

    class StopError(Exception):
        pass

    def stop(trial):
        assert state.exists()  # whoever is told of a trial can rely on its being kept
        told.append(trial)
        if len(told) == trials:
            raise StopError

    with pytest.raises(StopError):
        approximate(exact, data, plan, floor=1.01, seed=1, state=state, on_trial=stop)
    seen: list[KindTrial] = []
    resumed = approximate(exact, data, plan, floor=1.01, seed=1, state=state, on_trial=seen.append)
    assert resumed.trials == approximate(exact, data, plan, floor=1.01, seed=1).trials
    assert resumed.trials == tuple(seen)
    assert len(seen) == trials + 2


def test_judged_by_what_the_trial_changes(exact, data):
    """A neuron that nothing reads costs nothing by either criterion."""
    network = exact.network
    network.neuron_layers[1].weights.value[:, 4] = 0
    for criterion in ("replacement", "gradient"):
        found = scores(exact, data.train, criterion, seed=0)[0]
        assert found[4] == 0
        assert (np.delete(found, 4) > 0).all()


def test_replacement_is_change_times_gradient_for_the_time_saved(exact, data):
    """Once more by hand: the network has one hidden layer, its gradient is known."""
    network, split = exact.network, data.train
    hidden, out = network.neuron_layers
    z = split.inputs.reshape(len(split), -1) @ hidden.weights.value.T + hidden.bias.value
    y = np.tanh(z)
    odds = np.exp(y @ out.weights.value.T + out.bias.value)
    error = odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[split.labels]
    by_y = error @ out.weights.value
    # The clamp of the best slope out of 0.5, 0.55, ... 1 for each neuron; eleven products saved.
    slopes = np.linspace(0.5, 1, 11)
    clamps = np.clip(slopes[:, None, None] * z, -1, 1)
    chosen = np.square(clamps - y).mean(axis=1).argmin(axis=0)
    change = np.take_along_axis(clamps, chosen[None, None, :], axis=0)[0] - y
    found = scores(exact, split, "replacement", seed=0)[0]
    np.testing.assert_allclose(found, np.square(by_y * change).sum(axis=0) / 11, rtol=1e-3)
    found = scores(exact, split, "gradient", seed=0)[0]
    np.testing.assert_allclose(found, np.abs(by_y).sum(axis=0), rtol=1e-4)


def test_candidates_come_in_the_order_of_their_scores(exact, data):
    found = scores(exact, data.train, "replacement", seed=0)
    units = sort_channels(exact, found)
    values = [found[unit.layer][unit.members[0]] for unit in units]
    assert len(units) == 10  # the logits have nothing to be replaced by
    assert values == sorted(values)


def test_retraining_may_see_a_part_of_the_samples(exact, data):
    few = replace(PLAN, samples=16, trials=1)
    fast = replace(few, retraining=replace(PLAN.retraining, batch=1))
    spoiled = -data.train.inputs
    # Sixteen samples drawn by the seed are good; if any other were seen, the result would differ.
    drawn = np.random.default_rng(7).permutation(len(data.train))[:16]
    spoiled[drawn] = data.train.inputs[drawn]
    partly = replace(data, train=Split(spoiled, data.train.labels))
    other = replace(exact, network=deepcopy(exact.network))
    assert retrain_part(exact, partly, fast, seed=7) == retrain_part(other, data, fast, seed=7)
    same(exact, other)


def test_random_criterion_follows_its_seed(exact, data):
    first, again, other = (scores(exact, data.train, "random", seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_share_counts_what_is_saved():
    saved = {(0, 0): 1.0, (0, 1): 4.0, (1, 0): 3.0, (1, 1): 2.0}
    units = [channel_unit(*entry, size=size) for entry, size in saved.items()]

    def take(share):
        return [(unit.layer, int(unit.members[0])) for unit in take_within_share(units, share)]

    assert take(0.5) == [(0, 0), (0, 1)]
    assert take(0.8) == [(0, 0), (0, 1), (1, 0)]
    assert take(0.01) == [(0, 0)]
    assert take(1.0) == list(saved)


def test_cost_of_the_exact_network_counts_products_and_functions(exact):
    # 12-10-3: 150 products and ten tanh at 12 products each, see axnn.cpu.kinds.
    assert cost(exact.network, exact.assignment) == 150 + 10 * 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"criterion": "luck"}, "criterion must be one of replacement, gradient, random, not"),
        ({"bound_percent": 100}, "bound_percent must be 0..100, not 100"),
        ({"share": 0}, "share must be more than 0 and at most 1, not 0"),
        ({"trials": 0}, "trials must be at least 1, not 0"),
    ],
)
def test_plan_is_checked(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(PLAN, **change)
