"""Rounding, saturation and packing against fractions and big integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.spec.fixed import limits, narrow, pack, quantize, round_shift, saturate, unpack
from tests.qcnpe import exact

WIDTHS = (16, 8, 4, 2)
ACCUMULATORS = st.integers(*exact.bounds(48))
SHIFTS = st.integers(-15, 47)


@pytest.mark.parametrize("bits", range(1, 49))
@pytest.mark.parametrize("unsigned", [False, True])
def test_limits(bits, unsigned):
    assert limits(bits, unsigned=unsigned) == exact.bounds(bits, unsigned=unsigned)


@given(ACCUMULATORS, SHIFTS)
def test_round_shift_is_half_up(value, shift):
    assert round_shift(value, shift) == exact.scaled(value, shift)


@pytest.mark.parametrize(
    ("value", "shift", "rounded"),
    [(1, 1, 1), (-1, 1, 0), (3, 1, 2), (-3, 1, -1), (5, 2, 1), (6, 2, 2), (-6, 2, -1), (7, -3, 56)],
)
def test_round_shift_of_halves(value, shift, rounded):
    assert round_shift(value, shift) == rounded


@pytest.mark.parametrize("value", [*exact.bounds(48), 2**46, -1, 0, 1])
@pytest.mark.parametrize("shift", [-15, -1, 0, 1, 46, 47])
def test_round_shift_at_the_ends_of_the_accumulator(value, shift):
    assert round_shift(value, shift) == exact.scaled(value, shift)


@given(st.lists(ACCUMULATORS, min_size=3, max_size=3), st.lists(SHIFTS, min_size=2, max_size=2))
def test_round_shift_broadcasts(values, shifts):
    found = round_shift(np.array(values)[:, None], np.array(shifts))
    assert found.tolist() == [[exact.scaled(v, s) for s in shifts] for v in values]


@given(st.integers(-(2**62), 2**62), st.integers(1, 48), st.booleans())
def test_saturate_gives_the_nearest(value, bits, unsigned):
    assert saturate(value, bits, unsigned=unsigned) == exact.clip(value, bits, unsigned=unsigned)


@given(
    st.integers(*exact.bounds(16)), st.integers(0, 15), st.sampled_from([8, 4, 2]), st.booleans()
)
def test_narrow_rounds_then_saturates(value, shift, width, unsigned):
    expected = exact.copy(value, shift, width, unsigned=unsigned)
    assert narrow(value, shift, width, unsigned=unsigned) == expected


# Multiples of 2**-20 are exact in float64, and so is their sum with a half.
@given(st.integers(-(2**38), 2**38), st.integers(0, 15), st.sampled_from(WIDTHS))
def test_quantize_is_half_up_and_saturates(numerator, fraction_bits, bits):
    real = Fraction(numerator, 2**20)
    expected = exact.clip(exact.half_up(real * 2**fraction_bits), bits)
    assert quantize(float(real), fraction_bits, bits) == expected


def test_quantize_clips_what_no_integer_holds():
    found = quantize([1e300, -1e300, np.inf, -np.inf], 15, 16)
    assert found.tolist() == [32767, -32768, 32767, -32768]


def test_quantize_takes_an_exponent_for_each_neuron():
    assert quantize([[1.0, 1.0], [0.5, -0.5]], [[0], [3]], 8).tolist() == [[1, 1], [4, -4]]


@st.composite
def operands(draw):
    """(width, unsigned, rows of operands) that fit the width."""
    width, unsigned = draw(st.sampled_from(WIDTHS)), draw(st.booleans())
    fan_in = draw(st.integers(1, 40))
    number = st.integers(*exact.bounds(width, unsigned=unsigned))
    row = st.lists(number, min_size=fan_in, max_size=fan_in)
    return width, unsigned, draw(st.lists(row, min_size=1, max_size=3))


@given(operands())
def test_unpack_undoes_pack(drawn):
    width, unsigned, rows = drawn
    pairs, fan_in = 16 // width, len(rows[0])
    lanes = pack(rows, width, pairs)
    assert lanes.dtype == np.uint16
    assert lanes.shape == (len(rows), -(-fan_in // pairs))
    found = unpack(lanes, width, pairs, unsigned=unsigned)
    assert found[:, :fan_in].tolist() == rows
    assert not found[:, fan_in:].any()


@given(operands())
def test_pack_puts_the_first_operand_lowest(drawn):
    width, _, rows = drawn
    pairs, row = 16 // width, rows[0]
    for beat, lane in enumerate(pack(row, width, pairs).tolist()):
        members = row[beat * pairs : (beat + 1) * pairs]
        assert lane == sum(value % 2**width * 2 ** (i * width) for i, value in enumerate(members))


@given(st.integers(0, 0xFFFF), st.sampled_from(WIDTHS), st.booleans())
def test_pack_undoes_unpack(lane, width, unsigned):
    seen = unpack([lane], width, 16 // width, unsigned=unsigned)
    assert seen.tolist() == exact.fields(lane, width, unsigned=unsigned)
    assert pack(seen, width, 16 // width).tolist() == [lane]


@given(st.integers(2, 16).flatmap(lambda w: st.tuples(st.just(w), st.integers(*exact.bounds(w)))))
def test_a_lone_operand_takes_the_top_of_its_lane(drawn):
    width, value = drawn
    lane = pack([value], width, 1)
    assert lane.tolist() == [value * 2 ** (16 - width) % 2**16]
    assert unpack(lane, width, 1).tolist() == [value * 2 ** (16 - width)]


@given(st.integers(0, 0xFFFF), st.integers(2, 16), st.booleans())
def test_a_lone_operand_has_no_low_order_bits(lane, width, unsigned):
    step = 2 ** (16 - width)
    kept = lane // step * step
    expected = kept if unsigned else exact.wrap(kept, 16)
    assert unpack([lane], width, 1, unsigned=unsigned).tolist() == [expected]
