"""Circuits with properties: a component, its environment, and claims about it.

A harness declares *claims* (must always hold), *witnesses* (must be reachable, so that no claim
holds only because its cases never occur), *assumptions* about the environment, and *invariants*. An
invariant is an auxiliary claim: it is proved like any other, and induction may then rely on it.
"""

from collections.abc import Iterable
from typing import Any

import amaranth.back.rtlil as rtlil
from amaranth.asserts import AnySeq  # type: ignore[attr-defined]
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    ClockDomain,
    Cover,
    Elaboratable,
    Fragment,
    Module,
    Signal,
    Value,
)
from amaranth.hdl._ir import PortDirection

from qcnpe.rtl.component import Component
from qcnpe.rtl.leaf import flat_ports

TOP = "harness"
"""Name of the module that the prover reads."""


class Harness:
    """Base of all harnesses; a subclass fills in `build`.

    Registers start from their initial values; there is no reset later on.
    """

    def __init__(self) -> None:
        self.claims: dict[str, Value] = {}
        self.witnesses: dict[str, Value] = {}
        self.invariants: list[Value] = []
        self.assumptions: list[Value] = []

    def build(self, m: Module) -> None:
        """Place the component and declare everything about it."""
        raise NotImplementedError

    def claim(self, name: str, *conditions: Any) -> None:
        """All conditions hold in every cycle."""
        self.claims[name] = _all(conditions)

    def witness(self, name: str, *conditions: Any) -> None:
        """There is a cycle in which all conditions hold."""
        self.witnesses[name] = _all(conditions)

    def invariant(self, *conditions: Any) -> None:
        """Auxiliary claims, for proofs by induction."""
        self.invariants.append(_all(conditions))

    def assume(self, *conditions: Any) -> None:
        """Assumptions about the environment."""
        self.assumptions.append(_all(conditions))


class _Top(Elaboratable):
    """A harness with the statements for one task of the prover."""

    def __init__(self, harness: Harness, goals: str) -> None:
        self.harness, self.goals = harness, goals
        self.domain: Any = ClockDomain("sync", reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = self.domain
        harness = self.harness
        harness.build(m)
        m.d.comb += [Assume(condition, "assumption") for condition in harness.assumptions]
        if self.goals == "witnesses":
            m.d.comb += [Cover(test, name) for name, test in harness.witnesses.items()]
        elif self.goals == "all":
            m.d.comb += [Assert(condition, "invariant") for condition in harness.invariants]
            m.d.comb += [Assert(test, name) for name, test in harness.claims.items()]
        else:
            m.d.comb += Assert(harness.claims[self.goals], self.goals)
        return m


def emit(harness: Harness, goals: str) -> str:
    """A harness as RTLIL.

    Parameters
    ----------
    harness : a new one
    goals : "all" claims and invariants, the "witnesses", or the name of one claim
    """
    top = _Top(harness, goals)
    ports = {"clk": (top.domain.clk, PortDirection.Input)}  # without it, nothing is clocked
    return str(rtlil.convert(top, name=TOP, ports=ports, emit_src=False))


def free(m: Module, *values: Any) -> None:
    """Let signals take any value in every cycle."""
    for value in values:
        signal = Value.cast(value)
        m.d.comb += signal.eq(AnySeq(len(signal)))


def free_inputs(m: Module, component: Component, *, but: Iterable[str] = ()) -> None:
    """Let all inputs of a component be free except those that the harness drives, by flat names."""
    for name, direction, value in flat_ports(component.signature, component):
        if direction == "in" and name not in but:
            free(m, value)


def past(m: Module, value: Any, *, init: int = 0, cycles: int = 1) -> Signal:
    """The value of some cycles ago; `init` in the first cycles."""
    for _ in range(cycles):
        value = Value.cast(value)
        late = Signal.like(value, name="past", init=init)
        m.d.sync += late.eq(value)
        value = late
    return value


def implies(condition: Any, consequence: Any) -> Value:
    """Logical implication of two truth values."""
    return ~Value.cast(condition).bool() | Value.cast(consequence).bool()


def is_one_hot(value: Value) -> Value:
    """Whether exactly one bit is set."""
    return (value != 0) & ((value & (value - 1)) == 0)


def add_open(m: Module, name: str, component: Component) -> "Inside":
    """Add a component as a submodule; returns access to its inner signals."""
    fragment = Fragment.get(component, None)
    m.submodules[name] = fragment
    return Inside(fragment)


class Inside:
    """The inner signals of an elaborated component, by dotted paths: `inside["queue.level"]`."""

    def __init__(self, fragment: Any) -> None:
        self._fragment = fragment

    def __getitem__(self, path: str) -> Any:
        *parts, name = path.split(".")
        fragment = self._fragment
        for part in parts:
            fragment = next(child for child, label, _ in fragment.subfragments if label == part)
        driven = {
            id(signal): signal
            for statements in fragment.statements.values()
            for statement in statements
            for signal in statement._lhs_signals()
        }
        found = [signal for signal in driven.values() if signal.name == name]
        names = sorted({signal.name for signal in driven.values()})
        assert len(found) == 1, f"{path} names {len(found)} signals; there are {', '.join(names)}"
        return found[0]


def _all(conditions: Iterable[Any]) -> Value:
    return Cat(*(Value.cast(condition).bool() for condition in conditions)).all()
