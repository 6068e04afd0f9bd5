"""Applications in TOML: what is printed is read as an equal one; mistakes name file and key."""

from dataclasses import replace

import numpy as np
import pytest

from axnn.data import OwnData
from axnn.errors import RunError
from axnn.flow.apps import APPS, find_app
from axnn.flow.description import describe, read_app
from axnn.nn.spec import LayerSpec, NetworkSpec, SourceSpec
from qcnpe.spec.errors import FormatError


@pytest.fixture
def write(tmp_path):
    def write_text(text):
        (tmp_path / "my.toml").write_text(text)
        return tmp_path / "my.toml"

    return write_text


@pytest.fixture
def arrays(tmp_path):
    """A file of 30 samples of 7 columns."""
    inputs = np.random.default_rng(1).random((30, 7))
    np.savez(tmp_path / "own.npz", inputs=inputs, labels=np.arange(30) % 2)
    return OwnData.at(tmp_path / "own.npz")


@pytest.mark.parametrize("name", APPS)
def test_every_application_is_read_as_it_is_printed(write, name):
    assert read_app(write(describe(find_app(name)))) == find_app(name)


def test_an_application_on_own_data_is_read_as_it_is_printed(write):
    own = OwnData(path="/data/table.csv", label="y", drop=("a", "b"), group="who", missing="refuse")
    app = replace(find_app("letters"), data=own)
    assert read_app(write(describe(app))) == app


def test_a_network_with_a_shortcut_is_read_as_it_is_printed(write):
    layers = (
        LayerSpec(kind="convolution", function="relu", channels=4, kernel=(3, 3), padding=(1, 1)),
        LayerSpec(
            kind="convolution",
            function="relu",
            channels=4,
            kernel=(3, 3),
            padding=(1, 0, 1, 2),
            adds=(SourceSpec(layer=0), SourceSpec(layer=-1, kind="convolution", kernel=(1, 1))),
        ),
        LayerSpec(kind="dense", function="identity", channels=3),
    )
    network = NetworkSpec(name="residual", input_shape=(2, 6, 6), layers=layers)
    app = replace(find_app("digits8x8"), network=network)
    text = describe(app)
    assert read_app(write(text)) == app
    with pytest.raises(FormatError, match=r"network.layers\[1\].adds\[1\]: kind of a source must"):
        read_app(write(text.replace('layer = -1, kind = "convolution"', 'layer = -1, kind = "x"')))


def test_a_relative_path_begins_in_the_folder_of_the_file(write, monkeypatch, tmp_path):
    text = describe(find_app("letters")).replace('"letter"', '{path = "sub/x.csv", label = "y"}')
    path = write(text)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    wanted = OwnData(path=str(tmp_path / "sub" / "x.csv"), label="y")
    assert read_app(path).data == wanted
    monkeypatch.chdir(tmp_path)
    assert read_app(path.relative_to(tmp_path)).data == wanted


def test_own_data_take_the_place_of_those_in_the_file(write, arrays):
    text = describe(find_app("letters"))
    app = read_app(write(text), arrays)
    assert app == replace(find_app("letters"), data=arrays)
    assert read_app(write(text.replace('data = "letter"\n', "")), arrays) == app
    with pytest.raises(RunError, match="names no data; give some with --data"):
        read_app(write(text.replace('data = "letter"\n', "")))


def test_a_network_without_input_shape_has_that_of_the_data(write, arrays):
    text = describe(find_app("letters")).replace("input_shape = [16, 1, 1]\n", "")
    assert read_app(write(text), arrays).network.input_shape == (7, 1, 1)
    with pytest.raises(FormatError, match=r"network: .*missing required field `input_shape`"):
        read_app(write(text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 150", "epochs = 0", "my.toml: training: epochs must be at least 1, not 0"),
        ("epochs = 80", "epochs = 0", "my.toml: approximation.retraining: epochs must be at least"),
        ("epochs = 150", "epocs = 150", "my.toml: training: .*missing required field `epochs`"),
        ("momentum", "moment", "my.toml: training.moment: unknown key; there are epochs, batch"),
        ('kind = "dense"', 'kind = "lstm"', r"network.layers\[0\]: kind of a layer must be"),
        ("channels = 26", "channels = 2.5", r"network.layers\[1\].channels: Expected"),
        ("rows = 16", "rows = 257", "engine: rows must be 1..256, not 257"),
        ("precisions = [16", "precisions = [32", "engine: precisions must begin with 16"),
        ("bound_percent = 0.5", "bound_percent = 100", "approximation: bound_percent must be"),
        ('criterion = "quantisation"', 'criterion = "x"', "approximation: criterion must be"),
        ('data = "letter"', '[data]\npath = "x.npz"\nlabel = "y"', "data: .*x.npz: arrays have no"),
    ],
)
def test_mistakes_are_named(write, old, new, message):
    text = describe(find_app("letters"))
    assert old in text
    with pytest.raises(FormatError, match=message):
        read_app(write(text.replace(old, new, 1)))
