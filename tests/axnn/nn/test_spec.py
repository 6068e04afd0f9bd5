"""Descriptions: geometries, checks, and the passage through JSON."""

import pytest

from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from qcnpe.spec.documents import decode_document, encode_document
from qcnpe.spec.errors import ConfigError, QcnpeError

CONVOLUTION = LayerSpec(
    kind="convolution", channels=6, kernel=(5, 5), padding=(2, 2), pool=(2, 2), function="relu"
)
SUBSAMPLING = LayerSpec(kind="subsampling", kernel=(2, 2), function="tanh")


def test_geometries_follow_from_the_shape_before():
    geometry = CONVOLUTION.geometry((1, 28, 28))
    assert (geometry.fan_in, geometry.output_shape) == (25, (6, 14, 14))
    windows = SUBSAMPLING.geometry((6, 28, 28))
    assert (windows.fan_in, windows.groups, windows.output_shape) == (4, 6, (6, 14, 14))
    dense = LayerSpec(kind="dense", channels=3, function="tanh").geometry((6, 2, 2))
    assert (dense.fan_in, dense.output_shape) == (24, (3, 1, 1))


def make_spec():
    """Every kind of layer, and a dropout between them."""
    last = LayerSpec(kind="dense", channels=3, function="identity", dropout=0.0)
    first = (CONVOLUTION, LayerSpec(kind="average", kernel=(2, 2), function="relu", dropout=0.5))
    return NetworkSpec(name="n", input_shape=(1, 28, 28), layers=(*first, SUBSAMPLING, last))


def test_description_survives_json():
    spec = make_spec()
    assert decode_document(encode_document(spec), NetworkSpec, where="") == spec


def test_shapes_are_those_of_the_network_that_is_built():
    spec = make_spec()
    built = Network(spec, seed=0).parameters
    assert spec.parameter_shapes == {name: p.value.shape for name, p in built.items()}
    assert len(built) == 6  # an average has none


@pytest.mark.parametrize(
    ("sizes", "channels", "message"),
    [
        ((1, 1, 20_000), 20_000, "has 400020000 parameters, more than 67108864"),
        ((1, 3000, 3000), 1, "at most 4194304 inputs"),
    ],
)
def test_size_is_known_before_anything_is_built(sizes, channels, message):
    layer = LayerSpec(kind="dense", channels=channels, function="identity")
    with pytest.raises(QcnpeError, match=message):
        NetworkSpec(name="n", input_shape=sizes, layers=(layer,))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "dense", "channels": 3, "kernel": (2, 2)}, r"kernel of kind dense must be \(1"),
        ({"kind": "dense"}, "channels must be at least 1, not None"),
        ({"kind": "average", "channels": 3}, "channels of kind average must be None, not 3"),
        ({"kind": "subsampling", "stride": (2, 2)}, "stride of kind subsampling must be"),
        ({"kind": "average", "pool": (2, 2)}, "pool of kind average must be"),
        ({"kind": "dense", "channels": 3, "dropout": 1.0}, "dropout must be 0 or more and less"),
    ],
)
def test_what_a_kind_would_ignore_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        LayerSpec(**{"function": "relu", **values})
