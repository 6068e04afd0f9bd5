"""A register that delays a value."""

from amaranth.hdl import Module, Signal, Value


def late(m: Module, name: str, value: Value, *, reset_less: bool = False) -> Signal:
    """A value of the cycle before."""
    register = Signal.like(value, name=f"late_{name}", reset_less=reset_less)
    m.d.sync += register.eq(value)
    return register
