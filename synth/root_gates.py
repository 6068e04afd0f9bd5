"""Gates the clock of a whole unit while nothing in it changes.

Yosys makes a clock gate of each enable. The pins of these gates, and registers without an enable,
would still be clocked in every cycle. So a gate at the unit's root is added before, and gates of
groups of enables below it. Its enable is derived from the registers' own: a net that is high
whenever an enable in the group is, or the register's next value compared with its value where there
is no enable. So no register is ever held that would change.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synth.liberty.library import Library
from synth.mapping import MIN_GATED_FLIPFLOPS, clock_gate_pins

MIN_SINKS = 4
"""Fewest clock pins for which a gate above them pays off; a gate takes as much as two."""

MIN_BRANCH = 8
"""Fewest clock gates for which gates between them and the root pay off, which are clocked, too."""

MAX_GROUP = 8
"""Most clock gates below one gate of a group."""

MAX_TERMS = 32
"""Most nets that a root's enable combines; registers that would need more stay at the clock."""

MAX_IMPLIED = 256
"""Most conditions that are followed back from one enable."""

Module = dict[str, Any]
"""A module of Yosys' JSON, mapped to gates of two inputs and flip-flops with enables."""

Literal = tuple[int, bool]
"""A net and its value."""


@dataclass(frozen=True)
class _Sink:
    """Flip-flops that are clocked together.

    Attributes
    ----------
    flipflops : their names
    enable : their enable, or None if they have none
    implied : nets that are high whenever they must be clocked, except through `differs`
    """

    flipflops: tuple[str, ...]
    enable: int | None
    implied: frozenset[int]

    @property
    def is_gate(self) -> bool:
        """Whether they are behind a clock gate of their own."""
        return self.enable is not None and len(self.flipflops) >= MIN_GATED_FLIPFLOPS

    @property
    def pins(self) -> int:
        """Clock pins: of the clock gate, or of the flip-flops."""
        return 1 if self.is_gate else len(self.flipflops)


@dataclass(frozen=True)
class _Term:
    """Nets that are all high whenever one of some sinks must be clocked."""

    nets: frozenset[int]
    sinks: tuple[_Sink, ...]


def add_root_gates(module: Module, library: Library) -> Module:
    """A module with a clock gate at its root and gates of groups of enables, where these pay off.

    Parameters
    ----------
    module : before the mapping to cells and before clock gates are placed
    library : with clock gates, the smallest of which is placed; `size_clock_gates` sizes it
    """
    module = copy.deepcopy(module)
    for clock, sinks in _sinks(module).items():
        _Root(module, library, clock).build(sinks)
    return module


def _sinks(module: Module) -> dict[int, list[_Sink]]:
    """Sinks of each clock, in the module's order."""
    groups: dict[tuple[int, int | str], list[str]] = {}
    for name, cell in module["cells"].items():
        pins = cell["connections"]
        if cell["type"] == "$_DFFE_PP_":
            enable = pins["E"][0]
            key = enable if isinstance(enable, int) else name
            groups.setdefault((pins["C"][0], key), []).append(name)
        elif cell["type"] == "$_DFF_P_":
            groups.setdefault((pins["C"][0], name), []).append(name)
    implied = _Implications(module["cells"]).of
    found: dict[int, list[_Sink]] = {}
    for (clock, key), names in groups.items():
        enable = key if isinstance(key, int) else None
        highs = frozenset() if enable is None else _highs(implied((enable, True)))
        found.setdefault(clock, []).append(_Sink(tuple(names), enable, highs))
    return found


def _highs(literals: Iterable[Literal]) -> frozenset[int]:
    return frozenset(net for net, value in literals if value)


