"""The rate of a line, in fractions of a clock."""

from qcnpe.spec.errors import ConfigError

PHASE_BITS = 16
"""Bits of the phase accumulator; rates are exact to 2**-16 of the clock."""

MIN_CLOCKS_PER_BIT = 4
"""Below this, sampling in the middle of a bit leaves no margin."""


def phase_step(*, clock_hz: float, baud: int) -> int:
    """Increment of the phase accumulator in each clock cycle, so that it overflows once a bit.

    Raises
    ------
    ConfigError
        If a bit would be shorter than `MIN_CLOCKS_PER_BIT` clocks.
    """
    if not 0 < baud * MIN_CLOCKS_PER_BIT <= clock_hz:
        most = int(clock_hz // MIN_CLOCKS_PER_BIT)
        raise ConfigError(f"baud must be 1..{most} at {clock_hz / 1e6:g} MHz, not {baud}")
    return round((baud << PHASE_BITS) / clock_hz)
