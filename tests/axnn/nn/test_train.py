"""Training: the loss and the step by other arithmetic; stopping, resuming and failing well."""

import errno
from dataclasses import replace

import numpy as np
import pytest

from axnn.data import Classes, Split
from axnn.data.task import cross_entropy
from axnn.errors import TrainingError
from axnn.nn.network import LayerStack, Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.nn.train import TrainingPlan, train, validate
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.quantize import QuantisedNetwork, uniform_precision
from qcnpe.spec.errors import ConfigError, FormatError
from tests.axnn.tiny import ENGINE, PLAN, make_data, make_spec, poison_test_part
from tests.damage import npz_parts, resave

DATA = make_data()


def equal_states(first: Network, second: Network) -> bool:
    state = second.state()
    return all(np.array_equal(value, state[name]) for name, value in first.state().items())


def test_cross_entropy_is_minus_the_log_of_the_softmax():
    logits = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 2.0]])
    losses, gradient = cross_entropy(logits, np.array([1, 2]))
    odds = np.exp(logits)
    shares = odds / odds.sum(axis=0)
    assert losses == pytest.approx(-np.log([shares[1, 0], shares[2, 1]]))
    assert gradient == pytest.approx(shares - [[0, 0], [1, 0], [0, 1]])


def test_cross_entropy_of_huge_logits_is_finite():
    losses, gradient = cross_entropy(np.array([[1e4], [-1e4]], np.float32), np.array([1]))
    assert losses[0] == pytest.approx(2e4)
    assert np.isfinite(gradient).all()


def test_two_steps_with_momentum_and_decay_by_hand():
    spec = NetworkSpec(
        name="one",
        input_shape=(1, 1, 1),
        layers=(LayerSpec(kind="dense", channels=2, function="identity"),),
    )
    network = Network(spec, seed=0)
    network.set_state(
        {"0.weights": np.array([[0.5], [-0.5]], np.float32), "0.bias": np.zeros(2, np.float32)}
    )
    data = make_data(samples=1)
    one = replace(data.train, inputs=np.ones((1, 1, 1, 1), np.float32), labels=np.array([0]))
    data = replace(data, train=one, validation=one, test=one)
    plan = TrainingPlan(
        epochs=2, batch=1, learning_rate=0.1, momentum=0.5, weight_decay=0.2, schedule="constant"
    )
    history = train(network, data, plan, seed=0)
    weights, bias, speed_w, speed_b = np.array([0.5, -0.5]), np.zeros(2), 0.0, 0.0
    for _ in range(2):
        odds = np.exp(weights + bias)
        slope = odds / odds.sum() - [1, 0]
        speed_w = 0.5 * speed_w - 0.1 * (slope + 0.2 * weights)
        speed_b = 0.5 * speed_b - 0.1 * slope
        weights, bias = weights + speed_w, bias + speed_b
    assert history.best.number == 1
    assert network.state()["0.weights"].ravel() == pytest.approx(weights, abs=1e-6)
    assert network.state()["0.bias"] == pytest.approx(bias, abs=1e-6)


def test_training_learns_and_never_reads_the_test_part():
    first, second = Network(make_spec(), seed=1), Network(make_spec(), seed=1)
    before = validate(first, DATA.train)[0]
    history = train(first, DATA, PLAN, seed=4)
    assert validate(first, DATA.train)[0] < before / 4
    assert train(second, poison_test_part(DATA), PLAN, seed=4) == history
    assert equal_states(first, second)


def test_another_seed_takes_another_way():
    first, second = Network(make_spec(), seed=1), Network(make_spec(), seed=1)
    train(first, DATA, PLAN, seed=4)
    train(second, DATA, PLAN, seed=5)
    assert not equal_states(first, second)


def test_stops_when_patience_ends():
    plan = replace(PLAN, epochs=200, patience=3, schedule="constant", learning_rate=0.5)
    history = train(Network(make_spec(), seed=1), DATA, plan, seed=4)
    assert len(history.epochs) == history.best.number + 1 + 3 < 200


def test_network_ends_with_its_best_epoch():
    network = Network(make_spec(), seed=1)
    plan = replace(PLAN, epochs=200, patience=3, schedule="constant", learning_rate=0.5)
    history = train(network, DATA, plan, seed=4)
    loss, accuracy = validate(network, DATA.validation)
    assert history.best != history.epochs[-1]
    assert (accuracy, loss) == (
        history.best.validation_accuracy,
        history.best.validation_loss,
    )
    assert accuracy == max(epoch.validation_accuracy for epoch in history.epochs)


