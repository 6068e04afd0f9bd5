"""Dividers of the PLLs, against the limits of the data sheets."""

import pytest

from qcnpe.boards.pll import ecp5_ratio, ice40_ratio
from qcnpe.spec.errors import ConfigError


@pytest.mark.parametrize(("source", "wanted"), [(25e6, 50e6), (100e6, 50e6), (48e6, 60e6)])
def test_ecp5_ratio(source, wanted):
    found = ecp5_ratio(source, wanted)
    assert source / found.reference * found.feedback == wanted
    assert 400e6 <= wanted * found.output_divider <= 800e6
    assert source / found.reference >= 3.125e6


@pytest.mark.parametrize("wanted", [24e6, 30e6, 48e6])
def test_ice40_ratio(wanted):
    found = ice40_ratio(12e6, wanted)
    vco = 12e6 / found.reference * found.feedback
    assert vco / found.output_divider == wanted
    assert 533e6 <= vco <= 1066e6


@pytest.mark.parametrize("ratio", [ecp5_ratio, ice40_ratio])
def test_clock_that_no_pll_makes_is_refused(ratio):
    with pytest.raises(ConfigError, match=r"clock_hz must be a ratio of 1.2e\+07"):
        ratio(12e6, 51_234_567)
