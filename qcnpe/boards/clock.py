"""The clock of a board's engine, from its oscillator through a PLL."""

from typing import Any

from amaranth.hdl import Module, Signal, Value

from qcnpe.boards.family import Family


def add_clock(m: Module, platform: Any, family: Family, clock_hz: float) -> tuple[Signal, Value]:
    """Add the clock of the engine; returns it and a reset, high while the PLL is not locked.

    Parameters
    ----------
    m : takes the PLL
    platform : of the board
    family : of the board's FPGA
    clock_hz : rate of the clock

    Raises
    ------
    ConfigError
        If the board's device is not of the family, or its PLL cannot make the rate.
    """
    family.check(platform.device)
    pin = platform.request(platform.default_clk, dir="-")
    clock, locked = Signal(name="clock"), Signal(name="locked")
    family.add_pll(m, pin, platform.default_clk_frequency, clock, locked, clock_hz)
    platform.add_clock_constraint(clock, clock_hz)
    return clock, ~locked