class _Implications:
    """Conditions that a value of a net implies, by the gates that drive it."""

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self._drivers = {
            cell["connections"]["Y"][0]: cell for cell in cells.values() if cell["type"] in _RULES
        }
        self._known: dict[Literal, frozenset[Literal]] = {}

    def of(self, start: Literal) -> frozenset[Literal]:
        """All conditions that hold while a net has a value, the value itself included."""
        stack = [start]
        while stack:
            literal = stack[-1]
            lacking = [one for one in self._before(literal) if one not in self._known]
            if lacking:
                stack += lacking
                continue
            self._known[literal] = self._combine(literal)
            stack.pop()
        return self._known[start]

    def _before(self, literal: Literal) -> list[Literal]:
        net, value = literal
        cell = self._drivers.get(net)
        if cell is None:
            return []
        inputs, _ = _RULES[cell["type"]](value)
        found = [(cell["connections"][pin][0], level) for pin, level in inputs]
        return [(net, level) for net, level in found if isinstance(net, int)]

    def _combine(self, literal: Literal) -> frozenset[Literal]:
        cell = self._drivers.get(literal[0])
        parts = [self._known[one] for one in self._before(literal)]
        if cell is None or not parts:
            return frozenset((literal,))
        _, needs_all = _RULES[cell["type"]](literal[1])
        if not needs_all and len(parts) < 2:  # an input is constant
            return frozenset((literal,))
        both = frozenset.union(*parts) if needs_all else frozenset.intersection(*parts)
        return frozenset((literal,)) if len(both) >= MAX_IMPLIED else both | {literal}


_Rule = Callable[[bool], tuple[tuple[tuple[str, bool], ...], bool]]
"""For a value of the output: values of inputs, and whether all of them hold, or one of them."""


def _gate(a: bool, b: bool, output: bool) -> _Rule:
    """A gate whose output has a value if and only if both inputs have theirs."""
    return lambda value: (
        ((("A", a), ("B", b)), True) if value == output else ((("A", not a), ("B", not b)), False)
    )


_RULES: dict[str, _Rule] = {
    "$_AND_": _gate(True, True, True),
    "$_NAND_": _gate(True, True, False),
    "$_OR_": _gate(False, False, False),
    "$_NOR_": _gate(False, False, True),
    "$_ANDNOT_": _gate(True, False, True),
    "$_ORNOT_": _gate(False, True, False),
    "$_NOT_": lambda value: ((("A", not value),), True),
}


