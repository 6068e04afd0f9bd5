"""Kinds of neural compute unit: the existing ones, and refused ones."""

from dataclasses import replace

import pytest

from qcnpe.spec.errors import ConfigError
from qcnpe.spec.ncu_kind import FUSED, GATED, add_kind, find_kind, kind_of_code, kinds


def test_codes_are_those_that_bitstreams_and_drivers_have():
    assert {kind.name: kind.code for kind in kinds()} == {
        "fused": 0,
        "gated": 1,
        "plain16": 2,
        "dsp": 3,
    }
    for kind in kinds():
        assert kind_of_code(kind.code) is find_kind(kind.name) is kind


def test_only_packed_kinds_number_their_precisions():
    every = (16, 8, 4, 2)
    assert [FUSED.mode_bits(every[:count]) for count in (1, 2, 3, 4)] == [0, 1, 2, 2]
    assert [GATED.mode_bits(every[:count]) for count in (1, 2, 3, 4)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("kind", "widths", "chosen"),
    [
        ("plain16", (16, 8, 4, 2), (16,)),
        ("gated", (16, 8, 4, 2), (16, 8, 4, 2)),
        ("dsp", (16, 9, 2), (16, 2)),
    ],
)
def test_chooses_the_widths_that_it_may_have(kind, widths, chosen):
    assert find_kind(kind).choose(widths) == chosen


REFUSED = [
    ({"name": "Two Words"}, r"^name must be lower-case letters and digits, not 'Two Words'$"),
    ({"code": 16}, r"^code must be 0\.\.15, not 16$"),
    ({"code": -1}, r"^code must be 0\.\.15, not -1$"),
    ({"widths": ()}, r"^widths of ncu fused must descend from 16 to 2 at the lowest, not empty$"),
    ({"widths": (8, 4)}, r"^widths of ncu fused must descend from 16 .* not 8,4$"),
    ({"widths": (16, 1)}, r"^widths of ncu fused must descend from 16 .* not 16,1$"),
    ({"widths": (16, 4, 8)}, r"^widths of ncu fused must descend from 16 .* not 16,4,8$"),
    (
        {"widths": (16, 12, 8, 6)},
        r"^widths of ncu fused must divide 16, since its lanes are packed, not 12,6$",
    ),
    ({"is_gated": True}, r"^ncu fused must be packed or gated, not both$"),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=lambda value: str(value)[:30])
def test_refuses_what_no_ncu_can_be(values, message):
    with pytest.raises(ConfigError, match=message):
        replace(FUSED, **values)


@pytest.mark.parametrize("values", [{"name": "new"}, {"code": 9}], ids=["code", "name"])
def test_name_and_code_belong_to_one_kind(values):
    before = kinds()
    with pytest.raises(ConfigError, match="must have a name and a code of its own: fused has"):
        add_kind(replace(FUSED, **values))
    assert kinds() == before
    assert add_kind(FUSED) is FUSED


def test_unknown_kinds_are_refused():
    with pytest.raises(ConfigError, match=r"^ncu must be one of fused, gated, plain16, dsp, not"):
        find_kind("")
    with pytest.raises(ConfigError, match=r"^no kind of NCU has code 15$"):
        kind_of_code(15)