@pytest.mark.parametrize("interrupted_after", [1, 4])
def test_interrupted_training_ends_as_if_it_had_not_been(tmp_path, interrupted_after):
    whole, broken = Network(make_spec(), seed=1), Network(make_spec(), seed=1)
    plan = replace(PLAN, epochs=8)
    expected = train(whole, DATA, plan, seed=4)

    def interrupt(epoch):
        if epoch.number + 1 == interrupted_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(broken, DATA, plan, seed=4, checkpoint=tmp_path / "c.npz", on_epoch=interrupt)
    resumed = Network(make_spec(), seed=99)
    assert train(resumed, DATA, plan, seed=4, checkpoint=tmp_path / "c.npz") == expected
    assert equal_states(resumed, whole)


def test_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "c.npz"
    train(Network(make_spec(), seed=1), DATA, replace(PLAN, epochs=1), seed=4, checkpoint=path)
    with pytest.raises(TrainingError, match="another plan or seed; delete it"):
        train(Network(make_spec(), seed=1), DATA, PLAN, seed=4, checkpoint=path)


CHECKPOINT_DAMAGES = {
    "epochs": (lambda h, _: h.update(epochs=[]), None),
    "older version": (lambda h, _: h["epochs"][0].update(loss=1.0), "unknown field 'loss'"),
    "field lost": (lambda h, _: h["epochs"][0].pop("train_loss"), "missing required field"),
    "order": (lambda h, _: h["epochs"][0].update(number=3), "epochs are not in order"),
    "text": (lambda h, _: h["epochs"][0].update(train_loss="1"), "Expected `float`, got `str`"),
    "best": (lambda _, a: a.update({"best.0.bias": np.zeros(3, np.float32)}), "best.0.bias must"),
    "velocity": (lambda _, a: a.pop("velocity.0.bias"), "has no 'velocity.0.bias.npy'"),
}


@pytest.mark.parametrize("damage", CHECKPOINT_DAMAGES)
def test_damaged_checkpoint_is_one_clear_error(tmp_path, damage):
    path, plan = tmp_path / "c.npz", replace(PLAN, epochs=1)
    train(Network(make_spec(), seed=1), DATA, plan, seed=4, checkpoint=path)
    change, message = CHECKPOINT_DAMAGES[damage]
    resave(path, change)
    if message is None:
        assert len(train(Network(make_spec(), seed=1), DATA, plan, seed=4, checkpoint=path).epochs)
        return
    with pytest.raises(FormatError, match=message):
        train(Network(make_spec(), seed=1), DATA, plan, seed=4, checkpoint=path)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_diverging_training_says_what_to_do():
    plan = replace(PLAN, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"no longer a number .* lower learning_rate"):
        train(Network(make_spec(), seed=1), DATA, plan, seed=4)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("quantised", [False, True])
def test_checkpoint_survives_a_loss_that_is_no_number(tmp_path, quantised):
    """What is broken by an epoch of bad samples is not what the checkpoint holds."""
    network, path = Network(make_spec(), seed=1), tmp_path / "c.npz"
    model: LayerStack = network
    if quantised:
        precision = uniform_precision(network, 8)
        scales = calibrate(network, DATA.train.inputs, precision, ENGINE)
        model = QuantisedNetwork(network, scales, precision, ENGINE)
    saved = []

    def spoil(epoch):
        saved.append(path.read_bytes())
        network.neuron_layers[-1].bias.value[0] = np.nan

    with pytest.raises(TrainingError, match="no longer a number in epoch 2; lower learning_rate"):
        train(model, DATA, PLAN, seed=4, checkpoint=path, on_epoch=spoil)
    assert [path.read_bytes()] == saved
    train(model, DATA, PLAN, seed=4, checkpoint=path)
    assert np.isfinite(np.concatenate([value.ravel() for value in network.state().values()])).all()


