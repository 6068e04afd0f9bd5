"""Result lanes and the checks of what goes into an engine."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.streams import Streams, pack_results, unpack_result
from tests.qcnpe import exact

PRECISIONS = [(16,), (16, 8), (16, 8, 4, 2), (16, 2)]


@st.composite
def results(draw):
    """(config, unsigned, values by width) of three lanes."""
    config = EngineConfig(precisions=draw(st.sampled_from(PRECISIONS)))
    unsigned = draw(st.booleans())
    values = {}
    for width in config.precisions:
        sign = unsigned and width < 16
        number = st.integers(*exact.bounds(width, unsigned=sign))
        values[width] = draw(st.lists(number, min_size=3, max_size=3))
    return config, unsigned, values


@given(results())
def test_unpack_undoes_pack(drawn):
    config, unsigned, values = drawn
    copies = {width: np.array(values[width]) for width in config.narrow_precisions}
    lanes = pack_results(config, np.array(values[16]), copies)
    assert lanes.dtype == np.uint64
    assert (lanes < 2**config.result_lane_bits).all()
    for width in config.precisions:
        sign = unsigned and width < 16
        assert unpack_result(config, lanes, width, unsigned=sign).tolist() == values[width]


def test_places_in_a_lane():
    """Result in bits 0..15, then 8, 4 and 2 bits; copies that are not requested are zero."""
    lanes = pack_results(EngineConfig(), np.array([-2]), {8: np.array([-1]), 2: np.array([1])})
    assert lanes.tolist() == [0xFFFE | 0xFF << 16 | 0 << 24 | 1 << 28]


GOOD = Streams(
    commands=np.zeros(2, np.uint64),
    activations=np.zeros((3, 4), np.uint16),
    weights=np.zeros((3, 2), np.uint16),
    parameters=np.zeros(5, np.uint32),
    results=2,
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"commands": np.zeros(2, np.int64)},
            r"^stream commands must be uint64 \(2,\), not int64 \(2,\)$",
        ),
        (
            {"activations": np.zeros((3, 5), np.uint16)},
            r"^stream activations must be uint16 \(3, 4\), not uint16 \(3, 5\)$",
        ),
        (
            {"weights": np.zeros((3, 4), np.uint16)},
            r"^stream weights must be uint16 \(3, 2\), not uint16 \(3, 4\)$",
        ),
        (
            {"parameters": np.zeros((5, 1), np.uint32)},
            r"^stream parameters must be uint32 \(5,\), not uint32 \(5, 1\)$",
        ),
    ],
    ids=["commands", "activations", "weights", "parameters"],
)
def test_check_refuses(change, message):
    config = EngineConfig(rows=4, cols=2)
    GOOD.check(config)
    with pytest.raises(FormatError, match=message):
        replace(GOOD, **change).check(config)