class _Root:
    """Places the gates of one clock.

    Parameters
    ----------
    module : is changed
    library : with clock gates
    clock : net of the clock
    """

    def __init__(self, module: Module, library: Library, clock: int) -> None:
        self._cells, self._clock = module["cells"], clock
        self._gate = library.clock_gates[0]
        self._pins = clock_gate_pins(library, self._gate)
        used = [
            bit
            for group in ("cells", "ports", "netnames")
            for each in module[group].values()
            for bits in (each["connections"].values() if "connections" in each else [each["bits"]])
            for bit in bits
        ]
        self._free = 1 + max(bit for bit in used if isinstance(bit, int))

    def build(self, sinks: Sequence[_Sink]) -> None:
        """Place a root and the gates of groups, if the root pays off."""
        terms, covered = _cover(sinks)
        if sum(sink.pins for sink in covered) < MIN_SINKS:
            return
        nets = [self._all(term.nets) for term in terms]
        differ = [self._differs(sink) for sink in covered if sink.enable is None]
        root = self._place_gate(self._clock, self._any([*nets, *differ]))
        self._connect(covered, root)
        for net, term in zip(nets, terms, strict=True):
            gates = [sink for sink in term.sinks if sink.is_gate]
            if len(gates) < MIN_BRANCH:
                continue
            clock = root
            if len(terms) + len(differ) > 1:
                clock = self._place_gate(root, net)
                self._connect(gates, clock)
            for enable, group in _groups(gates, term.nets):
                self._connect(group, self._place_gate(clock, enable))

    def _connect(self, sinks: Iterable[_Sink], clock: int) -> None:
        for sink in sinks:
            for name in sink.flipflops:
                self._cells[name]["connections"]["C"] = [clock]

    def _differs(self, sink: _Sink) -> int:
        """A net that is high while a flip-flop without an enable is to change."""
        (name,) = sink.flipflops
        pins = self._cells[name]["connections"]
        return self._logic("$_XOR_", pins["D"][0], pins["Q"][0])

    def _any(self, nets: Iterable[int]) -> int:
        """The OR of some nets."""
        return self._tree("$_OR_", list(nets))

    def _all(self, nets: Iterable[int]) -> int:
        """The AND of some nets."""
        return self._tree("$_AND_", sorted(nets))

    def _tree(self, kind: str, nets: Sequence[int]) -> int:
        """Nets combined by a balanced tree of gates."""
        while len(nets) > 1:
            pairs = zip(nets[::2], nets[1::2], strict=False)
            last = nets[len(nets) // 2 * 2 :]
            nets = [*(self._logic(kind, *pair) for pair in pairs), *last]
        return nets[0]

    def _logic(self, kind: str, a: int | str, b: int | str) -> int:
        output = self._new()
        self._place(kind, {"A": a, "B": b}, {"Y": output})
        return output

    def _place_gate(self, clock: int, enable: int) -> int:
        output = self._new()
        pins: dict[str, int | str] = {self._pins.clock: clock, self._pins.enable: enable}
        if self._pins.test:
            pins[self._pins.test] = "0"
        self._place(self._gate, pins, {self._pins.output: output})
        return output

    def _new(self) -> int:
        self._free += 1
        return self._free - 1

    def _place(
        self, kind: str, inputs: Mapping[str, int | str], outputs: Mapping[str, int]
    ) -> None:
        self._cells[f"root_{self._free}"] = {
            "hide_name": 0,
            "type": kind,
            "parameters": {},
            "attributes": {},
            "port_directions": {
                **dict.fromkeys(inputs, "input"),
                **dict.fromkeys(outputs, "output"),
            },
            "connections": {pin: [net] for pin, net in {**inputs, **outputs}.items()},
        }


def _cover(sinks: Sequence[_Sink]) -> tuple[list[_Term], list[_Sink]]:
    """Terms, one of which is true whenever a sink with an enable must be clocked.

    Returns the terms, those of most clock pins first, and the sinks that the root is for; of these,
    each without an enable needs a term of its own.
    """
    left = [sink for sink in sinks if sink.enable is not None]
    terms: list[_Term] = []
    while left and len(terms) < MAX_TERMS:
        weights: dict[int, int] = {}
        for sink in left:
            for net in sink.implied:
                weights[net] = weights.get(net, 0) + sink.pins
        best = max(weights, key=lambda net: (weights[net], -net))
        group = tuple(sink for sink in left if best in sink.implied)
        terms.append(_Term(frozenset.intersection(*(sink.implied for sink in group)), group))
        left = [sink for sink in left if best not in sink.implied]
    free = [sink for sink in sinks if sink.enable is None]
    covered = [sink for term in terms for sink in term.sinks]
    return terms, covered + (free if len(terms) + len(free) <= MAX_TERMS else [])


def _groups(gates: Sequence[_Sink], above: frozenset[int]) -> list[tuple[int, list[_Sink]]]:
    """Groups of clock gates, each with a net that is high whenever one of them is open."""
    left = list(gates)
    found: list[tuple[int, list[_Sink]]] = []
    while True:
        by_net: dict[int, list[_Sink]] = {}
        for sink in left:
            for net in sink.implied - above:
                by_net.setdefault(net, []).append(sink)
        fitting = {net: g for net, g in by_net.items() if MIN_SINKS <= len(g) <= MAX_GROUP}
        if not fitting:
            return found
        # Of equally large groups, that of neighbours in the netlist: words of one bank.
        places = {sink.flipflops: place for place, sink in enumerate(gates)}
        best = min((-len(g), _spread(g, places), net) for net, g in fitting.items())
        net = best[-1]
        found.append((net, fitting[net]))
        left = [sink for sink in left if sink not in fitting[net]]


def _spread(group: Sequence[_Sink], places: Mapping[tuple[str, ...], int]) -> int:
    numbers = [places[sink.flipflops] for sink in group]
    return max(numbers) - min(numbers)