def test_full_disk_loses_no_epoch_that_was_saved(tmp_path, monkeypatch):
    whole, path = Network(make_spec(), seed=1), tmp_path / "c.npz"
    plan = replace(PLAN, epochs=6)
    expected = train(whole, DATA, plan, seed=4)
    write_array = np.lib.format.write_array
    written = []

    def fill_up(member, array, **options):
        written.append(array.nbytes)
        if len(written) > 40:  # in the fourth checkpoint of twelve arrays
            member.write(b"half of an array")
            raise OSError(errno.ENOSPC, "No space left on device")
        write_array(member, array, **options)

    with monkeypatch.context() as patch:
        patch.setattr("numpy.lib.format.write_array", fill_up)
        with pytest.raises(OSError, match="No space left"):
            train(Network(make_spec(), seed=1), DATA, plan, seed=4, checkpoint=path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.npz"]
    assert len(npz_parts(path)[0]["epochs"]) == 3
    resumed = Network(make_spec(), seed=99)
    assert train(resumed, DATA, plan, seed=4, checkpoint=path) == expected
    assert equal_states(resumed, whole)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
        ({"momentum": 1.0}, "momentum must be 0 or more and less than 1, not 1.0"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or more, not -1.0"),
        ({"schedule": "wavy"}, "schedule must be constant or cosine, not wavy"),
        ({"shift_pixels": -1}, "shift_pixels must be 0 or more, not -1"),
        ({"patience": 0}, "patience must be at least 1, not 0"),
    ],
)
def test_bad_plans_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        replace(PLAN, **values)


def test_cosine_falls_from_the_start_rate_to_zero():
    plan = TrainingPlan(epochs=10, learning_rate=0.4)
    assert [plan.rate(0), plan.rate(5), plan.rate(10)] == pytest.approx([0.4, 0.2, 0.0])


def test_dropout_and_augmentation_change_the_training_but_not_its_repeatability(tmp_path):
    spec = make_spec()
    dropping = replace(spec, layers=(replace(spec.layers[0], dropout=0.5), spec.layers[1]))
    plan = replace(PLAN, epochs=4)
    variants = [
        (spec, plan),
        (dropping, plan),
        (spec, replace(plan, shift_pixels=1)),
        (spec, replace(plan, flip=True)),
    ]
    states = []
    for chosen, how in variants:
        first, second = Network(chosen, seed=1), Network(chosen, seed=1)
        assert train(first, DATA, how, seed=4) == train(second, DATA, how, seed=4)
        assert equal_states(first, second)
        states.append(first.state()["0.weights"])
    for index, state in enumerate(states):
        assert not any(np.array_equal(state, other) for other in states[:index])


def test_dropout_drops_nothing_once_training_is_over():
    spec = make_spec()
    network = Network(
        replace(spec, layers=(replace(spec.layers[0], dropout=0.5), spec.layers[1])), seed=1
    )
    before = network.predict(DATA.validation.inputs)
    with network.training(np.random.default_rng(0)):
        assert not np.array_equal(network.predict(DATA.validation.inputs), before)
    assert np.array_equal(network.predict(DATA.validation.inputs), before)


def test_small_numbers_become_zero_before_they_are_subnormal(tmp_path):
    """Subnormal numbers are right but ten times slower, in every product that they are part of."""
    _, gradient = cross_entropy(np.array([[0.0], [-100.0], [-20.0]], np.float32), np.array([0]))
    assert gradient[1, 0] == 0
    assert gradient[2, 0] == pytest.approx(np.exp(-20), rel=1e-4)
    steps = 1100  # 0.9**1100 is far below the smallest number of float32
    same = Split(np.ones((steps, 1, 1, 1), np.float32), np.zeros(steps, np.int64))
    layer = LayerSpec(kind="dense", channels=2, function="identity")
    network = Network(NetworkSpec(name="one", input_shape=(1, 1, 1), layers=(layer,)), seed=0)
    plan = TrainingPlan(epochs=1, batch=1, learning_rate=60)
    data = replace(DATA, train=same, validation=same, test=same)
    train(network, data, plan, seed=0, checkpoint=tmp_path / "c.npz")
    _, arrays = npz_parts(tmp_path / "c.npz")
    for name in ("velocity.0.weights", "velocity.0.bias"):
        magnitude = np.abs(arrays[name])
        assert magnitude.max() < 1e-30
        assert ((magnitude == 0) | (magnitude >= np.finfo(np.float32).tiny)).all()


def test_data_of_another_network_are_refused():
    other = Split(np.zeros((2, 1, 4, 3), np.float32), np.arange(2))
    turned = replace(DATA, train=other, validation=other, test=other)
    with pytest.raises(TrainingError, match=r"reads samples of \(1, 3, 4\), but those of tiny are"):
        train(Network(make_spec(), seed=0), turned, PLAN, seed=0)
    fourth = Split(DATA.train.inputs, np.arange(len(DATA.train)) % 4)
    more = replace(DATA, classes=Classes.numbered(4), validation=fourth)
    with pytest.raises(TrainingError, match=r"has 3 outputs, but in tiny sample . is of class 3"):
        train(Network(make_spec(), seed=0), more, PLAN, seed=0)
