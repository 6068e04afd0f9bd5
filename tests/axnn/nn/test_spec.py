"""Descriptions: geometries, checks, and the passage through JSON."""

import json
from dataclasses import asdict

import pytest

from axnn.nn.spec import LayerSpec, NetworkSpec
from qcnpe.spec.errors import ConfigError

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


def test_description_survives_json():
    last = LayerSpec(kind="dense", channels=3, function="identity", dropout=0.0)
    first = (CONVOLUTION, LayerSpec(kind="average", kernel=(2, 2), function="relu", dropout=0.5))
    spec = NetworkSpec(name="n", input_shape=(1, 28, 28), layers=(*first, SUBSAMPLING, last))
    assert NetworkSpec.from_document(json.loads(json.dumps(asdict(spec)))) == spec


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
