"""The loop: it keeps its bound, reads no test data, and can be taken up again."""

from dataclasses import replace

import numpy as np
import pytest

from axnn.cpu.choose import Approximated, Plan, approximate, scores, take_share
from axnn.cpu.kinds import cost
from axnn.train import TrainingPlan, validate
from qcnpe.spec.errors import ConfigError
from tests.axnn.tiny import make_data, make_trained, poison_test_part

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
    assert found.cost == min(step.cost for step in found.steps if step.kept)
    for name, value in exact.network.state().items():
        np.testing.assert_array_equal(value, before[name])


def test_impossible_bound_leaves_the_network_exact(exact, data):
    found = approximate(exact, data, PLAN, floor=1.01, seed=1)
    assert found.cost == exact.cost
    assert not any(step.kept for step in found.steps)


def test_interrupted_run_goes_on_to_the_same_result(exact, data, tmp_path):
    floor = floor_of(exact, data)
    whole = approximate(exact, data, PLAN, floor=floor, seed=1)
    state = tmp_path / "state.npz"

    class StopError(Exception):
        pass

    def stop(step):
        raise StopError

    for _ in range(2):
        with pytest.raises(StopError):
            approximate(exact, data, PLAN, floor=floor, seed=1, state=state, on_step=stop)
    same(approximate(exact, data, PLAN, floor=floor, seed=1, state=state), whole)


def test_judged_by_what_the_step_changes(exact, data):
    """A neuron that nothing reads costs nothing by either criterion."""
    network = exact.network
    network.neuron_layers[1].weights.value[:, 4] = 0
    for criterion in ("replacement", "gradient"):
        found = scores(exact, data.train, criterion, seed=0)[0]
        assert found[4] == 0
        assert (np.delete(found, 4) > 0).all()


def test_random_criterion_follows_its_seed(exact, data):
    first, again, other = (scores(exact, data.train, "random", seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_share_counts_what_is_saved():
    candidates = [((0, 0), 1.0), ((0, 1), 4.0), ((1, 0), 3.0), ((1, 1), 2.0)]
    assert take_share(candidates, 0.5) == [(0, 0), (0, 1)]
    assert take_share(candidates, 0.8) == [(0, 0), (0, 1), (1, 0)]
    assert take_share(candidates, 0.01) == [(0, 0)]
    assert take_share(candidates, 1.0) == [entry for entry, _ in candidates]


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
