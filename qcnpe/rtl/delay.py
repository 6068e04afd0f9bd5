"""A register that delays a value."""

from amaranth.hdl import Module, Signal, Value


def delayed(m: Module, name: str, value: Value, *, reset_less: bool = False) -> Signal:
    """The value, delayed by one cycle."""
    register = Signal.like(value, name=f"late_{name}", reset_less=reset_less)
    m.d.sync += register.eq(value)
    return register
