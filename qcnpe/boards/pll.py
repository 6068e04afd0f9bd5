"""The PLL of each family: its dividers, and its instance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qcnpe.spec.errors import ConfigError

if TYPE_CHECKING:  # the help of a command names the boards, without waiting for Amaranth
    from amaranth.hdl import Module, Signal

PllBuilder = Callable[["Module", Any, float, "Signal", "Signal", float], None]
"""Adds a PLL to a module: (module, oscillator's pin, its rate in Hz, clock, locked, rate in Hz).

The clock is stable while `locked`, 1 bit, is high."""


@dataclass(frozen=True)
class Ratio:
    """Dividers of a PLL: output = input / reference * feedback; vco = output * output_divider."""

    reference: int
    feedback: int
    output_divider: int


def ecp5_ratio(input_hz: float, output_hz: float) -> Ratio:
    """Dividers of an EHXPLLL whose feedback is its output.

    The limits are those of the ECP5 data sheet: the phase detector takes 3.125 MHz or more, the
    oscillator runs at 400 to 800 MHz, and all dividers are at most 128.
    """
    for reference in range(1, 129):
        feedback = round(output_hz * reference / input_hz)
        exact = input_hz / reference * feedback == output_hz
        if exact and 1 <= feedback <= 128 and input_hz / reference >= 3.125e6:
            divider = round(600e6 / output_hz)
            if divider <= 128 and 400e6 <= divider * output_hz <= 800e6:
                return Ratio(reference, feedback, divider)
    raise ConfigError(f"clock_hz must be a ratio of {input_hz:g} that a PLL makes: {output_hz:g}")


def ice40_ratio(input_hz: float, output_hz: float) -> Ratio:
    """Dividers of an SB_PLL40 in its simple mode; `output_divider` is a power of two.

    Limits of the iCE40 data sheet: phase detector 10 to 133 MHz, oscillator 533 to 1066 MHz.
    """
    for reference in range(1, 17):
        for power in range(1, 7):
            feedback = output_hz * 2**power * reference / input_hz
            vco = output_hz * 2**power
            runs = 10e6 <= input_hz / reference <= 133e6 and 533e6 <= vco <= 1066e6
            if runs and feedback == int(feedback) and 1 <= feedback <= 128:
                return Ratio(reference, int(feedback), 2**power)
    raise ConfigError(f"clock_hz must be a ratio of {input_hz:g} that a PLL makes: {output_hz:g}")


def add_ecp5_pll(
    m: "Module", pin: Any, input_hz: float, clock: "Signal", locked: "Signal", clock_hz: float
) -> None:
    """Add an EHXPLLL; see `PllBuilder`."""
    from amaranth.hdl import Instance
    from amaranth.lib import io

    ratio = ecp5_ratio(input_hz, clock_hz)
    m.submodules.clock_pin = buffer = io.Buffer(io.Direction.Input, pin)
    m.submodules.pll = Instance(
        "EHXPLLL",
        p_CLKI_DIV=ratio.reference,
        p_CLKFB_DIV=ratio.feedback,
        p_CLKOP_DIV=ratio.output_divider,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_CPHASE=ratio.output_divider - 1,
        p_FEEDBK_PATH="CLKOP",
        i_CLKI=buffer.i,
        i_CLKFB=clock,
        i_RST=0,
        i_STDBY=0,
        i_PHASESEL0=0,
        i_PHASESEL1=0,
        i_PHASEDIR=0,
        i_PHASESTEP=0,
        i_PHASELOADREG=0,
        i_PLLWAKESYNC=0,
        i_ENCLKOP=0,
        o_CLKOP=clock,
        o_LOCK=locked,
    )


def add_ice40_pll(
    m: "Module", pin: Any, input_hz: float, clock: "Signal", locked: "Signal", clock_hz: float
) -> None:
    """Add an SB_PLL40_PAD; see `PllBuilder`."""
    from amaranth.hdl import Instance

    ratio = ice40_ratio(input_hz, clock_hz)
    m.submodules.pll = Instance(
        "SB_PLL40_PAD",
        p_FEEDBACK_PATH="SIMPLE",
        p_DIVR=ratio.reference - 1,
        p_DIVF=ratio.feedback - 1,
        p_DIVQ=ratio.output_divider.bit_length() - 1,
        p_FILTER_RANGE=1,
        i_PACKAGEPIN=pin.io,
        i_RESETB=1,
        i_BYPASS=0,
        o_PLLOUTGLOBAL=clock,
        o_LOCK=locked,
    )
