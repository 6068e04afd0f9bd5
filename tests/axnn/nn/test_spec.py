"""Descriptions: geometries, checks, and the passage through JSON."""

from typing import Any

import pytest

from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec, SourceSpec
from qcnpe.spec.documents import decode_document, encode_document
from qcnpe.spec.errors import ConfigError, QcnpeError

CONVOLUTION = LayerSpec(
    kind="convolution", channels=6, kernel=(5, 5), padding=(2, 2), pool=(2, 2), function="relu"
)
SUBSAMPLING = LayerSpec(kind="subsampling", kernel=(2, 2), function="tanh")


def test_geometries_follow_from_the_shape_before():
    geometry = CONVOLUTION.wiring(0, {-1: (1, 28, 28)})
    assert (geometry.fan_in, geometry.output_shape) == (25, (6, 14, 14))
    windows = SUBSAMPLING.wiring(0, {-1: (6, 28, 28)})
    assert (windows.fan_in, windows.groups, windows.output_shape) == (4, 6, (6, 14, 14))
    dense = LayerSpec(kind="dense", channels=3, function="tanh").wiring(0, {-1: (6, 2, 2)})
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


def residual_spec(**change):
    """Two convolutions with a shortcut around the second, and one that reads both as one map."""
    window: dict[str, Any] = {"kernel": (3, 3), "padding": (1, 1)}
    second: dict[str, Any] = {"kind": "convolution", "channels": 4, "function": "relu", **window}
    second = {**second, "adds": (SourceSpec(layer=0),), **change}
    both = SourceSpec(layer=0, kind="convolution", kernel=(2, 2))
    return NetworkSpec(
        name="residual",
        input_shape=(2, 4, 4),
        layers=(
            LayerSpec(kind="convolution", channels=4, function="relu", dropout=0.1, **window),
            LayerSpec(**second),
            LayerSpec(kind="convolution", channels=3, kernel=(2, 2), function="tanh", adds=(both,)),
            LayerSpec(kind="dense", channels=2, function="identity"),
        ),
    )


def test_graph():
    spec = residual_spec()
    assert spec.reads == ((-1,), (0,), (1, 0), (2,))
    assert not spec.is_chain
    assert make_spec().is_chain
    assert decode_document(encode_document(spec), NetworkSpec, where="") == spec
    assert [wiring.fan_in for wiring in spec.wirings] == [18, 36 + 4, 16 + 16, 27]
    built = Network(spec, seed=0)
    assert spec.parameter_shapes == {n: p.value.shape for n, p in built.parameters.items()}
    assert built.reads == ((-1,), (0,), (1,), (2, 1), (3,))  # dropout is a layer of its own


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reads": 1}, "layer 1: a layer must read an earlier one, or -1, .*, not 1"),
        ({"reads": -2}, "layer 1: a layer must read an earlier one, or -1, .*, not -2"),
        ({"adds": (SourceSpec(layer=2),)}, "layer 1: a layer must read an earlier one, .*, not 2"),
        ({"adds": (SourceSpec(layer=-1),)}, "layer 1: .*an identity keeps its channels"),
        ({"kernel": (2, 2)}, "layer 1: the sources of a layer must make maps of one shape"),
        ({"reads": -1, "adds": ()}, None),
        ({"adds": (), "reads": 0}, None),
    ],
)
def test_wrong_graphs_are_refused(change, message):
    if message is None:
        residual_spec(**change)
        return
    with pytest.raises(ConfigError, match=f"network residual: {message}"):
        residual_spec(**change)


def test_a_layer_that_nobody_reads_is_refused():
    dense = LayerSpec(kind="dense", channels=2, function="identity")
    with pytest.raises(ConfigError, match="network n: no layer reads layer 0; leave it out"):
        NetworkSpec(
            name="n",
            input_shape=(2, 1, 1),
            layers=(dense, LayerSpec(**as_fields(dense), reads=-1)),
        )


def as_fields(spec):
    return {"kind": spec.kind, "channels": spec.channels, "function": spec.function}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "add"}, "kind of a source must be identity or convolution or dense, not 'add'"),
        ({"kernel": (2, 2)}, r"kernel of kind identity must be \(1, 1\), not \(2, 2\)"),
        ({"kind": "convolution", "padding": (1, 2, 3)}, "padding of a layer must be 2 or 4 integ"),
    ],
)
def test_wrong_sources_are_refused(values, message):
    with pytest.raises(QcnpeError, match=message):
        SourceSpec(layer=0, **values)


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
